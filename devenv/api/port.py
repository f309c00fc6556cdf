"""The client of the supervisor as a front end sees it. The TUI is written and tested against this.

Every call raises `devenv.errors.DevenvError` subclasses with a message and a hint; a call may be cancelled.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from devenv.api.profiling import ProfileResult
from devenv.api.views import (
    ConfigurationView,
    DebugSessionView,
    DebugView,
    EnvironmentView,
    OutputChunk,
    ProgressView,
    Snapshot,
    SyncView,
)

ProgressCallback = Callable[[ProgressView | str], None]  # a str is a line of build output or a note


class Client(Protocol):
    """Bound to one project folder, and to one of its configurations."""

    folder: str

    def watch(self) -> AsyncIterator[Snapshot]:
        """A first snapshot at once, then one after each change (at most 10 a second).

        LinkError when the supervisor goes away: the caller says so and watches again, which starts another supervisor.
        """

    async def configurations(self) -> list[ConfigurationView]:
        """The devcontainer.json files of the folder, the one to use by default first."""

    def choose(self, config: str) -> None:
        """Every later call means this configuration (a path); the choice of a person is remembered.

        A folder with several and no default one raises ConfigError until then, with `offer` "configs" in its details
        and in `remembered` the path of the last choice, if there was one.
        """

    async def claim_opening(self, port: int, since: float) -> bool:
        """Whether this front end opens the browser for a server that began to listen: the first one that asks does."""

    async def leave(self) -> str:
        """The front end is closed. Stops the environment where `shutdownAction` asks for that and nobody needs it.

        Returns a sentence for the person, "" when there is nothing to say.
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

    async def stack(self, run: str) -> str:
        """Where every thread of a live run stands, as text."""

    async def profile(self, run: str, seconds: float) -> ProfileResult:
        """Where the processor's time of a live run goes, seen for so long; kept as `devenv profile` does."""

    async def debug_sessions(self, *, select: str = "") -> tuple[list[DebugSessionView], DebugView | None]:
        """The live debug sessions, and the port that leads to the chosen one: `select` (a name) from now on."""

    async def attach_debugger(self, run: str, *, privileged: bool = False) -> str:
        """The debugger comes into a live run that was started without it; what the supervisor says, notes included.

        An error with `ask` "privileged" in its details asks for that agreement of a person.
        """

    async def sync(
        self, action: str, *, name: str = "", take: str = "", allow_deletions: bool = False
    ) -> tuple[SyncView | None, str]:
        """How the files stand that are kept the same, and a sentence. action: status | flush | pause | resume | reset |
        resolve (`name`, `take`: host | container | both) | diff (`name`)."""

    async def test(self, args: list[str]) -> str: ...
    async def watch_tests(self, on: bool) -> None: ...
    async def service(self, name: str, action: str) -> None:
        """action: start | stop | restart"""

    async def build_log(self, *, tail: int = 65536) -> str: ...
    async def close(self) -> None: ...
