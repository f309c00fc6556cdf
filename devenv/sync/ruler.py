"""What of one project is synchronised, as its files say now."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Collection
from typing import Any

from devenv.config import SyncConfig
from devenv.sync.core.merge import Mode, ModeOf


class ProjectRules:
    """See `devenv.sync.pair.Ruler`. `config` gives the settings of devenv.yaml as they are now."""

    def __init__(self, root: pathlib.Path, config: Callable[[], SyncConfig]) -> None:
        self._root = root
        self._config = config

    def collect(self) -> Any:
        return None

    def stale(self, dirty: Collection[str]) -> bool:
        return False

    def mode(self) -> Mode | ModeOf:
        return Mode(self._config().mode)
