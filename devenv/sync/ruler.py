"""What of one project is synchronised, as its files say now."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Callable, Collection
from typing import Any

from devenv.config import SyncConfig
from devenv.errors import Problem
from devenv.sync.core.merge import Mode, ModeOf
from devenv.sync.rules import CONFIG, Rules, collect, is_rule_file, mode_of, stamp
from devenv.sync.side.rules import Matcher


class ProjectRules:
    """See `devenv.sync.pair.Ruler`. `config` gives the settings of devenv.yaml as they are now."""

    def __init__(self, root: pathlib.Path, config: Callable[[], SyncConfig]) -> None:
        self._root = root
        self._config = config
        self._rules: Rules | None = None
        self._matcher: Matcher | None = None
        self._mode: Mode | ModeOf = Mode.TWO_WAY_SAFE
        self._configured: tuple[int, ...] = ()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Of the rules that were collected last."""
        return self._rules.problems if self._rules is not None else ()

    def collect(self) -> Any:
        self._configured = stamp(self._root / CONFIG)
        config = self._config()
        self._rules = collect(self._root, config)
        self._matcher = self._rules.matcher()
        self._mode = mode_of(config)
        return self._rules.spec

    def rules(self) -> Rules:
        """As they are now. Blocks."""
        self.collect()
        assert self._rules is not None
        return self._rules

    def stale(self, dirty: Collection[str]) -> bool:
        rules, matcher = self._rules, self._matcher
        if rules is None or matcher is None or ("" in dirty and stamp(self._root / CONFIG) != self._configured):
            return True
        return self._changed(rules, set(dirty)) or any(self._new_below(rules, matcher, folder) for folder in dirty)

    def mode(self) -> Mode | ModeOf:
        """That of the rules that were collected last."""
        if self._rules is None:
            self._mode = mode_of(self._config())
        return self._mode

    def _changed(self, rules: Rules, dirty: set[str]) -> bool:
        for path, before in rules.sources.items():
            above = path
            while above and above.rpartition("/")[0] not in dirty:
                above = above.rpartition("/")[0]
            if above and stamp(self._root / path) != before:
                return True
        return False

    def _new_below(self, rules: Rules, matcher: Matcher, folder: str) -> bool:
        """Whether there are rule files that nobody has read, in the folder itself or in folders that are new in it."""
        folders = [folder] if folder in rules.folders else []
        while folders:
            here = folders.pop()
            with contextlib.suppress(OSError), os.scandir(self._root / here) as listing:
                for entry in listing:
                    path = f"{here}/{entry.name}" if here else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if path not in rules.folders and not matcher.hidden(path, True):
                            folders.append(path)
                    elif is_rule_file(path) and path not in rules.sources and path != CONFIG:
                        return True
        return False
