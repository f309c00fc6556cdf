"""All benchmarks, one after the other: a table, and a section of its own for each group on the page.

    python -m tests.benchmarks [NAME ...] [--scale 0.3] [--write docs/benchmarks.md]

NAME: exec, up, dropin, debug, attach, stack, tui, forward, sync, remote. Needs the rig of the tests
(engine, images, npm clients) and root, because the client is an ordinary user's. Nothing passes or fails here.
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
from tests.benchmarks.page import with_sections

NAMES = ("exec", "up", "dropin", "debug", "attach", "stack", "tui", "forward", "sync", "remote")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *NAMES], help=", ".join(NAMES))
    parser.add_argument("--scale", type=float, default=1.0, help="share of the usual repetitions")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds to wait for a quiet machine, each time")
    parser.add_argument("--write", type=Path, help="a page whose sections of these groups are replaced")
    options = parser.parse_args()
    figures: list[Figure] = []
    with ground() as place:
        for name in options.names or NAMES:
            load = quiet(patience=options.patience)
            print(f"{name}: load average before {load:.2f}", file=sys.stderr, flush=True)
            group: list[Figure] = []
            for figure in importlib.import_module(f"tests.benchmarks.bench_{name}").measure(place, options.scale):
                group.append(figure)
                print(" | ".join(figure.cells()), file=sys.stderr, flush=True)
            figures += group
            if options.write:  # now: what is measured is not lost when a later group fails
                section = f"{_conditions(options.scale, load)}\n\n{table(group)}"
                options.write.write_text(with_sections(options.write.read_text(), {name: section}, NAMES))
    print(table(figures))
    return 0


def _conditions(scale: float, load: float) -> str:
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    return f"Measured on {day} at scale {scale:g}, load average before {load:.1f} on {os.cpu_count()} cores."


if __name__ == "__main__":
    sys.exit(main())
