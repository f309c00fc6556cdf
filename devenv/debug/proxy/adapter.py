"""One connection to debugpy's adapter: a session with one process of the program.

It outlives its client: `owner` is the client's connection, or None while nobody is attached. What the next client must
be told (the capabilities, which threads are stopped) is kept here.
"""

import socket
import threading

from . import frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Answer = Callable[[dict[str, Any]], None]
    Owner = Any

_FIRST_OWN = 1 << 30  # far above the numbers of any client's requests
LEAVE = 3.0  # seconds in which debugpy's adapter is expected to answer a farewell
_HANG_UP = 30.0  # and those in which it must
_RESUMING = frozenset(("continue", "next", "stepIn", "stepOut", "stepBack", "goto", "reverseContinue"))


class Adapter:
    """`announce(adapter, configuration, seq)` is told of child processes and says whether the client is, too; `seq` is
    the number of the adapter's own request, if it is one. `gone(adapter)` is told of the end, `changed()` of threads
    that stop and go on. Raises OSError."""

    def __init__(
        self,
        port: int,
        announce: "Callable[[Adapter, dict[str, Any], Any], bool]",
        gone: "Callable[[Adapter], None]",
        changed: "Callable[[], None]",
        owner: "Owner | None" = None,
    ) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port), 10)
        self._sock.settimeout(None)
        frames.no_delay(self._sock)
        self._writer = frames.Writer(self._sock)
        self._announce = announce
        self._gone = gone
        self._changed = changed
        self._lock = threading.Lock()
        self._next = _FIRST_OWN
        self._own: "dict[int, Answer]" = {}
        self.owner = owner
        self.capabilities: "dict[str, Any] | None" = None
        self.arguments: "dict[str, Any]" = {}  # of the attach request
        self.child: "int | None" = None  # the pid that was asked for; None: the program itself
        self.stopped: "dict[Any, dict[str, Any]]" = {}  # the last event of each thread that stands
        self.on_initialized: "Callable[[], None] | None" = None
        self.begun = threading.Event()  # the session is made: a silent one may be given up
        self.over = threading.Event()
        self.leaving = False  # `disconnect` was sent: debugpy's adapter breaks down over a second one
        self.silent = False
        self.attached = False
        self.ended = False  # the process is gone: so says the adapter
        self.closed = False
        threading.Thread(target=self._pump, name="adapter", daemon=True).start()

    # towards the adapter

    def send(self, body: bytes) -> bool:
        return self._writer.body(body)

    def request(self, command: str, arguments: "dict[str, Any]", answer: "Answer | None" = None) -> None:
        """Our own request; `answer` gets the response, in the thread that reads."""
        with self._lock:
            self._next += 1
            seq = self._next
            self._own[seq] = answer or _nothing
        self._writer.message({"seq": seq, "type": "request", "command": command, "arguments": arguments})

    def release(self, after: float = 0.0) -> None:
        """The program goes on without a debugger."""
        if self.leaving:
            return
        self.leaving = True
        if after:
            timer = threading.Timer(after, self._farewell)
            timer.daemon = True
            timer.start()
        else:
            self._farewell()
        self._hang_up_later()

    def _farewell(self) -> None:
        self.request("disconnect", {"terminateDebuggee": False}, lambda response: self.close())

    def close(self) -> None:
        """After the answer to the farewell. debugpy's adapter writes to all its clients when another one comes, and
        stops listening when that fails: ours is read until it hangs up itself."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it is closed
        self._hang_up_later()

    def _hang_up_later(self) -> None:
        timer = threading.Timer(_HANG_UP, frames.shut, (self._sock,))
        timer.daemon = True
        timer.start()

    # from the adapter

    def _pump(self) -> None:
        reader = frames.Reader(self._sock)
        try:
            while True:
                body = reader.read()
                if body is None:
                    break
                self._take(body)
        except (OSError, frames.FrameError):
            pass  # a reset is an end like another
        finally:
            self.closed = True
            self.begun.set()
            self._sock.close()
            self.over.set()
            owner = self.owner
            if owner is not None:
                owner.adapter_gone(self)
            self._gone(self)

    def _take(self, body: bytes) -> None:
        message = frames.decode(body)
        owner = self.owner
        if message is None:
            if owner is not None:
                owner.deliver(body)
            return
        kind = message.get("type")
        if kind == "response":
            self._response(message, body)
        elif kind == "event":
            self._event(message, body)
        elif kind == "request":
            self._reverse_request(message, body)

    def _response(self, message: "dict[str, Any]", body: bytes) -> None:
        with self._lock:
            answer = self._own.pop(message.get("request_seq"), None)  # type: ignore[arg-type]
        if answer is not None:
            answer(message)
            return
        stood = bool(self.stopped)
        if message.get("command") in _RESUMING and message.get("success"):
            self.stopped.clear()
        owner = self.owner
        if owner is not None:
            owner.response(self, message, body)
        elif message.get("command") == "disconnect":  # the answer to one who has gone
            self.close()
        if stood and not self.stopped:
            self._changed()

    def _event(self, message: "dict[str, Any]", body: bytes) -> None:
        name = message.get("event")
        said = message.get("body") or {}
        stood = len(self.stopped)
        if name == "stopped":
            self.stopped[said.get("threadId")] = message
            if self.silent:
                self.request("continue", {"threadId": said.get("threadId") or 0})  # nobody is there to look
                self.stopped.clear()
                return
        elif name == "continued":
            if said.get("allThreadsContinued", True):
                self.stopped.clear()
            else:
                self.stopped.pop(said.get("threadId"), None)
        elif name == "thread" and said.get("reason") == "exited":
            self.stopped.pop(said.get("threadId"), None)
        elif name == "terminated":
            self.ended = True
            self.stopped.clear()
        elif name == "initialized" and self.on_initialized is not None:
            self.on_initialized()
        elif name == "debugpyAttach" and not self._announce(self, said, None):
            return
        owner = self.owner
        if owner is not None:
            owner.event(self, message, body)
        if len(self.stopped) != stood:
            self._changed()
        if name == "terminated":
            self.release()  # what it waits for before the program may end; a client need not think of it

    def _reverse_request(self, message: "dict[str, Any]", body: bytes) -> None:
        passes = True
        if message.get("command") == "startDebugging":
            said = (message.get("arguments") or {}).get("configuration") or {}
            passes = self._announce(self, said, message.get("seq"))
        owner = self.owner
        if passes and owner is not None:
            owner.deliver(body)
            return
        answer = {"seq": message.get("seq"), "type": "response", "request_seq": message.get("seq")}
        answer.update(command=message.get("command"), success=not passes or message["command"] == "startDebugging")
        self._writer.message(answer)


def _nothing(response: "dict[str, Any]") -> None:
    pass
