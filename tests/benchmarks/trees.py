"""Projects of many files, as benchmarks need them: text that compresses like source, each file another one."""

from __future__ import annotations

import random
from pathlib import Path

_BROAD = 50  # folders in each folder of the first level

DIGEST = (
    "find . -name .devenv -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum; "
    "find . -name .devenv -prune -o -type d -print | wc -l"
)
"""A script whose output is the same for the same files in the folder where it runs."""


def make_tree(root: Path, files: int, folders: int, size: int) -> None:
    """`files` of `size` bytes on average, evenly in `folders` of two levels below `root`, which is there."""
    chance = random.Random(files)
    words = [chance.randbytes(chance.randint(1, 6)).hex() for _ in range(4000)]
    text = "".join(chance.choice(words) + chance.choice("    \n_.(") for _ in range(120_000))
    places = [root / f"package{at // _BROAD:02}" / f"part{at % _BROAD:02}" for at in range(folders)]
    for place in places:
        place.mkdir(parents=True)
    for number in range(files):
        length = min(len(text) // 2, int(chance.expovariate(1 / size)))
        begin = chance.randrange(len(text) // 2)
        place = places[number % folders]
        (place / f"module{number:06}.py").write_text(f"# {number}\n{text[begin : begin + length]}")
