"""A small Debug Adapter Protocol client over TCP, written from the protocol's overview: the kit's own IDE.

Synchronous and without threads: whatever arrives while one thing is awaited is kept for later. One client is one
connection; a second debug session is a second client. Like an IDE, it opens a session for every child process that
debugpy announces (a DataLoader worker waits for that), with the same breakpoints: `children`.
"""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

Message = dict[str, Any]


class RequestFailed(AssertionError):
    """The adapter answered `success: false`; `body` is its answer."""

    def __init__(self, command: str, message: str, body: Message) -> None:
        super().__init__(f"{command}: {message}")
        self.body = body


class DapClient:
    """Speaks to the adapter behind (host, port). Use with `with`: leaving closes the connection."""

    def __init__(self, port: int, host: str = "127.0.0.1", timeout: float = 30.0) -> None:
        self.timeout = timeout
        self.events: list[Message] = []
        self.capabilities: Message = {}
        self.reverse_requests: list[Message] = []
        self.children: list[DapClient] = []
        self._address = (host, port)
        self._breakpoints: Mapping[str | Path, Sequence[int]] = {}
        self._responses: dict[int, Message] = {}
        self._sequence = 0
        self._received = b""
        self._socket = socket.create_connection((host, port), timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for child in self.children:
            child.close()
        self._socket.close()

    def send(self, command: str, arguments: Mapping[str, Any] | None = None) -> int:
        """Sends a request and returns its number, without waiting for the answer."""
        self._sequence += 1
        self._write({"seq": self._sequence, "type": "request", "command": command, "arguments": dict(arguments or {})})
        return self._sequence

    def answer(self, number: int, command: str, timeout: float | None = None) -> Message:
        """The body of the answer to request `number`; raises `RequestFailed` when the adapter refused."""
        self._pump(lambda: number in self._responses, f"the answer to {command}", timeout)
        response = self._responses.pop(number)
        if not response.get("success"):
            raise RequestFailed(command, str(response.get("message")), response.get("body") or {})
        body: Message = response.get("body") or {}
        return body

    def request(self, command: str, timeout: float | None = None, **arguments: Any) -> Message:
        return self.answer(self.send(command, arguments), command, timeout)

    def event(
        self, name: str, accept: Callable[[Message], bool] = lambda body: True, timeout: float | None = None
    ) -> Message:
        """The body of the first event `name` that is accepted, arrived already or still to come; takes it away."""

        def matching() -> Message | None:
            for event in self.events:
                if event["event"] == name and accept(event.get("body") or {}):
                    return event
            return None

        self._pump(lambda: matching() is not None, f"event {name}", timeout)
        found = matching()
        assert found is not None
        self.events.remove(found)
        body: Message = found.get("body") or {}
        return body

    def attach(
        self,
        breakpoints: Mapping[str | Path, Sequence[int]] | None = None,
        *,
        mappings: Sequence[tuple[str | Path, str]] = (),
        **arguments: Any,
    ) -> dict[str, list[Message]]:
        """initialize, attach, set breakpoints (path -> 1-based lines), configurationDone.

        `mappings` are (local root, remote root), as `pathMappings` of a launch.json. Returns the breakpoints
        that the adapter reports for each path.
        """
        self.initialize()
        self._breakpoints = breakpoints or {}
        host, port = self._address
        arguments.setdefault("connect", {"host": host, "port": port})
        if mappings:
            arguments["pathMappings"] = [{"localRoot": str(local), "remoteRoot": remote} for local, remote in mappings]
        defaults = {"type": "debugpy", "name": "kit", "request": "attach", "justMyCode": False}
        attach = self.send("attach", {**defaults, **arguments})
        self.event("initialized")
        placed = {str(path): self.breakpoints(path, lines) for path, lines in (breakpoints or {}).items()}
        self.request("configurationDone")
        self.answer(attach, "attach")
        return placed

    def initialize(self) -> None:
        self.capabilities = self.request(
            "initialize",
            clientID="devenv-kit",
            adapterID="debugpy",
            pathFormat="path",
            linesStartAt1=True,
            columnsStartAt1=True,
            supportsRunInTerminalRequest=False,
        )

    def breakpoints(self, path: str | Path, lines: Sequence[int]) -> list[Message]:
        body = self.request(
            "setBreakpoints", source={"path": str(path)}, breakpoints=[{"line": line} for line in lines]
        )
        placed: list[Message] = body["breakpoints"]
        return placed

    def stopped(self, reason: str | None = None, timeout: float | None = None) -> Message:
        """The next stop, with that reason where one is given; `threadId` says where."""
        return self.event("stopped", lambda body: reason is None or body.get("reason") == reason, timeout)

    def frames(self, thread: int) -> list[Message]:
        found: list[Message] = self.request("stackTrace", threadId=thread)["stackFrames"]
        return found

    def variables(self, frame: int, scope: str = "Locals") -> dict[str, str]:
        """Name -> value as shown, of a scope of the frame with that id."""
        scopes = self.request("scopes", frameId=frame)["scopes"]
        reference = next(item["variablesReference"] for item in scopes if item["name"] == scope)
        listed = self.request("variables", variablesReference=reference)["variables"]
        return {item["name"]: item["value"] for item in listed}

    def evaluate(self, expression: str, frame: int) -> str:
        return str(self.request("evaluate", expression=expression, frameId=frame, context="repl")["result"])

    def resume(self, thread: int) -> None:
        self.request("continue", threadId=thread)

    def step_over(self, thread: int) -> Message:
        self.request("next", threadId=thread)
        return self.stopped("step")

    def disconnect(self, *, terminate: bool = False) -> None:
        """Leaves the session and those of its children; the program goes on unless `terminate`."""
        for child in self.children:
            child.disconnect(terminate=terminate)
        self.request("disconnect", terminateDebuggee=terminate)
        self.close()

    def _write(self, message: Message) -> None:
        body = json.dumps(message).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def stopped_child(self, timeout: float | None = None) -> tuple[DapClient, Message]:
        """The first child process that stops, and its `stopped`. Not every child does: helpers are announced too."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            for client in (self, *self.children):
                client._sort_received()
            for child in self.children:
                for event in child.events:
                    if event["event"] == "stopped":
                        child.events.remove(event)
                        return child, event["body"]
            clients = {client._socket: client for client in (self, *self.children)}
            ready = select.select(list(clients), [], [], max(0.0, deadline - time.monotonic()))[0]
            assert ready, f"none of {len(self.children)} child processes stopped"
            for sock in ready:
                clients[sock]._read("a child process that stops")

    def _pump(self, done: Callable[[], bool], what: str, timeout: float | None) -> None:
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while not done():
            message = self._take()
            if message is not None:
                self._sort(message)
                continue
            remaining = deadline - time.monotonic()
            ready = remaining > 0 and select.select([self._socket], [], [], remaining)[0]
            if not ready:
                raise AssertionError(f"{what} did not come; events so far: {[e['event'] for e in self.events]}")
            self._read(what)

    def _read(self, what: str) -> None:
        chunk = self._socket.recv(65536)
        if not chunk:
            raise AssertionError(f"the adapter closed the connection; waited for {what}")
        self._received += chunk

    def _sort_received(self) -> None:
        while (message := self._take()) is not None:
            self._sort(message)

    def _take(self) -> Message | None:
        head, separator, rest = self._received.partition(b"\r\n\r\n")
        if not separator:
            return None
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n"))
        length = int(fields[b"Content-Length"])
        if len(rest) < length:
            return None
        self._received = rest[length:]
        message: Message = json.loads(rest[:length])
        return message

    def _sort(self, message: Message) -> None:
        if message["type"] == "response":
            self._responses[message["request_seq"]] = message
        elif message["type"] == "event" and message["event"] == "debugpyAttach":
            self._adopt(message["body"])
        elif message["type"] == "event":
            self.events.append(message)
        else:
            # debugpy asks for child sessions and terminals; a client that cannot do it has to say so.
            self.reverse_requests.append(message)
            self._sequence += 1
            self._write(
                {
                    "seq": self._sequence,
                    "type": "response",
                    "request_seq": message["seq"],
                    "command": message["command"],
                    "success": message["command"] == "startDebugging",
                    "body": {},
                }
            )

    def _adopt(self, configuration: Message) -> None:
        """Attaches to a child process, as the announcement says and by the same way in."""
        host, port = self._address
        child = DapClient(port, host, self.timeout)
        self.children.append(child)
        child.attach(self._breakpoints, **configuration)
