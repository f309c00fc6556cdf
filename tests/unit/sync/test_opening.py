"""The far side's process is started in an interpreter that is looked for once, and again when it is gone."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence
from typing import Any

import pytest

from devenv.errors import LinkError
from devenv.link.fakes import LocalEngine
from devenv.sync import remote
from devenv.sync.remote import RemoteEndpoint, open_remote
from tests.unit.sync.test_remote import Liar, LyingEngine


class Noted(LocalEngine):
    """Knows how each process was started."""

    def __init__(self) -> None:
        super().__init__()
        self.argv: list[Sequence[str]] = []

    async def exec_stream(self, container_id: str, argv: Sequence[str], **more: Any) -> Any:
        self.argv.append(argv)
        return await super().exec_stream(container_id, argv, **more)

    @property
    def programs(self) -> list[str]:
        return [argv[0] for argv in self.argv]


@pytest.fixture(autouse=True)
def nobody_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_pythons", {})


async def opened(engine: Any, root: pathlib.Path, container: str = "c", user: str = "") -> RemoteEndpoint:
    end = await open_remote(engine, container, user=user, root=str(root), umask=0o022, rules=None)
    await end.close()
    return end


async def test_a_connection_that_comes_back_looks_for_no_interpreter(tmp_path: pathlib.Path) -> None:
    engine = Noted()
    end = await opened(engine, tmp_path)
    assert os.access(end.python, os.X_OK)
    await opened(engine, tmp_path)
    assert engine.programs == ["sh", end.python]
    await opened(engine, tmp_path, "another container")
    await opened(engine, tmp_path, user="another user")
    assert engine.programs[2:] == ["sh", "sh"]


@pytest.mark.parametrize("wrong", ["/nowhere/python3", "/bin/false"])
async def test_one_that_does_not_run_any_more_is_looked_for_again(wrong: str, tmp_path: pathlib.Path) -> None:
    engine = Noted()
    remote._pythons["c", ""] = wrong
    end = await opened(engine, tmp_path)
    assert engine.programs == [wrong, "sh"]
    assert remote._pythons == {("c", ""): end.python}


@pytest.mark.parametrize("python", ["python3", "/a\0b", "/" + "x" * 5000])
async def test_what_is_no_path_is_not_started(python: str) -> None:
    with pytest.raises(LinkError, match="an interpreter of no known form"):
        await opened(LyingEngine(Liar(lambda request: b"", python=python)), pathlib.Path("/nowhere"))
    assert remote._pythons == {}
