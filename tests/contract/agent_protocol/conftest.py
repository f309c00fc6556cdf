from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from . import interpreters
from .client import Client

ENDS = (interpreters.VERSIONS[0], interpreters.VERSIONS[-1])


def _name(version: tuple[int, int]) -> str:
    return f"py{version[0]}.{version[1]}"


def _path(version: tuple[int, int]) -> str:
    path = interpreters.available().get(version)
    if path is None:
        pytest.skip(f"no Python {version[0]}.{version[1]} on this machine (see DEVENV_TEST_PYTHONS)")
    return path


@pytest.fixture(params=interpreters.VERSIONS, ids=_name)
def every_python(request: pytest.FixtureRequest) -> str:
    """Each interpreter in turn."""
    return _path(request.param)


@pytest.fixture(params=ENDS, ids=_name)
def python(request: pytest.FixtureRequest) -> str:
    """The oldest and the newest: for what depends on the operating system more than on the interpreter."""
    return _path(request.param)


@pytest.fixture
def newest() -> str:
    return interpreters.available()[max(interpreters.available())]


def end_all(python: str, path: pathlib.Path) -> None:
    """Every run below the state folder `path`."""
    if any(path.glob("u*/runs/*")):
        with Client(python, path) as client:
            for record in client.request("runs.list"):
                client.request("runs.end", id=record["id"], force=True)


@pytest.fixture
def state(newest: str) -> Iterator[pathlib.Path]:
    """A folder for runs with a short path; every keeper in it is ended afterwards."""
    with tempfile.TemporaryDirectory(prefix="agent-", ignore_cleanup_errors=True) as name:
        path = pathlib.Path(name)
        yield path
        end_all(newest, path)


Connect = Callable[..., Client]


@pytest.fixture
def connect(state: pathlib.Path) -> Iterator[Connect]:
    """Starts agents; all are closed at the end of the test."""
    with contextlib.ExitStack() as stack:

        def connect(python: str, **more: Any) -> Client:
            return stack.enter_context(Client(python, state, **more))

        yield connect


@pytest.fixture
def door() -> Iterator[pathlib.Path]:
    """A folder in which the host listens, for the direct tier."""
    with tempfile.TemporaryDirectory(prefix="door-") as name:
        yield pathlib.Path(name)


@pytest.fixture(params=["stream", "direct"])
def agent(request: pytest.FixtureRequest, python: str, connect: Connect, door: pathlib.Path) -> Client:
    """One agent, in each tier."""
    return connect(python, direct=door if request.param == "direct" else None)


@pytest.fixture
def one(newest: str, connect: Connect) -> Client:
    """One agent on the newest interpreter, stream tier."""
    return connect(newest)


def alive(pid: int) -> bool:
    """A process that runs; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_gone(pid: int) -> None:
    end = time.monotonic() + 30
    while alive(pid):
        assert time.monotonic() < end, f"process {pid} is still alive"
        time.sleep(0.01)


@pytest.fixture
def victims() -> Iterator[list[int]]:
    """Pids that must be gone after the test, whatever it did."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
