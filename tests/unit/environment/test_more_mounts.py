"""Mounts that a caller adds for one container: after the configuration's, instead of one at the same place."""

from __future__ import annotations

from typing import Any

import pytest

from devenv.engine.snapshots import image
from devenv.environment import arguments, plan, shape
from devenv.environment.shape import Additions, Host, Made
from tests.unit.environment.conftest import IMAGE, OWNER, Site

HOST = Host(OWNER, "1.2.3", 3001, None)

CASES: list[tuple[str, list[Any], tuple[str, ...], list[str]]] = [
    ("none", ["type=volume,source=v,target=/v"], (), ["type=volume,source=v,target=/v"]),
    ("beside", [], ("type=bind,source=/a,target=/b",), ["type=bind,source=/a,target=/b"]),
    (
        "in the place of another",
        ["type=volume,source=v,target=/v", "type=volume,source=w,target=/w"],
        ("type=bind,source=/a,target=/v",),
        ["type=volume,source=w,target=/w", "type=bind,source=/a,target=/v"],
    ),
    (
        "a volume that is there",
        [],
        ("type=volume,source=v,target=/v,external=true",),
        ["type=volume,src=v,dst=/v"],
    ),
]


@pytest.mark.parametrize(("own", "more", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_mounts(site: Site, own: list[Any], more: tuple[str, ...], expected: list[str]) -> None:
    site.configure({"image": IMAGE, "mounts": own})
    target = await site.target()
    picture = image({"Id": "sha256:1", "Config": {"User": "dev"}})
    wanted = shape.shape(target, Made.plain(plan.reference(target), picture), HOST, Additions(), more_mounts=more)
    args = list(arguments.container_plan(wanted, "name").args)
    found = [args[n + 1] for n, word in enumerate(args) if word == "--mount"]
    assert found[1:-1] == expected  # between the workspace and the state volume
    assert not any(word.startswith("devcontainer.metadata") and "/a" in word for word in args)
