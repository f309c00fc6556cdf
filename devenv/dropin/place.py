"""Which project and configuration a command line means, for commands that ask no supervisor."""

from __future__ import annotations

import asyncio
import os
import pathlib
from collections.abc import Coroutine
from typing import Any, TypeVar

from devcontainer import discover
from devenv.api.context import ClientContext
from devenv.api.paths import state_folder
from devenv.dropin.flags import Line
from devenv.dropin.log import DEBUG, WARNING, Log
from devenv.environment import target as targets
from devenv.environment.target import Choice, Target
from devenv.errors import NotFound

T = TypeVar("T")


def folder(line: Line) -> str:
    """The workspace folder: absolute, symlinks kept."""
    return os.path.abspath(line.text("workspace-folder") or os.getcwd())


def client() -> ClientContext:
    mask = os.umask(0o077)
    os.umask(mask)
    return ClientContext(os.getcwd(), mask, dict(os.environ), os.getuid())


def target(line: Line, log: Log) -> Target:
    """The configuration that is meant, read; its warnings are told. Raises NotFound and ConfigError."""
    local = folder(line)
    given = line.text("config")
    config = os.path.abspath(given) if given else None
    try:
        found = targets.resolve(local, client(), choice=Choice(config=config, personal=False))
    except NotFound as error:
        raise missing(config or default_file(local)) from error
    if not found.configured:
        raise missing(default_file(local))
    for warning in found.written.warnings:
        log.text(str(warning), WARNING)
    return found


def default_file(local: str) -> str:
    return os.path.join(local, discover.FOLDER, discover.NAME)


def missing(file: str) -> NotFound:
    """In the reference's words, which scripts look for."""
    return NotFound(f"Dev container config ({file}) not found.")


def cache_folder() -> pathlib.Path:
    """Where fetched features are kept, for the supervisor as well."""
    return pathlib.Path(state_folder()) / "cache" / "features"


def wait(work: Coroutine[Any, Any, T]) -> T:
    """Runs to the end; several errors at once are the first of them."""
    try:
        return asyncio.run(work)
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from group


class Told:
    """Progress (devenv.engine.port) of work in this process, as log lines. Called from any thread."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._titles: dict[str, str] = {}

    def step(self, key: str, title: str) -> None:
        self._titles[key] = title
        self._log({"t": "progress", "key": key, "title": title, "done": False})

    def update(self, key: str, *, fraction: float | None = None, detail: str = "") -> None:
        if detail and fraction is None:
            self._log.text(f"{self._titles.get(key, key)}: {detail}", DEBUG)

    def line(self, key: str, text: str, stream: str = "stdout") -> None:
        self._log({"t": "line", "key": key, "text": text, "stream": stream})

    def done(self, key: str, *, ok: bool = True, detail: str = "") -> None:
        self._log({"t": "progress", "key": key, "detail": detail, "done": True, "ok": ok})

    def note(self, text: str, *, level: str = "info") -> None:
        self._log({"t": "note", "text": text, "level": level})
