"""Trains the digits network: prints a line per epoch, logs to TensorBoard, keeps the best weights."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch.utils.tensorboard import SummaryWriter

from digits.data import batches, load
from digits.model import DigitsNet
from digits.training import evaluate, train_epoch


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--lr", type=float, default=3e-3, help="learning rate of AdamW")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2, help="DataLoader processes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--logdir", type=Path, default=Path("runs"), help="TensorBoard logs; one folder per start")
    parser.add_argument("--weights", type=Path, default=Path("outputs/digits.pt"))
    return parser.parse_args()


def main() -> None:
    options = arguments()
    torch.manual_seed(options.seed)
    train_set, test_set = load(options.seed, shift=1)
    train_batches = batches(train_set, options.batch_size, shuffle=True, workers=options.workers)
    test_batches = batches(test_set, 256, shuffle=False, workers=0)
    model = DigitsNet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=max(1, options.epochs))

    options.weights.parent.mkdir(parents=True, exist_ok=True)
    best = 0.0
    with SummaryWriter(str(options.logdir / time.strftime("%Y%m%d-%H%M%S"))) as writer:
        for epoch in range(1, options.epochs + 1):
            began = time.monotonic()
            loss = train_epoch(model, train_batches, optimizer)
            schedule.step()
            accuracy = evaluate(model, test_batches)
            writer.add_scalar("loss/train", loss, epoch)
            writer.add_scalar("accuracy/test", accuracy, epoch)
            if accuracy > best:
                best = accuracy
                torch.save(model.state_dict(), options.weights)
            seconds = time.monotonic() - began
            print(f"epoch {epoch:3d}  loss {loss:.4f}  accuracy {accuracy:.2%}  {seconds:.1f} s", flush=True)
    print(f"best accuracy {best:.2%}, weights in {options.weights}")


if __name__ == "__main__":
    main()
