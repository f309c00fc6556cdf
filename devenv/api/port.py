"""The client of the supervisor as a front end sees it. The TUI is written and tested against this.

Every call raises `devenv.errors.DevenvError` subclasses with a message and a hint; a call may be cancelled.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from devenv.api.views import EnvironmentView, OutputChunk, ProgressView, Snapshot

ProgressCallback = Callable[[ProgressView | str], None]  # a str is a line of build output or a note


class Client(Protocol):
    """Bound to one project folder."""

    folder: str

    def watch(self) -> AsyncIterator[Snapshot]:
        """A first snapshot at once, then one after each change (at most 10 a second).

        LinkError when the supervisor goes away: the caller says so and watches again, which starts another supervisor.
        """

    async def init(self) -> list[str]:
        """Writes a devcontainer.json from what the project shows; says why it is as it is."""

    async def environments(self) -> list[EnvironmentView]: ...
    async def up(
        self, progress: ProgressCallback, *, rebuild: bool = False, force: bool = False
    ) -> EnvironmentView: ...
    async def stop(self, *, force: bool = False) -> None: ...
    async def start(self, progress: ProgressCallback) -> EnvironmentView: ...
    async def down(self, *, volumes: bool = False, force: bool = False) -> None: ...
    async def run(self, target: str, args: list[str], *, debug: bool = False, wait: bool = False) -> str:
        """Starts detached, with a terminal; returns the run's id."""

    async def rerun(self, run: str) -> str: ...
    async def end_run(self, run: str, *, force: bool = False) -> None: ...
    async def read_output(
        self, run: str, *, offset: int | None = None, length: int = 65536, tail: int | None = None
    ) -> OutputChunk: ...
    async def send_input(self, run: str, data: bytes) -> None: ...
    async def resize(self, run: str, rows: int, columns: int) -> None:
        """The size of the terminal of a live run."""

    async def test(self, args: list[str]) -> str: ...
    async def watch_tests(self, on: bool) -> None: ...
    async def service(self, name: str, action: str) -> None:
        """action: start | stop | restart"""

    async def build_log(self, *, tail: int = 65536) -> str: ...
    async def close(self) -> None: ...
