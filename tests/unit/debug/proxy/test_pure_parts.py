"""What is decided without a connection: messages on a socket, missing arguments, why a breakpoint is not hit."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from devenv.debug.proxy import arguments, frames
from devenv.debug.proxy.arguments import Greeting, Paths
from devenv.debug.proxy.checks import Checks

# --- messages ---


Sent = Callable[..., frames.Reader]


@pytest.fixture
def sent() -> Iterator[Sent]:
    """`sent(piece, ...)`: a reader to whom these bytes come, then the end."""
    with contextlib.ExitStack() as stack:

        def make(*pieces: bytes) -> frames.Reader:
            near, far = socket.socketpair()
            stack.enter_context(near)

            def send() -> None:
                with far, contextlib.suppress(OSError):
                    for piece in pieces:
                        far.sendall(piece)

            thread = threading.Thread(target=send)
            thread.start()
            stack.callback(thread.join)
            stack.callback(near.close)  # before the join: who still sends is let go
            return frames.Reader(near)

        yield make


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_messages_in_pieces_of_any_size(size: int, sent: Sent) -> None:
    bodies = [b'{"a":1}', b"x" * 200_000, b"{}"]
    whole = b"".join(b"Content-Length: %d\r\n\r\n" % len(body) + body for body in bodies)
    reader = sent(*(whole[at : at + size] for at in range(0, len(whole), size))) if size > 1 else sent(whole)
    assert [reader.read() for _ in bodies] == bodies
    assert reader.read() is None


def test_other_headers_and_small_letters(sent: Sent) -> None:
    assert sent(b"Content-Type: x\r\ncontent-length:2\r\n\r\n{}").read() == b"{}"


@pytest.mark.parametrize(
    "said",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", b"Content-Length: x\r\n\r\n", b"Content-Length: -1\r\n\r\n",
     b"Content-Type: a\r\n\r\n{}", b"Content-Length: 99999999999\r\n\r\n"],
)  # fmt: skip
def test_nonsense(said: bytes, sent: Sent) -> None:
    with pytest.raises(frames.FrameError):
        sent(said).read()


@pytest.mark.parametrize("said", [b"", b"Conte", b"Content-Length: 10\r\n\r\n{", b"Content-Length: 10\r\n"])
def test_half_a_message_is_an_end(said: bytes, sent: Sent) -> None:
    assert sent(said).read() is None


def test_the_greeting_is_taken_off_and_need_not_be_there(sent: Sent) -> None:
    reader = sent(b'DEVENV {"port": 1}\nContent-Length: 2\r\n\r\n{}')
    assert (reader.line(b"DEVENV "), reader.read()) == (b'DEVENV {"port": 1}', b"{}")
    reader = sent(b"Content-Length: 2\r\n\r\n{}")
    assert (reader.line(b"DEVENV "), reader.read()) == (None, b"{}")


# --- arguments ---

HERE = Greeting({"port": 23456, "door": 20000, "local": "/home/u/p", "remote": "/workspaces/p"})
MAPPED = [{"localRoot": "/home/u/p", "remoteRoot": "/workspaces/p"}]


def test_a_client_needs_only_a_port() -> None:
    found = arguments.attach({}, "attach", HERE)
    assert found == {"pathMappings": MAPPED, "connect": {"host": "127.0.0.1", "port": 23456}}


@pytest.mark.parametrize(
    ("said", "port"),
    [
        ({"connect": {"host": "localhost", "port": 20000}}, 23456),  # the door may lead elsewhere by then
        ({"connect": {"host": "localhost", "port": "20000"}}, 23456),
        ({"connect": {"host": "localhost", "port": 5678}}, 5678),  # a tunnel of the client's own
        ({"host": "localhost", "port": 20000}, 23456),
        ({"connect": {"host": "localhost"}}, 23456),
    ],
)
def test_children_are_sent_to_the_sessions_own_port(said: dict[str, Any], port: int) -> None:
    found = arguments.attach(said, "attach", HERE)
    assert found["connect"] == {"host": "localhost", "port": port} and "host" not in found and "port" not in found


@pytest.mark.parametrize(
    ("said", "mapped"),
    [
        ([{"localRoot": "/a", "remoteRoot": "/b"}], [{"localRoot": "/a", "remoteRoot": "/b"}]),
        ([{"localRoot": "${workspaceFolder}", "remoteRoot": "."}], MAPPED),
        (
            [{"localRoot": "${workspaceFolder}/src", "remoteRoot": "src"}],
            [{"localRoot": "/home/u/p/src", "remoteRoot": "/workspaces/p/src"}],
        ),
        ([], MAPPED),
        ("nonsense", MAPPED),
        ([1, {"localRoot": 2}], MAPPED),
    ],
)
def test_mappings_stand_unless_they_can_mean_nothing_here(said: Any, mapped: Any) -> None:
    assert arguments.attach({"pathMappings": said}, "attach", HERE)["pathMappings"] == mapped


def test_old_words_launch_and_defaults() -> None:
    old = arguments.attach({"localRoot": "/a", "remoteRoot": "/b", "processId": 7}, "attach", HERE)
    assert old["pathMappings"] == [{"localRoot": "/a", "remoteRoot": "/b"}]
    assert not {"localRoot", "remoteRoot", "processId"} & set(old)
    launch = arguments.attach({"program": "x.py", "console": "none", "justMyCode": False}, "launch", HERE)
    assert "program" not in launch and launch["justMyCode"] is False
    greeting = Greeting({"defaults": {"justMyCode": False, "redirectOutput": True}})
    assert arguments.attach({"justMyCode": True}, "attach", greeting) == {"justMyCode": True, "redirectOutput": True}
    assert arguments.attach({}, "attach", Greeting({"port": "x", "local": 1, "defaults": []})) == {}


def test_paths() -> None:
    paths = Paths([*MAPPED, {"localRoot": "/home/u/p/deep/", "remoteRoot": "/deep"}])
    assert paths.remote("/home/u/p/a.py") == "/workspaces/p/a.py"
    assert paths.remote("/home/u/p/deep/a.py") == "/deep/a.py"
    assert paths.remote("/home/u/pp/a.py") == "/home/u/pp/a.py"
    assert paths.covers("/home/u/p/a.py") and not paths.covers("/etc/passwd")
    assert (
        Paths([]).covers("/x")
        and Paths([{"localRoot": "C:\\p", "remoteRoot": "/p"}]).remote("C:\\p\\a\\b.py") == "/p/a/b.py"
    )


# --- checks ---

SOURCE = """import torch

def plain(x):

    # a comment
    return x + 1

@torch.compile
def fast(x):
    y = x * 2
    return y

@torch.compile(mode="max-autotune")
def faster(x):
    return x
"""


def answer(
    tmp_path: pathlib.Path, lines: list[int], *, name: str = "a.py", started: float | None = None, verified: bool = True
) -> tuple[list[str], list[str]]:
    """(messages of the breakpoints, lines for the console)."""
    checks = Checks(time.time() + 60 if started is None else started)
    adapter: Any = SimpleNamespace(arguments={"pathMappings": [{"localRoot": "/host", "remoteRoot": str(tmp_path)}]})
    path = name if name.startswith("/") else f"/host/{name}"
    asked = {"source": {"path": path}, "breakpoints": [{"line": line} for line in lines]}
    found = [{"verified": verified, "line": line, **({} if verified else {"message": "no"})} for line in lines]
    response = {"success": True, "body": {"breakpoints": found}}
    told = checks.answer(adapter, asked, response) or []
    assert checks.answer(adapter, asked, {"success": True, "body": {"breakpoints": found}}) is None, "told twice"
    return [str(item.get("message", "")) for item in found], told


def test_a_breakpoint_that_is_right_has_nothing_to_say(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.py").write_text(SOURCE)
    assert answer(tmp_path, [1, 6]) == (["", ""], [])


def test_lines_without_code_and_compiled_functions(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHDYNAMO_DISABLE", raising=False)
    (tmp_path / "a.py").write_text(SOURCE)
    messages, told = answer(tmp_path, [5, 10, 15])
    assert messages[0] == "there is no code on this line; the next one that has is 6"
    assert "torch.compile" in messages[1] and "--eager" in messages[1] and messages[1] == messages[2]
    assert told == [f"breakpoint a.py:5: {messages[0]}", f"breakpoint a.py:10: {messages[1]}"]
    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "1")
    assert answer(tmp_path, [10]) == ([""], [])


def test_files(tmp_path: pathlib.Path) -> None:
    assert answer(tmp_path, [1], name="none.py")[0] == [f"the container has no file {tmp_path}/none.py"]
    outside = answer(tmp_path, [1], name="/elsewhere/x.py")[0]
    assert outside == ["/elsewhere/x.py is outside of the project, and the container has no such file"]
    (tmp_path / "a.py").write_text(SOURCE)
    assert "changed after the program started" in answer(tmp_path, [6], started=time.time() - 60)[0][0]
    assert answer(tmp_path, [6], verified=False)[0] == ["no"]
    (tmp_path / "broken.py").write_text("def (:\n")
    assert answer(tmp_path, [1], name="broken.py") == ([""], [])
    (tmp_path / "t.html").write_text("<p>")
    assert answer(tmp_path, [1], name="t.html") == ([""], [])
