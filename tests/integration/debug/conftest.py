"""Programs behind the pass-through, for all that look at it."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from devenv.debug.cache import DebugpyCache
from devenv.debug.versions import Interpreter, choose
from tests.integration.debug.debuggee import START, Debuggee, Start
from tests.kit.waiting import eventually


@pytest.fixture(scope="session")
def debugpy(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    cache = DebugpyCache(tmp_path_factory.mktemp("cache"))
    return cache.tree(choose(Interpreter(sys.executable, sys.version_info[:3], "x86_64", (2, 36)), cache.own))


@pytest.fixture
def start(tmp_path: pathlib.Path, debugpy: pathlib.Path) -> Iterator[Start]:
    """`start(text, *args, proxy=[...])`: a program under debugpy behind the proxy, waiting for a client."""
    started: list[Debuggee] = []

    def make(text: str, *args: str, proxy: tuple[str, ...] = (), wait: bool = True) -> Debuggee:
        (tmp_path / "program.py").write_text(text)
        adapter, endpoints = tmp_path / "adapter.json", tmp_path / "endpoints.json"
        wrap = [sys.executable, "-E", "-s", "-S", str(START), "wrap"]
        wrap += ["--adapter", str(adapter), "--endpoints", str(endpoints), *proxy, "--"]
        under = [sys.executable, "-Xfrozen_modules=off", str(debugpy / "debugpy"), "--listen", "127.0.0.1:0"]
        env = {**os.environ, "DEBUGPY_ADAPTER_ENDPOINTS": str(adapter), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        process = subprocess.Popen(
            [*wrap, *under, *(["--wait-for-client"] if wait else []), "program.py", *args],
            cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        started.append(Debuggee(process, tmp_path, endpoints))
        return started[-1]

    yield make
    for one in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(one.process.pid, signal.SIGKILL)  # its children hold its output open
        one.process.communicate()
        eventually(lambda one=one: not one.endpoints.exists(), "the end of the proxy", 20)  # type: ignore[misc]
