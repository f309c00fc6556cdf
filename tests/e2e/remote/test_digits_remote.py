"""The example on a machine across a network with a delay, from a laptop that sleeps in between."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit import rig
from tests.kit.command import Shell
from tests.kit.dap import DapClient
from tests.kit.fixtures import Images
from tests.kit.project import give_to
from tests.kit.remote_host import remote_host
from tests.kit.slow_relay import SlowRelay, slow_relay
from tests.kit.users import User
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users, pytest.mark.timeout(300)]

EXAMPLE = rig.ROOT / "examples" / "digits-pytorch"
BASE = "pytorch/pytorch:2.9.1-cuda12.6-cudnn9-runtime"


@pytest.fixture(scope="module")
def box(images: Images, bob: User) -> Iterator[SlowRelay]:
    """The way to the machine, 50 ms there and back."""
    with remote_host("26", (images.torch, BASE)) as host, slow_relay(host.address, 22, 0.025) as network:
        host.introduce(bob, "gpu", address="127.0.0.1", port=network.port)
        yield network


@pytest.fixture(scope="module")
def digits(box: SlowRelay, bob: User, shell: Callable[..., Shell]) -> Iterator[Shell]:
    """Bob in his copy of the example, with the environment up on the other machine."""
    folder = bob.home / "digits-pytorch"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__", "runs", "outputs", ".vscode"))
    with (folder / "devenv.yaml").open("a") as file:
        file.write("\nsync:\n  outputs:\n    - outputs/**\n    - {pattern: 'runs/**', max: 10MB}\n")
    give_to(folder, bob)
    here = shell(bob, folder)
    try:
        here.run("devenv", "up", "--host", "gpu", timeout=280).ok().says("Copying the project's files")
        yield here
    finally:
        here.run("devenv", "down", "--force", "--volumes", timeout=60)
        shutil.rmtree(folder)


def status(here: Shell) -> dict[str, Any]:
    found: dict[str, Any] = here.run("devenv", "status", "--json").ok().json()
    return found


def line_of(path: Path, text: str) -> int:
    return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def test_training_there_brings_its_outputs_here(digits: Shell) -> None:
    outcome = digits.run("devenv", "run", "train-fast", timeout=120).ok()
    assert re.search(r"best accuracy [\d.]+%", outcome.out), outcome.describe()
    weights = digits.cwd / "outputs" / "digits.pt"
    assert weights.stat().st_uid == digits.user.uid
    assert list(digits.cwd.glob("runs/*/events.out.tfevents.*"))


def test_an_edit_is_what_the_next_run_sees(digits: Shell) -> None:
    (digits.cwd / "probe.py").write_text("import digits.model\nprint('version one')\n")
    assert digits.run("devenv", "run", "probe.py").ok().out == "version one\n"
    (digits.cwd / "probe.py").write_text("import digits.model\nprint('version two')\n")
    assert digits.run("devenv", "run", "probe.py").ok().out == "version two\n"


def test_the_tests_run_there(digits: Shell) -> None:
    digits.run("devenv", "test", timeout=120).ok().says(r"\b7 passed")


def test_a_breakpoint_by_local_path_stops_the_training(digits: Shell) -> None:
    source = digits.cwd / "digits" / "training.py"
    line = line_of(source, "loss.backward()")
    digits.run("devenv", "debug", "--detach", "--no-wait", "--name", "long", "train", "--epochs", "3000").ok()
    try:
        debug = eventually(lambda: status(digits)["debug"], "the debugger's address")
        launch = json.loads((digits.cwd / ".vscode" / "launch.json").read_text())
        attach = next(entry for entry in launch["configurations"] if entry["request"] == "attach")
        mappings = [
            (entry["localRoot"].replace("${workspaceFolder}", str(digits.cwd)), entry["remoteRoot"])
            for entry in attach["pathMappings"]
        ]
        with DapClient(debug["port"]) as client:
            (placed,) = client.attach({source: [line]}, mappings=mappings)[str(source)]
            thread = client.stopped("breakpoint")["threadId"]
            assert placed["verified"]
            frame = client.frames(thread)[0]
            assert (frame["source"]["path"], frame["line"]) == (str(source), line)
            client.breakpoints(source, [])
            client.disconnect()
    finally:
        digits.run("devenv", "kill", "long").ok()


def test_a_laptop_that_sleeps_finds_everything_again(digits: Shell, box: SlowRelay) -> None:
    """The network is cut, both sides write, the supervisor dies: same ports, the whole output, the same files."""
    (digits.cwd / "count.py").write_text(
        "import pathlib, time\nfor i in range(120):\n    print('line', i, flush=True)\n    time.sleep(0.5)\n"
        "    pathlib.Path('inside.txt').write_text(str(i))\n"
    )
    port = next(p["host_port"] for p in status(digits)["ports"] if p["port"] == 6006)
    digits.run("devenv", "run", "-d", "--name", "count", "count.py").ok()
    with box.cut():
        (digits.cwd / "meanwhile.txt").write_text("written on the train")
        time.sleep(10)
        pid = digits.run("devenv", "supervisor", "--json").ok().json()["pid"]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        time.sleep(10)
    back = digits.run("devenv", "exec", "--", "cat", "meanwhile.txt", timeout=90).ok()
    assert back.out == "written on the train"
    assert next(p["host_port"] for p in status(digits)["ports"] if p["port"] == 6006) == port
    page = eventually(
        lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).read(), "TensorBoard", timeout=40
    )
    assert b"TensorBoard" in page
    digits.run("devenv", "attach", "count", timeout=120).ok()
    lines = digits.run("devenv", "logs", "count").ok().out.split("\n")
    assert [line for line in lines if line.startswith("line")] == [f"line {i}" for i in range(120)]
    assert (digits.cwd / "inside.txt").read_text() == "119"
    assert digits.run("devenv", "sync", "conflicts").ok().out.strip() == "no conflicts"
