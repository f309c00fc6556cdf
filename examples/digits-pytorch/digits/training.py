"""One epoch of training and the evaluation, without any file or command line."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from digits.data import Sample


def train_epoch(model: nn.Module, batches: Iterable[Sample], optimizer: torch.optim.Optimizer) -> float:
    """Runs every batch once; returns the mean loss of a sample."""
    model.train()
    total, seen = 0.0, 0
    for images, labels in batches:
        optimizer.zero_grad()
        logits = model(images)
        loss = nn.functional.cross_entropy(logits, labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        seen += len(labels)
    return total / seen


@torch.no_grad()
def evaluate(model: nn.Module, batches: Iterable[Sample]) -> float:
    """Returns the share of samples that the model gets right, between 0 and 1."""
    model.eval()
    right, seen = 0, 0
    for images, labels in batches:
        right += int((model(images).argmax(dim=1) == labels).sum())
        seen += len(labels)
    return right / seen
