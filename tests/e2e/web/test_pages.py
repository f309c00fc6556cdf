"""Pages of services in a real browser, through the forward: a kernel computes, a training's curve is there."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.daily.site import Site
from tests.kit.chromium import Browser
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users, pytest.mark.timeout(200)]


def address(site: Site, name: str) -> str:
    return site.devenv("open", "--print", name).ok().out.strip()


@pytest.fixture(scope="module")
def jupyter(lab: Site) -> str:
    """The address of Jupyter's page with its token."""
    lab.devenv("services", "start", "jupyter", timeout=120).ok()
    return address(lab, "jupyter")


@pytest.mark.browser
def test_a_kernel_executes_a_cell(lab: Site, jupyter: str) -> None:
    base, _, token = jupyter.partition("?token=")
    root = base.split("/lab")[0]
    with Browser() as browser:
        page = browser.open(f"{root}/lab/tree/sums.ipynb?token={token}", timeout=120)
        page.wait_for("document.querySelector('.jp-Notebook .jp-CodeCell .cm-content') !== null", timeout=120)
        page.wait_for(
            "document.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status === 'idle'", timeout=120
        )

        def computed() -> bool:
            # Again until it counts: JupyterLab drops what comes while a page is still settling.
            page.click(".jp-CodeCell .cm-content")
            page.press("Enter", 13, shift=True)
            page.wait_for(
                "document.querySelector('.jp-OutputArea-output')?.innerText.includes('the answer is 42 True')", 5
            )
            return True

        eventually(computed, "the cell's output", 120)


def test_without_the_token_it_refuses(lab: Site, jupyter: str) -> None:
    base, _, token = jupyter.partition("?token=")
    root = base.split("/lab")[0]
    for query in ("", "?token=" + "0" * len(token)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{root}/api/kernels{query}", timeout=20)
        assert refused.value.code == 403
        refused.value.close()


def test_the_token_is_nowhere_to_be_read(lab: Site, jupyter: str) -> None:
    token = jupyter.partition("?token=")[2]
    assert len(token) >= 32
    lab.shell.run("ps", "-eo", "args").ok().silent_about(token)
    lab.exec("ps", "-eo", "args").ok().silent_about(token)
    assert token not in lab.docker("inspect", lab.container())
    assert token not in " ".join(lab.processes().values())
    for words in (("ports",), ("services",), ("status",), ("runs", "--all"), ("ls",), ("logs", "jupyter")):
        lab.devenv(*words).ok().silent_about(token)
        if words[0] != "logs":
            lab.devenv(words[0], "--json", *words[1:]).ok().silent_about(token)
    kept = []
    for folder, _, files in os.walk(lab.shell.user.home):
        for name in files:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink() and token.encode() in path.read_bytes():
                kept.append((path.name, oct(path.stat().st_mode & 0o777)))
    assert kept == [("secrets.json", "0o600")]


@pytest.mark.browser
def test_what_is_installed_is_offered_and_shows_the_training(lab: Site) -> None:
    views = {view["name"]: view for view in lab.json("services")["services"]}
    assert (views["tensorboard"]["state"], views["tensorboard"]["declared"]) == ("stopped", False)
    assert views["jupyter"]["declared"]
    lab.devenv("run", "learn.py").ok()
    lab.devenv("services", "start", "tensorboard", timeout=120).ok()
    with Browser() as browser:
        page = browser.open(address(lab, "tensorboard"), timeout=120)
        assert "TensorBoard" in page.title()
        query = urllib.parse.urlencode({"tag": "loss/train", "run": "first"})
        curve = f"fetch('data/plugin/scalars/scalars?{query}').then(r => r.ok ? r.text() : '')"
        points = json.loads(page.wait_for(curve, timeout=60))
        assert [(step, round(value, 4)) for _, step, value in points][:2] == [(0, 1.0), (1, 0.5)]
        assert len(points) == 20
        page.wait_for(
            "(function texts(node) { return [node.shadowRoot, ...node.children].filter(Boolean)"
            ".some(texts) || (node.innerText || '').includes('loss'); })(document.body)",
            timeout=60,
        )
    lab.devenv("services", "stop", "tensorboard").ok()


def test_a_service_starts_stops_and_starts_again(lab: Site) -> None:
    def page() -> str:
        with urllib.request.urlopen(address(lab, "api"), timeout=20) as answer:
            return str(answer.read().decode())

    lab.devenv("services", "start", "api").ok().says("api .*running")
    first, where = page(), address(lab, "api")
    assert "api" in first
    lab.devenv("services", "start", "api").ok()
    assert page() == first, "a running service is not started twice"
    lab.devenv("services", "stop", "api").ok().says("api .*stopped")
    assert lab.inside("serve.py 127.0.0.1 8765") == []
    lab.devenv("services", "start", "api").ok()
    assert page() != first
    assert address(lab, "api") == where
    second = page()
    lab.devenv("services", "restart", "api").ok()
    assert page() != second
    lab.kill_supervisor()
    assert address(lab, "api") == where
    assert "api" in page()
    lab.devenv("services", "stop", "api").ok()
    lab.devenv("services", "start", "japyter").failed(66).says("did you mean jupyter")
