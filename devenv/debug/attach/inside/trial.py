"""The same ways into a process that nobody needs: what kills that one, or does not work there, is not done to another.

It is started from the same interpreter, by the same user, and entered while it computes and while it waits.
"""

import os
import select
import subprocess
import time

from . import tracing, ways

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Mapping

_PROGRAM = """
import os, time
seen = 0
os.write(1, b"r")
end = time.time() + 20
while not seen and time.time() < end:
    sum(range(100))
os.write(1, b"b")
began = time.time()
said = os.read(0, 1)
os.write(1, b"%d%s" % (seen, said))
os._exit(43)
"""
_PATIENCE = 5.0


def run(exe: str, env: "Mapping[str, str]", become: "Callable[[], None] | None") -> str:
    """ "" when everything went as it must, else what did not."""
    process: "Any" = subprocess.Popen(
        [exe, "-I", "-S", "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(env, PATH=os.defpath),
        bufsize=0,
        cwd="/",
        preexec_fn=become,
    )
    try:
        return _enter(process)
    except (tracing.TraceError, ways.NoWay) as error:
        return str(error)
    except OSError as error:
        return "%s" % error
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def _said(process: "Any", size: int) -> bytes:
    data = b""
    until = time.monotonic() + _PATIENCE
    while len(data) < size:
        ready = select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))[0]
        piece = os.read(process.stdout.fileno(), size - len(data)) if ready else b""
        if not piece:
            break
        data += piece
    return data


def _enter(process: "Any") -> str:
    if _said(process, 1) != b"r":
        return "it does not start"
    entry = ways.Entry(process.pid)
    ways.pending(entry, b"seen = 1")
    if _said(process, 1) != b"b":
        return "code that was handed to it while it computed did not run" + _end(process)
    until = time.monotonic() + _PATIENCE
    while process.pid not in ways.waiting_threads(process.pid):
        if time.monotonic() > until:
            return "it does not come to wait" + _end(process)
        time.sleep(0.001)
    if entry.threads:
        if not ways.new_thread(entry, b"import os; seen = 2; os.write(1, b't')"):
            return "it was not found waiting" + _end(process)
        if _said(process, 1) != b"t":
            return "code that was handed to it while it waited did not run" + _end(process)
    process.stdin.write(b"x")
    if _said(process, 2) != (b"2x" if entry.threads else b"1x"):
        return "it went on in another way than it would have" + _end(process)
    code = process.wait()
    return "" if code == 43 else "it ended with %d" % code


def _end(process: "Any") -> str:
    code = process.poll()
    return "" if code is None else " (it ended with %d)" % code
