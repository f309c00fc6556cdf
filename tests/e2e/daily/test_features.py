"""A Dockerfile with two features of the project's own: its edits, and the image that a team makes of it."""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Place
from tests.e2e.daily.programs import PROGRAMS
from tests.kit.engine import Docker, DockerFailed
from tests.kit.fixtures import Images
from tests.kit.outcome import Outcome
from tests.kit.project import Content

pytestmark = [pytest.mark.engine, pytest.mark.users]

ONCE = uuid.uuid4().hex  # in what is installed: layers of an earlier run are not this one's

CONFIG: dict[str, Any] = {
    "name": "Vision",
    "build": {"dockerfile": "Dockerfile", "args": {"ONCE": ONCE}},
    "features": {"./tools": {"level": "high"}, "./data": {}},
    "remoteUser": "dev",
    "remoteEnv": {"DATA": "${containerEnv:DATASET}/train"},
    "postCreateCommand": "echo project >> /tmp/hooks",
}


def files(images: Images) -> dict[str, Content]:
    return {
        "wait.py": PROGRAMS["wait.py"],
        ".devcontainer/devcontainer.json": CONFIG,
        ".devcontainer/Dockerfile": (
            f"FROM {images.python}\nARG ONCE\nRUN echo $ONCE > /etc/base\n"
            "RUN useradd -m -u 1000 dev && useradd -m other\n"
        ),
        ".devcontainer/tools/devcontainer-feature.json": {
            "id": "tools",
            "version": "1.0.0",
            "name": "Tools",
            "options": {"level": {"type": "string", "enum": ["low", "high"], "default": "low"}},
            "capAdd": ["SYS_PTRACE"],
        },
        ".devcontainer/tools/install.sh": f'#!/bin/sh\n# {ONCE}\necho "level $LEVEL" > /etc/tools\n',
        ".devcontainer/data/devcontainer-feature.json": {
            "id": "data",
            "version": "1.0.0",
            "name": "Data",
            "installsAfter": ["./tools"],
            "mounts": [{"type": "volume", "source": "cache-${devcontainerId}", "target": "/cache"}],
            "containerEnv": {"DATASET": "/opt/data"},
            "postCreateCommand": "echo data >> /tmp/hooks",
        },
        ".devcontainer/data/install.sh": f"#!/bin/sh\n# {ONCE}\nmkdir /opt/data && cp /etc/tools /opt/data/\n",
    }


def installed(outcome: Outcome) -> list[str]:
    """The scripts of features that a build ran, by its narration: those from a cache are none."""
    lines = [line for line in outcome.err.splitlines() if line.startswith("✓") and "install-feature" in line]
    return [line.split("install-feature.sh ")[1].split()[0] for line in lines if "cached" not in line]


@pytest.fixture
def image(engine: Docker) -> Iterator[str]:
    name = f"devenv-test/vision:{ONCE[:12]}"
    yield name
    with contextlib.suppress(DockerFailed):  # the test ended before it was built
        engine("rmi", "--force", name)


LOOK = ("sh", "-c", "cat /etc/base /opt/data/tools /tmp/hooks; echo $DATA; id -un; id -u")


def test_another_user_and_an_image_for_others(place: Place, images: Images, engine: Docker, image: str) -> None:
    site = place(files(images), name=f"vision-{ONCE[:8]}")
    up = site.devenv("up", timeout=120).ok()
    assert installed(up) == ["tools_0", "data_1"]
    seen = [ONCE, "level high", "data", "project", "/opt/data/train"]
    assert site.exec(*LOOK).ok().out.splitlines() == [*seen, "dev", str(site.uid)]

    site.write(".devcontainer/devcontainer.json", json.dumps({**CONFIG, "remoteUser": "other"}))
    site.devenv("up").ok().says("^    remoteUser: dev -> other$", "`devenv rebuild` applies it")
    assert site.exec("id", "-un").ok().out == "dev\n"
    site.devenv("run", "--detach", "wait.py").ok()
    for words in (["rebuild"], ["up", "--rebuild"]):
        site.devenv(*words).failed(68).says("wait.py", "devenv rebuild --force")
    site.devenv("kill").ok()
    rebuilt = site.devenv("up", "--rebuild", timeout=120).ok()
    assert installed(rebuilt) == []
    assert re.search(r"useradd.* — cached", rebuilt.err), rebuilt.describe()
    assert site.exec(*LOOK).ok().out.splitlines() == [*seen, "other", str(site.uid)]
    container = site.container()
    site.devenv("up", "--rebuild").ok()
    assert (site.container(), site.view()["drift"]) == (container, [])

    first = site.view()["image"]
    site.write(".devcontainer/data/install.sh", f"#!/bin/sh\n# {ONCE}\nmkdir /opt/data; echo more >/opt/data/tools\n")
    site.devenv("up").ok().says("features ./data: .* -> edited files")
    assert installed(site.devenv("rebuild", timeout=120).ok())[-1:] == ["data_1"]
    assert not engine.exists(first)
    assert site.exec("cat", "/opt/data/tools").ok().out == "more\n"

    build = site.devenv("build", "--image", image, timeout=120).ok().says(f"^built {image}$")
    assert installed(build) == []
    other = place({".devcontainer.json": {"image": image, "remoteEnv": {"MINE": "1"}}})
    assert installed(other.devenv("up", timeout=120).ok()) == []
    seen[1] = "more"
    assert other.exec(*LOOK).ok().out.splitlines() == [*seen, "other", str(site.uid)]
    assert "CAP_SYS_PTRACE" in engine.inspect(other.container())["HostConfig"]["CapAdd"]
    other.devenv("down", "--force", "--volumes").ok()
    assert engine.exists(image), "it was not made for that project"

    last, mounts = site.view()["image"], engine.inspect(site.container())["Mounts"]
    volumes = {mount["Name"] for mount in mounts if mount["Type"] == "volume"}
    assert len(volumes) == 2
    site.devenv("down", "--force", "--volumes").ok()
    assert site.containers() == [] and not engine.exists(last)
    assert not volumes & set(engine("volume", "ls", "--quiet").split())
    assert not [name for name in engine("images", "--format", "{{.Repository}}").split() if site.folder.name in name]
    noted = Path(site.json("supervisor")["state"], "envs", site.view()["key"])
    assert [path.name for path in noted.iterdir()] == ["up.lock"]
