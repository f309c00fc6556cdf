"""Images that only this machine has, used on another one: nothing there can be pulled."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit.command import Shell
from tests.kit.engine import Docker, DockerFailed
from tests.kit.fixtures import Images
from tests.kit.outcome import Outcome
from tests.kit.project import write_project
from tests.kit.remote_host import RemoteHost
from tests.kit.users import User

pytestmark = [pytest.mark.engine, pytest.mark.users, pytest.mark.timeout(240)]

NAME = f"rig-team/{uuid.uuid4().hex[:12]}"


def remove(docker: Callable[..., str], *names: str) -> None:
    for name in names:
        try:
            docker("image", "rm", "--force", name)
        except DockerFailed:
            continue  # it was never made


@pytest.fixture(scope="module")
def own_image(engine: Docker, gpu_box: RemoteHost, images: Images) -> Iterator[str]:
    """Built here, and pushed nowhere."""
    text = f"FROM {images.python}\nRUN echo {NAME} > /etc/team\n"
    name = f"{NAME}:1"
    engine("build", "--tag", name, "-", stdin=text.encode())
    yield name
    remove(engine, name)
    remove(gpu_box.docker, name)


@pytest.fixture
def project(alice: User, shell: Callable[..., Shell], own_image: str) -> Iterator[Shell]:
    """Its Dockerfile begins from that image, and it has a feature."""
    files = {
        ".devcontainer/devcontainer.json": {
            "build": {"dockerfile": "Dockerfile"},
            "features": {"./tool": {}},
            "workspaceMount": "source=rig-far-images,target=/workspaces/images,type=volume",
            "workspaceFolder": "/workspaces/images",
        },
        ".devcontainer/Dockerfile": f"FROM {own_image}\nCOPY data /etc/data\n",
        ".devcontainer/data": "copied",
        ".devcontainer/tool/devcontainer-feature.json": {"id": "tool", "version": "1.0.0", "name": "Tool"},
        ".devcontainer/tool/install.sh": f"#!/bin/sh\ncat /etc/team /etc/data > /etc/tool # {NAME}\n",
    }
    here = shell(alice, write_project(alice.home / "far" / "images", files, owner=alice))
    yield here
    here.run("devenv", "down", "--force", "--volumes", timeout=60)
    shutil.rmtree(alice.home / "far" / "images")


def run(here: Shell, *words: str) -> Outcome:
    return here.run("devenv", *words, timeout=120)


def test_a_build_and_its_features_on_an_image_that_only_this_machine_has(
    project: Shell, gpu_box: RemoteHost, own_image: str, engine: Docker
) -> None:
    run(project, "up", "--host", "gpu-box").ok().says(rf"✓ Sending {own_image} to gpu-box — 1 of \d layers, \d+ KB")
    assert run(project, "exec", "--", "cat", "/etc/tool").ok().out == f"{NAME}\ncopied"
    ours, theirs = engine.inspect(own_image)["Id"], gpu_box.docker("image", "inspect", "-f", "{{.Id}}", own_image)
    assert ours == theirs
    found = gpu_box.docker("ps", "--format", "{{.Image}}")
    assert found.startswith("devenv/features:")
    with pytest.raises(DockerFailed):
        engine("image", "inspect", found)  # it was built there, with nothing of this machine mounted
    again = run(project, "rebuild", "--force").ok()
    assert "Sending" not in again.err


def test_by_hand(project: Shell, gpu_box: RemoteHost, own_image: str, engine: Docker, tmp_path: Path) -> None:
    second = f"{NAME}:2"
    engine("build", "--tag", second, "-", stdin=f"FROM {own_image}\nRUN echo second > /etc/second\n".encode())
    try:
        run(project, "host", "send", second, "gpu-box").ok().says(rf"{second} is on gpu-box: \d of \d layers sent")
        assert gpu_box.docker("run", "--rm", "--network=none", second, "cat", "/etc/second") == "second"
        run(project, "host", "send", second, "gpu-box").ok().says("all of it was there already")
    finally:
        remove(engine, second)
        remove(gpu_box.docker, second)
    run(project, "host", "send", "rig-team/nothing", "gpu-box").failed(71).says("no image rig-team/nothing:latest")
    run(project, "host", "send", own_image, "local").failed(64).says("this machine's own engine")
    run(project, "host", "send", own_image).failed(64).says("HOST is missing")
