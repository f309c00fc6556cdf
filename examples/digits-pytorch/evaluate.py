"""Measures saved weights on the test set and prints what the network confuses."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from digits.data import batches, load
from digits.model import CLASSES, DigitsNet
from digits.training import evaluate


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=Path("outputs/digits.pt"))
    options = parser.parse_args()
    if not options.weights.exists():
        print(f"{options.weights} does not exist: run train.py first", file=sys.stderr)
        return 1
    model = DigitsNet()
    model.load_state_dict(torch.load(options.weights, weights_only=True))
    _, test_set = load()
    accuracy = evaluate(model, batches(test_set, 256, shuffle=False, workers=0))
    print(f"accuracy {accuracy:.2%} on {len(test_set)} images")

    with torch.no_grad():
        guesses = model(test_set.images).argmax(dim=1)
    confusion = torch.zeros(CLASSES, CLASSES, dtype=torch.long)
    for label, guess in zip(test_set.labels.tolist(), guesses.tolist(), strict=True):
        confusion[label, guess] += 1
    print("rows: the digit, columns: the guess")
    for row in confusion.tolist():
        print(" ".join(f"{count:3d}" for count in row))
    return 0


if __name__ == "__main__":
    sys.exit(main())
