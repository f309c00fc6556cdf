"""What a configuration is printed as; the differential tests hold it against the reference itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcontainer import javascript, readout


def test_a_file_has_its_address_at_the_end() -> None:
    found = readout.configuration({"image": "x"}, "/p/.devcontainer.json")
    assert list(found) == ["image", "configFilePath"]
    assert found["configFilePath"] == {
        "$mid": 1,
        "fsPath": "/p/.devcontainer.json",
        "path": "/p/.devcontainer.json",
        "scheme": "vscode-fileHost",
    }


def test_a_workspace_without_mount_has_no_such_key() -> None:
    assert readout.workspace("/w", None) == {"workspaceFolder": "/w"}
    assert readout.workspace("/w", "") == {"workspaceFolder": "/w", "workspaceMount": ""}
    assert readout.workspace("/w", "m", "n")["additionalMountString"] == "n"


def test_no_entries_leave_what_is_always_there() -> None:
    assert readout.merged_configuration({"name": "n", "customizations": {}, "postCreateCommand": "x"}, []) == {
        "name": "n",
        "init": False,
        "privileged": False,
        "onCreateCommands": [],
        "updateContentCommands": [],
        "postCreateCommands": [],
        "postStartCommands": [],
        "postAttachCommands": [],
        "remoteEnv": {},
        "containerEnv": {},
        "portsAttributes": {},
    }


MERGED: list[tuple[str, list[dict[str, Any]], str, Any]] = [
    ("any one is enough", [{"init": True}, {"init": False}], "init", True),
    ("union", [{"capAdd": ["A", "B"]}, {"capAdd": ["B", "C"]}], "capAdd", ["A", "B", "C"]),
    ("nothing to unite", [{"capAdd": []}], "capAdd", None),
    ("collected", [{"entrypoint": "/a"}, {"entrypoint": ""}, {"entrypoint": "/b"}], "entrypoints", ["/a", "/b"]),
    (
        "the later mount, as written",
        [{"mounts": ["type=bind,source=/a,target=/t", "target=/u"]}, {"mounts": [{"type": "volume", "target": "/t"}]}],
        "mounts",
        ["target=/u", {"type": "volume", "target": "/t"}],
    ),
    ("what is no mount stays", [{"mounts": ["nonsense"]}], "mounts", ["nonsense"]),
    (
        "per tool",
        [{"customizations": {"a": 1}}, {"customizations": {"a": [2], "b": None}}],
        "customizations",
        {"a": [1, [2]], "b": [None]},
    ),
    ("no customizations", [{"customizations": {}}], "customizations", None),
    ("hooks in order", [{"postStartCommand": "a"}, {"postStartCommand": ["b"]}], "postStartCommands", ["a", ["b"]]),
    ("empty hooks of a kind", [{"postStartCommand": ""}, {"postStartCommand": {}}], "postStartCommands", [{}]),
    ("the last text", [{"remoteUser": "a"}, {"remoteUser": "b"}, {"remoteUser": ""}], "remoteUser", "b"),
    ("the last switch, also off", [{"overrideCommand": True}, {"overrideCommand": False}], "overrideCommand", False),
    (
        "per variable",
        [{"remoteEnv": {"A": "1", "B": "1"}}, {"remoteEnv": {"A": None}}],
        "remoteEnv",
        {"A": None, "B": "1"},
    ),
    ("ports", [{"forwardPorts": [1, "localhost:2"]}, {"forwardPorts": [2, "db:3"]}], "forwardPorts", [1, 2, "db:3"]),
    ("the last attributes", [{"otherPortsAttributes": {}}], "otherPortsAttributes", {}),
    (
        "the highest of each",
        [{"hostRequirements": {"cpus": 2, "memory": "1gb"}}, {"hostRequirements": {"cpus": 1, "memory": "2gb"}}],
        "hostRequirements",
        {"cpus": 2, "memory": "2147483648"},
    ),
    ("nothing asked", [{"hostRequirements": {"gpu": False, "memory": "no size"}}], "hostRequirements", None),
    ("a GPU is enough", [{"hostRequirements": {"gpu": True}}], "hostRequirements", {"cpus": 0, "gpu": True}),
    (
        "storage and no GPU",
        [{"hostRequirements": {"storage": "1kb", "gpu": False}}],
        "hostRequirements",
        {"cpus": 0, "storage": "1024", "gpu": False},
    ),
]


@pytest.mark.parametrize(("entries", "key", "value"), [case[1:] for case in MERGED], ids=[case[0] for case in MERGED])
def test_merged(entries: list[dict[str, Any]], key: str, value: Any) -> None:
    assert readout.merged_configuration({}, entries).get(key) == value


GPUS: list[tuple[str, Any, Any, Any]] = [
    ("both optional", "optional", "optional", "optional"),
    ("one required", "optional", True, {}),
    ("off and optional", False, "optional", "optional"),
    ("required and off", True, False, True),
    ("sizes", {"cores": 2, "memory": "1gb"}, {"cores": 3}, {"cores": 3, "memory": "1073741824"}),
    ("sizes and optional", {"cores": 2}, "optional", {"cores": 2}),
]


@pytest.mark.parametrize(("one", "other", "both"), [case[1:] for case in GPUS], ids=[case[0] for case in GPUS])
def test_two_wishes_for_a_gpu(one: Any, other: Any, both: Any) -> None:
    entries: list[dict[str, Any]] = [{"hostRequirements": {"gpu": one}}, {"hostRequirements": {"gpu": other}}]
    found = readout.merged_configuration({}, entries)["hostRequirements"]
    assert isinstance(found, dict)
    assert found["gpu"] == both


def test_a_key_of_the_file_keeps_its_place() -> None:
    config = {"init": False, "remoteUser": "file", "image": "x", "capAdd": ["gone"]}
    found = readout.merged_configuration(config, [{"init": True, "remoteUser": "label"}])
    assert list(found)[:4] == ["init", "remoteUser", "image", "privileged"]
    assert (found["init"], found["remoteUser"]) == (True, "label")
    assert "capAdd" not in found


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
_keys = st.sampled_from(
    ["init", "capAdd", "mounts", "customizations", "remoteEnv", "forwardPorts", "hostRequirements", "waitFor", "x"]
)
_entry = st.dictionaries(_keys, _json, max_size=6)


@given(_entry, st.lists(_entry, max_size=4))
def test_any_entries_are_printed(config: Any, entries: Any) -> None:
    assert javascript.stringify(readout.merged_configuration(config, entries))
