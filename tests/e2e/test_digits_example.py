"""examples/digits-pytorch as a person uses it: up, train, debug by host path, test, notebook, TensorBoard.

One environment for the whole file, of an ordinary user whose uid is neither 0 nor 1000.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit import rig
from tests.kit.chromium import Browser
from tests.kit.command import Shell
from tests.kit.dap import DapClient
from tests.kit.engine import Docker
from tests.kit.fixtures import Images
from tests.kit.project import give_to
from tests.kit.users import User
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users, pytest.mark.timeout(300)]

EXAMPLE = rig.ROOT / "examples" / "digits-pytorch"


@pytest.fixture(scope="module")
def digits(alice: User, images: Images, engine: Docker, shell: Callable[..., Shell]) -> Iterator[Shell]:
    """Alice in her copy of the example, with the environment up."""
    folder = alice.home / "digits-pytorch"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__", "runs", "outputs", ".vscode"))
    give_to(folder, alice)
    here = shell(alice, folder)
    try:
        here.run("devenv", "up", timeout=240).ok()
        yield here
    finally:
        here.run("devenv", "down", "--force", "--volumes", timeout=60)
        engine.remove_project(folder)
        shutil.rmtree(folder)


def status(here: Shell) -> dict[str, Any]:
    found: dict[str, Any] = here.run("devenv", "status", "--json").ok().json()
    return found


def line_of(path: Path, text: str) -> int:
    """1-based number of the first line that contains `text`."""
    return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def test_up_is_an_environment_of_the_images_user(digits: Shell) -> None:
    view = status(digits)["environment"]
    assert view["status"] == "running"
    assert view["remote_user"] == "dev"
    assert view["python"] == "/opt/venv/bin/python"
    assert digits.run("devenv", "exec", "--", "df", "--output=size", "-m", "/dev/shm").ok().out.split()[-1] == "1024"


def test_up_again_keeps_the_container(digits: Shell) -> None:
    before = status(digits)["environment"]["container_id"]
    digits.run("devenv", "up").ok()
    assert status(digits)["environment"]["container_id"] == before


def test_training_learns_with_workers_and_its_files_belong_to_the_person(digits: Shell) -> None:
    outcome = digits.run("devenv", "run", "train", timeout=120).ok()
    best = re.search(r"best accuracy ([\d.]+)%", outcome.out)
    assert best, outcome.describe()
    assert float(best[1]) > 95.0
    weights = digits.cwd / "outputs" / "digits.pt"
    assert weights.stat().st_uid == digits.user.uid
    assert list(digits.cwd.glob("runs/*/events.out.tfevents.*"))
    digits.run("devenv", "run", "evaluate").ok().says(r"accuracy 9[5-9]\.\d+% on 360 images")


def test_the_examples_tests_pass_inside(digits: Shell) -> None:
    digits.run("devenv", "test", timeout=120).ok().says(r"\b7 passed")


def test_a_breakpoint_by_host_path_stops_the_training(digits: Shell) -> None:
    source = digits.cwd / "digits" / "training.py"
    line = line_of(source, "loss.backward()")
    command = ("devenv", "debug", "--detach", "--no-wait", "--name", "long", "train", "--epochs", "3000")
    digits.run(*command).ok()
    try:
        debug = eventually(lambda: status(digits)["debug"], "the debugger's address")
        launch = (digits.cwd / ".vscode" / "launch.json").read_text()
        attach = next(entry for entry in json.loads(launch)["configurations"] if entry["request"] == "attach")
        assert attach["connect"]["port"] == debug["port"]
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
            variables = client.variables(frame["id"])
            assert "loss" in variables and "images" in variables
            assert client.evaluate("tuple(images.shape[1:])", frame["id"]) == "(1, 8, 8)"
            client.step_over(thread)
            assert client.frames(thread)[0]["line"] == line + 1
            client.breakpoints(source, [])
            client.disconnect()
        with DapClient(debug["port"]) as again:
            again.attach({source: [line]}, mappings=mappings)
            again.stopped("breakpoint")
            again.breakpoints(source, [])
            again.disconnect()
    finally:
        digits.run("devenv", "kill", "long").ok()


def service_page(digits: Shell, name: str) -> str:
    """The address of a service with its secret, once it runs."""

    def running() -> bool:
        view = next(view for view in status(digits)["services"] if view["name"] == name)
        assert view["state"] == "running", view
        return True

    eventually(running, f"service {name}", 60, every=0.5)
    return digits.run("devenv", "open", "--print", name).ok().out.strip()


@pytest.mark.browser
def test_a_kernel_executes_a_cell_of_the_notebook(digits: Shell) -> None:
    address = service_page(digits, "jupyter")
    base, _, token = address.partition("?token=")
    assert token, "the address has no token"
    with Browser() as browser:
        page = browser.open(f"{base.split('/lab')[0].rstrip('/')}/lab/tree/notebook.ipynb?token={token}", timeout=120)
        page.wait_for("document.querySelector('.jp-Notebook .jp-CodeCell .cm-content') !== null", timeout=120)
        page.wait_for(
            "document.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status === 'idle'", timeout=120
        )
        page.wait_for("document.querySelectorAll('.jp-CodeCell .cm-content').length === 3")

        def computed() -> bool:
            # Again until it counts: JupyterLab drops what comes while a page is still settling.
            page.click(".jp-CodeCell .cm-content")
            page.press("Enter", 13, shift=True)
            page.wait_for("document.body.innerText.includes('1437 training images, 360 test images')", timeout=20)
            return True

        eventually(computed, "the first cell's output", 150)


@pytest.mark.browser
def test_jupyter_needs_its_token_and_no_process_shows_it(digits: Shell) -> None:
    address = service_page(digits, "jupyter")
    base, _, token = address.partition("?token=")
    for view in (
        digits.run("ps", "-ef"),
        digits.run("devenv", "exec", "--", "ps", "-ef"),
        digits.run("devenv", "ports"),
    ):
        view.ok().silent_about(token)
    refused = digits.run(
        "python3",
        "-c",
        "import sys, urllib.request; urllib.request.urlopen(sys.argv[1])",
        base.split("/lab")[0] + "/api/kernels",
    )
    refused.says("HTTP Error 403")
    assert refused.rc != 0


@pytest.mark.browser
def test_tensorboard_shows_the_training(digits: Shell) -> None:
    digits.run("devenv", "run", "train-fast", timeout=120).ok()
    with Browser() as browser:
        page = browser.open(service_page(digits, "tensorboard"), timeout=120)
        tags = "fetch('data/plugin/scalars/tags').then(r => r.json()).then(runs => JSON.stringify(runs))"
        page.wait_for(f"{tags}.then(text => text.includes('accuracy/test'))", timeout=60)
        assert "TensorBoard" in page.title()
