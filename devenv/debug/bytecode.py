"""Compiling a delivered debugpy once, so that a debug run does not compile a hundred modules at each start.

In the mounted payload, which the container cannot write, the container's interpreter compiles and the host stores: it
chooses every name itself and takes only bytes, which nobody but that container ever reads. Missing bytecode only costs
time, so whatever goes wrong here is no error.
"""

from __future__ import annotations

import asyncio
import pathlib
import secrets
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING

from devenv.debug.delivered_files import source_files
from devenv.debug.versions import Interpreter

if TYPE_CHECKING:
    from devenv.link.port import Link

_MOST_FILE = 4 << 20
_LENGTH = struct.Struct(">I")

# Reads names from stdin, writes for each a length and the bytecode (0: it does not compile). Python 3.6 or later.
_SCRIPT = """
import os, py_compile, struct, sys, tempfile
folder, out = sys.argv[1], sys.stdout.buffer
work = os.path.join(tempfile.mkdtemp(), "c")
try:
    for line in sys.stdin.buffer:
        name, data = os.fsdecode(line.rstrip(b"\\n")), b""
        try:
            py_compile.compile(os.path.join(folder, name), cfile=work, doraise=True)
            with open(work, "rb") as file:
                data = file.read()
        except Exception:
            pass
        out.write(struct.pack(">I", len(data)) + data)
finally:
    if os.path.exists(work):
        os.unlink(work)
    os.rmdir(os.path.dirname(work))
"""


def _marker(tree: pathlib.Path, interpreter: Interpreter) -> pathlib.Path:
    return tree / f".compiled-{interpreter.cache_tag}"


async def compile_mounted(
    link: Link, interpreter: Interpreter, folder: str, tree: pathlib.Path, env: Mapping[str, str]
) -> None:
    """Fills `tree`, the host's side of the container's read-only `folder`, with bytecode for this interpreter."""
    marker = _marker(tree, interpreter)
    if marker.exists():
        return
    names = await asyncio.to_thread(source_files, tree)
    # The root may be read-only, and then so is /tmp.
    env = {**env, "TMPDIR": link.hello.state_dir}
    channel = await link.spawn([interpreter.executable, "-c", _SCRIPT, folder], env=env, cwd="/")
    try:
        await channel.send("".join(f"{name}\n" for name in names).encode("utf-8", "surrogateescape"))
        await channel.send_eof()
        waiting = iter(names)
        rest = b""
        while (received := await channel.recv()) is not None:
            if received[0] != 1:
                continue
            rest += received[1]
            while len(rest) >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(rest)
                if length > _MOST_FILE:
                    return  # nothing that a compiler says
                if len(rest) < _LENGTH.size + length:
                    break
                name = next(waiting, None)
                if name is None:
                    return
                data, rest = rest[_LENGTH.size : _LENGTH.size + length], rest[_LENGTH.size + length :]
                if data:
                    await asyncio.to_thread(_store, tree / name, interpreter.cache_tag, data)
        if next(waiting, None) is None:
            marker.touch(mode=0o644)
    finally:
        await channel.close()


def _store(source: pathlib.Path, tag: str, data: bytes) -> None:
    folder = source.parent / "__pycache__"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    work = folder / f".{secrets.token_hex(4)}"
    work.write_bytes(data)
    work.chmod(0o644)
    work.rename(folder / f"{source.stem}.{tag}.pyc")


async def compile_in_place(link: Link, interpreter: Interpreter, folder: str, env: Mapping[str, str]) -> None:
    """For a tree in the agent's own state folder: the interpreter writes its bytecode beside the sources."""
    done = f"{folder}/.compiled-{interpreter.cache_tag}"
    if (await link.request("stat", paths=[done])).get(done):
        return
    script = "import compileall, sys; compileall.compile_dir(sys.argv[1], quiet=2); open(sys.argv[2], 'w').close()"
    channel = await link.spawn([interpreter.executable, "-c", script, folder, done], env=env, cwd="/")
    try:
        await channel.send_eof()
        while await channel.recv() is not None:
            pass
    finally:
        await channel.close()
