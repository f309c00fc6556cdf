"""Bringing debugpy into a container without network there and without touching the user's environment.

With the mounted link folder the tree lies on the host and is only read in the container (a read-only root is fine);
otherwise it is sent over the link into the agent's own state folder. Either way a tree appears whole or not at all.
"""

from __future__ import annotations

import asyncio
import io
import json
import pathlib
import posixpath
import tarfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from devenv.debug.bytecode import compile_in_place, compile_mounted
from devenv.debug.cache import DebugpyCache, copy_tree
from devenv.debug.versions import Choice, Interpreter, choose
from devenv.errors import DebugError, NotFound

if TYPE_CHECKING:
    from devenv.link.port import Channel, Link

MOUNTED_PAYLOAD = "/run/devenv/payload"

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


def tar_of(tree: pathlib.Path) -> bytes:
    """The tree as tar bytes: no owners, no times, folders 0755, files 0644."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(tree.rglob("*")):
            if "__pycache__" in path.parts:
                continue
            entry = tarfile.TarInfo(path.relative_to(tree).as_posix())
            if path.is_dir():
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
            else:
                entry.size, entry.mode = path.stat().st_size, 0o644
                with path.open("rb") as file:
                    archive.addfile(entry, file)
    return buffer.getvalue()


class Delivery:
    """Places payloads for one environment. Calls may overlap: equal ones share one delivery.

    `payload_dir` is the host side of the mounted payload folder, or None when the container has no such mount.
    """

    def __init__(self, cache: DebugpyCache, payload_dir: pathlib.Path | None) -> None:
        self._cache = cache
        self._payload = payload_dir
        self._lock = asyncio.Lock()
        self._interpreters: dict[str, Interpreter] = {}

    async def interpreter(self, link: Link, python: str, *, env: Mapping[str, str], cwd: str) -> Interpreter:
        """As `inspect_interpreter`, remembered; forget with a new object when the container was started again."""
        known = self._interpreters.get(python)
        if known is None:
            known = await inspect_interpreter(link, python, env=env, cwd=cwd)
            self._interpreters[python] = known
        return known

    async def debugpy(self, link: Link, interpreter: Interpreter) -> str:
        """The container folder that holds a fitting `debugpy` package, delivered when it is not there yet."""
        choice = choose(interpreter, self._cache.own)
        async with self._lock:
            return await self._deliver(link, choice)

    async def prepare(self, link: Link, python: str, *, env: Mapping[str, str], cwd: str) -> None:
        """Delivers debugpy for this interpreter ahead of the first debug run, and compiles it.

        Meant for the background after `up`: it halves the time to the first breakpoint and is needed for nothing.
        Safe to repeat. Raises DebugError and LinkError.
        """
        interpreter = await self.interpreter(link, python, env=env, cwd=cwd)
        folder = await self.debugpy(link, interpreter)
        if self._payload is not None:
            await compile_mounted(link, interpreter, folder, self._payload / posixpath.basename(folder), env)
        else:
            await compile_in_place(link, interpreter, folder, env)

    async def _deliver(self, link: Link, choice: Choice) -> str:
        tree = await asyncio.to_thread(self._tree, choice)
        return await self.place(link, tree, tree.name, link_files=True)

    def _tree(self, choice: Choice) -> pathlib.Path:
        # A pure build that was fetched before serves as well, and a host without network is not kept waiting.
        return self._cache.cached(choice) or self._cache.tree(choice)

    async def place(self, link: Link, tree: pathlib.Path, name: str, *, link_files: bool = False) -> str:
        """Puts a host folder into the container under `name` (whose contents never change) and returns its path there.

        `link_files`: the files are world-readable already, so hard links may stand for copies.
        """
        if self._payload is not None:
            await asyncio.to_thread(copy_tree, tree, self._payload / name, link=link_files)
            return f"{MOUNTED_PAYLOAD}/{name}"
        destination = f"{link.hello.state_dir.rstrip('/')}/payload/{name}"
        found = await link.request("stat", paths=[destination])
        if not found.get(destination):
            await link.unpack(destination, await asyncio.to_thread(tar_of, tree))
        return destination
