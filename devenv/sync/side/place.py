"""One side whole: what is there, what is made there, and what was heard of since. One call at a time."""

import binascii
import os
import stat

from . import pack
from .apply import OWN, Applier
from .scan import Scanner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from typing import Any

    from .apply import Step
    from .pack import Wanted

    Tree = tuple[Any, ...]

BIG = 8 << 20
"""From this size on only the changed blocks of a file travel."""


class Contents:
    """What comes ahead of the steps that need it. Use with `with`."""

    def __init__(self, applier: Applier, wanted: "dict[bytes, str]") -> None:
        self.applier = applier
        self.receiver = pack.Receiver(applier.contents, wanted)

    def __enter__(self) -> "Contents":
        return self

    def __exit__(self, *_: "Any") -> None:
        self.receiver.close()


class Place:
    """A folder. The files that it makes have the umask's modes. Raises OSError where the folder is not there."""

    def __init__(self, root: str, umask: int = 0o022, algorithm: str = "sha256") -> None:
        self.root = root
        self._umask = umask
        self._algorithm = algorithm
        self.scanner = Scanner(root, _only_own, algorithm)
        self.tree = None  # type: Tree | None
        self._whole = True  # the next scan must be a full one
        self.staged = True  # whether anything may be left of contents that came

    def use_rules(self, rules: "Any") -> None:
        """The next scan is a full one."""
        self._whole = True

    def scan(self, dirty: "Collection[str] | None", rehash: bool = False) -> "Tree | None":
        if self._whole or rehash:
            dirty = None
        self.tree = self.scanner.scan(self.tree, dirty, rehash)
        self._whole = False
        return self.tree

    def replica(self, new: bool = False) -> "tuple[str, int]":
        """(the word that is kept in the folder, its device); with `new` it gets a word if it has none."""
        word = ""
        try:
            with open(os.path.join(self.root, OWN, "replica"), encoding="ascii") as file:
                word = file.read(64).strip()
        except FileNotFoundError:
            if new:
                self._made()
                word = binascii.hexlify(os.urandom(16)).decode("ascii")
                with open(os.path.join(self.root, OWN, "replica"), "w", encoding="ascii") as file:
                    file.write(word + "\n")
        try:
            return word, os.lstat(self.root).st_dev
        except FileNotFoundError:
            return word, 0

    def _made(self) -> None:
        """Our own folder, which no version control shall see."""
        own = os.path.join(self.root, OWN)
        try:
            os.mkdir(own, 0o700)
        except FileExistsError:
            return
        with open(os.path.join(own, ".gitignore"), "w", encoding="ascii") as file:
            file.write("*\n")

    def _applier(self) -> Applier:
        self._made()
        return Applier(self.root, self.scanner.key, self._algorithm, self._umask, self.scanner.made)

    def missing(self, digests: "Collection[bytes]") -> "dict[bytes, int]":
        """Those that are not staged, and how much there is of each."""
        with self._applier() as applier:
            stage = applier.contents
            return {digest: stage.partly(digest) for digest in digests if not stage.has(digest)}

    def pack(self, wanted: "Sequence[Wanted]") -> "Iterator[bytes]":
        return pack.write(self.root, wanted, self._algorithm)

    def big(self, paths: "Collection[str]") -> "list[str]":
        found = []
        for path in paths:
            try:
                info = os.lstat(os.path.join(self.root, path))
            except OSError:
                continue
            if stat.S_ISREG(info.st_mode) and info.st_size >= BIG:
                found.append(path)
        return found

    def blocks(self, paths: "Collection[str]") -> "dict[str, bytes]":
        """Of those that are big files, what they consist of now."""
        found = {}
        for path in self.big(paths):
            try:
                found[path] = pack.blocks(os.path.join(self.root, path), self._algorithm)
            except OSError:
                continue
        return found

    def receive(self, steps: "Sequence[Step]") -> Contents:
        wanted = {}  # type: dict[bytes, str]
        for path, before, after in steps:
            if after is not None and after[0] == "f":
                old = os.path.join(self.root, path) if before is not None and before[0] == "f" else ""
                wanted[after[1]] = old or wanted.get(after[1], "")
        self.staged = True
        return Contents(self._applier(), wanted)

    def apply(self, steps: "Sequence[Step]", cycle: str, contents: "Contents | None" = None) -> "list[str]":
        """For each step "" or why not. Afterwards nothing is staged any more."""
        applier = contents.applier if contents is not None else self._applier()
        try:
            results = applier.apply(steps, cycle)
            if contents is not None:
                for at, (_, _, after) in enumerate(steps):
                    if results[at] and after is not None and after[0] == "f":
                        results[at] = contents.receiver.failed.get(after[1]) or results[at]
            applier.clear()
            self.staged = False
            return results
        finally:
            applier.__exit__()

    def trashed(self) -> "list[tuple[str, float, list[str], int]]":
        return []

    def restore(self, cycle: str) -> "dict[str, str]":
        return {}

    def settle(self) -> "tuple[set[str], bool]":
        """(folders in which something may have been written before this call, whether elsewhere as well)"""
        return set(), True

    def close(self) -> None:
        pass


def _only_own(path: str, is_folder: bool) -> bool:
    return path == OWN
