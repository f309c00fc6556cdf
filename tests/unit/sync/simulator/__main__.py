"""`python -m tests.unit.sync.simulator --schedules 100000 --seed 0`: the first seed that fails, and its story."""

from __future__ import annotations

import argparse
import sys
import time

from tests.unit.sync.simulator.runner import first_failure, shortest


def main() -> int:
    parser = argparse.ArgumentParser(prog="simulator", description=__doc__)
    parser.add_argument("--schedules", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    asked = parser.parse_args()
    began = time.process_time()
    failed = first_failure(range(asked.seed, asked.seed + asked.schedules))
    if failed is not None:
        print(f"seed {failed.schedule.seed} fails\n{shortest(failed)}")
        return 1
    took = time.process_time() - began
    print(f"{asked.schedules} schedules, {1000 * took / max(1, asked.schedules):.2f} ms of a core each")
    return 0


if __name__ == "__main__":
    sys.exit(main())
