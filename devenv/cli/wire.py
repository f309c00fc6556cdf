"""The thin client's side of the supervisor's socket. Synchronous, and next to nothing is imported.

A Python process costs 10 ms before its first line; `socket`, `json` and `re` would double that. So the request is
written with the C string encoder alone, the C socket type is used directly, and `json` is loaded only when a line
must be read. The messages are described in `devenv.api.messages`.
"""

import os
import select
import sys
from _json import encode_basestring_ascii as _quote
from _socket import AF_UNIX, SOCK_STREAM
from _socket import socket as Socket

from devenv.api.paths import socket_path, state_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PROTOCOL = 1

# Frames after {"t":"stream"}: kind (1 byte), length (4 bytes, big endian), payload. See devenv.api.messages.
STDIN, STDIN_EOF, SIGNAL, RESIZE = 0, 1, 2, 3
STDOUT, STDERR, NOTE, END, WINDOW, EVENTS = 1, 2, 4, 5, 6, 7

_CREDIT = 256 * 1024


def encode(value: "Any") -> str:
    """JSON text of plain data (str, int, float, bool, None, list, dict)."""
    if isinstance(value, str):
        return str(_quote(value))
    if value is True:
        return "true"
    if value is False:
        return "false"
    if value is None:
        return "null"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, dict):
        return "{" + ",".join([f"{_quote(str(k))}:{encode(v)}" for k, v in value.items()]) + "}"
    return "[" + ",".join([encode(v) for v in value]) + "]"


def decode(line: bytes) -> "Any":
    import json

    return json.loads(line)


class WireError(Exception):
    """An error that the supervisor reported, in its wire form (see DevenvError.to_wire)."""

    def __init__(self, error: "dict[str, Any]") -> None:
        super().__init__(error.get("message", ""))
        self.error = error


def context(rows: int | None = None, columns: int | None = None) -> "dict[str, Any]":
    """What the supervisor must know of this client. Undecodable bytes of the environment travel as surrogates."""
    mask = os.umask(0o077)
    os.umask(mask)
    try:
        cwd = os.getcwd()
    except FileNotFoundError:
        cwd = os.environ.get("PWD", "/")
    return {
        "cwd": cwd,
        "umask": mask,
        "env": _environment(),
        "uid": os.getuid(),
        "rows": rows,
        "columns": columns,
        "asides": os.isatty(2),
    }


def _environment() -> "dict[str, str]":
    """This process's variables, less those that are no text: they cannot be written in a message."""
    env = dict(os.environ)
    try:
        "".join(env.values()).encode()
    except UnicodeEncodeError:
        return {name: value for name, value in env.items() if value.encode("utf-8", "ignore").decode() == value}
    return env


def connect() -> "Socket":
    """A connection to this user's supervisor, which is started when none answers."""
    path = socket_path(state_folder())
    sock = Socket(AF_UNIX, SOCK_STREAM)
    try:
        sock.connect(path)
        return sock
    except OSError:
        sock.close()
    from devenv.api.launch import start_supervisor

    start_supervisor()
    sock = Socket(AF_UNIX, SOCK_STREAM)
    sock.connect(path)
    return sock


class Call:
    """One request. `lines()` yields the supervisor's messages until the result or the start of a stream."""

    def __init__(self, verb: str, args: "dict[str, Any]", ctx: "dict[str, Any] | None" = None) -> None:
        from devenv.version import VERSION

        request = {"v": PROTOCOL, "client": VERSION, "verb": verb, "args": args, "context": ctx or context()}
        self._request = (encode(request) + "\n").encode()
        self._ask()
        self._repeated = False

    def _ask(self) -> None:
        self.sock = connect()
        self._buffer = b""
        self._send(self._request)

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self.sock.send(view) :]

    def line(self) -> bytes | None:
        """The next line without its newline; None when the supervisor hung up."""
        while b"\n" not in self._buffer:
            chunk = self.sock.recv(65536)
            if not chunk:
                return None
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        if line.startswith(b'{"t":"outdated"'):
            return self._repeat()
        return line

    def _repeat(self) -> bytes | None:
        """The supervisor is older than we are: a successor of our version takes over, and is asked again."""
        from devenv.api.launch import start_successor

        self.sock.close()
        if self._repeated:
            raise WireError(
                {
                    "kind": "LinkError",
                    "message": "an older supervisor still answers",
                    "hint": "run: devenv supervisor restart",
                    "code": 74,
                }
            )
        self._repeated = True
        start_successor()
        self._ask()
        return self.line()

    def result(self, on_message: "Callable[[dict[str, Any]], None] | None" = None) -> "Any":
        """Reads to the result. Progress, notes and events go to `on_message`."""
        while True:
            line = self.line()
            if line is None:
                raise WireError(
                    {
                        "kind": "LinkError",
                        "message": "the supervisor went away in the middle of the request",
                        "hint": "run the command again; it starts a new one",
                        "code": 74,
                    }
                )
            message = decode(line)
            kind = message["t"]
            if kind == "result":
                return message["result"]
            if kind == "error":
                raise WireError(message["error"])
            if on_message is not None:
                on_message(message)

    def close(self) -> None:
        self.sock.close()


def call(verb: str, args: "dict[str, Any]", on_message: "Callable[[dict[str, Any]], None] | None" = None) -> "Any":
    """One request, one result."""
    request = Call(verb, args)
    try:
        return request.result(on_message)
    finally:
        request.close()


class Output:
    """Where a stream's bytes go: straight to the descriptors, or as JSON lines."""

    def write(self, kind: int, data: bytes) -> None:
        fd = 1 if kind == STDOUT else 2
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(fd, view) :]
            except BlockingIOError:
                select.select([], [fd], [])

    def events(self, data: bytes) -> None:
        """Structured lines of a run (test results); a terminal shows the program's own words instead."""

    def note(self, text: str, end: str = "\n") -> None:
        sys.stderr.write(text + end)
        sys.stderr.flush()


def stream(
    verb: str,
    args: "dict[str, Any]",
    *,
    tty: bool,
    detachable: bool,
    forward_stdin: bool = True,
    window: bool = False,
    output: "Output | None" = None,
    on_message: "Callable[[dict[str, Any]], None] | None" = None,
    size: "tuple[int, int] | None" = None,
) -> "dict[str, Any]":
    """Runs a streaming verb to its end and returns its END message, for example {"exit": 0}.

    With `tty` the terminal is raw and every key goes through; `detachable` gives Ctrl-] d its meaning. `window` sends
    the terminal's size although the terminal stays as it is. `size` (rows, columns) stands for the terminal's.
    """
    import _signal  # type: ignore[import-not-found]

    rows, columns = size or (None, None)
    if (tty or window) and not size:
        terminal_size = os.get_terminal_size(1)
        rows, columns = terminal_size.lines, terminal_size.columns
    call = Call(verb, args, context(rows, columns))
    while True:
        line = call.line()
        if line is None:
            raise WireError({"kind": "LinkError", "message": "the supervisor went away", "hint": "", "code": 74})
        if line.startswith(b'{"t":"stream"'):
            break
        message = decode(line)
        if message["t"] == "error":
            raise WireError(message["error"])
        if message["t"] in ("result", "exec"):
            return {"message": message}
        if on_message is not None:
            on_message(message)

    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    _signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    caught = [_signal.SIGWINCH] if tty else [_signal.SIGINT, _signal.SIGQUIT]
    before = [(number, _signal.signal(number, lambda *_: None)) for number in caught]
    saved = None
    if tty:
        from devenv.cli import terminal

        saved = terminal.raw(0)
    try:
        return _pump(call, wake_read, tty, detachable, forward_stdin, output or Output())
    finally:
        if saved is not None:
            from devenv.cli import terminal

            terminal.restore(0, saved)
        for number, handler in before:
            _signal.signal(number, handler)
        _signal.set_wakeup_fd(-1)
        os.close(wake_read)
        os.close(wake_write)
        call.close()


def _frame(kind: int, payload: bytes) -> bytes:
    return bytes((kind,)) + len(payload).to_bytes(4, "big") + payload


def _pump(call: Call, wake: int, tty: bool, detachable: bool, forward_stdin: bool, output: Output) -> "dict[str, Any]":
    """Moves bytes between the terminal and the supervisor until the END frame."""
    sock = call.sock
    fd = sock.fileno()
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    poll.register(wake, select.POLLIN)
    credit = _CREDIT
    reading = forward_stdin and _open_for_reading(0)

    def tell(kind: int, payload: bytes) -> None:
        # A program may end before its input does: what it said and how it ended is still to be read.
        try:
            call._send(_frame(kind, payload))
        except (BrokenPipeError, ConnectionResetError):
            pass

    if reading:
        poll.register(0, select.POLLIN)
    elif forward_stdin:
        tell(STDIN_EOF, b"")
    buffer = bytearray(call._buffer)
    escape = False
    while True:
        while len(buffer) >= 5:
            size = int.from_bytes(buffer[1:5], "big")
            if len(buffer) < 5 + size:
                break
            kind, payload = buffer[0], bytes(buffer[5 : 5 + size])
            del buffer[: 5 + size]
            if kind in (STDOUT, STDERR):
                output.write(kind, payload)
            elif kind == END:
                return _end(payload)
            elif kind == WINDOW:
                credit += int.from_bytes(payload, "big")
                if forward_stdin and reading and credit > 0:
                    poll.register(0, select.POLLIN)
            elif kind == EVENTS:
                output.events(payload)
            elif kind == NOTE:
                output.note(payload.decode("utf-8", "replace"), "\r\n" if tty else "\n")
        for ready, _ in poll.poll():
            if ready == fd:
                try:
                    chunk = sock.recv(1 << 18)
                except ConnectionResetError:
                    chunk = b""
                if not chunk:
                    return {"lost": True}
                buffer += chunk
            elif ready == wake:
                for number in os.read(wake, 64):
                    if number == 28:  # SIGWINCH
                        size_now = os.get_terminal_size(1)
                        payload = size_now.lines.to_bytes(2, "big") + size_now.columns.to_bytes(2, "big")
                        tell(RESIZE, payload)
                    else:
                        tell(SIGNAL, bytes((number,)))
            else:
                try:
                    data = os.read(0, min(credit, 65536))
                except OSError:
                    data = b""
                if not data:
                    poll.unregister(0)
                    reading = False
                    tell(STDIN_EOF, b"")
                    continue
                if tty and detachable:
                    data, escape, leave = _escape(data, escape)
                    if leave:
                        return {"detached": True}
                credit -= len(data)
                if credit <= 0:
                    poll.unregister(0)
                if data:
                    tell(STDIN, data)


def _end(payload: bytes) -> "dict[str, Any]":
    """The END message. That of `exec` is always `{"exit":N}`, and reading it must not cost the import of json."""
    number = payload.strip()[8:-1]
    if payload.startswith(b'{"exit":') and number.isdigit():
        return {"exit": int(number)}
    return dict(decode(payload))


def _escape(data: bytes, pending: bool) -> tuple[bytes, bool, bool]:
    """Ctrl-] d detaches, Ctrl-] Ctrl-] sends one Ctrl-]. Returns (bytes to send, pending, leave)."""
    if not pending and b"\x1d" not in data:
        return data, False, False
    out = bytearray()
    for byte in data:
        if pending:
            pending = False
            if byte in b"dD\x04":
                return bytes(out), False, True
            out += b"\x1d" if byte == 0x1D else bytes((0x1D, byte))
        elif byte == 0x1D:
            pending = True
        else:
            out.append(byte)
    return bytes(out), pending, False


def _open_for_reading(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
