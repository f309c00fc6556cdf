"""The way in: the first frame of the host, the answer, and then the loop.

The agent speaks second: on a stream that also carries the engine's own noise, the host finds the beginning by the
magic bytes. Whatever comes that is not the protocol ends it with a line on stderr and exit code 2.
"""

import os
import pwd
import select
import socket
import sys

from . import frames, place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .agent import Agent
    from .loop import Loop

VERSION = 1
_FEATURES = ("gaps", "run-stdin-null", "resolve", "connect-timeout")
_PATIENCE = 60.0  # seconds for the first frame
_DIAL = 5.0  # seconds for the host's socket
_NONCE = 4096  # bytes at most


def main() -> None:
    try:
        code = _serve()
    except frames.ProtocolError as error:
        sys.stderr.write("devenv agent: %s\n" % error)
        code = 2
    sys.stderr.flush()
    os._exit(code)


def _serve() -> int:
    _inherit_nothing()
    decoder_rest, hello = _first_frame()
    sock, problem = _dial(hello)
    state_path, kept = place.place(str(hello.get("state") or "/var/lib/devenv"), os.getuid())
    answer = _about(state_path, kept)
    answer["direct"] = sock is not None
    answer["direct_error"] = problem
    answer["nonce"] = _nonce(str(hello.get("nonce") or ""))
    _write_all(1, frames.MAGIC + frames.encode_json(frames.REPLY, 0, {"id": hello["id"], "ok": True, "result": answer}))
    # The rest is compiled while the host reads the answer.
    from .agent import Agent
    from .loop import Loop

    loop = Loop()
    if sock is None:
        agent = Agent(loop, 0, 1, None, state_path)
    else:
        agent = Agent(loop, sock.fileno(), sock.fileno(), sock, state_path)
        _lifeline(loop, agent)
    loop.call_later(0, agent.runs.discover)
    if decoder_rest:
        agent.peer.feed(decoder_rest)
    if not agent.reason:
        loop.run()
    if agent.reason.startswith("protocol error"):
        sys.stderr.write("devenv agent: %s\n" % agent.reason)
        return 2
    return 0


def _inherit_nothing() -> None:
    """Descriptors that the engine left open are no business of any program started here."""
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return
    for fd in numbers:
        if fd > 2:
            try:
                os.set_inheritable(fd, False)
            except OSError:
                pass


def _first_frame() -> "tuple[bytes, dict[str, Any]]":
    """(what came after it, the hello)."""
    data = b""
    while True:
        ready, _, _ = select.select([0], [], [], _PATIENCE)
        piece = os.read(0, 1 << 16) if ready else b""
        if not piece:
            raise frames.ProtocolError("no hello from the host" if not data else "the hello is not complete")
        data += piece
        if len(data) < frames.HEADER.size:
            continue
        length, channel, kind = frames.HEADER.unpack_from(data)
        if kind != frames.REQUEST or channel != 0 or length > frames.LIMIT:
            raise frames.ProtocolError("the first frame is not a hello")
        if len(data) < frames.HEADER.size + length:
            continue
        end = frames.HEADER.size + length
        hello = frames.decode_json(data[frames.HEADER.size : end])
        if hello.get("op") != "hello" or "id" not in hello:
            raise frames.ProtocolError("the first frame is not a hello")
        return data[end:], hello


def _dial(hello: "dict[str, Any]") -> "tuple[socket.socket | None, str]":
    """The host's socket with the token sent, or why there is none."""
    if hello.get("tier") != "direct":
        return None, "not asked for"
    path = str(hello.get("socket") or "")
    token = str(hello.get("token") or "")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(_DIAL)
        sock.connect(path)
        sock.sendall(frames.MAGIC + token.encode("ascii"))
        sock.setblocking(False)
    except (OSError, ValueError) as error:
        sock.close()
        return None, "%s: %s" % (path, error)
    return sock, ""


def _nonce(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_NONCE).decode("ascii", "replace").strip()
    except (OSError, ValueError):
        return ""


def _lifeline(loop: "Loop", agent: "Agent") -> None:
    """In the direct tier stdin says only whether the host still holds the exec."""
    os.set_blocking(0, False)

    def readable() -> None:
        try:
            data = os.read(0, 1 << 16)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            loop.forget(0)
            agent.end("the host let go")

    loop.add_reader(0, readable)


def _about(state_path: str, kept: bool) -> "dict[str, Any]":
    uid = os.getuid()
    try:
        entry = pwd.getpwuid(uid)
        user, home, shell = entry.pw_name, entry.pw_dir, entry.pw_shell
    except KeyError:
        user, home, shell = str(uid), os.environ.get("HOME", "/"), ""
    return {
        "version": VERSION,
        "python": list(sys.version_info[:3]),
        "executable": sys.executable,
        "uid": uid,
        "gid": os.getgid(),
        "user": user,
        "home": home or "/",
        "shell": shell or "/bin/sh",
        "hostname": socket.gethostname(),
        "pid": os.getpid(),
        "state_dir": state_path,
        "state_kept": kept,
        "features": list(_FEATURES),
    }


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
