from __future__ import annotations

import socket

import pytest

from devenv.agent import listening


def test_both_ways_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        by_netlink = [item for item in listening._by_netlink() if item[0] == port]
        by_proc = [item for item in listening._by_proc() if item[0] == port]
        assert by_netlink == by_proc and len(by_proc) == 1

        def denied() -> list[listening.Listener]:
            raise PermissionError

        monkeypatch.setattr(listening, "_by_netlink", denied)
        assert [item for item in listening.listeners() if item[0] == port] == by_proc


def test_an_owner_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    walks: list[set[int]] = []
    find = listening.Listening._find

    def counted(self: listening.Listening, wanted: set[int]) -> None:
        walks.append(set(wanted))
        find(self, wanted)

    monkeypatch.setattr(listening.Listening, "_find", counted)
    with socket.create_server(("127.0.0.1", 0)) as server:
        inode = int(server.fileno() and __import__("os").fstat(server.fileno()).st_ino)
        looker = listening.Listening()
        for _ in range(6):
            looker.look()
    assert sum(inode in walk for walk in walks) == 1
