"""Which folders are kept the same where the engine does not see this machine's files."""

from __future__ import annotations

import dataclasses
import io
import pathlib
import tarfile
from typing import Any

import pytest

from devcontainer.compose import Service
from devenv.engine.port import ContainerSnapshot
from devenv.engine.snapshots import container as snapshot
from devenv.environment import arguments, files
from devenv.environment.files import Synced
from devenv.environment.shape import Additions, Host, Made, shape
from devenv.errors import ConfigError
from tests.unit.environment.conftest import IMAGE, OWNER, Site
from tests.unit.environment.test_arguments import image

AWAY = Host(OWNER, "1", 3001, None, syncs=True)


async def test_the_volume_stands_in_the_place_of_the_bind_mount(site: Site) -> None:
    site.configure({"image": IMAGE, "mounts": ["type=bind,source=/data,target=/data"]})
    target = await site.target()
    wanted = shape(target, Made.plain(IMAGE, image()), AWAY, Additions())
    args = arguments.container_plan(wanted, "name").args
    text = " ".join(args)
    volume = f"devenv-{target.key}-files"
    assert f"--mount type=volume,src={volume},dst=/workspaces/project,volume-nocopy" in text
    assert f"--mount type=bind,source={site.root}" not in text
    assert f"--label {files.LABEL}=project:/workspaces/project" in text
    assert wanted.synced == Synced(str(site.root), "/workspaces/project", volume, "/workspaces/project")


async def test_a_local_engine_mounts_the_folder(site: Site) -> None:
    site.configure({"image": IMAGE})
    wanted = shape(await site.target(), Made.plain(IMAGE, image()), Host(OWNER, "1", 3001, "/l"), Additions())
    assert wanted.synced is None
    assert files.LABEL not in wanted.labels
    assert wanted.workspace_mounts == (wanted.target.workspace_mount,)


async def test_the_repository_is_kept_whole(site: Site) -> None:
    (site.root / ".git").mkdir()
    inner = dataclasses.replace(site, root=site.root / "packages" / "one")
    inner.root.mkdir(parents=True)
    inner.configure({"image": IMAGE})
    found = files.synced(await inner.target())
    assert found is not None
    assert (found.host, found.container) == (str(site.root), "/workspaces/project")


async def test_no_more_than_the_repository_is_kept_where_the_mount_shows_more(site: Site) -> None:
    mount = f"source={site.root.parent},target=/work,type=bind"
    site.configure({"image": IMAGE, "workspaceMount": mount, "workspaceFolder": "/work/project"})
    found = files.synced(await site.target())
    assert found is not None
    assert (found.host, found.container, found.place) == (str(site.root), "/work/project", "/work")


async def test_another_folder_is_refused(site: Site, tmp_path: pathlib.Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    mount = f"source={tmp_path / 'elsewhere'},target=/work,type=bind"
    site.configure({"image": IMAGE, "workspaceMount": mount, "workspaceFolder": "/work"})
    with pytest.raises(ConfigError, match=r"devcontainer.json:\d+.*workspaceMount.*does not hold the project"):
        files.synced(await site.target())


async def test_a_volume_of_the_projects_own_is_left_alone(site: Site) -> None:
    site.configure({"image": IMAGE, "workspaceMount": "source=v,target=/w,type=volume", "workspaceFolder": "/w"})
    assert files.synced(await site.target()) is None


def made(label: str, mounts: list[dict[str, Any]]) -> ContainerSnapshot:
    raw = {"Id": "c", "Config": {"Labels": {files.LABEL: label}}, "State": {}, "Mounts": mounts}
    return snapshot(raw)


async def test_a_label_names_no_folder_of_this_machine(site: Site) -> None:
    """Whoever can make containers may write any label: what is synchronised is the project all the same."""
    site.configure({"image": IMAGE})
    target = await site.target()
    volume = {"Type": "volume", "Name": "v", "Destination": "/workspaces/project"}
    for label in ("project:/workspaces/project", "repository:/workspaces/project", "/root:/workspaces/project"):
        found = files.of_container(target, made(label, [volume]))
        assert found is not None
        assert found.host == str(site.root)
    for label in ("project:/etc", "project:/workspaces/project/../../etc", "/workspaces/project", ""):
        assert files.of_container(target, made(label, [volume])) is None
    bind = {"Type": "bind", "Name": "", "Destination": "/workspaces/project"}
    assert files.of_container(target, made("project:/workspaces/project", [bind])) is None


async def test_a_container_is_kept_as_it_was_made(site: Site) -> None:
    (site.root / ".git").mkdir()
    inner = dataclasses.replace(site, root=site.root / "one")
    inner.root.mkdir()
    inner.configure({"image": IMAGE})
    target = await inner.target()
    wanted = files.synced(target)
    assert wanted is not None
    volume = {"Type": "volume", "Name": wanted.volume, "Destination": wanted.place}
    assert files.of_container(target, made(wanted.label(target), [volume])) == wanted


async def test_compose_services_share_the_volume(site: Site) -> None:
    source = str(site.root.parent)
    bind = {"type": "bind", "source": source, "target": "/workspaces"}
    data = {"type": "bind", "source": "/data", "target": "/data"}
    services = {
        "app": Service("app", {"volumes": [data, bind]}),
        "worker": Service("worker", {"volumes": [{**bind, "target": "/jobs"}]}),
        "db": Service("db", {"volumes": [data]}),
    }
    site.configure({"image": IMAGE})
    found = files.synced(await site.target(), services["app"])
    assert found is not None
    assert (found.place, found.container) == ("/workspaces", "/workspaces/project")
    shared = files.shared_mounts(services, "app", found)
    assert {name: [m.target for m in mounts] for name, mounts in shared.items()} == {"worker": ["/jobs"]}
    assert {m.source for mounts in shared.values() for m in mounts} == {found.volume}


def test_the_users_folder_is_made_with_all_above_it() -> None:
    kept = Synced("/h", "/workspaces/a/b", "v", "/workspaces")
    parent, archive = files.owned_folder(kept, 1000, 1001, now=5.0)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        found = [(m.name, m.uid, m.gid, m.mode) for m in tar]
    assert parent == "/"
    assert found == [(n, 1000, 1001, 0o755) for n in ("workspaces", "workspaces/a", "workspaces/a/b")]
