"""Process channels: a program that lives as long as its client wants it to.

After the program itself has ended, something it left behind may still hold its pipes or terminal. What was in them at
that moment is always delivered, however slow the client; then the channel waits for 0.2 s of silence, at most 2 s in
all, and closes: a daemon started from a shell cannot hold an `exec` open for ever.
"""

import os
import signal

from . import frames, launch, terminal
from .channels import Channel, Inlet, window
from .source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from .door import Question
    from .loop import Loop
    from .peer import Peer

SILENCE = 0.2  # seconds without output after the end of the program
PATIENCE = 2.0  # seconds after its last own byte, however much others still print
KILL_AFTER = 3.0  # seconds between HUP and KILL when the client has gone


class ProcessChannel(Channel):
    def __init__(
        self,
        loop: "Loop",
        peer: "Peer",
        id: int,
        launched: launch.Launched,
        gone: "Callable[[ProcessChannel], None]",
        door: str = "",
    ) -> None:
        Channel.__init__(self, peer, id)
        self.loop = loop
        self.pid = launched.pid
        self.running = True
        self._gone = gone
        self._door = door
        self._question: "Question | None" = None
        self._told = -1
        self._master = launched.master
        self._status = 0
        self._targets: "list[tuple[Source, int]]" = []
        self._drained = -1.0
        if launched.master >= 0:
            # The terminal is read and written through two descriptors, so that each has one owner.
            self._inlet = Inlet(loop, os.dup(launched.master), window(peer, id), self._terminal_eof)
            self._sources = [Source(loop, self, launched.master, frames.OUT, self._source_ended)]
        else:
            self._inlet = Inlet(loop, launched.stdin, window(peer, id), self._close_stdin)
            self._sources = [
                Source(loop, self, launched.stdout, frames.OUT, self._source_ended),
                Source(loop, self, launched.stderr, frames.ERR, self._source_ended),
            ]
        loop.on_exit(self.pid, self._exited)

    def resume(self) -> None:
        for source in self._sources:
            source.resume()

    # input

    def received(self, stream: int, data: bytes) -> None:
        if stream != frames.IN:
            raise frames.ProtocolError("a process takes stream 0 only")
        self._inlet.put(data)

    def received_eof(self, stream: int) -> None:
        self._inlet.put_eof()

    def _close_stdin(self) -> None:
        self._inlet.close()

    def _terminal_eof(self) -> None:
        try:
            os.write(self._inlet.fd, terminal.END_OF_FILE)
        except OSError:
            pass

    def signal(self, number: int) -> None:
        group = terminal.foreground_group(self._master) if self._master >= 0 and self._sources[0].open else 0
        launch.signal_group(group or self.pid, number)

    def resize(self, rows: int, columns: int) -> None:
        if self._master < 0:
            raise ValueError("this channel has no terminal")
        if self._sources[0].open:
            terminal.set_size(self._master, rows, columns)

    # end

    def _exited(self, status: int) -> None:
        self.running = False
        self._status = status
        self._gone(self)
        if self.alive:
            if self._door:
                from .door import Question

                self._question = Question(self.loop, self._door, self._answered)
            self._targets = [(source, source.count + source.pending()) for source in self._sources if source.open]
            self._check()

    def _answered(self, number: int) -> None:
        self._question = None
        self._told = number
        if self.alive:
            self._check_end()

    def _source_ended(self, number: int) -> None:
        if not self.running:
            self._check_end()

    def _check_end(self) -> bool:
        if self._question is not None or any(source.open for source in self._sources):
            return False
        self._inlet.close()
        result = launch.as_result(self._status)
        if self._told >= 0:
            result["told"] = self._told
        self.finish(result)
        return True

    def _check(self) -> None:
        if not self.alive or self._check_end():
            return
        now = self.loop.now()
        if all(source.count >= target or not source.open for source, target in self._targets):
            if self._drained < 0:
                self._drained = now
            for source in self._sources:
                silent = now - max(self._drained, source.last) >= SILENCE and not source.pending()
                if source.open and (silent or now - self._drained >= PATIENCE):
                    source.end()
        if self.alive:
            self.loop.call_later(0.05, self._check)

    def closed(self) -> None:
        Channel.closed(self)
        self._inlet.close()
        for source in self._sources:
            source.close()
        if self._question is not None:
            self._question.cancel()
        self.hang_up()

    def hang_up(self) -> None:
        """The client has gone: HUP to the program's group, and KILL if that was not enough."""
        if self.running:
            launch.signal_group(self.pid, signal.SIGHUP)
            launch.signal_group(self.pid, signal.SIGCONT)
            self.loop.call_later(KILL_AFTER, self._kill)

    def _kill(self) -> None:
        if self.running:
            launch.signal_group(self.pid, signal.SIGKILL)
