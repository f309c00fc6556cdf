"""Guards around every test, and the rule for missing parts of the rig.

A test leaves no thread behind, changes neither environment nor working folder, and never sees the developer's own
configuration. A part of the rig that is missing (an engine, a browser) is an error in CI; elsewhere its tests are
skipped with a line that names the part and the command that provides it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit import rig

pytest_plugins = ["tests.kit.fixtures"]

MARKERS = ("engine", "users", "browser", "node", "registry", "podman")

# What a developer may have set for himself and no test may depend on.
OWN_SETTINGS = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that wait for an engine are spread evenly among those that compute, which keeps the processor busy; the
    order within each kind stays."""
    files: dict[bool, dict[Path, list[pytest.Item]]] = {True: {}, False: {}}
    for item in items:
        kind = item.path.relative_to(rig.ROOT / "tests").parts[0]
        files[kind in ("e2e", "integration")].setdefault(item.path, []).append(item)
    placed = [
        (at / len(each), not waiting, group)
        for waiting, each in files.items()
        for at, group in enumerate(each.values())
    ]
    items[:] = [item for _, _, group in sorted(placed, key=lambda one: one[:2]) for item in group]


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in MARKERS:
        if item.get_closest_marker(marker):
            reason = rig.missing(marker)
            if reason and rig.in_ci():
                pytest.fail(reason, pytrace=False)
            if reason:
                pytest.skip(reason)


@pytest.fixture(scope="session", autouse=True)
def _cut_out_own_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An empty HOME, and none of the developer's variables. The engine stays the one that the developer uses."""
    with pytest.MonkeyPatch.context() as patch:
        # The client's plugins (Buildx) and contexts lie in its own folder.
        patch.setenv("DOCKER_CONFIG", os.environ.get("DOCKER_CONFIG") or str(Path.home() / ".docker"))
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        for name in [*OWN_SETTINGS, *(name for name in os.environ if name.startswith("DEVENV_"))]:
            if name != "DEVENV_RIG_STATE":
                patch.delenv(name, raising=False)
        yield


@pytest.fixture(autouse=True)
def _environment_restored() -> Iterator[None]:
    before, folder = dict(os.environ), os.getcwd()
    yield
    after = dict(os.environ)
    os.chdir(folder)
    for name in before.keys() | after.keys():
        if name != "PYTEST_CURRENT_TEST" and before.get(name) != after.get(name):
            os.environ.clear()
            os.environ.update(before)
            pytest.fail(f"the test changed the environment variable {name}", pytrace=False)


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 3.0
    for thread in set(threading.enumerate()) - before:
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            pytest.fail(f"the test left thread {thread.name} behind", pytrace=False)
