"""Where a client's project is, when the client does not say: what is remembered, and what is here already."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devenv.api.context import ClientContext
from devenv.api.messages import Args
from devenv.engine.endpoint import Endpoint
from devenv.errors import Refused
from devenv.supervisor.registry import Registry

HERE = Endpoint("unix:///var/run/docker.sock", "default")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "home/project/.devcontainer").mkdir(parents=True)
    (tmp_path / "home/project/.devcontainer/devcontainer.json").write_text("{}")
    (tmp_path / "home/project/src").mkdir()
    return tmp_path / "home/project"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    state = tmp_path / "state"
    state.mkdir()
    return Registry(state, "1@x")


def client(project: Path, **env: str) -> ClientContext:
    return ClientContext(str(project / "src"), 0o022, {"HOME": str(project.parent), **env}, 1000)


def bench(project: Path, endpoint: Endpoint, *, container: object = None) -> Any:
    target = SimpleNamespace(local_folder=str(project), name="project")
    return SimpleNamespace(target=target, endpoint=endpoint, container=container)


def test_what_up_has_said_counts_for_every_folder_of_the_project(registry: Registry, project: Path) -> None:
    there = client(project, DEVENV_HOST="me@gpu-box")
    registry.where.settle(bench(project, HERE), there)
    assert registry.placed(Args(), client(project)).env["DEVENV_HOST"] == "me@gpu-box"
    outside = dataclasses.replace(client(project), cwd="/")
    assert registry.placed(Args(folder=str(project)), outside).env["DEVENV_HOST"] == "me@gpu-box"
    assert "DEVENV_HOST" not in registry.placed(Args(), outside).env
    assert [ctx.env["DEVENV_HOST"] for ctx in registry.where.elsewhere(client(project))] == ["me@gpu-box"]


def test_a_client_that_says_where_is_left_alone(registry: Registry, project: Path) -> None:
    registry.where.settle(bench(project, HERE), client(project, DEVENV_HOST="me@gpu-box"))
    other = client(project, DEVENV_HOST="you@other")
    assert registry.placed(Args(), other) is other


def test_down_forgets_it_unless_the_folder_has_another_environment(registry: Registry, project: Path) -> None:
    mine = bench(project, HERE)
    registry.where.settle(mine, client(project, DEVENV_HOST="me@gpu-box"))
    registry._benches["other"] = bench(project, HERE, container=object())
    registry.where.leave(mine)
    assert registry.where.places.get(str(project)) is not None
    registry._benches.clear()
    registry.where.leave(mine)
    assert registry.where.places.get(str(project)) is None


def test_what_is_here_stays_here_whatever_the_default_is(registry: Registry, project: Path) -> None:
    registry._benches["it"] = bench(project, HERE, container=object())
    assert registry.placed(Args(), client(project)).env["DEVENV_HOST"] == "local"


def test_what_was_made_here_does_not_outrank_the_clients_docker_host(registry: Registry, project: Path) -> None:
    registry.where.settle(bench(project, HERE), client(project))
    placed = registry.placed(Args(), client(project, DOCKER_HOST="unix:///other.sock"))
    assert registry.engines.endpoint(placed).url == "unix:///other.sock"


async def test_another_place_than_the_environments_is_refused_by_name(registry: Registry, project: Path) -> None:
    there = registry.engines.chooser.endpoint({"DEVENV_HOST": "me@gpu-box"})
    held = bench(project, there, container=object())
    with pytest.raises(Refused) as caught:
        await registry._on_asked_engine(held, client(project, DEVENV_HOST="local"))
    assert "project is on me@gpu-box, and not on local" in caught.value.message
    assert "devenv down --host me@gpu-box" in caught.value.hint
