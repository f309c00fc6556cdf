"""A Compose project whose files lie in a volume: its own files are untouched, every service sees the same."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Place
from tests.kit.fixtures import Images

pytestmark = [pytest.mark.engine, pytest.mark.users]


def test_services_share_the_files(place: Place, images: Images) -> None:
    compose = f"""
services:
  app:
    image: {images.python_user}
    command: sleep infinity
    volumes:
      - ../..:/workspaces:cached
  worker:
    image: {images.python_user}
    command: sleep infinity
    volumes:
      - ../..:/jobs
"""
    config = {
        "dockerComposeFile": "compose.yml",
        "service": "app",
        "workspaceFolder": "/workspaces/${localWorkspaceFolderBasename}",
        "postCreateCommand": "cat model.py > copy.py",
        "remoteUser": "dev",
    }
    files = {
        ".devcontainer/devcontainer.json": config,
        ".devcontainer/compose.yml": compose,
        "devenv.yaml": "sync:\n  on: always\n",
        "model.py": "x = 1\n",
    }
    site = place(files)
    before = site.path(".devcontainer/compose.yml").read_text()
    site.devenv("up", timeout=240).ok()
    assert site.path("copy.py").read_text() == "x = 1\n"
    assert site.exec("cat", "model.py").ok().out == "x = 1\n"
    assert not list(site.folder.parent.glob("jobs")), "nothing of the parent folder is touched"
    (worker,) = [c for c in site.docker.containers("label=com.docker.compose.service=worker") if _is_ours(site, c)]
    assert site.docker("exec", worker, "cat", f"/jobs/{site.folder.name}/model.py") == "x = 1"
    site.write("model.py", "x = 2\n")
    assert site.exec("cat", "model.py").ok().out == "x = 2\n"
    assert site.docker("exec", worker, "cat", f"/jobs/{site.folder.name}/model.py") == "x = 2"
    assert site.path(".devcontainer/compose.yml").read_text() == before
    volumes = {m["Name"] for m in site.docker.inspect(site.container())["Mounts"] if m["Type"] == "volume"}
    site.devenv("down", "--volumes").ok()
    assert not volumes & set(site.docker("volume", "ls", "-q").split())
    assert site.path("copy.py").exists()


def _is_ours(site: object, container: str) -> bool:
    labels = site.docker.inspect(container)["Config"]["Labels"]  # type: ignore[attr-defined]
    return str(site.folder) in labels.get("com.docker.compose.project.working_dir", "")  # type: ignore[attr-defined]
