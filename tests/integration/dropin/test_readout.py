"""What `devcontainer.readout` prints of a configuration, letter by letter beside the reference itself."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devcontainer import identity, javascript, metadata, model, readout, variables, workspace
from tests.integration.dropin.differences import without_defects
from tests.kit import reference
from tests.kit.engine import Docker
from tests.kit.fixtures import Images

pytestmark = [pytest.mark.engine, pytest.mark.node]

ENV = {"FOO": "two", "EMPTY": "", "NESTED": "${localEnv:FOO}"}

CONFIGS: dict[str, dict[str, Any]] = {
    "nothing but an image": {},
    "variables everywhere": {
        "name": "${localWorkspaceFolderBasename}",
        "workspaceFolder": "/w/${localWorkspaceFolderBasename}",
        "remoteEnv": {
            "A": "${localEnv:NOPE:http://h}",
            "B": "${localEnv:NOPE}${localEnv:}",
            "C": "${env:EMPTY:x}",
            "D": "${nope:x} ${ localEnv:FOO } $${localEnv:FOO} ${localEnv:FOO\n}",
            "E": "${containerWorkspaceFolder}|${containerWorkspaceFolderBasename}|${localWorkspaceFolder:x}",
            "F": "${localEnv:NESTED}",
            "${localEnv:FOO}": "k",
        },
        "customizations": {"tool": ["${localEnv:FOO}", {"deep": {"er": "${localWorkspaceFolder}"}}, 1, True, None]},
    },
    "keys like numbers come first": {
        "portsAttributes": {"x": {"label": "1"}, "3000": {"label": "a"}, "08": {"label": "b"}, "7": {}},
        "customizations": {"10": 1, "vscode": 2, "9": 3},
        "12": "unknown",
    },
    "older keys": {
        "extensions": ["a"],
        "settings": {"x": 1, "y": 1},
        "devPort": 3,
        "customizations": {"vscode": {"extensions": ["b"], "settings": {"x": 2}}},
        "name": "n",
    },
    "older keys alone": {"settings": {"x": 1}, "remoteUser": "u"},
    "older port beside a present one": {"devPort": 3, "customizations": {"vscode": {"devPort": 4}}},
    "all that is merged": {
        "mounts": [
            "type=bind,source=/a,target=/t",
            "source=v,target=/v,type=volume",
            {"type": "bind", "source": "/b", "target": "/t"},
            {"type": "volume", "target": "/anonymous", "other": 1},
        ],
        "forwardPorts": [3000, "localhost:3000", "db:1", 3001, 3000],
        "hostRequirements": {"cpus": 2, "memory": "8gb", "storage": "1tb", "gpu": {"cores": 3, "memory": "1gb"}},
        "capAdd": ["A", "B", "A"],
        "securityOpt": ["x=y"],
        "otherPortsAttributes": {"onAutoForward": "silent"},
        "remoteEnv": {"A": None, "B": "1"},
        "containerEnv": {"C": "1"},
        "init": True,
        "privileged": False,
        "remoteUser": "u",
        "containerUser": "c",
        "updateRemoteUserUID": False,
        "overrideCommand": True,
        "userEnvProbe": "none",
        "shutdownAction": "none",
        "onCreateCommand": "o",
        "updateContentCommand": [],
        "postCreateCommand": {"a": "b", "c": ["d"]},
        "postStartCommand": "",
        "postAttachCommand": ["x", "y"],
        "initializeCommand": "true",
        "waitFor": "postCreateCommand",
        "customizations": {"x": 1, "vscode": {"extensions": ["e"]}},
    },
    "all that is not": {
        "name": "n",
        "build": {"args": {"A": "${localEnv:FOO}"}},
        "appPort": [3000, "127.0.0.1:1:2"],
        "runArgs": ["--rm", "-e", "X=${localEnv:FOO}"],
        "workspaceMount": "type=bind,source=${localWorkspaceFolder},target=/somewhere",
        "workspaceFolder": "/somewhere/else",
        "secrets": {"TOKEN": {"description": "d"}},
        "overrideFeatureInstallOrder": ["x"],
        "additionalProperties": {},
        "$schema": "s",
        "unknown": [1, 2.5, "é", "\u2028", 1e21, 10.0],
        "shutdownAction": "stopContainer",
    },
    "an empty mount": {"workspaceMount": "", "workspaceFolder": "/w"},
    "a folder without mount": {"workspaceFolder": "/w"},
    "empty values": {
        "mounts": [],
        "capAdd": [],
        "forwardPorts": [],
        "customizations": {},
        "remoteEnv": {},
        "containerEnv": {},
        "portsAttributes": {},
        "otherPortsAttributes": {},
        "hostRequirements": {},
        "onCreateCommand": {},
        "features": {},
        "runArgs": [],
    },
    "switches that are off": {"init": False, "privileged": False, "overrideCommand": False},
    "a GPU that is required": {"hostRequirements": {"gpu": True}},
    "a GPU that is optional": {"hostRequirements": {"gpu": "optional"}},
    "no GPU": {"hostRequirements": {"gpu": False}},
    "no GPU but processors": {"hostRequirements": {"gpu": False, "cpus": 3}},
    "a size of no known form": {"hostRequirements": {"memory": "8 gb", "storage": "1"}},
}

LABEL: list[dict[str, Any]] = [
    {
        "id": "./a",
        "init": True,
        "capAdd": ["SYS_PTRACE", "A"],
        "securityOpt": ["s"],
        "entrypoint": "/usr/local/share/x.sh",
        "mounts": [{"source": "a-${devcontainerId}", "target": "/t", "type": "volume"}, "type=tmpfs,target=/tmp/x"],
        "customizations": {"vscode": {"extensions": ["from-image"]}, "other": 1},
        "postCreateCommand": "image",
        "onCreateCommand": {"n": ["a", "b"]},
    },
    {"privileged": False, "entrypoint": ""},
    {
        "remoteUser": "image-user",
        "containerUser": "image-container-user",
        "remoteEnv": {"A": "image", "I": "${localEnv:FOO}", "W": "${containerWorkspaceFolder}"},
        "containerEnv": {"C": "image", "D": "image"},
        "forwardPorts": [3000, 8080, "db:5432"],
        "portsAttributes": {"3000": {"label": "image", "protocol": "https"}},
        "otherPortsAttributes": {"label": "rest"},
        "hostRequirements": {"cpus": 8, "memory": "2048", "gpu": "optional"},
        "waitFor": "onCreateCommand",
        "userEnvProbe": "loginShell",
        "overrideCommand": False,
        "updateRemoteUserUID": True,
        "shutdownAction": "none",
        "postStartCommand": ["image"],
    },
]


def write(folder: Path, image: str, config: dict[str, Any]) -> Path:
    file = folder / ".devcontainer" / "devcontainer.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"image": image, **config}))
    return file


def theirs(folder: Path, *more: str, env: dict[str, str] = ENV) -> str:
    found = reference.result("read-configuration", "--workspace-folder", folder, *more, env=env)
    del found[reference.DIAGNOSTICS]
    return json.dumps(without_defects(found), ensure_ascii=False)


def substitution(folder: Path, config: model.DevContainer, **known: Any) -> variables.Substitution:
    place = workspace.resolve(config.workspace_mount, config.workspace_folder, str(folder))
    return variables.Substitution(
        local_env={**os.environ, **ENV},
        local_workspace_folder=str(folder),
        container_workspace_folder=place.folder,
        **known,
    )


def ours(folder: Path, file: Path, label: list[dict[str, Any]]) -> str:
    """For a container that is still to be made from an image with this label."""
    config = model.load(file.read_text(), str(file))
    known = substitution(folder, config)
    shown = readout.configuration(config.substituted(known).raw, str(file))
    place = workspace.resolve(config.workspace_mount, config.workspace_folder, str(folder))
    entries = [known.apply_entry(entry) for entry in metadata.for_new(label, config.raw)]
    found = {
        "configuration": shown,
        "workspace": readout.workspace(known.text(place.folder), known.text(place.mount)),
        "mergedConfiguration": readout.merged_configuration(shown, entries),
    }
    return javascript.stringify(found)


def same(one: str, other: str) -> None:
    """Equal in values, and in the order of all keys."""
    assert json.loads(one) == json.loads(other)
    assert json.dumps(json.loads(one)) == json.dumps(json.loads(other))


@pytest.mark.parametrize("name", CONFIGS)
def test_an_image_without_label(tmp_path: Path, images: Images, name: str) -> None:
    folder = tmp_path / "p"
    file = write(folder, images.busybox, CONFIGS[name])
    same(ours(folder, file, []), theirs(folder, "--include-merged-configuration"))


@pytest.fixture(scope="module")
def labelled(engine: Docker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image whose label has LABEL."""
    name = f"devenv-test/labelled:{uuid.uuid4().hex[:8]}"
    folder = tmp_path_factory.mktemp("image")
    (folder / "Dockerfile").write_text("FROM devenv-rig/busybox\n")
    engine("build", "--quiet", "--label", f"{identity.METADATA}={json.dumps(LABEL)}", "-t", name, str(folder))
    yield name
    engine("rmi", "--force", name)


@pytest.mark.parametrize("name", ["nothing but an image", "all that is merged", "empty values", "no GPU"])
def test_an_image_with_a_label(tmp_path: Path, labelled: str, name: str) -> None:
    folder = tmp_path / "p"
    file = write(folder, labelled, CONFIGS[name])
    same(ours(folder, file, LABEL), theirs(folder, "--include-merged-configuration"))


@pytest.fixture
def container(engine: Docker, images: Images) -> Iterator[Any]:
    """`container(folder, file, label)`: one that the reference finds for this project, not started."""
    made: list[str] = []

    def make(folder: Path, file: Path, label: list[dict[str, Any]] | None) -> str:
        words = [f"--label={key}={value}" for key, value in identity.id_labels(str(folder), str(file)).items()]
        if label is not None:
            words.append(f"--label={identity.METADATA}={json.dumps(label)}")
        made.append(engine("create", *words, "--env", "INSIDE=yes", images.busybox, "true").strip())
        return made[-1]

    yield make
    for name in made:
        engine("rm", "--force", name)


USING_THE_CONTAINER = {
    "remoteEnv": {"A": "${containerEnv:INSIDE}", "B": "${containerEnv:NOPE:x}", "C": "${containerEnv:PATH}"},
    "name": "${devcontainerId} ${containerEnv:INSIDE}",
    "remoteUser": "u",
    "postCreateCommand": "from the file",
    "userEnvProbe": "none",
}


@pytest.mark.parametrize("label", [LABEL, None, []], ids=["label", "no label", "empty label"])
def test_a_container_that_is_there(
    tmp_path: Path, images: Images, container: Any, label: list[dict[str, Any]] | None
) -> None:
    folder = tmp_path / "p"
    file = write(folder, images.busybox, USING_THE_CONTAINER)
    container(folder, file, label)
    config = model.load(file.read_text(), str(file))
    labels = identity.id_labels(str(folder), str(file))
    known = substitution(
        folder,
        config,
        devcontainer_id=identity.devcontainer_id(labels),
        container_env={"INSIDE": "yes", "PATH": "/bin"},
    )
    shown = readout.configuration(config.substituted(known).raw, str(file))
    entries = metadata.for_new([], config.raw) if label is None else metadata.for_existing(label, config.raw)
    place = workspace.resolve(config.workspace_mount, config.workspace_folder, str(folder))
    found = {
        "configuration": shown,
        "workspace": readout.workspace(place.folder, place.mount),
        "mergedConfiguration": readout.merged_configuration(shown, [known.apply_entry(entry) for entry in entries]),
    }
    same(javascript.stringify(found), theirs(folder, "--include-merged-configuration"))


def test_a_file_that_was_named(tmp_path: Path, images: Images) -> None:
    folder = tmp_path / "p"
    file = write(folder, images.busybox, {})
    found = json.loads(theirs(folder, "--config", str(file)))
    assert found["configuration"] == readout.configuration({"image": images.busybox}, str(file), readout.GIVEN)
