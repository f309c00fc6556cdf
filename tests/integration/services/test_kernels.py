"""Kernels are found among all processes: their children and those that start them are none, their servers name them."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from devenv.services.kernels import kernels
from tests.integration.debug.local_link import LocalLink
from tests.kit.scripted_server import Reply, Request, ScriptedServer

# As much of ipykernel as one sees from outside, with a forked child; and what starts it.
LAUNCHER = """\
import os, sys
child = os.fork()
if child:
    print(os.getpid(), flush=True)
sys.stdin.read(1)
"""
STARTER = """\
import subprocess, sys
sys.exit(subprocess.call([sys.executable, "-m", "ipykernel_launcher", "-f", sys.argv[-1]]))
"""

Start = Callable[..., int]


@pytest.fixture
def start(tmp_path: pathlib.Path) -> Iterator[Start]:
    """Starts a program that is a kernel or starts one; the kernel's pid."""
    (tmp_path / "ipykernel_launcher.py").write_text(LAUNCHER)
    (tmp_path / "starter.py").write_text(STARTER)
    with contextlib.ExitStack() as stack:

        def begin(*words: str, **env: str) -> int:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, *words],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    cwd=tmp_path,
                    env={**os.environ, "PYTHONPATH": str(tmp_path), **env},
                )
            )
            assert process.stdin is not None
            assert process.stdout is not None
            stack.callback(process.stdin.close)  # the end of all its processes
            return int(process.stdout.readline())

        yield begin


async def seen(tmp_path: pathlib.Path, *pids: int) -> dict[int, str]:
    """Kernels of this machine that are ours: those with one of these pids, or started here."""
    found = {kernel.pid: kernel.notebook for kernel in await kernels(LocalLink(tmp_path))}
    ours = {pid for pid in found if pid in pids or os.readlink(f"/proc/{pid}/cwd") == str(tmp_path)}
    return {pid: notebook for pid, notebook in found.items() if pid in ours}


async def test_one_kernel_is_one_process(tmp_path: pathlib.Path, start: Start) -> None:
    plain = start("-m", "ipykernel_launcher", "-f", "/nowhere/kernel-1.json", JPY_SESSION_NAME="/w/told.ipynb")
    code = start("-m", "ipykernel_launcher", "--f=/nowhere/kernel-v2-2.json")
    started = start("starter.py", "run/it.ipynb", "-m", "ipykernel_launcher", "-f", "/nowhere/kernel-3.json")
    assert await seen(tmp_path, plain, code, started) == {
        plain: "/w/told.ipynb",
        code: "",
        started: f"{tmp_path}/run/it.ipynb",
    }


async def test_what_the_server_says_counts(tmp_path: pathlib.Path, start: Start) -> None:
    identities = ["11111111-aaaa", "22222222-bbbb", "33333333-cccc"]
    files = [f"{tmp_path}/kernel-{identity}.json" for identity in identities]
    pids = [start("-m", "ipykernel_launcher", "-f", file, JPY_SESSION_NAME="/w/old.ipynb") for file in files]

    def sessions(request: Request) -> Reply:
        if request.authorization != "token s3cret":
            return Reply(403, b"{}")
        told = [
            {"path": "new.ipynb", "name": "", "type": "notebook", "kernel": {"id": identities[0]}},
            {"path": "x-1", "name": "Console 1", "type": "console", "kernel": {"id": identities[1]}},
        ]
        return Reply(200, json.dumps(told).encode())

    server = ScriptedServer()
    try:
        server.on("GET", "/base/api/sessions", sessions)
        said = {"pid": os.getpid(), "port": server.port, "base_url": "/base/", "token": "s3cret", "root_dir": "/w/nb"}
        lines = {
            "jpserver-1.json": {**said, "hostname": "localhost"},
            "jpserver-2.json": {**said, "hostname": "127.0.0.1", "token": "another"},
            "jpserver-3.json": {**said, "pid": 1 << 30},
            "jpserver-4.json": ["no", "server"],
        }
        for name, line in lines.items():
            (tmp_path / name).write_text(json.dumps(line))
        found = await seen(tmp_path, *pids)
    finally:
        server.close()
    assert found == dict(zip(pids, ["/w/nb/new.ipynb", "/w/nb/Console 1", "/w/old.ipynb"], strict=True))
    assert len(server.requests) == 2
