"""Unpacking an archive: all of it or nothing."""

from __future__ import annotations

import io
import os
import pathlib
import tarfile

from .client import Client


def archive(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def unpack(client: Client, dest: pathlib.Path, data: bytes) -> dict[str, object]:
    channel = client.channel()
    client.request("unpack", channel=channel.id, dest=str(dest))
    channel.send(data)
    if channel.result is None:
        channel.eof()
    return channel.wait()


def test_it_appears_whole(agent: Client, tmp_path: pathlib.Path) -> None:
    dest = tmp_path / "new" / "tree"
    big = os.urandom(5 << 20)
    assert unpack(agent, dest, archive(("a/b", big), ("c", b""))) == {"exit": 0}
    assert (dest / "a/b").read_bytes() == big
    assert unpack(agent, dest, archive(("d", b"2"))) == {"exit": 0}
    assert os.listdir(dest) == ["d"]
    assert os.listdir(dest.parent) == ["tree"]


def test_nothing_is_left_of_a_bad_one(agent: Client, tmp_path: pathlib.Path) -> None:
    dest = tmp_path / "tree"
    unpack(agent, dest, archive(("old", b"1")))
    for data in [archive(("ok", b"1"), ("../up", b"2")), archive(("ok", b"1"))[:700], b"not an archive" * 100]:
        result = unpack(agent, dest, data)
        assert result.get("error") and "exit" not in result
        assert os.listdir(tmp_path) == ["tree"] and os.listdir(dest) == ["old"]


def test_giving_up_half_way(agent: Client, tmp_path: pathlib.Path) -> None:
    channel = agent.channel()
    agent.request("unpack", channel=channel.id, dest=str(tmp_path / "tree"))
    channel.send(archive(("a", bytes(100000)))[:50000])
    channel.close()
    assert channel.wait() == {"closed": True}
    assert os.listdir(tmp_path) == []


def test_where_nothing_may_be_written(agent: Client) -> None:
    assert "error" in unpack_or_error(agent, "/proc/nowhere/x")


def unpack_or_error(client: Client, dest: str) -> dict[str, object]:
    from .client import AgentError

    try:
        return unpack(client, pathlib.Path(dest), archive(("a", b"1")))
    except AgentError as error:
        assert error.errno
        return {"error": str(error)}
