"""The digits as tensors: bundled with scikit-learn, so nothing is downloaded."""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, Dataset

Sample = tuple[torch.Tensor, torch.Tensor]

# Grey levels of the bundled images run from 0 to 16.
LEVELS = 16.0


class Digits(Dataset[Sample]):
    """Images of shape (1, 8, 8) in [0, 1] with labels 0 to 9; `shift` moves each image by up to that many pixels."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor, shift: int = 0) -> None:
        self.images = images
        self.labels = labels
        self.shift = shift

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Sample:
        image = self.images[index]
        if self.shift:
            rows, columns = torch.randint(-self.shift, self.shift + 1, (2,)).tolist()
            image = torch.roll(image, shifts=(rows, columns), dims=(1, 2))
        return image, self.labels[index]


def load(seed: int = 0, shift: int = 0) -> tuple[Digits, Digits]:
    """Returns (training set, test set): 80 % and 20 %, stratified, the same split for the same seed."""
    bunch = load_digits()
    images = torch.tensor(bunch.images, dtype=torch.float32).unsqueeze(1) / LEVELS
    labels = torch.tensor(bunch.target, dtype=torch.long)
    train, test = train_test_split(range(len(labels)), test_size=0.2, random_state=seed, stratify=bunch.target)
    return Digits(images[train], labels[train], shift), Digits(images[test], labels[test])


def batches(dataset: Digits, size: int, *, shuffle: bool, workers: int) -> DataLoader[Sample]:
    """Batches of (images, labels); worker processes stay alive between epochs and pass tensors through /dev/shm."""
    return DataLoader(dataset, batch_size=size, shuffle=shuffle, num_workers=workers, persistent_workers=workers > 0)
