"""One client's connection: what it says goes to the adapter, what the adapter says comes back, little is changed."""

import socket
import threading

from . import arguments, frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .adapter import Adapter
    from .hub import Hub

GREETING = b"DEVENV "
_STRICT = ("hx",)  # these stop listening at an event that the protocol does not know; Helix 25.01 is one
_ENDED = "the program has ended"
_FAREWELL = 2.0  # seconds for the client's own `disconnect` after the program has ended


class Wire:
    def __init__(self, hub: "Hub", sock: socket.socket) -> None:
        self._hub = hub
        self._sock = sock
        frames.no_delay(sock)
        self._writer = frames.Writer(sock)
        self.greeting = arguments.Greeting({"port": hub.own_port})
        self.adapter: "Adapter | None" = None
        self._initialize: "dict[str, Any] | None" = None
        self._attach: "tuple[Any, str] | None" = None  # number and command of the request
        self._adopted = False  # it was given a session that another client left stopped
        self._breakpoints: "dict[Any, dict[str, Any]]" = {}  # requests that are not answered yet
        self._disconnects = False
        self._farewell: "dict[str, Any] | None" = None  # its request, until it is answered
        self._over = threading.Event()
        self._own = 1 << 30
        self._lock = threading.Lock()
        threading.Thread(target=self._run, name="client", daemon=True).start()

    # from the client

    def _run(self) -> None:
        reader = frames.Reader(self._sock)
        try:
            said = reader.line(GREETING)
            if said is not None:
                self.greeting = arguments.Greeting(frames.decode(said[len(GREETING) :]) or {})
                self.greeting.port = self.greeting.port or self._hub.own_port
            while True:
                body = reader.read()
                if body is None:
                    break
                message = frames.decode(body)
                if message is None:
                    if self.adapter is None:
                        break
                    self.adapter.send(body)
                elif not self._take(message, body):
                    break
        except (OSError, frames.FrameError):
            pass  # nonsense, or a reset: this connection ends, the program does not notice
        finally:
            self._over.set()
            self._sock.close()
            adapter, self.adapter = self.adapter, None
            self._hub.client_gone(self, adapter, self._disconnects)

    def _take(self, message: "dict[str, Any]", body: bytes) -> bool:
        """False ends the connection."""
        kind, command = message.get("type"), message.get("command")
        if kind == "response":
            self._answered(message)
        elif kind != "request":
            return False
        elif command == "initialize":
            return self._initialized(message, body)
        elif self._initialize is None:
            self._fail(message, "initialize comes first")
            return False
        elif command in ("attach", "launch"):
            return self._attaches(message)
        elif self._adopted and command == "configurationDone":
            self._hand_over(message)
            return True
        elif command == "disconnect":
            self._disconnects = True
            self._farewell = message
            if self.adapter is not None and not self.adapter.closed and not self.adapter.ended:
                if self.adapter.leaving:
                    return True  # answered when the session is over
                self.adapter.leaving = True
        if self.adapter is None or self.adapter.closed or self.adapter.ended:
            return self._answer_for_the_dead(message)
        if command == "setBreakpoints":
            self._breakpoints[message.get("seq")] = message.get("arguments") or {}
        self.adapter.send(body)
        return True

    def _initialized(self, message: "dict[str, Any]", body: bytes) -> bool:
        if self.adapter is not None:
            return self.adapter.send(body)  # a second one, in the same session
        self._initialize = message.get("arguments") or {}
        held = self._hub.held
        if held is not None and held.capabilities is not None:
            self._respond(message, held.capabilities)  # whether it comes for this session, its next words say
            return True
        try:
            self.adapter = self._hub.connect(self)
        except OSError:
            self._fail(message, self._why_gone())
            return False
        self.adapter.send(body)
        return True

    def _attaches(self, message: "dict[str, Any]") -> bool:
        command = str(message["command"])
        if self._attach is not None:
            self._fail(message, "this client is attached already")
            return True
        said = message.get("arguments")
        filled = arguments.attach(said if isinstance(said, dict) else {}, command, self.greeting)
        self._attach = (message.get("seq"), command)
        child = filled.get("subProcessId")
        if not isinstance(child, int) or isinstance(child, bool):
            child = None
        if self.adapter is None:  # `initialize` was answered for a session that another client left
            held = self._hub.adopt(self) if child is None else None
            if held is not None:
                self.adapter, self._adopted = held, True
                self._event("initialized", {})
                return True
            try:
                self.adapter = self._hub.connect(self)
            except OSError:
                self._fail(message, self._why_gone())
                return False
            attach = {**message, "command": "attach", "arguments": filled}
            self._prepare(self.adapter, filled, child)
            adapter = self.adapter
            adapter.request(
                "initialize", self._initialize or {}, lambda answer: self._initialized_late(adapter, attach)
            )
            return True
        self._prepare(self.adapter, filled, child)
        self.adapter.send(frames.encode({**message, "command": "attach", "arguments": filled}))
        return True

    def _initialized_late(self, adapter: "Adapter", attach: "dict[str, Any]") -> None:
        adapter.send(frames.encode(attach))

    def _prepare(self, adapter: "Adapter", filled: "dict[str, Any]", child: "int | None") -> None:
        adapter.arguments = filled
        adapter.child = child
        if child is not None:
            self._hub.children.claimed(child)

    def _hand_over(self, message: "dict[str, Any]") -> None:
        """The session goes on where the client before left it."""
        self._adopted = False
        adapter = self.adapter
        self._respond(message, {})
        if self._attach is not None:
            self._writer.message(self._response_to(self._attach[0], self._attach[1], {}))
        if adapter is not None:
            for stopped in list(adapter.stopped.values()):
                self._event("stopped", stopped.get("body") or {})

    def _answered(self, message: "dict[str, Any]") -> None:
        if message.get("command") == "startDebugging":
            pid = self._hub.asked.pop(message.get("request_seq"), None)
            if pid is not None and not message.get("success"):
                self._hub.children.refused(pid)
                message = {**message, "success": True}
        if self.adapter is not None:
            self.adapter.send(frames.encode(message))

    def _answer_for_the_dead(self, message: "dict[str, Any]") -> bool:
        if message.get("command") in ("disconnect", "terminate"):
            self._farewell = None
            self._respond(message, {})
            return False
        self._fail(message, self._why_gone())
        return True

    # from the adapter

    def deliver(self, body: bytes) -> None:
        self._writer.body(body)

    def response(self, adapter: "Adapter", message: "dict[str, Any]", body: bytes) -> None:
        command = message.get("command")
        if command == "initialize" and message.get("success"):
            adapter.capabilities = message.get("body") or {}
        elif command == "attach" and self._attach is not None and message.get("request_seq") == self._attach[0]:
            adapter.attached = bool(message.get("success"))
            if self._attach[1] != command:
                body = frames.encode({**message, "command": self._attach[1]})
            if adapter.attached:
                self._hub.attached(self, adapter)
            else:
                self._attach = None  # it may try again
        elif command == "setBreakpoints":
            asked = self._breakpoints.pop(message.get("request_seq"), None)
            if asked is not None and message.get("success"):
                notes = self._hub.checks.answer(adapter, asked, message)
                if notes is not None:
                    self._writer.body(frames.encode(message))
                    self.tell(notes)
                    return
        self._writer.body(body)
        if command == "disconnect":
            self._farewell = None
            adapter.close()  # debugpy leaves that to its client, and clients leave it to debugpy

    def event(self, adapter: "Adapter", message: "dict[str, Any]", body: bytes) -> None:
        if str(message.get("event")).startswith("debugpy") and (self._initialize or {}).get("clientID") in _STRICT:
            return
        self._writer.body(body)

    def adapter_gone(self, adapter: "Adapter") -> None:
        """The client is told, where debugpy could not any more, and gets time for its farewell, answered here."""
        if not self._disconnects:
            if not adapter.ended:
                adapter.ended = True
                if self._hub.alive():
                    self.tell([self._why_gone()])
                self._event("terminated", {})
            self._over.wait(_FAREWELL)
        farewell, self._farewell = self._farewell, None
        if farewell is not None:
            self._respond(farewell, {})  # the program ended under it
        frames.shut(self._sock)

    def _why_gone(self) -> str:
        return "debugpy's adapter has ended, and the program goes on without it" if self._hub.alive() else _ENDED

    def tell(self, lines: "list[str]") -> None:
        """Into the client's debug console."""
        for line in lines:
            self._event("output", {"category": "console", "output": "devenv: %s\n" % line})

    # our own words

    def _number(self) -> int:
        with self._lock:
            self._own += 1
            return self._own

    def _event(self, name: str, body: "dict[str, Any]") -> None:
        self._writer.message({"seq": self._number(), "type": "event", "event": name, "body": body})

    def _response_to(self, seq: "Any", command: str, body: "dict[str, Any]") -> "dict[str, Any]":
        answer = {"seq": self._number(), "type": "response", "request_seq": seq, "success": True}
        answer.update(command=command, body=body)
        return answer

    def _respond(self, message: "dict[str, Any]", body: "dict[str, Any]") -> None:
        self._writer.message(self._response_to(message.get("seq"), str(message.get("command")), body))

    def _fail(self, message: "dict[str, Any]", why: str) -> None:
        answer = self._response_to(message.get("seq"), str(message.get("command")), {})
        answer.update(success=False, message=why, body={"error": {"id": 1, "format": why, "showUser": True}})
        self._writer.message(answer)
