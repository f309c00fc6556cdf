"""What listens: found, attributed, and told when it changes."""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

import pytest

from .client import Client


def _find(listeners: list[dict[str, Any]], port: int) -> list[dict[str, Any]]:
    return [item for item in listeners if item["port"] == port]


def test_a_listener_and_its_owner(agent: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (found,) = _find(agent.request("ports.list")["listeners"], port)
        assert found["family"] == 4
        assert found["address"] == "127.0.0.1"
        assert found["uid"] == os.getuid()
        assert found["inode"] == os.fstat(server.fileno()).st_ino
        assert found["pid"] == os.getpid()
        assert found["cmdline"][0].endswith(os.path.basename(sys.orig_argv[0]))
        assert found["cwd"] == os.getcwd()
        with socket.socket() as client:
            client.connect(server.getsockname())
            assert len(_find(agent.request("ports.list")["listeners"], port)) == 1
    assert not _find(agent.request("ports.list")["listeners"], port)


def test_ipv6_and_wildcards(one: Client) -> None:
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with server, socket.create_server(("0.0.0.0", 0)) as wild:
        listeners = one.request("ports.list")["listeners"]
        (six,) = _find(listeners, server.getsockname()[1])
        assert (six["family"], six["address"]) == (6, "::1")
        (any_address,) = _find(listeners, wild.getsockname()[1])
        assert (any_address["family"], any_address["address"]) == (4, "0.0.0.0")


def test_watching(agent: Client) -> None:
    agent.request("ports.watch", interval=0.05)

    def last() -> list[dict[str, Any]]:
        seen = [event["listeners"] for event in agent.events if event["event"] == "ports"]
        return seen[-1] if seen else []

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        agent.until(lambda: _find(last(), port), "the new listener")
    agent.until(lambda: not _find(last(), port), "its end")
    agent.request("ports.watch", interval=0)
    agent.events.clear()
    with socket.create_server(("127.0.0.1", 0)):
        agent.settle(0.3)
        assert agent.events == []


def test_stats_grow(agent: Client) -> None:
    first = agent.request("stats")
    agent.spawn([sys.executable, "-c", "sum(range(3000000))"]).wait()
    second = agent.request("stats")
    assert second["cpu_usec"] > first["cpu_usec"]
    assert second["time"] > first["time"]
    assert second["memory"] > 0 and second["cpus"] > 0 and second["oom_kills"] >= 0


def test_lookups(agent: Client, tmp_path: Any) -> None:
    (tmp_path / "tool").write_text("")
    (tmp_path / "tool").chmod(0o755)
    (tmp_path / "data").write_text("12345")
    (tmp_path / "dangling").symlink_to("nowhere")
    found = agent.request(
        "which", names=["tool", "data", "./tool", "sh"], path=f"{tmp_path}:/bin:/usr/bin", cwd=str(tmp_path)
    )
    assert found["tool"] == f"{tmp_path}/tool" and found["data"] is None
    assert found["./tool"] == f"{tmp_path}/./tool" and found["sh"] in ("/bin/sh", "/usr/bin/sh")
    kinds = agent.request("stat", paths=[str(tmp_path), str(tmp_path / "data"), str(tmp_path / "dangling"), "/no/such"])
    assert [item and item["type"] for item in kinds.values()] == ["directory", "file", "link", None]
    assert kinds[str(tmp_path / "data")]["size"] == 5
