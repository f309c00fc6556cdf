"""The network: shapes, and that it learns."""

import torch

from digits.data import batches, load
from digits.model import DigitsNet
from digits.training import evaluate, train_epoch


def test_logits_have_one_column_per_digit() -> None:
    assert DigitsNet()(torch.zeros(5, 1, 8, 8)).shape == (5, 10)


def test_the_network_is_small() -> None:
    weights = sum(parameter.numel() for parameter in DigitsNet().parameters())
    assert weights < 25_000


def test_one_epoch_learns_far_more_than_chance() -> None:
    torch.manual_seed(0)
    train, test = load()
    model = DigitsNet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    loss = train_epoch(model, batches(train, 64, shuffle=True, workers=0), optimizer)
    assert loss < 2.3
    assert evaluate(model, batches(test, 256, shuffle=False, workers=0)) > 0.5
