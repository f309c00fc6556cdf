"""Both clients, told that the supervisor is older: a successor is started once, and the request repeated once."""

from __future__ import annotations

import asyncio
import json
import pathlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from devenv.api import launch, paths
from devenv.api.client import SupervisorClient
from devenv.cli import wire
from devenv.errors import LinkError

OUTDATED = b'{"t":"outdated","version":"0.0.1"}\n'
RESULT = b'{"t":"result","result":{"text":"well"}}\n'


class Upgrade:
    """A supervisor's socket that gives each connection the next answer, and counts successors."""

    def __init__(self, path: str) -> None:
        self.answers: list[bytes] = []
        self.asked: list[dict[str, Any]] = []
        self.successors = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def succeed(self) -> None:
        self.successors += 1

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                self.asked.append(json.loads(lines.readline()))
                connection.sendall(self.answers.pop(0))


@pytest.fixture
def upgrade(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Upgrade]:
    monkeypatch.setattr(wire, "state_folder", lambda: str(tmp_path))
    monkeypatch.setattr(paths, "state_folder", lambda: str(tmp_path))
    made = Upgrade(paths.socket_path(str(tmp_path)))
    monkeypatch.setattr(launch, "start_successor", made.succeed)
    yield made
    made.close()


def of_wire() -> str:
    return str(wire.call("build-log", {})["text"])


def of_client() -> str:
    return asyncio.run(SupervisorClient("/").build_log())


@pytest.mark.parametrize("ask", [of_wire, of_client])
def test_the_successor_is_asked_again(upgrade: Upgrade, ask: Any) -> None:
    upgrade.answers = [OUTDATED, RESULT]
    assert ask() == "well"
    assert upgrade.successors == 1
    first, second = upgrade.asked
    assert first == second


@pytest.mark.parametrize(("ask", "error"), [(of_wire, wire.WireError), (of_client, LinkError)])
def test_it_is_repeated_once(upgrade: Upgrade, ask: Any, error: type[Exception]) -> None:
    upgrade.answers = [OUTDATED, OUTDATED]
    with pytest.raises(error, match="older supervisor"):
        ask()
    assert upgrade.successors == 1


@pytest.mark.parametrize("ask", [of_wire, of_client])
def test_no_successor_for_a_supervisor_of_our_version(upgrade: Upgrade, ask: Any) -> None:
    upgrade.answers = [RESULT]
    assert ask() == "well"
    assert upgrade.successors == 0
