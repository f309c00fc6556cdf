"""What would travel, before it travels for the first time: how much, and what a person may not want to send.

Nothing is decided here. An answer is a line for `.devenvignore` (`Finding.line`), or "send it": whoever asks keeps it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import os
import pathlib
import stat
import unicodedata

from devenv.config import SyncConfig
from devenv.config.sizes import in_bytes
from devenv.sync import secrets
from devenv.sync.patterns import line_of
from devenv.sync.rules import Rules

BIG = 100 << 20  # bytes
MOST_KEPT = 100  # findings of a kind
MOST_LOOKED_INTO = 5_000  # files, for keys
_SHARE = 0.02  # of all that travels, from which on a folder is worth telling
MOST_FOLDERS = 10


class Kind(enum.StrEnum):
    SECRET = "secret"
    LEFT_OUT = "left out"
    """It is larger than `sync.max-file`, or than its output may be, and stays where it is."""
    BIG = "big"
    TWINS = "twins"
    """It differs from a neighbour by case alone: on a Mac they are one file."""
    NOT_UTF8 = "not UTF-8"
    UNREADABLE = "unreadable"


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """`path` is relative to the root; `size` is in bytes, 0 for folders."""

    kind: Kind
    path: str
    is_folder: bool = False
    size: int = 0
    why: str = ""

    @property
    def line(self) -> str:
        """The line of `.devenvignore` that leaves it out. Bytes that are no UTF-8 are surrogates in it."""
        return line_of(self.path, is_folder=self.is_folder)


@dataclasses.dataclass(frozen=True, slots=True)
class Weight:
    """A folder with all that travels of it."""

    path: str
    files: int
    size: int


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    max_files: int = 200_000
    max_file: int = 2 << 30  # bytes
    big: int = BIG

    @classmethod
    def of(cls, config: SyncConfig) -> Limits:
        return cls(config.max_files, in_bytes(config.max_file))


@dataclasses.dataclass(frozen=True, slots=True)
class Survey:
    """`files` and `size` are of what travels, links included. `folders` are those that weigh most, the heaviest first.
    Of each kind at most `MOST_KEPT` findings are kept; `counts` has them all."""

    limits: Limits
    files: int
    size: int
    folders: tuple[Weight, ...]
    findings: tuple[Finding, ...]
    counts: dict[Kind, int]

    @property
    def too_many(self) -> bool:
        return self.files > self.limits.max_files

    @property
    def asks(self) -> bool:
        """Whether a person should look before anything is sent."""
        return self.too_many or any(kind in self.counts for kind in (Kind.SECRET, Kind.LEFT_OUT, Kind.BIG))


def survey(root: pathlib.Path, rules: Rules, limits: Limits) -> Survey:
    """Lists everything that travels, and reads a few small files that may be keys. Raises OSError for the root itself.
    Blocks."""
    return _Surveyor(root, rules, limits).survey()


class _Surveyor:
    def __init__(self, root: pathlib.Path, rules: Rules, limits: Limits) -> None:
        self._root = root
        self._matcher = rules.matcher()
        self._limits = limits
        self._findings: list[Finding] = []
        self._counts: dict[Kind, int] = {}
        self._own: dict[str, list[int]] = {}  # folder -> [files, bytes], of what lies in it directly
        self._looked_into = 0
        self._root_user = os.geteuid() == 0

    def survey(self) -> Survey:
        device = self._root.lstat().st_dev
        folders = [""]
        while folders:
            folder = folders.pop()
            folders += self._folder(folder, device)
        whole = self._whole()
        files, size = whole[""]
        return Survey(self._limits, files, size, self._heaviest(whole), tuple(self._findings), dict(self._counts))

    def _folder(self, folder: str, device: int) -> list[str]:
        own = self._own[folder] = [0, 0]
        try:
            with os.scandir(self._root / folder if folder else self._root) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            if not folder:
                raise
            self._found(Finding(Kind.UNREADABLE, folder, True, why=os.strerror(error.errno or 0)))
            return []
        below, travels = [], []
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            with contextlib.suppress(FileNotFoundError):  # gone meanwhile
                is_folder = entry.is_dir(follow_symlinks=False)
                if self._matcher.ignored(path, is_folder):
                    continue
                info = entry.stat(follow_symlinks=False)
                if is_folder and info.st_dev == device:
                    below.append(path)
                    if why := secrets.of_folder(entry.name):
                        self._found(Finding(Kind.SECRET, path, True, why=why))
                elif stat.S_ISREG(info.st_mode):
                    if not self._file(path, entry, info.st_size):
                        continue
                    own[0] += 1
                    own[1] += info.st_size
                elif stat.S_ISLNK(info.st_mode):
                    own[0] += 1
                else:
                    continue
                travels.append((path, is_folder))
        self._names(travels)
        return below

    def _file(self, path: str, entry: os.DirEntry[str], size: int) -> bool:
        """Whether it travels."""
        if self._matcher.too_big(path, size):
            self._found(Finding(Kind.LEFT_OUT, path, size=size))
            return False
        if size > self._limits.big:
            self._found(Finding(Kind.BIG, path, size=size))
        if not self._root_user and not os.access(entry.path, os.R_OK):
            self._found(Finding(Kind.UNREADABLE, path, size=size, why="Permission denied"))
            return True
        why = secrets.of_name(entry.name)
        if not why and self._looked_into < MOST_LOOKED_INTO and secrets.to_look_into(entry.name, size):
            self._looked_into += 1
            why = secrets.of_content(pathlib.Path(entry.path))
        if why:
            self._found(Finding(Kind.SECRET, path, size=size, why=why))
        return True

    def _names(self, travels: list[tuple[str, bool]]) -> None:
        """Those that are no names, or the same one, on other file systems."""
        plain: dict[str, tuple[str, bool]] = {}
        for path, is_folder in travels:
            name = path.rpartition("/")[2]
            if not name.isascii():
                try:
                    name.encode()
                except UnicodeEncodeError:
                    self._found(Finding(Kind.NOT_UTF8, path, is_folder))
                name = unicodedata.normalize("NFC", name)
            first = plain.setdefault(name.casefold(), (path, is_folder))
            if first != (path, is_folder):
                self._found(Finding(Kind.TWINS, path, is_folder, why=first[0].rpartition("/")[2]))

    def _found(self, finding: Finding) -> None:
        count = self._counts.get(finding.kind, 0)
        if count < MOST_KEPT:
            self._findings.append(finding)
        self._counts[finding.kind] = count + 1

    def _whole(self) -> dict[str, tuple[int, int]]:
        """Folder -> (files, bytes), with all that is below."""
        whole = {folder: list(own) for folder, own in self._own.items()}
        for folder in sorted(whole, key=lambda path: path.count("/"), reverse=True):
            if folder:
                above = whole[folder.rpartition("/")[0]]
                above[0] += whole[folder][0]
                above[1] += whole[folder][1]
        return {folder: (files, size) for folder, (files, size) in whole.items()}

    def _heaviest(self, whole: dict[str, tuple[int, int]]) -> tuple[Weight, ...]:
        """Where the weight is: a folder that has nearly all of its own from one below gives way to that one."""
        by_size = 0 if whole[""][0] > self._limits.max_files else 1  # else by their number
        most = dict.fromkeys(whole, 0)  # folder -> the weight of its heaviest child
        for folder, weight in whole.items():
            if folder:
                above = folder.rpartition("/")[0]
                most[above] = max(most[above], weight[by_size])
        total = whole[""][by_size]
        found = [
            Weight(folder, *weight)
            for folder, weight in whole.items()
            if folder and weight[by_size] > total * _SHARE and most[folder] < weight[by_size] * 0.9
        ]
        found.sort(key=lambda one: (one.files, one.size)[by_size], reverse=True)
        return tuple(found[:MOST_FOLDERS])
