"""A program in tmux: keys go in, the screen comes out as text, as a person sees it."""

from __future__ import annotations

import shlex
import uuid
from typing import Self

from tests.kit.command import Shell
from tests.kit.waiting import eventually

# How the pane's program ended. tmux knows that it is gone a moment before it knows how: then both are empty.
FATE = "#{pane_dead_status},#{?pane_dead_signal,-#{pane_dead_signal},}"


class Tmux:
    """One window of `columns` x `rows` on a tmux server of its own. Use with `with`: leaving kills that server."""

    def __init__(self, shell: Shell, *argv: str, columns: int = 80, rows: int = 24) -> None:
        self.columns, self.rows = columns, rows
        self._shell = shell
        self._server = f"rig-{uuid.uuid4().hex[:8]}"
        command = shlex.join(["env", *(f"{name}={value}" for name, value in shell.environment().items()), *argv])
        # The program's end must not close the window: its last screen and exit code are what a test looks at.
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), "-s", "kit", "cat")
        self._tmux("set-option", "-g", "remain-on-exit", "on")
        self._tmux("set-option", "-g", "status", "off")
        self._tmux("set-option", "-g", "default-terminal", "tmux-256color")
        self._tmux("resize-window", "-t", "kit", "-x", str(columns), "-y", str(rows))
        self._tmux("respawn-pane", "-k", "-t", "kit", command)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-server")

    def keys(self, *names: str) -> None:
        """Presses keys by tmux's names: `Enter`, `C-c`, `Down`, `q`."""
        self._tmux("send-keys", "-t", "kit", *names)

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-t", "kit", "-l", text)

    def resize(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self._tmux("resize-window", "-t", "kit", "-x", str(columns), "-y", str(rows))

    def screen(self, *, colours: bool = False) -> str:
        """The screen's text, `rows` lines; with `colours` the escape sequences stay in."""
        return self._tmux("capture-pane", "-p", "-t", "kit", *(["-e"] if colours else []))

    def wait_for(self, text: str, timeout: float = 30.0) -> str:
        """The screen, once `text` stands on it."""

        def shown() -> str:
            screen = self.screen()
            assert text in screen, f"the screen shows:\n{screen}"
            return screen

        return eventually(shown, f"{text!r} on the screen", timeout)

    def exit_code(self, timeout: float = 30.0) -> int:
        """Waits for the program's end; negative: the signal."""

        def ended() -> str:
            fate = self._tmux("display-message", "-p", "-t", "kit", FATE).strip(" ,\n")
            if not fate:
                # tmux misses the end of a child now and then; the end of the next one makes it look again.
                self._tmux("run-shell", "true")
            assert fate, f"the screen shows:\n{self.screen()}"
            return fate

        return int(eventually(ended, "the program's end", timeout))

    def _tmux(self, *arguments: str) -> str:
        return self._shell.run("tmux", "-L", self._server, *arguments, timeout=20).ok().out
