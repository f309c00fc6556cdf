"""What is synchronised of a project: read from its rule files, compiled for both sides.

From weak to strong: our defaults, each folder's `.gitignore`, `sync.ignore` of devenv.yaml, `.devenvignore`; within one
kind an inner file over an outer one, within a file the last line that fits. Below an ignored folder nothing is looked
at. `.devenv` and `.git` are no matter of rules: the first one never travels, the second one by `sync.git` alone.
`sync.outputs` are stronger than all rules, and travel one way.

The container can write rule files too. What is in them is limited, and compiled to expressions that no name holds up.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import re
import stat
from collections.abc import Iterator, Mapping
from typing import Any

from devenv.config import OutputConfig, SyncConfig
from devenv.config.sizes import in_bytes
from devenv.errors import Problem
from devenv.sync.core.merge import GIT, Mode, ModeOf
from devenv.sync.patterns import NeverFits, Rule, lines_of, output_of, rules_of
from devenv.sync.side.rules import Matcher

GITIGNORE, DEVENVIGNORE, CONFIG = ".gitignore", ".devenvignore", "devenv.yaml"

DEFAULTS = (
    # an editor's, while it writes
    *("*.swp", "*.swo", "*.swx", "4913", ".#*", "\\#*#", "*~", "*___jb_tmp___", "*___jb_old___", ".goutputstream-*"),
    # a file system's
    *(".DS_Store", "._*", ".nfs*", ".fuse_hidden*"),
    # what each machine makes for itself
    *("__pycache__/", ".venv/", "node_modules/", ".mypy_cache/", ".ruff_cache/", ".pytest_cache/", ".tox/", ".nox/"),
)
"""`!pattern` in a stronger file takes one back."""

MOST_BYTES = 1 << 20  # of a rule file
MOST_RULES = 50_000  # of all files
MOST_PROBLEMS = 100
_LAYERS = {GITIGNORE: 1, CONFIG: 2, DEVENVIGNORE: 3}
_FILES = (GITIGNORE, DEVENVIGNORE)  # the weaker first
_NO_RULE = re.compile(r"#.*|\s*", re.DOTALL)  # most lines that are none


Stamp = tuple[int, ...]
"""Another one: the file may say something else. () for a file that is not there."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """`spec` is what `Endpoint.use_rules` takes, JSON-able; equal specs say the same. `sources` are the rule files that
    were found, relative to the root, each with its stamp as it was read; `folders` are those that were looked into.
    `problems` are lines that mean nothing, and files that could not be used."""

    spec: dict[str, Any]
    sources: Mapping[str, Stamp]
    folders: frozenset[str]
    problems: tuple[Problem, ...]

    def matcher(self) -> Matcher:
        return Matcher(self.spec)


def is_rule_file(path: str) -> bool:
    """Whether another content of it may mean other rules."""
    return path == CONFIG or path.rpartition("/")[2] in _FILES


def stamp(path: pathlib.Path) -> Stamp:
    try:
        return _stamp(path.lstat())
    except OSError:
        return ()


def _stamp(info: os.stat_result) -> Stamp:
    return info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns


def collect(root: pathlib.Path, config: SyncConfig | None = None) -> Rules:
    """The rules of a project as they are now. Looks into every folder that is not ignored; what cannot be read is left
    out. Blocks."""
    return _Collector(root, config or SyncConfig()).rules()


def mode_of(config: SyncConfig) -> Mode | ModeOf:
    """Which way each path goes. Outputs that fit nothing are a problem of `collect`, and none here."""
    mode, git = Mode(config.mode), config.git == "host-to-container"
    outputs = []
    for pattern, _ in _outputs(config):
        with contextlib.suppress(NeverFits):
            outputs.append(output_of(pattern)[0])
    if not git and not outputs:
        return mode
    is_output = re.compile("|".join(f"(?:{fits})" for fits in outputs) or "(?!)", re.DOTALL).fullmatch

    def of(path: str) -> Mode:
        if git and path.partition("/")[0] == GIT:
            return Mode.OVER_CONTAINER if path == ".git/index" else Mode.TO_CONTAINER
        return Mode.TO_HOST if is_output(path) else mode

    return of


def _outputs(config: SyncConfig) -> Iterator[tuple[str, int]]:
    for output in config.outputs:
        one = output if isinstance(output, OutputConfig) else OutputConfig(pattern=output)
        yield one.pattern, in_bytes(one.max or config.max_file)


class _Collector:
    def __init__(self, root: pathlib.Path, config: SyncConfig) -> None:
        self._root = root
        self._config = config
        self._sources: dict[str, Stamp] = {}
        self._folders: set[str] = set()
        self._problems: list[Problem] = []
        self._count = 0
        self._spec: dict[str, Any] = {
            "groups": [],
            "outputs": [],
            "max_file": in_bytes(config.max_file),
            "git": config.git == "host-to-container",
            "mode": config.mode,  # no matcher asks, but it is a part of what is the same or not
        }
        self._matcher = Matcher(self._spec)

    def rules(self) -> Rules:
        self._add(0, "", [rule for line in DEFAULTS for rule in rules_of(line)])
        self._configured()
        self._walk()
        return Rules(self._spec, self._sources, frozenset(self._folders), tuple(self._problems))

    def _configured(self) -> None:
        found: list[Rule] = []
        for number, line in enumerate(self._config.ignore):
            found += self._compiled(line, "", CONFIG, 0, f"sync.ignore.{number}")
        self._add(_LAYERS[CONFIG], "", found)
        for number, (pattern, most) in enumerate(_outputs(self._config)):
            try:
                self._spec["outputs"].append([*output_of(pattern), most])
            except NeverFits as error:
                self._problem(CONFIG, 0, f"sync.outputs.{number}", f"{pattern!r} fits nothing: {error}")

    def _walk(self) -> None:
        try:
            device = self._root.lstat().st_dev
        except OSError:
            return  # the scan of it has more to say
        folders = [""]
        while folders:
            folder = folders.pop()
            self._folders.add(folder)
            with contextlib.suppress(OSError), os.scandir(self._root / folder if folder else self._root) as listing:
                entries = [entry for entry in listing if entry.name in _FILES or entry.is_dir(follow_symlinks=False)]
                names = {entry.name for entry in entries}
                for name in _FILES:
                    if name in names:
                        self._read(folder, name)
                for entry in entries:
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    if entry.is_dir(follow_symlinks=False) and not self._matcher.hidden(path, True):
                        with contextlib.suppress(OSError):
                            if entry.stat(follow_symlinks=False).st_dev == device and path != GIT:
                                folders.append(path)

    def _read(self, folder: str, name: str) -> None:
        path = f"{folder}/{name}" if folder else name
        try:
            data, self._sources[path] = _content(self._root / path)
        except OSError as error:
            self._sources[path] = stamp(self._root / path)
            self._problem(path, 0, "", f"is not used: {error.strerror or error}")
            return
        found: list[Rule] = []
        for number, line in enumerate(lines_of(data), 1):
            if not _NO_RULE.fullmatch(line):
                found += self._compiled(line, folder, path, number, "")
        self._add(_LAYERS[name], folder, found)

    def _compiled(self, line: str, folder: str, file: str, number: int, key: str) -> list[Rule]:
        try:
            return rules_of(line, folder)
        except NeverFits as error:
            self._problem(file, number, key, f"{line.strip()[:200]!r} fits nothing: {error}")
            return []

    def _add(self, layer: int, folder: str, rules: list[Rule]) -> None:
        self._count += len(rules)
        if self._count > MOST_RULES:
            self._problem(folder or ".", 0, "", f"has more rules than {MOST_RULES} in all; they are not used")
            return
        if rules:
            group = [layer, folder, [list(rule) for rule in rules]]
            self._spec["groups"].append(group)
            self._matcher.add(layer, folder, rules)

    def _problem(self, file: str, line: int, key: str, message: str) -> None:
        if len(self._problems) < MOST_PROBLEMS:
            self._problems.append(Problem(str(self._root / file), line, 0, key, message))


def _content(path: pathlib.Path) -> tuple[bytes, Stamp]:
    """Of a regular file that is no link, as Git reads its own rules. Raises OSError."""
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(number, "rb") as file:
        info = os.fstat(number)
        if not stat.S_ISREG(info.st_mode):
            raise OSError("it is no file")
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise OSError(f"it has more than {MOST_BYTES} bytes")
    return data, _stamp(info)
