from __future__ import annotations

import os
import pathlib
import stat
from types import SimpleNamespace

import pytest

from devenv.config import DevenvConfig, ServiceConfig, ServiceKind
from devenv.runs.spec import RunSpec
from devenv.runs.workspace import WorkspacePaths
from devenv.services.plan import ServicePlan, free_port, plan_services, service_spec
from devenv.services.tokens import Tokens

WORKSPACE = WorkspacePaths("/home/ada/net", "/workspaces/net")
PROBED = SimpleNamespace(env={"PATH": "/bin", "A": "probed"}, python="/opt/python", shell="/bin/sh")
JUPYTER = ServiceConfig(kind=ServiceKind.JUPYTER, root="notebooks", args=["--debug"], env={"A": "own"})
BOARD = ServiceConfig(kind=ServiceKind.TENSORBOARD, logdir="logs", cwd="work", port=7007)
API = ServiceConfig(kind=ServiceKind.COMMAND, command="uvicorn app:app --port 8000", port=8000)


def spec(plan: ServicePlan, port: int | None = 8888, *, token: str = "", root_user: bool = False) -> RunSpec:
    return service_spec(plan, port, workspace=WORKSPACE, probed=PROBED, remote_env={}, token=token, root_user=root_user)


@pytest.mark.parametrize(
    ("services", "found", "plans"),
    [
        ({}, [], []),
        ({}, ["jupyterlab", "notebook", "jupyter_server"], [("jupyter", "jupyterlab", False, "")]),
        ({}, ["notebook"], [("jupyter", "notebook", False, "")]),
        ({}, ["tensorboard"], [("tensorboard", "tensorboard.main", False, "")]),
        ({"lab": JUPYTER}, ["jupyter_server"], [("lab", "jupyter_server", True, "")]),
        ({"lab": JUPYTER}, [], [("lab", "", True, "missing")]),
        ({"tensorboard": API}, ["tensorboard"], [("tensorboard", "", True, "")]),
    ],
)
def test_what_is_offered(
    services: dict[str, ServiceConfig], found: list[str], plans: list[tuple[str, str, bool, str]]
) -> None:
    made = plan_services(DevenvConfig(services=services), frozenset(found))
    assert [(p.name, p.module, p.declared, "missing" if p.missing else "") for p in made] == plans


def test_jupyter() -> None:
    (plan,) = plan_services(DevenvConfig(services={"lab": JUPYTER}), frozenset({"jupyterlab"}))
    made = spec(plan, 8890, token="s3cret")
    assert made.argv == (
        *("/opt/python", "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--port=8890", "--port-retries=0"),
        "--debug",
    )
    assert made.env["JUPYTER_TOKEN"] == "s3cret"
    assert made.env["A"] == "own"
    assert (made.cwd, made.kind, made.name) == ("/workspaces/net/notebooks", "service", "lab")
    assert made.meta == {"service": "lab", "port": 8890}
    assert "s3cret" not in str(made) + str(made.argv) + str(made.meta)
    assert "--allow-root" in spec(plan, root_user=True).argv


def test_tensorboard_and_a_command() -> None:
    plans = plan_services(DevenvConfig(services={"board": BOARD, "api": API}), frozenset({"tensorboard"}))
    board = spec(plans[0], plans[0].port)
    assert board.argv[1:] == (
        *("-m", "tensorboard.main", "--logdir", "/workspaces/net/work/logs", "--host", "127.0.0.1", "--port", "7007"),
    )
    api = spec(plans[1], 8000)
    assert api.argv == ("/bin/sh", "-c", "uvicorn app:app --port 8000")
    assert api.cwd == "/workspaces/net"


@pytest.mark.parametrize(
    ("wished", "taken", "port"),
    [(8888, [], 8888), (8888, [8888, 8889], 8890), (65535, [65535], 65535), (1, range(1, 100), 1)],
)
def test_a_free_port(wished: int, taken: list[int], port: int) -> None:
    assert free_port(wished, taken) == port


def test_tokens_are_kept_private_and_the_same(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "env" / "secrets.json"
    old = os.umask(0)
    try:
        first = Tokens(file).get("lab")
    finally:
        os.umask(old)
    assert Tokens(file).get("lab") == first
    assert Tokens(file).get("other") != first
    assert len(first) >= 40
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(file.parent) == ["secrets.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"lab": 3}', '{"lab": ""}'])
def test_a_damaged_file_gives_new_tokens(tmp_path: pathlib.Path, text: str) -> None:
    file = tmp_path / "secrets.json"
    file.write_text(text)
    assert Tokens(file).get("lab") == Tokens(file).get("lab") != ""
