"""A process in the container that can be ended: an engine offers no way to signal what an exec has started.

A line of shell in front tells its own pid and gives way to the command. An exec's first process leads a session and a
group, so that one signal to the group reaches what the command started, too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

from devenv.engine.exec_exit import exit_of
from devenv.engine.port import Engine, ExecStream
from devenv.errors import DevenvError

_TELL = 'echo "$$"; exec "$@"'
_END = (
    'kill -TERM "-$1" 2>/dev/null || exit 0; n=0; '
    'while kill -0 "-$1" 2>/dev/null && [ $n -lt 50 ]; do sleep 0.1 2>/dev/null || sleep 1; n=$((n+1)); done; '
    'kill -KILL "-$1" 2>/dev/null; exit 0'
)
"""TERM, five seconds at most, KILL: to the whole group. (The `kill` of dash takes `--` for a number.)"""


class ContainerProcess:
    """Output as it comes; `end` for one that is not wanted any more."""

    def __init__(self, engine: Engine, container: str, stream: ExecStream) -> None:
        self._engine = engine
        self._container = container
        self._stream = stream
        self._head = b""
        self._pid = 0

    @classmethod
    async def start(
        cls, engine: Engine, container: str, argv: Sequence[str], user: str, env: Mapping[str, str], folder: str
    ) -> ContainerProcess:
        words = ["/bin/sh", "-c", _TELL, "sh", *argv]
        stream = await engine.exec_stream(container, words, user=user, env=env, workdir=folder, stdin=False)
        return cls(engine, container, stream)

    async def read(self) -> tuple[int, bytes] | None:
        """(1 stdout | 2 stderr, bytes), None at the end. The line with the pid is not part of it."""
        while (piece := await self._stream.read()) is not None:
            if self._pid or piece[0] != 1:
                return piece
            self._head += piece[1]
            first, newline, rest = self._head.partition(b"\n")
            if not newline:
                continue
            if not first.strip().isdigit():  # no shell of ours spoke: an error of the engine's
                self._pid = -1
                return 1, self._head
            self._pid = int(first)
            if rest:
                return 1, rest
        if not self._pid and self._head:
            self._pid = -1
            return 1, self._head
        return None

    async def exit_code(self) -> int:
        return await exit_of(self._stream)

    async def end(self) -> None:
        """TERM, then KILL, to the command and all that it started. Nothing to do when it never told its pid."""
        if self._pid > 1:
            with contextlib.suppress(DevenvError):
                words = ["/bin/sh", "-c", _END, "sh", str(self._pid)]
                await self._engine.exec_capture(self._container, words, user="0", timeout=15.0)

    async def close(self) -> None:
        await self._stream.close()
