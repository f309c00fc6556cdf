"""A feature installed by `@devcontainers/cli` and one installed by our script: the same variables, the same label."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devcontainer import identity, metadata
from devcontainer.features import install, manifest
from devcontainer.features.graph import Fetched, InstallStep, Resolution
from devcontainer.features.reference import LocalReference
from tests.kit import rig
from tests.kit.engine import Docker
from tests.kit.fixtures import Images

pytestmark = [pytest.mark.engine, pytest.mark.node]

DUMP = "#!/bin/sh\nset -e\nenv -0 > /dump-$(basename $(pwd))\n"

MANIFESTS: dict[str, dict[str, Any]] = {
    "a": {
        "id": "a",
        "version": "1.0.0",
        "name": 'It\'s "A"',
        "options": {
            "version": {"type": "string", "default": "latest"},
            "my-Opt.2": {"type": "boolean", "default": False},
            "9lives": {"type": "string", "default": "x"},
            "__u": {"type": "string", "default": ""},
            "bare": {"type": "string"},
        },
        "customizations": {"vscode": {"extensions": ["e"]}, "other": {"1": 2, "0": 1}},
        "extensions": ["old.one"],
        "mounts": ["source=v-${devcontainerId},target=/v", {"type": "tmpfs", "target": "/t"}],
        "entrypoint": "/e $HOME",
        "init": False,
        "privileged": True,
        "capAdd": ["SYS_PTRACE"],
        "securityOpt": ["seccomp=unconfined"],
        "containerEnv": {"FROM_A": "${PATH}:x"},
        "onCreateCommand": 'echo "quoted" \\ $X',
        "postAttachCommand": {"z": "1", "a": ["2"]},
        "dependsOn": {"./b": "v"},
    },
    "b": {"id": "b", "options": {"version": {"type": "string", "default": "1"}}},
}
CONFIG: dict[str, Any] = {
    "features": {"./a": {"my-Opt.2": True, "undeclared": "y z", "bare": "ä"}},
    "remoteUser": "root",
    "postCreateCommand": "true",
}


@pytest.fixture
def image(engine: Docker) -> Iterator[str]:
    name = f"devenv-test-feature-build:{uuid.uuid4().hex[:12]}"
    yield name
    if engine.exists(name):
        engine("image", "rm", "--force", name)


def resolve(folder: Path) -> tuple[InstallStep, ...]:
    resolution = Resolution(CONFIG["features"])
    while wanted := resolution.wanted():
        for one in wanted:
            assert isinstance(one, LocalReference)
            text = (folder / one.path / manifest.FILE).read_text()
            resolution.provide(one, Fetched(manifest.load(text)))
    return resolution.install_order()


def variables(dump: str) -> dict[str, str]:
    """Without what says where the script ran."""
    found = dict(entry.split("=", 1) for entry in dump.split("\0") if entry)
    return {
        name: value for name, value in found.items() if name not in ("PWD", "OLDPWD", "HOSTNAME", "HOME", "SHLVL", "_")
    }


def test_the_same(tmp_path: Path, engine: Docker, images: Images, image: str) -> None:
    folder = tmp_path / "w" / ".devcontainer"
    for name, raw in MANIFESTS.items():
        (folder / name).mkdir(parents=True)
        (folder / name / manifest.FILE).write_text(json.dumps(raw))
        (folder / name / "install.sh").write_text(DUMP)
    (folder / "devcontainer.json").write_text(json.dumps({"image": images.python, **CONFIG}))
    program = str(rig.node_program("devcontainer"))
    done = subprocess.run(
        [program, "build", "--workspace-folder", str(folder.parent), "--image-name", image, "--no-lockfile"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    steps = resolve(folder)
    assert [step.written for step in steps] == ["./b", "./a"]

    entries = metadata.for_new([install.metadata_entry(step) for step in steps], CONFIG)
    # In an image the reference writes one entry a line of its Dockerfile; each has the bytes of ours.
    spaced = f"[ {', '.join(metadata.write([entry])[1:-1] for entry in entries)} ]"
    assert engine.inspect(image)["Config"]["Labels"][identity.METADATA] == spaced

    for step in steps:
        theirs = engine("run", "--rm", image, "cat", f"/dump-{step.consecutive_id}")
        place = tmp_path / "ours" / step.consecutive_id
        place.mkdir(parents=True)
        (place.parent / install.BUILTIN_FILE).write_text(install.builtin_text("root", "root", "/root", "/root"))
        (place / install.OPTIONS_FILE).write_text(install.options_text(step))
        (place / install.SCRIPT).write_text(install.script(step))
        (place / "install.sh").write_text(DUMP)
        run = f"cp -r /src /work && cd /work/{step.consecutive_id} && sh ./{install.SCRIPT} >&2 && cat /dump-*"
        mount = f"type=bind,source={place.parent},target=/src,readonly"
        env = [f"--env=FROM_A={value}" for value in [_container_env(theirs)] if value]
        ours = engine("run", "--rm", "--mount", mount, *env, images.python, "sh", "-ec", run)
        assert variables(ours) == variables(theirs)


def _container_env(dump: str) -> str:
    """What the image has had since the feature, whoever installs it."""
    return variables(dump).get("FROM_A", "")
