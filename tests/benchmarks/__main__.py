"""All benchmarks, one after the other, and their one table.

    python -m tests.benchmarks [NAME ...] [--scale 0.3] [--write docs/benchmarks.md]

NAME: exec, up, dropin, debug, attach, stack, tui, forward. Needs the rig of the tests (engine, images, npm clients)
and root, because the client is an ordinary user's. Nothing passes or fails here.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import os
import sys
from pathlib import Path

from tests.benchmarks.figures import Figure, table
from tests.benchmarks.ground import ground, quiet

NAMES = ("exec", "up", "dropin", "debug", "attach", "stack", "tui", "forward")
TABLE = "<!-- table: written by `python -m tests.benchmarks --write` -->\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *NAMES], help=", ".join(NAMES))
    parser.add_argument("--scale", type=float, default=1.0, help="share of the usual repetitions")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds to wait for a quiet machine, each time")
    parser.add_argument("--write", type=Path, help="a page whose table is replaced by this run's")
    options = parser.parse_args()
    figures: list[Figure] = []
    with ground() as place:
        loads: list[float] = []
        for name in options.names or NAMES:
            loads.append(quiet(patience=options.patience))
            print(f"{name}: load average before {loads[-1]:.2f}", file=sys.stderr, flush=True)
            for figure in importlib.import_module(f"tests.benchmarks.bench_{name}").measure(place, options.scale):
                figures.append(figure)
                print(" | ".join(figure.cells()), file=sys.stderr, flush=True)
    print(table(figures))
    if options.write:
        head = options.write.read_text().partition(TABLE)[0]
        day = datetime.datetime.now(datetime.UTC).date().isoformat()
        before = ", ".join(f"{one:.1f}" for one in loads)
        load = f"scale {options.scale:g}, load average before each group {before} on {os.cpu_count()} cores"
        options.write.write_text(f"{head}{TABLE}\nMeasured on {day}, {load}.\n\n{table(figures)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
