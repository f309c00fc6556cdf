"""The socket: typed requests, errors with their codes, frames after a switch."""

from __future__ import annotations

import asyncio
import json
import pathlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from devenv.api.context import ClientContext
from devenv.api.messages import Args, ExecArgs
from devenv.errors import NotUp
from devenv.supervisor.connection import END, STDIN, STDOUT, Connection
from devenv.supervisor.server import Server

CONTEXT = {"cwd": "/", "umask": 18, "env": {"A": "b"}, "uid": 0}


async def hello(args: Args, ctx: ClientContext, connection: Connection) -> Any:
    connection.send({"t": "note", "text": "soon", "level": "info"})
    return {"folder": args.folder, "env": dict(ctx.env)}


async def fails(args: Args, ctx: ClientContext, connection: Connection) -> Any:
    raise NotUp("it is down", "bring it up")


async def defect(args: Args, ctx: ClientContext, connection: Connection) -> Any:
    raise KeyError("oops")


async def echo(args: ExecArgs, ctx: ClientContext, connection: Connection) -> Any:
    connection.start_stream()
    kind, data = await connection.recv_frame()
    assert kind == STDIN
    connection.frame(STDOUT, data)
    connection.end({"exit": 3})


@pytest.fixture
async def door(tmp_path: pathlib.Path) -> AsyncIterator[str]:
    path = str(tmp_path / "s")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    server = Server(
        {"hello": (Args, hello), "fails": (Args, fails), "defect": (Args, defect), "echo": (ExecArgs, echo)}
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve(listener))
        yield path
        server.stopping.set()


async def ask(door: str, line: bytes) -> list[dict[str, Any]]:
    reader, writer = await asyncio.open_unix_connection(door)
    writer.write(line + b"\n")
    lines = (await reader.read()).splitlines()
    writer.close()
    await writer.wait_closed()
    return [json.loads(answer) for answer in lines]


def request(verb: str, args: dict[str, Any] | None = None, version: int = 1) -> bytes:
    return json.dumps({"v": version, "verb": verb, "args": args or {}, "context": CONTEXT}).encode()


async def test_a_result_after_its_notes(door: str) -> None:
    note, result = await ask(door, request("hello", {"folder": "/x", "of_a_newer_client": 1}))
    assert note["t"] == "note"
    assert result == {"t": "result", "result": {"folder": "/x", "env": {"A": "b"}}}


@pytest.mark.parametrize(
    ("line", "kind", "code"),
    [
        (b"no json", "UsageError", 64),
        (b"{}", "UsageError", 64),
        (request("dance"), "UsageError", 64),
        (request("hello", {"folder": 3}), "UsageError", 64),
        (request("hello", version=9), "Refused", 77),
        (request("fails"), "NotUp", 67),
        (request("defect"), "InternalError", 70),
    ],
)
async def test_errors_have_kind_and_code(door: str, line: bytes, kind: str, code: int) -> None:
    (answer,) = await ask(door, line)
    assert (answer["t"], answer["error"]["kind"], answer["error"]["code"]) == ("error", kind, code)


async def test_frames_after_the_switch(door: str) -> None:
    reader, writer = await asyncio.open_unix_connection(door)
    writer.write(request("echo", {"argv": ["x"]}) + b"\n")
    assert await reader.readline() == b'{"t":"stream"}\n'
    writer.write(bytes([STDIN, 0, 0, 0, 3]) + b"\x00\xff\n")
    assert await reader.readexactly(8) == bytes([STDOUT, 0, 0, 0, 3]) + b"\x00\xff\n"
    head = await reader.readexactly(5)
    assert head[0] == END
    assert json.loads(await reader.readexactly(int.from_bytes(head[1:], "big"))) == {"exit": 3}
    writer.close()
    await writer.wait_closed()
