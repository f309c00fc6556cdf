"""What comes from a registry, on the real engine: features, and images that carry their configuration."""

from __future__ import annotations

import base64
import dataclasses
import json
import pathlib
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from devenv.environment.image.prebuild import Destination
from devenv.environment.plan import Lock, UpOptions
from devenv.errors import ConfigError, DevenvError, RegistryDenied, RegistryUnreachable
from devenv.features.packaging import FEATURE, package
from devenv.features.publish import publish
from devenv.oci.client import Client
from tests.integration.environment.conftest import Site
from tests.kit import registry as kit
from tests.kit.project import write_project

pytestmark = [pytest.mark.engine, pytest.mark.registry]

IMAGE = "devenv-rig/python-user"
ONCE = uuid.uuid4().hex  # in the script: an image of an earlier run is not this one's


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kit.OciRegistry]:
    with kit.running(tmp_path_factory.mktemp("registry")) as one:
        yield one


def published(folder: pathlib.Path, host: str, version: str, env: dict[str, str] | None = None) -> str:
    """The reference of a feature, without a version, that leaves its version in the container."""
    namespace = f"team{ONCE[:6]}/features"
    sources = write_project(
        folder / f"src-{version}",
        {
            "tool/devcontainer-feature.json": {"id": "tool", "version": version, "name": "Tool"},
            "tool/install.sh": f"#!/bin/sh\n# {ONCE}\necho {version} >/etc/tool\n",
        },
    )
    with Client(env or {}) as client:
        publish(package(FEATURE, sources, folder / f"out-{version}"), host, namespace, client)
    return f"{host}/{namespace}/tool"


def lockfile(site: Site) -> pathlib.Path:
    return site.root / ".devcontainer" / "devcontainer-lock.json"


async def version(site: Site, **options: Any) -> str:
    return await site.run(await site.up(**options), "cat /etc/tool")


async def down(site: Site) -> None:
    await site.rooms.down(await site.target(), site.ctx, site.told, volumes=True)


async def test_a_lockfile_holds_the_version_that_it_names(
    site: Site, registry: kit.OciRegistry, tmp_path: pathlib.Path
) -> None:
    tool = published(tmp_path, registry.host, "1.0.0")
    site.configure({"image": IMAGE, "features": {f"{tool}:1": {}}})
    assert await version(site) == "1.0.0" and not lockfile(site).exists()
    with pytest.raises(ConfigError, match="lock"):
        await site.up(lock=Lock.FROZEN, rebuild=True)
    assert await version(site, lock=Lock.WRITE, rebuild=True) == "1.0.0"
    locked = json.loads(lockfile(site).read_text())["features"][f"{tool}:1"]
    assert locked["version"] == "1.0.0" and locked["resolved"] == f"{tool}@{locked['integrity']}"
    published(tmp_path, registry.host, "1.1.0")
    await down(site)
    assert await version(site, lock=Lock.FROZEN) == "1.0.0"
    assert await version(site, lock=Lock.IGNORE, rebuild=True) in ("1.0.0", "1.1.0")  # an answer may be minutes old
    wrong = json.loads(lockfile(site).read_text())
    digest = "sha256:" + "0" * 64
    wrong["features"][f"{tool}:1"].update(resolved=f"{tool}@{digest}", integrity=digest)
    lockfile(site).write_text(json.dumps(wrong))
    with pytest.raises(DevenvError, match="0000"):
        await site.up(rebuild=True)
    assert (await site.containers()) != []  # what was there before stays


async def test_without_a_network_the_cache_serves_and_so_does_a_vendored_copy(
    site: Site, tmp_path: pathlib.Path
) -> None:
    with kit.running(tmp_path / "registry") as registry:
        tool = published(tmp_path, registry.host, "2.0.0")
        site.configure({"image": IMAGE, "features": {f"{tool}:2": {}}})
        assert await version(site, lock=Lock.WRITE) == "2.0.0"
        written = await site.rooms.vendor(await site.target(), site.ctx, site.told)
        assert {".devcontainer/vendor/index.json", ".devcontainer/vendor/oci-layout"} < set(written)
        registry.stop()
        await down(site)
        assert await version(site) == "2.0.0"  # cache and lockfile
        # Another machine: a clone with the vendored copies, nothing cached, no lockfile.
        await down(site)
        lockfile(site).unlink()
        site.rooms.home.cache = tmp_path / "empty"
        assert await version(site) == "2.0.0"
        site.configure({"image": IMAGE, "features": {f"{tool}:1": {}}})
        with pytest.raises(RegistryUnreachable, match=registry.host):
            await site.up(rebuild=True)


async def test_credentials_come_from_docker_s_configuration(site: Site, tmp_path: pathlib.Path) -> None:
    with kit.running(tmp_path / "registry", password=True) as registry:
        pair = base64.b64encode(f"{kit.USER}:{kit.PASSWORD}".encode()).decode()
        (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": pair}}}))
        knowing = {**site.ctx.env, "DOCKER_CONFIG": str(tmp_path)}
        tool = published(tmp_path, registry.host, "3.0.0", {"DOCKER_CONFIG": str(tmp_path)})
        site.configure({"image": IMAGE, "features": {f"{tool}:3": {}}})
        with pytest.raises(RegistryDenied, match="anonymously"):
            await site.up()
        assert await site.containers() == []
        site.ctx = dataclasses.replace(site.ctx, env=knowing)
        assert await version(site) == "3.0.0"


async def test_an_image_is_pushed_with_its_configuration_and_used(
    site: Site, registry: kit.OciRegistry, tmp_path: pathlib.Path
) -> None:
    tool = published(tmp_path, registry.host, "4.0.0")
    name = f"{registry.host}/team/prebuilt:{ONCE[:8]}"
    site.configure(
        {
            "image": IMAGE,
            "features": {f"{tool}:4": {}},
            "remoteUser": "dev",
            "containerEnv": {"FROM_TEAM": "yes", "MINE": "${localEnv:HOME}"},
            "postCreateCommand": "echo created >/tmp/created",
        }
    )
    names = await site.rooms.build(
        await site.target(), site.ctx, UpOptions(), Destination(names=(name,), push=True), site.told
    )
    assert names == (name,)
    await site.engine.remove_image(name)
    site.configure({"image": name})
    made = await site.up()
    assert made.remote_user == "dev"
    assert await site.run(made, 'cat /etc/tool /tmp/created; echo "$FROM_TEAM"') == "4.0.0\ncreated\nyes"
    image = await site.engine.image(name)
    assert image is not None and image.env["FROM_TEAM"] == "yes" and "MINE" not in image.env
    assert made.container.env["MINE"] == site.ctx.env["HOME"]
    await down(site)
    await site.engine.remove_image(name)


@pytest.mark.parametrize("classic", [False, True])
async def test_an_image_without_its_features_customizations(site: Site, classic: bool) -> None:
    manifest = {"id": "mine", "version": "1.0.0", "customizations": {"vscode": {"extensions": ["of.feature"]}}}
    name = f"devenv-test-prebuilt:{uuid.uuid4().hex[:12]}"
    site.configure(
        {"image": IMAGE, "features": {"./mine": {}}, "customizations": {"vscode": {"extensions": ["of.project"]}}},
        {
            ".devcontainer/mine/devcontainer-feature.json": manifest,
            ".devcontainer/mine/install.sh": f"#!/bin/sh\n# {ONCE} {classic}\ntouch /mine\n",
        },
    )
    await site.rooms.build(
        await site.target(),
        site.ctx,
        UpOptions(classic=classic),
        Destination(names=(name,), feature_customizations=False),
        site.told,
    )
    image = await site.engine.image(name)
    assert image is not None
    entries = json.loads(image.labels["devcontainer.metadata"])
    assert entries == [{"id": "./mine"}, {"customizations": {"vscode": {"extensions": ["of.project"]}}}]
    assert any("LABEL" in title for _, title in site.told.steps) is classic  # no step of BuildKit
    await site.engine.remove_image(name)
