"""Our reading of a configuration beside that of `@devcontainers/cli`, on the same files."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from devcontainer import merge, metadata, model, mounts, variables, workspace
from devcontainer.jsonc import JsonValue
from devcontainer.lifecycle import CONTAINER_STAGES
from tests.kit import rig
from tests.kit.fixtures import Images

pytestmark = [pytest.mark.engine, pytest.mark.node]

ENV = {"FOO": "two", "EMPTY": "", "NESTED": "${localEnv:FOO}"}

CONFIGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "a,comma": {},
    "variables": {
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
    },
    "older-keys": {
        "extensions": ["a"],
        "settings": {"x": 1, "y": 1},
        "devPort": 3,
        "customizations": {"vscode": {"extensions": ["b"], "settings": {"x": 2}}},
    },
    "merged": {
        "mounts": [
            "type=bind,source=/a,target=/t",
            "source=v,target=/v,type=volume",
            {"type": "bind", "source": "/b", "target": "/t"},
            {"type": "volume", "target": "/anonymous"},
        ],
        "forwardPorts": [3000, "localhost:3000", "db:1"],
        "hostRequirements": {"cpus": 2, "memory": "8gb", "storage": "1tb", "gpu": {"cores": 3}},
        "capAdd": ["A", "B", "A"],
        "securityOpt": ["x=y"],
        "portsAttributes": {"x": {"label": "1"}, "3000": {"label": "a"}},
        "otherPortsAttributes": {"onAutoForward": "silent"},
        "remoteEnv": {"A": None, "B": "1"},
        "containerEnv": {"C": "1"},
        "init": True,
        "remoteUser": "u",
        "containerUser": "c",
        "updateRemoteUserUID": False,
        "overrideCommand": True,
        "userEnvProbe": "none",
        "shutdownAction": "none",
        "onCreateCommand": "o",
        "postCreateCommand": {"a": "b", "c": ["d"]},
        "waitFor": "postCreateCommand",
        "customizations": {"x": 1, "vscode": {"extensions": ["e"]}},
    },
}


def reference(folder: Path) -> dict[str, Any]:
    program = str(rig.node_program("devcontainer"))
    done = subprocess.run(
        [program, "read-configuration", "--workspace-folder", str(folder), "--include-merged-configuration"],
        env={**os.environ, **ENV},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    for part in ("configuration", "mergedConfiguration"):
        found[part].pop("configFilePath", None)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("name", CONFIGS)
def test_equal(tmp_path: Path, images: Images, name: str) -> None:
    folder = tmp_path / name
    file = folder / ".devcontainer" / "devcontainer.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"image": images.python, **CONFIGS[name]}))
    theirs = reference(folder)

    config = model.load(file.read_text(), str(file))
    place = workspace.resolve(config.workspace_mount, config.workspace_folder, str(folder))
    known = variables.Substitution(
        local_env={**os.environ, **ENV},
        local_workspace_folder=str(folder),
        container_workspace_folder=place.folder,
    )
    assert dict(config.substituted(known).raw) == theirs["configuration"]
    assert {
        "workspaceFolder": known.text(place.folder),
        "workspaceMount": known.text(place.mount),
    } == theirs["workspace"]
    entries = [known.apply_entry(entry) for entry in metadata.for_new([], config.raw)]
    assert_merged(merge.merge(entries), theirs["mergedConfiguration"])


def assert_merged(ours: merge.Merged, theirs: dict[str, Any]) -> None:
    assert ours.init is theirs["init"]
    assert ours.privileged is theirs["privileged"]
    assert list(ours.cap_add) == theirs.get("capAdd", [])
    assert list(ours.security_opt) == theirs.get("securityOpt", [])
    assert list(ours.mounts) == [mounts.parse(mount) for mount in theirs.get("mounts", [])]
    assert ours.remote_env == theirs["remoteEnv"]
    assert ours.container_env == theirs["containerEnv"]
    assert ours.ports_attributes == theirs["portsAttributes"]
    assert ours.other_ports_attributes == theirs.get("otherPortsAttributes")
    forwarded: list[JsonValue] = [p.port if p.host == "localhost" else str(p) for p in ours.forward_ports]
    assert forwarded == theirs.get("forwardPorts", [])
    assert {tool: list(values) for tool, values in ours.customizations.items()} == theirs.get("customizations", {})
    for stage in CONTAINER_STAGES:
        assert len(ours.hooks[stage]) == len(theirs[f"{stage.value}s"])
    texts = ("remoteUser", "containerUser", "userEnvProbe", "shutdownAction", "waitFor")
    values = (ours.remote_user, ours.container_user, ours.user_env_probe, ours.shutdown_action, ours.wait_for)
    assert dict(zip(texts, values, strict=True)) == {key: theirs.get(key) for key in texts}
    assert ours.override_command == theirs.get("overrideCommand")
    assert ours.update_remote_user_uid == theirs.get("updateRemoteUserUID")
    wanted = theirs.get("hostRequirements", {})
    if wanted.get("memory") == "-Infinity":  # what it prints when there is no entry at all
        wanted = {}
    assert ours.host_requirements.cpus == wanted.get("cpus", 0)
    assert ours.host_requirements.memory == int(wanted.get("memory", 0))
    assert ours.host_requirements.storage == int(wanted.get("storage", 0))
    assert (ours.host_requirements.gpu.cores if ours.host_requirements.gpu else 0) == wanted.get("gpu", {}).get(
        "cores", 0
    )
