"""Attaching: the adapter is started, the program is entered and connects to it, and how it went is told."""

import binascii
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time

from . import rights, survey, tracing, trial, ways

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ADAPTER = 15.0  # seconds for it to start
_BEGIN = 5.0  # seconds for the program to come to where code can run, the tries of `ways` not counted
_FINISH = 30.0  # seconds from the first sign of life to the debugger being there


class Line:
    """Where the program calls back: first its token, then a JSON line."""

    def __init__(self, token: str) -> None:
        self.token = token
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(8)
        self.port = self._listener.getsockname()[1]
        self._connection = None  # type: socket.socket | None
        self._data = b""

    def _receive(self, until: float) -> bool:
        """One more piece; False when none came in time."""
        while True:
            source = self._connection or self._listener
            left = until - time.monotonic()
            if left < 0 or not select.select([source], [], [], left)[0]:
                return False
            if self._connection is None:
                connection = self._listener.accept()[0]
                connection.settimeout(2)
                try:
                    said = connection.recv(len(self.token) + 1)
                except OSError:
                    said = b""
                if said.decode("ascii", "replace").strip() == self.token:
                    self._connection = connection
                    return True
                connection.close()  # somebody else
                continue
            piece = self._connection.recv(65536)
            self._data += piece
            return bool(piece)

    def arrived(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while self._connection is None:
            if not self._receive(until):
                return False
        return True

    def answer(self, seconds: float) -> "dict[str, Any] | None":
        until = time.monotonic() + seconds
        while b"\n" not in self._data:
            if not self._receive(until):
                return None
        return json.loads(self._data.decode("utf-8"))  # type: ignore[no-any-return]

    def close(self) -> None:
        for item in (self._connection, self._listener):
            if item is not None:
                item.close()


class Adapter:
    """debugpy's adapter, as debugpy itself starts it, waiting for a program to connect."""

    def __init__(self, exe: str, env: "dict[str, str]", job: "dict[str, Any]") -> None:
        self.secret = binascii.hexlify(os.urandom(32)).decode("ascii")
        listener = socket.socket()
        try:
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            listener.settimeout(_ADAPTER)
            words = ["--for-server", str(listener.getsockname()[1]), "--host", "127.0.0.1", "--port", "0"]
            done = subprocess.Popen(
                [exe, os.path.join(job["debugpy"], "debugpy", "adapter"), "--server-access-token", self.secret] + words,
                env=dict(env, PATH=os.defpath, DEBUGPY_ADAPTER_ENDPOINTS=job["endpoints"]),
                preexec_fn=rights.like(job),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
            )
            done.wait()  # it goes to the background
            connection = listener.accept()[0]
            data = b""
            while True:
                piece = connection.recv(65536)
                if not piece:
                    break
                data += piece
            connection.close()
        finally:
            listener.close()
        said = json.loads(data.decode("utf-8"))
        if "error" in said:
            raise OSError(said["error"])
        self.server = int(said["server"]["port"])
        self.client = int(said["client"]["port"])

    def dismiss(self) -> None:
        """It waits for its first program for ever; one that leaves at once ends it."""
        try:
            socket.create_connection(("127.0.0.1", self.server), 2).close()
        except OSError:
            pass


def text(source: str, job: "dict[str, Any]") -> bytes:
    """The guest's source with its job, as one statement that leaves the program's names alone. ASCII."""
    body = source.replace("JOB = {}", "JOB = %s" % ascii(job), 1)
    return ("exec(compile(%s, '<devenv attach>', 'exec'), {'__name__': 'devenv_attach'})" % ascii(body)).encode("ascii")


def attach(job: "dict[str, Any]") -> "dict[str, Any]":
    pid = int(job["pid"])
    if survey.started(pid) != job["started"]:
        return {"problem": "ended", "why": "it has ended"}
    runnable, env = survey.startable(pid, str(job["exe"])), survey.surroundings(pid)
    if job["trial"]:
        why = trial.run(runnable, env, rights.like(job))
        if why:
            return {"problem": "trial", "why": why}
    try:
        entry = ways.Entry(pid)
    except ways.NoWay as error:
        return {"problem": "no-way", "why": str(error)}
    try:
        adapter = Adapter(runnable, env, job)
    except (OSError, ValueError) as error:
        return {"problem": "adapter", "why": "%s" % error}
    line = Line(binascii.hexlify(os.urandom(16)).decode("ascii"))
    keep = False
    try:
        answer = _enter(job, entry, adapter, line)
        keep = answer.get("ok", False) or answer.get("problem") == "waits"
        return answer
    finally:
        line.close()
        if not keep:
            adapter.dismiss()


def _enter(job: "dict[str, Any]", entry: "ways.Entry", adapter: Adapter, line: Line) -> "dict[str, Any]":
    guest = {
        "token": line.token,
        "report": line.port,
        "server": adapter.server,
        "secret": adapter.secret,
        "debugpy": job["debugpy"],
        "endpoints": job["endpoints"],
        "subprocess": job["subprocess"],
        "env": job["env"],
        "gone": job.get("gone") or "",
    }
    code = text(job["guest"], guest)
    way, begun = "", False
    began = time.monotonic()
    if hasattr(sys, "remote_exec") and job["remote_exec"]:
        way, begun = _remote(job, code, line)
    try:
        if not begun:
            taken, begun = ways.enter(entry, code, line.arrived, pending_first=not way)
            way = way if way and taken == "pending" else taken  # what the interpreter was asked for came late
    except (tracing.TraceError, ways.NoWay) as error:
        return {"problem": "trace", "why": str(error), "errno": getattr(error, "number", 0)}
    if not begun and not line.arrived(_BEGIN):
        if survey.started(entry.pid) != job["started"]:
            return {"problem": "ended", "why": "it ended meanwhile"}
        return {"problem": "waits", "token": line.token, "endpoints": job["endpoints"]}
    said = line.answer(_FINISH)
    if said is None:
        ended = survey.started(entry.pid) != job["started"]
        return {"problem": "ended" if ended else "silent", "why": "it ended meanwhile" if ended else ""}
    if "error" in said:
        return {"problem": "guest", "why": said["error"]}
    if said.get("foreign"):
        return {"problem": "foreign"}
    if said.get("already"):
        return {"problem": "already", "endpoints": said["already"]["endpoints"], "token": said["already"]["adapter"]}
    seconds = round(time.monotonic() - began, 3)
    return {"ok": True, "way": way, "token": line.token, "client": adapter.client, "seconds": seconds, "said": said}


def _remote(job: "dict[str, Any]", code: bytes, line: Line) -> "tuple[str, bool]":
    """The interpreter's own way (PEP 768). ("", False) where the program has it turned off."""
    pid = int(job["pid"])
    path = os.path.join(job["state"], "attach-%d-%s.py" % (pid, line.token))
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(fd, "wb") as file:
            file.write(code)
        if os.getuid() != job["uid"]:
            os.chown(path, job["uid"], job["gid"])
        waits = pid in ways.waiting_threads(pid)
        try:
            sys.remote_exec(pid, path)  # type: ignore[attr-defined]
        except Exception:  # turned off, another build: the other ways say more
            return "", False
        return "remote-exec", line.arrived(0.25 if waits else 1.0)
    finally:
        os.unlink(path)


def detached(work: "Any") -> None:
    """Does the work in a process that nobody ends: one that is killed while it holds a thread would leave that broken.

    This process only waits for it, so that whoever started it sees the end.
    """
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    os.setsid()
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    try:
        work()
    finally:
        os._exit(0)
