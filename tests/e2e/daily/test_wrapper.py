"""The program `devcontainer` as a CI script uses it: devenv from its wheel, in a virtual environment of the user's."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Place
from tests.kit import installed
from tests.kit.command import Shell
from tests.kit.engine import Docker, DockerFailed
from tests.kit.fixtures import Images
from tests.kit.project import Content
from tests.kit.users import User

pytestmark = [pytest.mark.engine, pytest.mark.users]


@pytest.fixture(scope="module")
def wrapped(alice: User) -> Shell:
    """A shell of a user who has installed the wheel and the wrapper, with nothing else of ours on PATH."""
    home = Shell(alice, alice.home)
    home.run(installed.host_python(), "-m", "venv", "venv", timeout=120).ok()
    python = alice.home / "venv/bin/python"
    home.run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", installed.wheel(), timeout=120).ok()
    (packages,) = (alice.home / "venv").glob("lib/python3*/site-packages")
    (packages / "dependencies.pth").write_text(f"{installed.dependencies()}\n")
    home.run("mkdir", "-p", "bin").ok()
    devenv = alice.home / "venv/bin/devenv"
    home.run(devenv, "devcontainer", "--install-wrapper", "nowhere").failed(64).says("there is no folder")
    made = home.run(devenv, "devcontainer", "--install-wrapper", "~/bin").ok()
    made.says(f"^{alice.home}/bin/devcontainer is devenv now$", "not on your PATH")
    return Shell(alice, alice.home, (alice.home / "bin",))


@pytest.fixture
def image(engine: Docker) -> Iterator[str]:
    name = f"devenv-test/ci:{uuid.uuid4().hex[:12]}"
    yield name
    with contextlib.suppress(DockerFailed):  # the script stopped before it was built
        engine("rmi", "--force", name)


# The calls of the GitHub action devcontainers/ci, and of workflows that prebuild by themselves: each stdout in a file.
SCRIPT = """#!/bin/bash
set -euo pipefail
image=$1 work=$2 out=$3
devcontainer --help > /dev/null
devcontainer --version > $out/version
devcontainer read-configuration --workspace-folder $work --include-merged-configuration > $out/read
export DOCKER_BUILDKIT=1 COMPOSE_DOCKER_CLI_BUILD=1
devcontainer build --workspace-folder $work --image-name $image --user-data-folder $out/data \\
  --cache-from $image --cache-from localhost:1/team/cache:latest > $out/build
devcontainer up --workspace-folder $work --cache-from $image --user-data-folder $out/data \\
  --update-remote-user-uid-default off --skip-post-attach > $out/up
devcontainer run-user-commands --workspace-folder $work --skip-post-attach > $out/commands
devcontainer exec --workspace-folder $work --remote-env GITHUB_RUN_ID=7 --remote-env GITHUB_TOKEN= \\
  bash -c 'echo "run $GITHUB_RUN_ID${GITHUB_TOKEN} in $PWD by $(id -u)"; cat /etc/tool hooks' > $out/exec
container=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["containerId"])' < $out/up)
devcontainer exec --container-id $container cat /etc/tool > $out/by-id
rc=0; devcontainer exec --workspace-folder $work sh -c 'exit 41' || rc=$?
echo $rc > $out/code
echo 'RUN exit 9' >> $work/.devcontainer/Dockerfile
rc=0; devcontainer build --workspace-folder $work --image-name $image > $out/failed || rc=$?
exit $rc
"""
CONFIG = {
    "build": {"dockerfile": "Dockerfile"},
    "features": {"./tool": {"level": "high"}},
    "remoteUser": "dev",
    "onCreateCommand": "echo created >> hooks",
    "postCreateCommand": "echo made >> hooks",
}


def test_a_ci_script(wrapped: Shell, place: Place, engine: Docker, images: Images, image: str) -> None:
    files: dict[str, Content] = {
        ".devcontainer/devcontainer.json": CONFIG,
        ".devcontainer/Dockerfile": f"FROM {images.python_user}\nENV STAMP={image}\n",
        ".devcontainer/tool/devcontainer-feature.json": {
            "id": "tool",
            "version": "1.0.0",
            "name": "Tool",
            "options": {"level": {"type": "string", "default": "low"}},
        },
        ".devcontainer/tool/install.sh": f'#!/bin/sh\n# {image}\necho "tool $LEVEL" > /etc/tool\n',
        "ci.sh": SCRIPT,
        "out": {},
    }
    site = place(files)
    site.folder.chmod(0o777)  # the container's user keeps uid 1000
    wrapped.run(site.path("ci.sh"), image, str(site.folder), str(site.path("out")), timeout=150).failed(1)

    said = {file.name: file.read_text() for file in site.path("out").iterdir() if file.is_file()}
    assert said["version"].startswith("0.89.0+devenv")
    answers = {name: json.loads(said[name]) for name in ("read", "build", "up", "commands", "failed")}
    assert answers["read"]["mergedConfiguration"]["postCreateCommands"] == [CONFIG["postCreateCommand"]]
    assert answers["build"]["outcome"] == "success" and answers["build"]["imageName"] == [image]
    container = site.container()
    up = {key: answers["up"][key] for key in ("outcome", "containerId", "remoteUser", "remoteWorkspaceFolder")}
    folder = f"/workspaces/{site.folder.name}"
    assert list(up.values()) == ["success", container, "dev", folder]
    assert answers["commands"]["outcome"] == "success"
    assert said["exec"].splitlines() == [f"run 7 in {folder} by 1000", "tool high", "created", "made"]
    assert (said["by-id"], said["code"]) == ("tool high\n", "41\n")
    assert answers["failed"]["outcome"] == "error" and {"message", "description"} <= set(answers["failed"])

    entries = json.loads(engine.inspect(image)["Config"]["Labels"]["devcontainer.metadata"])
    assert [entry.get("id") for entry in entries] == ["./tool", None]
    assert entries[-1]["remoteUser"] == "dev"
    # The same container for whoever works on it by hand.
    assert site.json("up")["environment"]["container_id"] == container
    site.devenv("down", "--force", "--volumes").ok()
    assert site.containers() == []
