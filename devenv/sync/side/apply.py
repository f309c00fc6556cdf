"""Steps made on one side, each only where it finds what it expects. Nothing is overwritten and nothing deleted that
was not seen before: old contents change places with new ones in one move, are looked at once more, and go to the
trash.

Contents are staged first, by their digest, and verified. The order is: contents durable, names changed, folders
durable; then whoever called may remember what both sides agree on.
"""

import os

from . import renaming
from .folders import CHANGED, OWN, Meanwhile
from .making import Making
from .stage import mark
from .taking import MOVING, Taking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    Tree = tuple[Any, ...]
    Step = tuple[str, "Tree | None", "Tree | None"]

__all__ = ["CHANGED", "MOVING", "NOT_THERE", "OWN", "Applier", "Meanwhile"]

NOT_THERE = "its content is not there any more"
_FEW = 8


def _said(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error.strerror)


class Applier(Making, Taking):
    """`seen(path, digest)` is what the last scan found of a file: (device, inode, size, mtime, ctime) in nanoseconds,
    or None, also where it found another content than that; `told(path, info, digest)` hears of files that were made;
    `vouched(path)` says whether the key alone is proof of the content. Use with `with`. Raises OSError when the root
    cannot be opened."""

    def __enter__(self) -> "Applier":
        return self

    def apply(self, steps: "Iterable[Step]", cycle: str) -> "list[str]":
        """For each step "" where it is done, else why it is not; nothing is half done. `cycle` names the part of the
        trash that takes what goes."""
        steps = list(steps)
        self._each = len(steps) <= _FEW
        made = {}  # type: dict[int, tuple[str, bytes]]
        results = [""] * len(steps)
        uses = {}  # type: dict[bytes, int]
        leaving = {}  # type: dict[bytes, str]
        for step in steps:
            path, before, after = step
            if after is not None and after[0] == "f" and not self._mode_alone(step):
                uses[after[1]] = uses.get(after[1], 0) + 1
            elif after is None and before is not None and before[0] == "f":
                leaving[before[1]] = path
        for at, step in enumerate(steps):
            after = step[2]
            if after is not None and after[0] in ("f", "l") and not self._mode_alone(step):
                try:
                    if after[0] == "f" and after[1] in leaving and not self.contents.has(after[1]):
                        self._copy(after[1], leaving[after[1]])
                    made[at] = self._make(step, after[0] == "f" and uses[after[1]] == 1)
                except FileNotFoundError:
                    results[at] = NOT_THERE
                except OSError as error:
                    results[at] = _said(error)
        if not self._each:
            renaming.flush(self._stage)
        trash = self._made(self._own, "trash", 0o700)
        try:
            self._trash = self._made(trash, cycle, 0o700)
            for at, step in enumerate(steps):
                if results[at]:
                    continue
                try:
                    self._step(step, *made.pop(at, ("", b"")))
                except Meanwhile:
                    results[at] = CHANGED
                except OSError as error:
                    results[at] = _said(error)
            if not self._each:
                renaming.flush(self._root)
        finally:
            self._leave()
            for name, _ in made.values():
                self._unlink(name)
            os.close(trash)
            os.close(self._trash)
            self._trash = -1
        return results

    @staticmethod
    def _mode_alone(step: "Step") -> bool:
        _, before, after = step
        return before is not None and after is not None and before[0] == after[0] == "f" and before[1] == after[1]

    def _step(self, step: "Step", made: str, looks: bytes) -> None:
        path, before, after = step
        try:
            folder, name = self._place(path)
            if self._mode_alone(step):
                self._mode(folder, name, path, step)
            elif after is None:
                self._delete(folder, name, path, before)
            elif after[0] == "d":
                self._create_folder(folder, name)
            elif before is None:
                renaming.move(self._stage, made, folder, name)
            else:
                self._replace(folder, name, path, before, made)
            self._settled(folder)
            if before is None:
                made = ""  # it has another name now
            if looks and after is not None:
                self._tell(folder, name, path, looks, after[1])
        except FileExistsError:
            raise Meanwhile() from None
        finally:
            if after is None and before is not None and before[0] == "d":
                self._leave()
            self._unlink(made)

    def _tell(self, folder: int, name: str, path: str, looks: bytes, digest: bytes) -> None:
        """Nobody has to read what was written here, if it is still that."""
        if self._told is None:
            return
        try:
            now = os.lstat(name, dir_fd=folder)
            if mark(now) == looks:
                self._told(path, now, digest)
        except OSError:
            pass  # gone again: the next scan tells
