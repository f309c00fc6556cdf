"""What Podman says in other words than Docker."""

from __future__ import annotations

import pytest

from devenv.engine import snapshots

STATES = [
    ("running", "running"),
    ("paused", "paused"),
    ("exited", "exited"),
    ("configured", "created"),
    ("initialized", "created"),
    ("stopping", "running"),
    ("stopped", "exited"),
    ("removing", "removing"),
]


@pytest.mark.parametrize(("said", "meant"), STATES)
def test_states(said: str, meant: str) -> None:
    assert snapshots.container({"Id": "1", "State": {"Status": said}}).status == meant


@pytest.mark.parametrize(
    ("raw", "rootless"),
    [
        ({"SecurityOptions": ["name=seccomp", "name=rootless"]}, True),
        ({"Rootless": True, "BuildahVersion": "1"}, True),
        ({"Rootless": False, "BuildahVersion": "1"}, False),
        ({}, False),
    ],
    ids=["Docker says", "Podman says", "Podman says no", "nobody says"],
)
def test_rootless(raw: dict[str, object], rootless: bool) -> None:
    info = snapshots.info(raw, endpoint="unix:///x", api_version="1.41", has_buildx=True, has_compose=True)
    assert info.rootless is rootless and info.has_buildkit is ("BuildahVersion" not in raw)
