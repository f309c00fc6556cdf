"""A host in one thread that blocks: the reference reader and writer of the agent's protocol, for the contract tests.

It starts the agent as a real process through the real boot line and checks the rules of the protocol as it goes: credit
is never overdrawn, nothing comes on a channel after its CLOSE.
"""

from __future__ import annotations

import array
import base64
import collections
import json
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any

from devenv.link import bundle
from devenv.link.bootstrap import boot_argv

HEADER = struct.Struct(">IIB")
MAGIC = b"\x00devenv-agent/1\n"
REQUEST, REPLY, EVENT, DATA, EOF, CLOSE, WINDOW, PING, PONG = range(1, 10)
CREDIT = 1 << 20
DEADLINE = 30.0  # seconds, for anything: a bound on a hang, not a measure


class AgentError(Exception):
    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code = str(error["code"])
        self.errno = error.get("errno")


class Gone(Exception):
    """The agent has ended."""


def _on_wire(params: Mapping[str, Any]) -> dict[str, Any]:
    """`id` of an operation on a run is called `run` on the wire, where `id` is the request's own."""
    return {"run" if key == "id" else key: value for key, value in params.items()}


class Channel:
    def __init__(self, client: Client, id: int) -> None:
        self.client = client
        self.id = id
        self.data: dict[int, bytearray] = collections.defaultdict(bytearray)
        self.order: list[tuple[int, int]] = []  # (stream, bytes) as they came
        self.ended: set[int] = set()
        self.result: dict[str, Any] | None = None
        self.may_receive = CREDIT
        self.may_send = CREDIT
        self.generous = True  # grants back what it gets

    @property
    def out(self) -> bytes:
        return bytes(self.data[1])

    @property
    def err(self) -> bytes:
        return bytes(self.data[2])

    def send(self, data: bytes, stream: int = 0) -> None:
        while data:
            self.client.until(lambda: self.may_send > 0 or self.result is not None, "credit")
            if self.result is not None:
                return
            piece = data[: min(self.may_send, 1 << 16)]
            data = data[len(piece) :]
            self.may_send -= len(piece)
            self.client.frame(DATA, self.id, bytes((stream,)) + piece)

    def eof(self, stream: int = 0) -> None:
        self.client.frame(EOF, self.id, bytes((stream,)))

    def grant(self, count: int) -> None:
        self.may_receive += count
        self.client.frame(WINDOW, self.id, struct.pack(">I", count))

    def close(self) -> None:
        self.client.frame(CLOSE, self.id, b"{}")

    def signal(self, number: int) -> None:
        self.client.request("signal", channel=self.id, signal=number)

    def resize(self, rows: int, columns: int) -> None:
        self.client.request("resize", channel=self.id, rows=rows, columns=columns)

    def wait(self) -> dict[str, Any]:
        """Until CLOSE; its result."""
        self.client.until(lambda: self.result is not None, f"the end of channel {self.id}")
        assert self.result is not None
        return self.result

    def expect(self, needle: bytes, stream: int = 1) -> bytes:
        """Until `needle` has come; everything so far."""
        self.client.until(lambda: needle in self.data[stream] or self.result is not None, repr(needle))
        assert needle in self.data[stream], bytes(self.data[stream][-500:])
        return bytes(self.data[stream])


class Client:
    """One agent. `direct` is the folder in which this client listens; None for the stream tier."""

    def __init__(
        self,
        python: str,
        state: pathlib.Path,
        *,
        direct: pathlib.Path | None = None,
        hello: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        packed: bytes | None = None,
        greet: bool = True,
    ) -> None:
        self.process = subprocess.Popen(
            boot_argv(python), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, bufsize=0
        )
        assert self.process.stdin and self.process.stdout and self.process.stderr
        self.channels: dict[int, Channel] = {}
        self.events: list[dict[str, Any]] = []
        self.pongs: list[bytes] = []
        self.replies: dict[int, dict[str, Any]] = {}
        self.descriptors: collections.deque[int] = collections.deque()
        self.carrier: socket.socket | None = None
        self._ids = 0
        self._next_channel = -1
        self._buffer = bytearray()
        self._reader = self.process.stdout.fileno()
        self._writer = self.process.stdin.fileno()
        os.set_blocking(self._writer, False)
        self._listener: socket.socket | None = None
        self.info: dict[str, Any] = {}
        self.token = os.urandom(32).hex()
        self.write(bundle.payload() if packed is None else packed)
        if not greet:
            return
        params: dict[str, Any] = {"version": 1, "token": self.token, "tier": "stream", "state": str(state)}
        if direct is not None:
            (direct / "nonce").write_text("a-nonce")
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(direct / "link.sock"))
            self._listener.listen()
            params.update(tier="direct", socket=str(direct / "link.sock"), nonce=str(direct / "nonce"))
        params.update(hello or {})
        self.info = self._greet(params)

    def _greet(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self.frame(REQUEST, 0, json.dumps({"id": 0, "op": "hello", **params}).encode())
        end = time.monotonic() + DEADLINE
        while len(self._buffer) < len(MAGIC):
            self._pull(end)
        noise, magic, rest = bytes(self._buffer).partition(MAGIC)
        assert magic and not noise, bytes(self._buffer)
        self._buffer = bytearray(rest)
        self.until(lambda: 0 in self.replies, "hello")
        reply = self.replies.pop(0)
        if not reply["ok"]:
            raise AgentError(reply["error"])
        info: dict[str, Any] = reply["result"]
        if info["direct"]:
            assert self._listener is not None
            self._listener.settimeout(DEADLINE)
            self.carrier, _ = self._listener.accept()
            self.carrier.settimeout(DEADLINE)
            greeting = b""
            while len(greeting) < len(MAGIC) + 64:
                greeting += self.carrier.recv(len(MAGIC) + 64 - len(greeting))
            assert greeting == MAGIC + self.token.encode()
            self._reader = self._writer = self.carrier.fileno()
            os.set_blocking(self._reader, False)
        return info

    # frames

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        end = time.monotonic() + DEADLINE
        while view:
            try:
                view = view[os.write(self._writer, view) :]
            except BlockingIOError:
                self._pull(end, writing=True)  # a peer that only writes can block the other for ever
            except BrokenPipeError:
                raise Gone(self.complaint()) from None

    def frame(self, kind: int, channel: int, payload: bytes = b"") -> None:
        self.write(HEADER.pack(len(payload), channel, kind) + payload)

    def _pull(self, end: float, *, writing: bool = False) -> None:
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the agent does not answer")
        readable, _, _ = select.select([self._reader], [self._writer] if writing else [], [], left)
        if not readable:
            return
        if self.carrier is not None:
            try:
                data, ancillary, _, _ = self.carrier.recvmsg(1 << 18, socket.CMSG_SPACE(16 * 4))
            except ConnectionResetError:
                data, ancillary = b"", []
            for level, kind, payload in ancillary:
                assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
                numbers = array.array("i")
                numbers.frombytes(payload)
                self.descriptors.extend(numbers)
        else:
            data = os.read(self._reader, 1 << 18)
        if not data:
            raise Gone(self.complaint())
        self._buffer += data

    def complaint(self) -> str:
        assert self.process.stderr is not None
        self.process.wait(DEADLINE)
        return f"the agent ended with {self.process.returncode}: {self.process.stderr.read().decode()}"

    def _dispatch(self) -> None:
        start = 0
        while len(self._buffer) - start >= HEADER.size:
            length, id, kind = HEADER.unpack_from(self._buffer, start)
            assert length <= 1 << 20
            if len(self._buffer) - start < HEADER.size + length:
                break
            payload = bytes(self._buffer[start + HEADER.size : start + HEADER.size + length])
            start += HEADER.size + length
            self._one(kind, id, payload)
        del self._buffer[:start]

    def _one(self, kind: int, id: int, payload: bytes) -> None:
        if kind == REPLY:
            reply = json.loads(payload)
            self.replies[reply["id"]] = reply
        elif kind == EVENT:
            self.events.append(json.loads(payload))
        elif kind == PONG:
            self.pongs.append(payload)
        else:
            channel = self.channels[id]
            assert channel.result is None, "a frame after CLOSE"
            if kind == DATA:
                stream, data = payload[0], payload[1:]
                assert stream not in channel.ended, "data after EOF"
                channel.may_receive -= len(data)
                assert channel.may_receive >= 0, "the agent overdrew its credit"
                channel.data[stream] += data
                channel.order.append((stream, len(data)))
                if channel.generous and data:
                    channel.grant(len(data))
            elif kind == EOF:
                channel.ended.add(payload[0])
            elif kind == WINDOW:
                channel.may_send += struct.unpack(">I", payload)[0]
            elif kind == CLOSE:
                channel.result = json.loads(payload)
            else:
                raise AssertionError(f"unexpected kind {kind}")

    def until(self, condition: Any, what: str, seconds: float = DEADLINE) -> None:
        end = time.monotonic() + seconds
        self._dispatch()
        while not condition():
            try:
                self._pull(end)
            except TimeoutError:
                raise TimeoutError(f"waited in vain for {what}") from None
            self._dispatch()

    def settle(self, seconds: float) -> None:
        """Takes in what comes for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self._pull(end)
            except TimeoutError:
                break
            self._dispatch()

    # operations

    def ask(self, op: str, **params: Any) -> int:
        self._ids += 1
        self.frame(REQUEST, 0, json.dumps({**_on_wire(params), "id": self._ids, "op": op}).encode())
        return self._ids

    def answer(self, id: int) -> Any:
        self.until(lambda: id in self.replies, "a reply")
        reply = self.replies.pop(id)
        if not reply["ok"]:
            raise AgentError(reply["error"])
        return reply["result"]

    def request(self, op: str, **params: Any) -> Any:
        return self.answer(self.ask(op, **params))

    def channel(self) -> Channel:
        self._next_channel += 2
        channel = self.channels[self._next_channel] = Channel(self, self._next_channel)
        return channel

    def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        tty: tuple[int, int] | None = None,
        umask: int | None = None,
    ) -> Channel:
        channel = self.channel()
        size = None if tty is None else {"rows": tty[0], "columns": tty[1]}
        environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"} if env is None else dict(env)
        self.request("spawn", channel=channel.id, argv=list(argv), env=environment, cwd=cwd, tty=size, umask=umask)
        return channel

    def start(self, argv: Sequence[str], *, tty: tuple[int, int] | None = None, **more: Any) -> dict[str, Any]:
        run: dict[str, Any] = {
            "name": "test",
            "kind": "run",
            "argv": list(argv),
            "env": {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm"},
            "cwd": "/",
            "tty": None if tty is None else {"rows": tty[0], "columns": tty[1]},
            "meta": {},
        }
        run.update(more)
        record: dict[str, Any] = self.request("runs.start", run=run)
        return record

    def attach(self, id: str, *, input: bool = True, **more: Any) -> Channel:
        channel = self.channel()
        channel_reply = self.request("runs.attach", channel=channel.id, id=id, input=input, **more)
        assert "start" in channel_reply
        return channel

    def record(self, id: str) -> dict[str, Any]:
        record: dict[str, Any] = self.request("runs.get", id=id)
        return record

    def ended(self, id: str) -> dict[str, Any]:
        """Waits for the run's end by its event."""

        def news() -> list[dict[str, Any]]:
            records = (event["record"] for event in self.events if event["event"] == "run")
            return [
                record for record in records if record["id"] == id and record["state"] not in ("starting", "running")
            ]

        if self.record(id)["state"] == "running":
            self.until(news, f"the end of run {id}")
        return self.record(id)

    def output(self, id: str) -> bytes:
        """All kept bytes of a run, by pulling."""
        pieces = []
        offset = 0
        while True:
            part = self.request("runs.read", id=id, offset=offset, length=1 << 18)
            data = base64.b64decode(part["data"])
            if not data:
                return b"".join(pieces)
            pieces.append(data)
            offset = part["end"]

    def kill(self) -> None:
        """As if the machine took it: no farewell."""
        self.process.send_signal(signal.SIGKILL)
        self.close()

    def close(self) -> None:
        assert self.process.stdin and self.process.stdout and self.process.stderr
        for stream in (self.process.stdin, self.process.stdout):
            stream.close()
        if self.carrier is not None:
            self.carrier.close()
        if self._listener is not None:
            self._listener.close()
        self.process.wait(DEADLINE)
        self.process.stderr.close()
        while self.descriptors:
            os.close(self.descriptors.popleft())

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
