"""Asking an interpreter in the container what it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from devenv.delivery.interpreter import Interpreter
from devenv.errors import DebugError, NotFound

if TYPE_CHECKING:
    from devenv.link.port import Channel, Link

# Runs on Python 2.7 as well, so that an old interpreter is named instead of a syntax error shown.
_INSPECT = """
import json, os, platform, sys
try:
    libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
except (AttributeError, ValueError, OSError):
    libc = ""
print("\\n" + json.dumps({"executable": sys.executable, "version": list(sys.version_info[:3]),
    "machine": platform.machine(), "libc": libc, "implementation": platform.python_implementation().lower()}))
"""


async def collect(channel: Channel, limit: int = 1 << 20) -> tuple[bytes, bytes, Mapping[str, Any]]:
    """Everything a spawned process prints (stdout, stderr, at most `limit` bytes each) and how it ended."""
    out, err = bytearray(), bytearray()
    while (received := await channel.recv()) is not None:
        stream, data = received
        kept = out if stream == 1 else err
        kept += data[: max(0, limit - len(kept))]
    return bytes(out), bytes(err), channel.result


async def inspect_interpreter(link: Link, python: str, *, env: Mapping[str, str], cwd: str) -> Interpreter:
    """Asks an interpreter in the container what it is. Raises DebugError when it does not run."""
    try:
        channel = await link.spawn([python, "-c", _INSPECT], env=env, cwd=cwd)
    except NotFound as error:
        raise DebugError(f"the interpreter {python} does not exist in the container", error.hint) from error
    try:
        await channel.send_eof()
        out, err, result = await collect(channel)
    finally:
        await channel.close()
    try:
        # A sitecustomize may print; ours is the last line.
        said = json.loads(out.decode("utf-8", "replace").strip().splitlines()[-1])
        major, minor, patch = (int(part) for part in said["version"])
        libc = str(said["libc"]).split()
        glibc = None
        if len(libc) == 2 and libc[0] == "glibc":
            glibc = (int(libc[1].split(".")[0]), int(libc[1].split(".")[1]))
        return Interpreter(
            str(said["executable"]) or python,
            (major, minor, patch),
            str(said["machine"]),
            glibc,
            str(said["implementation"]),
        )
    except (IndexError, KeyError, TypeError, ValueError) as error:
        last = err.decode("utf-8", "replace").strip().splitlines()[-1:] or [f"it ended with {dict(result)}"]
        raise DebugError(
            f"{python} in the container is no working Python: {last[0]}", "name another with `python:`"
        ) from error
