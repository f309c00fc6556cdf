"""Values of a container's variables by a file that only one process can open: they stand in no argument list, and not
in the environment of the `docker` command, where such names would mean something to the command itself.

The file has no name on any disk. One value has one line there, so a value with a line end cannot go this way.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence


@contextlib.contextmanager
def opened(values: Mapping[str, str]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """(path for `--env-file`, descriptors that the command inherits)."""
    with tempfile.TemporaryFile() as file:
        file.write("".join(f"{name}={value}\n" for name, value in values.items()).encode("utf-8", "surrogateescape"))
        file.seek(0)
        yield f"/dev/fd/{file.fileno()}", (file.fileno(),)


def fits(value: str) -> bool:
    return not any(end in value for end in "\n\r")


def without(args: Sequence[str], names: Collection[str]) -> list[str]:
    """The words of `docker create` without `-e NAME` and `--env=NAME` of these names: theirs stand in the file."""
    kept: list[str] = []
    words = iter(args)
    for word in words:
        if word == "--entrypoint":  # what follows belongs to the image and its command
            return [*kept, word, *words]
        if word in ("-e", "--env"):
            name = next(words, "")
            if name not in names:
                kept += [word, name]
        elif not (word.startswith("--env=") and word.removeprefix("--env=") in names):
            kept.append(word)
    return kept
