"""A team's registry: an image is pushed, features are vendored, and then the registry does not answer."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Place
from tests.kit import registry as kit
from tests.kit.engine import Docker
from tests.kit.fixtures import Images
from tests.kit.project import Content, give_to
from tests.kit.users import User

pytestmark = [pytest.mark.engine, pytest.mark.users, pytest.mark.registry]

ONCE = uuid.uuid4().hex


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[kit.OciRegistry]:
    with kit.running(tmp_path / "registry") as one:
        yield one


SCRIPT = f'#!/bin/sh\n# {ONCE}\necho "strict=$STRICT" > /etc/lint\n'
COLLECTION: dict[str, Content] = {
    "src/lint/devcontainer-feature.json": {
        "id": "lint",
        "version": "1.2.0",
        "name": "Lint",
        "options": {"strict": {"type": "boolean", "default": False}},
    },
    "src/lint/install.sh": SCRIPT,
}
LOOK = ("cat", "/etc/lint", "/tmp/made")


def test_what_a_team_shares(place: Place, registry: kit.OciRegistry, images: Images, engine: Docker, bob: User) -> None:
    collection = place(COLLECTION)
    words = ("features", "publish", "./src", "--registry", registry.host, "--namespace", "team/features")
    assert collection.devenv("devcontainer", *words).ok().json()["lint"]["version"] == "1.2.0"

    lint, image = f"{registry.host}/team/features/lint:1", f"{registry.host}/team/project:dev"
    config = {
        "image": images.busybox,
        "features": {lint: {"strict": True}},
        "postCreateCommand": "echo made > /tmp/made",
    }
    site = place({".devcontainer/devcontainer.json": config})
    site.devenv("up", "--lockfile", "write", timeout=120).ok().says(r"Feature Lint .*, version 1\.2\.0")
    assert site.exec(*LOOK).ok().out == "strict=true\nmade\n"
    locked = json.loads(site.path(".devcontainer/devcontainer-lock.json").read_text())
    assert locked["features"][lint]["version"] == "1.2.0"
    site.devenv("vendor").ok().says("^wrote .devcontainer/vendor/index.json$")
    site.devenv("build", "--image", image, "--push", timeout=120).ok().says(f"^pushed {image}$")
    site.devenv("down", "--force", "--volumes").ok()
    engine("rmi", image)

    registry.stop()
    # Another person, who has never fetched anything: first without what was vendored, then with it.
    other = place({}, user=bob)
    shutil.copytree(site.folder, other.folder, dirs_exist_ok=True)
    (other.path(".devcontainer/vendor")).rename(other.path("vendor"))
    give_to(other.folder, bob)
    other.devenv("up", timeout=120).failed(76).says(f"localhost:{registry.port} cannot be reached", "devenv vendor")
    other.path("vendor").rename(other.path(".devcontainer/vendor"))
    other.devenv("up", "--lockfile", "frozen", timeout=120).ok()
    assert other.exec(*LOOK).ok().out == "strict=true\nmade\n"
    other.devenv("down", "--force", "--volumes").ok()

    registry.start()
    third = place({".devcontainer.json": {"image": image}}, user=bob)
    third.devenv("up", timeout=120).ok().says(f"Pulling {image}")
    assert third.exec(*LOOK).ok().out == "strict=true\nmade\n"
    third.devenv("down", "--force", "--volumes").ok()
    engine("rmi", image)
