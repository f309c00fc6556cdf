"""What is said of the engine when a container is made, case by case."""

from __future__ import annotations

import os
import pathlib
import pwd
from typing import Any

import pytest

from devenv.engine import snapshots
from devenv.environment import engine_notes, linger, plan, shape
from devenv.environment.shape import Additions, Host, Made
from tests.unit.environment.conftest import IMAGE, OWNER, Site

DOCKER = {"LiveRestoreEnabled": True}
PODMAN = {"BuildahVersion": "1.28.2", "ServerVersion": "4.3.1"}
ROOTLESS_DOCKER = {**DOCKER, "SecurityOptions": ["name=rootless"]}
ROOTLESS_PODMAN = {**PODMAN, "Rootless": True}
SELINUX = ["name=seccomp,profile=default", "name=selinux"]
USER, ROOT = {"remoteUser": "dev"}, {"remoteUser": "root"}
NO_LABEL = {"runArgs": ["--security-opt", "label=disable"]}

CASES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any], list[str]]] = [
    ("Docker as it should be", USER, DOCKER, {}, []),
    ("Docker without live-restore", USER, {}, {}, ["live-restore"]),
    ("Podman has no daemon to restore from", USER, PODMAN, {}, []),
    ("rootless Docker, an ordinary user", USER, ROOTLESS_DOCKER, {}, ['"remoteUser": "root"']),
    ("rootless Docker, root", ROOT, ROOTLESS_DOCKER, {}, []),
    ("rootless Podman, an ordinary user", USER, ROOTLESS_PODMAN, {}, ['userns = "keep-id"']),
    ("rootless Podman with keep-id", USER, ROOTLESS_PODMAN, {"own_uid": 1000}, []),
    ("rootless Podman, root", ROOT, ROOTLESS_PODMAN, {}, []),
    ("rootless Podman, and logging out ends it", ROOT, ROOTLESS_PODMAN, {"lingers": False}, ["enable-linger"]),
    ("Podman as root does not care who logs out", ROOT, PODMAN, {"lingers": False}, []),
    ("SELinux", USER, {**PODMAN, "SecurityOptions": SELINUX}, {}, ["label=disable"]),
    ("SELinux with Docker", USER, {**DOCKER, "SecurityOptions": SELINUX}, {}, ["label=disable"]),
    ("SELinux, and runArgs know it", {**USER, **NO_LABEL}, {**PODMAN, "SecurityOptions": SELINUX}, {}, []),
    ("SELinux, known", {**USER, "securityOpt": ["label=disable"]}, {**PODMAN, "SecurityOptions": SELINUX}, {}, []),
    ("Docker Desktop", USER, {**DOCKER, "OperatingSystem": "Docker Desktop"}, {}, ["sync: {on: always}"]),
    ("SELinux, privileged", {**USER, "privileged": True}, {**PODMAN, "SecurityOptions": SELINUX}, {}, []),
]


@pytest.mark.parametrize(("config", "raw", "known", "words"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
async def test_notes(
    site: Site, config: dict[str, Any], raw: dict[str, Any], known: dict[str, Any], words: list[str]
) -> None:
    site.configure({"image": IMAGE, **config})
    target = await site.target()
    picture = snapshots.image({"Id": "sha256:1", "Config": {}})
    wanted = shape.shape(target, Made.plain(plan.reference(target), picture), Host(OWNER, "1", 3001, None), Additions())
    info = snapshots.info(raw, endpoint="unix:///x", api_version="1.41", has_buildx=True, has_compose=True)
    found = engine_notes.notes(wanted, info, **known)
    assert len(found) == len(words) and all(word in note for word, note in zip(words, found, strict=True)), found


def test_lingering(tmp_path: pathlib.Path) -> None:
    uid = next(entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid not in (0, os.getuid()))
    assert linger.lingers(uid, root=tmp_path)  # no systemd
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    assert not linger.lingers(uid, root=tmp_path)
    assert linger.lingers(0, root=tmp_path) and linger.lingers(987654, root=tmp_path)
    (tmp_path / "var/lib/systemd/linger").mkdir(parents=True)
    (tmp_path / "var/lib/systemd/linger" / pwd.getpwuid(uid).pw_name).touch()
    assert linger.lingers(uid, root=tmp_path)
