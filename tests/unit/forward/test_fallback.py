"""Connections through plain execs, with this machine as the container."""

from __future__ import annotations

import asyncio
import os
import pathlib
import shutil
import time
from typing import cast

import pytest

from devenv.engine.port import Engine, ExecResult
from devenv.forward.fallback import ExecDialer
from devenv.forward.forwarder import Forwarder
from devenv.forward.settings import ConfiguredPort, ForwardSettings
from devenv.link.fakes import LocalEngine


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    line = await reader.readline()
    writer.write(b"you said " + line + bytes(range(256)) * 1000)
    writer.close()


async def ask(port: int | None) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"hello\n")
    try:
        return await reader.read(-1)
    finally:
        writer.close()


def dialer(tool: str | None) -> ExecDialer:
    return ExecDialer(cast(Engine, LocalEngine()), "local", "", tool)


@pytest.fixture
def forwarder_path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "ports.json"


@pytest.mark.parametrize("tool", ["bash", "nc", "socat"])
async def test_a_connection_through(
    tool: str, forwarder_path: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = shutil.which("busybox" if tool == "nc" else tool)  # the nc of small images; OpenBSD's does not end
    if program is None:
        pytest.skip(f"this machine has no {'busybox' if tool == 'nc' else tool}: run tests/rig/clients.sh")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / tool).symlink_to(program)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        forwarder = Forwarder(
            "key", forwarder_path, ForwardSettings(configured=(ConfiguredPort(port),)), time.monotonic, lambda: None
        )
        try:
            await forwarder.set_link(dialer(tool))
            (view,) = forwarder.table()
            assert view.host_port != port
            for _ in range(2):
                assert await ask(view.host_port) == b"you said hello\n" + bytes(range(256)) * 1000
        finally:
            await forwarder.close()


async def test_nothing_listens() -> None:
    if shutil.which("bash") is None:
        pytest.skip("this machine has no bash")
    with pytest.raises(ConnectionRefusedError):
        await dialer("bash").connect(1)


async def test_without_any_tool_the_table_says_so(forwarder_path: pathlib.Path) -> None:
    made = dialer(None)
    with pytest.raises(OSError, match="nothing can be forwarded"):
        await made.connect(80)
    settings = ForwardSettings(configured=(ConfiguredPort(5999),))
    forwarder = Forwarder("key", forwarder_path, settings, time.monotonic, lambda: None)
    await forwarder.set_link(made)
    assert "nothing can be forwarded" in forwarder.table()[0].note
    await forwarder.close()


@pytest.mark.parametrize(
    ("answer", "tool"),
    [
        (ExecResult(0, b"bash\n", b""), "bash"),
        (ExecResult(0, b"nc\n", b""), "nc"),
        (ExecResult(1, b"", b""), None),
        (ExecResult(127, b"", b"no sh"), None),
        (ExecResult(0, b"banner\nbash\n", b""), None),
    ],
)
async def test_the_probe(answer: ExecResult, tool: str | None) -> None:
    class Scripted(LocalEngine):
        async def exec_capture(self, *arguments: object, **more: object) -> ExecResult:  # type: ignore[override]
            return answer

    made = await ExecDialer.probe(cast(Engine, Scripted()), "local", user="")
    assert made._tool == tool
