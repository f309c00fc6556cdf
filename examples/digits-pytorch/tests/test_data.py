"""The data set: shapes, range, and a split that does not leak."""

import torch

from digits.data import batches, load


def test_images_have_one_channel_and_lie_between_zero_and_one() -> None:
    train, test = load()
    image, label = train[0]
    assert image.shape == (1, 8, 8)
    assert float(train.images.min()) >= 0.0 and float(train.images.max()) <= 1.0
    assert label.dtype == torch.long
    assert len(train) + len(test) == 1797


def test_the_split_is_the_same_for_the_same_seed() -> None:
    first, _ = load(seed=3)
    second, _ = load(seed=3)
    other, _ = load(seed=4)
    assert torch.equal(first.labels, second.labels)
    assert not torch.equal(first.labels, other.labels)


def test_a_shift_keeps_every_pixel() -> None:
    train, _ = load(shift=1)
    torch.manual_seed(0)
    moved, _ = train[0]
    assert torch.isclose(moved.sum(), train.images[0].sum())


def test_batches_come_in_the_asked_size() -> None:
    _, test = load()
    images, labels = next(iter(batches(test, 50, shuffle=False, workers=0)))
    assert images.shape == (50, 1, 8, 8)
    assert labels.shape == (50,)
