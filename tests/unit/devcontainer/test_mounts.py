"""Mounts as text and objects (spec, *mounts*; the engine's `--mount` is one CSV line)."""

from __future__ import annotations

from typing import Any

import pytest

from devcontainer import mounts
from devcontainer.mounts import Mount

GOOD = [
    pytest.param("type=bind,source=/a,target=/b", Mount("bind", "/a", "/b"), id="a bind"),
    pytest.param("source=v,dst=/b", Mount("volume", "v", "/b"), id="a volume is the default"),
    pytest.param(
        "type=tmpfs,destination=/t,tmpfs-size=1g", Mount("tmpfs", None, "/t", (("tmpfs-size", "1g"),)), id="tmpfs"
    ),
    pytest.param("Type=BIND,src=/a,target=/b,readonly", Mount("bind", "/a", "/b", (("readonly", None),)), id="a flag"),
    pytest.param('type=bind,"source=/a,b",target=/c', Mount("bind", "/a,b", "/c"), id="a comma, quoted"),
    pytest.param('type=bind,"source=/a""b",target=/c', Mount("bind", '/a"b', "/c"), id="a quote, doubled"),
    pytest.param("target=/b,source=", Mount("volume", None, "/b"), id="an empty source"),
    pytest.param("type=volume,source=a=b,target=/b", Mount("volume", "a=b", "/b"), id="an equals sign in a value"),
]

BAD = [
    pytest.param("", "no target|one line", id="nothing"),
    pytest.param("type=bind,source=/a", "no target", id="no target"),
    pytest.param('type=bind,"source=/a', "not a mount", id="an open quote"),
    pytest.param("target=/a\ntarget=/b", "one line", id="two lines"),
    pytest.param({"type": "bind"}, "needs a target", id="an object without target"),
    pytest.param({"target": "/a", "source": 3}, "source", id="a source that is no text"),
    pytest.param(3, "text or an object", id="a number"),
    pytest.param(None, "text or an object", id="null"),
]


@pytest.mark.parametrize(("text", "expected"), GOOD)
def test_text(text: str, expected: Mount) -> None:
    mount = mounts.parse(text)
    assert (mount.type, mount.source, mount.target, mount.options) == (
        expected.type,
        expected.source,
        expected.target,
        expected.options,
    )
    assert mounts.format(mount) == text, "text goes to the engine as it was written"


@pytest.mark.parametrize(("value", "words"), BAD)
def test_refused(value: Any, words: str) -> None:
    with pytest.raises(mounts.MountError, match=words):
        mounts.parse(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param({"type": "bind", "source": "/a", "target": "/b"}, "type=bind,src=/a,dst=/b", id="bind"),
        pytest.param({"type": "volume", "target": "/b"}, "type=volume,dst=/b", id="an anonymous volume has no source"),
        pytest.param({"type": "bind", "source": "/a,b", "target": "/b"}, 'type=bind,"src=/a,b",dst=/b', id="a comma"),
        pytest.param(
            {"type": "bind", "source": "/a", "target": "/b", "x": 1}, "type=bind,src=/a,dst=/b", id="other keys"
        ),
    ],
)
def test_objects_are_written_as_the_reference_does(value: dict[str, Any], text: str) -> None:
    assert mounts.format(mounts.parse(value)) == text


@pytest.mark.parametrize(
    ("text", "readonly"),
    [
        ("target=/a,readonly", True),
        ("target=/a,ro=true", True),
        ("target=/a,readonly=false", False),
        ("target=/a", False),
    ],
)
def test_readonly(text: str, readonly: bool) -> None:
    assert mounts.parse(text).readonly is readonly


def test_of_two_mounts_at_one_target_the_last_stays_at_its_place() -> None:
    values = ["source=a,target=/x", "source=b,target=/y", "source=c,target=/x"]
    assert [mounts.format(m) for m in mounts.merge(mounts.parse_all([*values, 3]))] == values[1:]
