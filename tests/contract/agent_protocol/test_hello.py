"""The first words: who the agent is, the tier, and what happens when the host is no host."""

from __future__ import annotations

import json
import os
import pathlib
import struct
import subprocess
import sys
import zlib

import pytest

from devenv.link import bundle
from devenv.link.bootstrap import boot_argv

from .client import HEADER, PING, REQUEST, AgentError, Client, Gone
from .conftest import Connect, wait_gone


def test_every_interpreter_greets_and_works(every_python: str, connect: Connect, door: pathlib.Path) -> None:
    client = connect(every_python, direct=door)
    assert client.info["version"] == 1
    assert client.info["direct"] is True
    assert client.info["nonce"] == "a-nonce"
    assert client.info["uid"] == os.getuid()
    assert client.info["state_kept"] is False
    assert client.info["home"]
    channel = client.spawn(["sh", "-c", "printf out; printf err >&2; exit 5"])
    assert channel.wait() == {"exit": 5}
    assert (channel.out, channel.err) == (b"out", b"err")
    record = client.start(["sh", "-c", "echo one; echo two >&2; exit 3"])
    assert client.attach(record["id"]).wait()["record"]["exit_code"] == 3
    assert client.ended(record["id"])["subreaper"] is True
    assert "listeners" in client.request("ports.list")
    assert client.request("stats")["cpus"] > 0


def test_an_interpreter_without_the_optional_modules(every_python: str, state: pathlib.Path) -> None:
    """As Debian's python3-minimal: json, ctypes, tarfile, termios and shutil are absent."""
    sources = dict(bundle.sources())
    sources["__init__"] += (
        "\nimport sys\nfor name in ('json', 'ctypes', 'tarfile', 'termios', 'shutil', 'typing', 'tty', 'pty'):\n"
        "    sys.modules.pop(name, None)\n    sys.modules[name] = None\n"
    )
    packed = zlib.compress(json.dumps(sources).encode())
    with Client(every_python, state, packed=struct.pack(">I", len(packed)) + packed) as client:
        channel = client.spawn(["cat"], tty=(24, 80))
        channel.send("é\u20ac\U0001f600\n".encode())
        channel.expect("\U0001f600\r\n".encode())
        channel.send(b"\x04")
        assert channel.wait() == {"exit": 0}
        record = client.start(["sh", "-c", "setsid sleep 100 & echo $!"], meta={"é": ["\U0001f600", 1.5, None, True]})
        final = client.ended(record["id"])
        assert final["meta"] == {"é": ["\U0001f600", 1.5, None, True]}
        assert final["subreaper"] is False
        assert "ctypes" in final["reason"]
        wait_gone(int(client.output(record["id"])))


def test_without_a_socket_the_stream_goes_on(python: str, connect: Connect, tmp_path: pathlib.Path) -> None:
    client = connect(python, hello={"tier": "direct", "socket": str(tmp_path / "none"), "nonce": "/none"})
    assert client.info["direct"] is False
    assert "No such file" in client.info["direct_error"]
    assert client.spawn(["true"]).wait() == {"exit": 0}


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", id="http"),
        pytest.param(HEADER.pack(4, 0, REQUEST) + b"null", id="not an object"),
        pytest.param(HEADER.pack(4, 0, REQUEST) + b"\xff{}}", id="not json"),
        pytest.param(HEADER.pack(11, 0, REQUEST) + b'{"op":"bye"', id="json cut short"),
        pytest.param(HEADER.pack(1 << 30, 0, REQUEST), id="too long"),
        pytest.param(HEADER.pack(2, 7, REQUEST) + b"{}", id="wrong channel"),
        pytest.param(HEADER.pack(100, 0, REQUEST) + b"{}", id="frame cut short"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_first_frame_that_is_no_hello_ends_it(python: str, first: bytes) -> None:
    done = subprocess.run(boot_argv(python), input=bundle.payload() + first, capture_output=True, timeout=30)
    assert done.returncode == 2
    assert done.stdout == b""
    assert b"devenv agent: " in done.stderr and b"Traceback" not in done.stderr


def test_a_folder_of_someone_else_is_not_used(newest: str, tmp_path: pathlib.Path) -> None:
    """The fallback places are writable by all: a planted link or folder must not take our runs."""
    if os.getuid() != 0:
        pytest.skip("needs root to plant another user's folder")
    planted = tmp_path / "u0"
    planted.mkdir()
    os.chown(planted, 12345, 12345)
    with Client(newest, tmp_path) as client:
        assert not client.info["state_dir"].startswith(str(tmp_path))
        assert client.info["state_kept"] is False


def test_unknown_operations_and_bad_parameters_hurt_nobody(agent: Client) -> None:
    for op, params, code in [
        ("fly", {}, "unknown-op"),
        ("spawn", {}, "bad-request"),
        ("spawn", {"channel": 2, "argv": ["true"], "env": {}, "cwd": "/"}, "bad-request"),
        ("spawn", {"channel": 1, "argv": [], "env": {}, "cwd": "/"}, "bad-request"),
        ("spawn", {"channel": 1, "argv": ["true"], "env": {"A=B": ""}, "cwd": "/"}, "bad-request"),
        ("spawn", {"channel": 1, "argv": ["true"], "env": {}, "cwd": "relative"}, "bad-request"),
        ("spawn", {"channel": 1, "argv": ["a\0b"], "env": {}, "cwd": "/"}, "bad-request"),
        ("signal", {"channel": 1, "signal": 2}, "no-channel"),
        ("connect", {"channel": 1, "port": 0}, "bad-request"),
        ("runs.get", {"id": "../../etc"}, "no-run"),
        ("runs.get", {"id": "20260101-000000-abcd"}, "no-run"),
        ("runs.start", {"run": 5}, "bad-request"),
        ("runs.attach", {"channel": 1, "id": None}, "no-run"),
        ("stat", {"paths": "x"}, "bad-request"),
        ("unpack", {"channel": 1, "dest": "relative"}, "bad-request"),
    ]:
        with pytest.raises(AgentError) as caught:
            agent.request(op, **params)
        assert caught.value.code == code, op
    assert agent.spawn(["true"]).wait() == {"exit": 0}


def test_bye_and_ping(agent: Client) -> None:
    agent.frame(PING, 0, b"12345678")
    agent.until(lambda: agent.pongs == [b"12345678"], "PONG")
    agent.request("bye")
    assert agent.process.wait(30) == 0


def test_the_agent_ends_when_its_host_lets_go(agent: Client) -> None:
    assert agent.process.stdin is not None
    channel = agent.spawn(["sh", "-c", "trap 'exit 0' HUP; echo $$; while :; do sleep 0.05; done"])
    pid = int(channel.expect(b"\n"))
    agent.process.stdin.close()
    assert agent.process.wait(30) == 0
    wait_gone(pid)


def test_a_frame_that_is_none_ends_the_agent_with_a_word(agent: Client) -> None:
    agent.write(HEADER.pack(0, 0, 77))
    with pytest.raises(Gone, match="ended with 2: devenv agent: protocol error"):
        agent.until(lambda: False, "the end")


def test_nothing_is_written_and_no_descriptor_is_passed_on(newest: str, state: pathlib.Path) -> None:
    read, write = os.pipe()
    os.set_inheritable(write, True)
    try:
        with Client(newest, state) as client:
            channel = client.spawn(
                [sys.executable, "-c", "import os; print(sorted(map(int, os.listdir('/proc/self/fd'))))"]
            )
            channel.wait()
            assert channel.out == b"[0, 1, 2, 3]\n"  # 3 is the listing itself
    finally:
        os.close(read)
        os.close(write)
    assert not list(state.glob("u*/runs/*"))
