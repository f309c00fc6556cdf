"""The merge of metadata entries, rule by rule (spec, *Image metadata, merge logic*)."""

from __future__ import annotations

from typing import Any

import pytest

from devcontainer import mounts
from devcontainer.jsonc import JsonValue
from devcontainer.lifecycle import Stage
from devcontainer.merge import Merged, merge
from devcontainer.ports import ForwardPort
from devcontainer.requirements import Gpu, HostRequirements

RULES = [
    pytest.param("init", [{"init": True}, {"init": False}], True, id="init: any"),
    pytest.param("privileged", [{}, {"privileged": True}], True, id="privileged: any"),
    pytest.param("privileged", [{"privileged": "yes"}], False, id="privileged: only true is true"),
    pytest.param("cap_add", [{"capAdd": ["A", "B"]}, {"capAdd": ["B", "C"]}], ("A", "B", "C"), id="capAdd: union"),
    pytest.param("security_opt", [{"securityOpt": ["a"]}, {"securityOpt": ["a"]}], ("a",), id="securityOpt: union"),
    pytest.param(
        "entrypoints", [{"entrypoint": "/a"}, {"entrypoint": "/b"}, {}], ("/a", "/b"), id="entrypoint: collected"
    ),
    pytest.param(
        "customizations",
        [{"customizations": {"v": {"a": 1}, "w": 1}}, {"customizations": {"v": {"b": 2}}}],
        {"v": ({"a": 1}, {"b": 2}), "w": (1,)},
        id="customizations: collected per tool",
    ),
    pytest.param("remote_user", [{"remoteUser": "a"}, {"remoteUser": "b"}, {}], "b", id="remoteUser: last"),
    pytest.param("remote_user", [{"remoteUser": "a"}, {"remoteUser": ""}], "a", id="remoteUser: empty says nothing"),
    pytest.param("container_user", [{"containerUser": "a"}, {}], "a", id="containerUser: last"),
    pytest.param("wait_for", [{"waitFor": "postCreateCommand"}], Stage.POST_CREATE, id="waitFor: last"),
    pytest.param("wait_for", [{"waitFor": "nonsense"}], None, id="waitFor: nonsense says nothing"),
    pytest.param("user_env_probe", [{"userEnvProbe": "none"}, {}], "none", id="userEnvProbe: last"),
    pytest.param(
        "override_command", [{"overrideCommand": True}, {"overrideCommand": False}], False, id="overrideCommand"
    ),
    pytest.param("shutdown_action", [{"shutdownAction": "none"}], "none", id="shutdownAction: last"),
    pytest.param(
        "update_remote_user_uid", [{"updateRemoteUserUID": False}, {}], False, id="updateRemoteUserUID: false is said"
    ),
    pytest.param(
        "remote_env",
        [{"remoteEnv": {"A": "1", "B": "1"}}, {"remoteEnv": {"A": None}}],
        {"A": None, "B": "1"},
        id="remoteEnv: per variable, null unsets",
    ),
    pytest.param(
        "container_env",
        [{"containerEnv": {"A": "1"}}, {"containerEnv": {"A": "2", "B": 3}}],
        {"A": "2"},
        id="containerEnv: per variable",
    ),
    pytest.param(
        "ports_attributes",
        [{"portsAttributes": {"1": {"label": "a", "protocol": "http"}}}, {"portsAttributes": {"1": {"label": "b"}}}],
        {"1": {"label": "b"}},
        id="portsAttributes: per port, the whole object",
    ),
    pytest.param(
        "other_ports_attributes",
        [{"otherPortsAttributes": {"label": "a"}}, {"otherPortsAttributes": {"onAutoForward": "silent"}}],
        {"onAutoForward": "silent"},
        id="otherPortsAttributes: last",
    ),
    pytest.param(
        "forward_ports",
        [{"forwardPorts": [3000, "db:1"]}, {"forwardPorts": ["localhost:3000", 4000]}],
        (ForwardPort("localhost", 3000), ForwardPort("db", 1), ForwardPort("localhost", 4000)),
        id="forwardPorts: union",
    ),
    pytest.param(
        "host_requirements",
        [{"hostRequirements": {"cpus": 4, "gpu": "optional"}}, {"hostRequirements": {"cpus": 2, "gpu": True}}],
        HostRequirements(cpus=4, gpu=Gpu(True)),
        id="hostRequirements: the highest",
    ),
]


@pytest.mark.parametrize(("field", "entries", "expected"), RULES)
def test_rule(field: str, entries: list[dict[str, JsonValue]], expected: Any) -> None:
    assert getattr(merge(entries), field) == expected


def test_mounts_are_collected_and_the_last_at_a_target_wins() -> None:
    """As the reference prints it for these four."""
    entries: list[dict[str, JsonValue]] = [
        {"mounts": ["type=bind,source=/a,target=/t", "source=v,target=/v,type=volume"]},
        {"mounts": [{"type": "bind", "source": "/b", "target": "/t"}, {"type": "volume", "target": "/anon"}]},
    ]
    assert [mounts.format(mount) for mount in merge(entries).mounts] == [
        "source=v,target=/v,type=volume",
        "type=bind,src=/b,dst=/t",
        "type=volume,dst=/anon",
    ]


def test_hooks_are_collected_in_order_with_their_origin() -> None:
    entries: list[dict[str, JsonValue]] = [
        {"postCreateCommand": "base"},
        {"id": "./feature", "postCreateCommand": ["a"], "onCreateCommand": {"x": "y"}},
        {"postCreateCommand": "project", "onCreateCommand": ""},
    ]
    hooks = merge(entries).hooks
    assert [(h.origin, h.command.steps[0].text) for h in hooks[Stage.POST_CREATE]] == [
        ("devcontainer.json", "base"),
        ("./feature", "a"),
        ("devcontainer.json", "project"),
    ]
    assert [h.origin for h in hooks[Stage.ON_CREATE]] == ["./feature"]
    assert hooks[Stage.POST_ATTACH] == ()
    assert Stage.INITIALIZE not in hooks


def test_defaults() -> None:
    merged = merge([])
    assert merged.updates_uid
    assert merged.probe == "loginInteractiveShell"
    assert merged.waits_for is Stage.UPDATE_CONTENT
    assert merged.override_command is None


@pytest.mark.parametrize(
    ("merged", "image_user", "expected"),
    [
        (Merged(), "", ("root", "root")),
        (Merged(), "0", ("root", "root")),
        (Merged(), "app", ("app", "app")),
        (Merged(container_user="c"), "app", ("c", "c")),
        (Merged(remote_user="r"), "app", ("app", "r")),
        (Merged(container_user="c", remote_user="r"), "", ("c", "r")),
    ],
)
def test_users(merged: Merged, image_user: str, expected: tuple[str, str]) -> None:
    assert merged.users(image_user) == expected


@pytest.mark.parametrize("value", [None, 3, "x", True, [3], {"a": 3}, [None], {"x": None}, [[]]])
def test_entries_of_others_may_hold_anything(value: Any) -> None:
    from devcontainer.metadata import CONFIG_KEYS

    merge([dict.fromkeys((*CONFIG_KEYS, "id", "entrypoint"), value)])
