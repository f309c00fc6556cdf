"""CDI specs: good ones in both languages, and all that a folder can hold instead."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devenv.gpu import cdi
from devenv.gpu.cdi import CdiError, Spec

YAML = """
cdiVersion: 0.5.0
kind: nvidia.com/gpu
containerEdits:
  env: [NVIDIA_VISIBLE_DEVICES=void]
  deviceNodes:
  - path: /dev/nvidiactl
  hooks:
  - {hookName: createContainer, path: /usr/bin/nvidia-cdi-hook, args: [nvidia-cdi-hook, update-ldcache]}
  mounts:
  - {hostPath: /usr/lib/libcuda.so.535.104.05, containerPath: /usr/lib/libcuda.so.535.104.05, options: [ro]}
devices:
- name: "0"
  containerEdits:
    deviceNodes:
    - {path: /dev/nvidia0, hostPath: /host/dev/nvidia0}
- name: 1
  containerEdits:
    deviceNodes: [{path: /dev/nvidia1}]
- name: GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77
- name: "0:1"
- name: all
"""
SHARED = ("/dev/nvidiactl", "/usr/lib/libcuda.so.535.104.05", "/usr/bin/nvidia-cdi-hook")


def test_a_spec_in_yaml() -> None:
    spec = cdi.parse(YAML, "/etc/cdi/nvidia.yaml")
    assert spec.kind == "nvidia.com/gpu"
    assert list(spec.needs) == ["0", "1", "GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77", "0:1", "all"]
    assert spec.needs["0"] == (*SHARED, "/host/dev/nvidia0")
    assert spec.needs["1"] == (*SHARED, "/dev/nvidia1")
    assert spec.needs["all"] == SHARED


def test_a_spec_in_json() -> None:
    text = json.dumps({"cdiVersion": "0.6.0", "kind": "amd.com/gpu", "devices": [{"name": "all"}]})
    assert cdi.parse(text, "/etc/cdi/amd.json").needs == {"all": ()}


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("a.json", "{", "is not JSON"),
        ("a.json", "[" * 100_000, "is not JSON"),
        ("a.yaml", "a: [", "is not YAML"),
        ("a.yaml", "a: 2024-13-45", "is not YAML"),
        ("a.yaml", "", "is not an object"),
        ("a.yaml", "- x", "is not an object"),
        ("a.yaml", "cdiVersion: 0.5.0\ndevices: [{name: a}]", "no valid kind"),
        ("a.yaml", "cdiVersion: 0.5.0\nkind: nvidia\ndevices: [{name: a}]", "no valid kind"),
        ("a.yaml", "kind: a.b/c\ndevices: [{name: a}]", "no cdiVersion"),
        ("a.yaml", "cdiVersion: 0.5.0\nkind: a.b/c", "no devices"),
        ("a.yaml", "cdiVersion: 0.5.0\nkind: a.b/c\ndevices: all", "no devices"),
        ("a.yaml", "cdiVersion: 0.5.0\nkind: a.b/c\ndevices: [{}]", "without a valid name"),
        ("a.yaml", "cdiVersion: 0.5.0\nkind: a.b/c\ndevices: [{name: 'a b'}]", "without a valid name"),
        ("a.yaml", "cdiVersion: 0.5.0\nkind: a.b/c\ndevices: [{name: true}]", "without a valid name"),
        ("a.yaml", "cdiVersion: 0.5.0\nkind: a.b/c\ndevices: [{name: a}, {name: a}]", "the device a twice"),
    ],
)
def test_what_is_no_spec(file: str, text: str, words: str) -> None:
    with pytest.raises(CdiError, match=words):
        cdi.parse(text, file)


@pytest.mark.parametrize("edits", [3, "x", [], {"mounts": 3, "hooks": None, "deviceNodes": ["/dev/null", {"path": 3}]}])
def test_edits_of_other_shapes_need_nothing(edits: Any) -> None:
    value = {"cdiVersion": "0.6.0", "kind": "a.b/c", "devices": [{"name": "x", "containerEdits": edits}]}
    assert cdi.parse(json.dumps(value), "a.json").needs == {"x": ()}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["kind", "cdiVersion", "devices", "name", "containerEdits", "mounts", "hostPath"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_value_is_a_spec_or_a_clear_refusal(value: Any) -> None:
    try:
        assert cdi.parse(json.dumps(value), "a.json").needs
    except CdiError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("nvidia.com/gpu=0", True),
        ("nvidia.com/gpu=GPU-5d5b", True),
        ("nvidia.com/gpu=0:1", True),
        ("vendor/class=x", True),
        ("vendor.com/my_class=a.b-c", True),
        ("nvidia.com/gpu", False),
        ("nvidia.com/gpu=", False),
        ("/gpu=0", False),
        ("nvidia.com/=0", False),
        ("9vendor/gpu=0", False),
        ("nvidia.com/gpu=0 ", False),
        ("nvidia.com/gpu=-a", False),
        ("/dev/nvidia0=x", False),
        ("nvidia.com/gpu=\u0661", False),
    ],
)
def test_full_names(text: str, valid: bool) -> None:
    assert cdi.is_name(text) is valid


def spec(file: str, **needs: tuple[str, ...]) -> Spec:
    return Spec(file, "v.com/gpu", {name.removeprefix("d"): paths for name, paths in needs.items()})


def test_a_later_folder_goes_before_an_earlier_one() -> None:
    found = cdi.resolve(
        ["/etc/cdi", "/run/cdi"], [[spec("/etc/cdi/a", d0=("/old",))], [spec("/run/cdi/a", d0=("/new",))]], ["/new"]
    )
    (device,) = found.devices
    assert (device.file, device.missing) == ("/run/cdi/a", ())


def test_a_name_in_two_files_of_one_folder_is_nobodys() -> None:
    found = cdi.resolve(["/etc/cdi"], [[spec("/etc/cdi/a", d0=(), d1=()), spec("/etc/cdi/b", d0=())]], [])
    assert [device.name for device in found.devices] == ["v.com/gpu=1"]
    assert found.troubles == ("v.com/gpu=0 is in /etc/cdi/a and in /etc/cdi/b: engines take neither",)


def test_devices_are_in_the_order_of_their_numbers() -> None:
    needs: dict[str, tuple[str, ...]] = {f"d{n}": () for n in ("10", "2", "all", "0", "1:0", "1")}
    found = cdi.resolve(["/etc/cdi"], [[spec("/etc/cdi/a", **needs)]], [])
    assert [device.local for device in found.devices] == ["0", "1", "1:0", "2", "10", "all"]
    assert found.kinds == ("v.com/gpu",) and found.devices[0].kind == "v.com/gpu"


def test_what_a_device_needs_and_does_not_find() -> None:
    found = cdi.resolve(["/etc/cdi"], [[spec("/etc/cdi/a", d0=("/here", "/gone"))]], ["/here"])
    assert found.devices[0].missing == ("/gone",)
