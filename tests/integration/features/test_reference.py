"""Publishing and reading beside `@devcontainers/cli`, through one registry: each reads what the other wrote.

The reference speaks plain HTTP to `localhost` only, so the registry is called by that name.
"""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devcontainer.features import lockfile, reference
from devenv.features import artifact
from devenv.features.cache import FeatureCache
from devenv.features.fetch import Resolved, resolve
from devenv.features.materialise import materialise
from devenv.features.packaging import FEATURE, TEMPLATE, Collection, package
from devenv.features.publish import Publication, publish
from devenv.features.vendoring import vendor
from devenv.oci.client import Client
from tests.kit import registry as kit
from tests.kit import rig
from tests.kit.project import write_project

pytestmark = [pytest.mark.registry, pytest.mark.node]


class Silent:
    """A Progress."""

    def step(self, key: str, title: str) -> None: ...
    def update(self, key: str, *, fraction: float | None = None, detail: str = "") -> None: ...
    def line(self, key: str, text: str, stream: str = "stdout") -> None: ...
    def done(self, key: str, *, ok: bool = True, detail: str = "") -> None: ...
    def note(self, text: str, *, level: str = "info") -> None: ...


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kit.OciRegistry]:
    with kit.running(tmp_path_factory.mktemp("registry")) as one:
        yield one


def devcontainer(*words: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(rig.node_program("devcontainer")), *map(str, words)],
        cwd=cwd,
        env=dict(os.environ),
        capture_output=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def sources(root: Path, host: str, namespace: str, version: str = "1.2.3") -> Path:
    """Two features, of which `upper` needs `lower`, and one of them has an older name."""
    base = f"{host}/{namespace}"
    return write_project(
        root,
        {
            "lower/devcontainer-feature.json": {"id": "lower", "version": version, "name": "Lower ü"},
            "lower/install.sh": "#!/bin/sh\necho lower\n",
            "lower/library/data.txt": "data",
            "upper/devcontainer-feature.json": {
                "id": "upper",
                "version": version,
                "name": "Upper",
                "legacyIds": ["former"],
                "dependsOn": {f"{base}/lower:1": {"x": "1"}},
                "options": {"x": {"type": "string", "default": "a"}},
            },
            "upper/install.sh": "#!/bin/sh\necho upper\n",
        },
    )


def ours(folder: Path, host: str, namespace: str) -> tuple[Collection, Publication]:
    packed = package(FEATURE, sources(folder / "src", host, namespace), folder / "out")
    with Client({}) as client:
        return packed, publish(packed, host, namespace, client)


def project(root: Path, *features: str) -> Path:
    config = {"image": "scratch", "features": {name: {} for name in features}}
    return write_project(root, {".devcontainer/devcontainer.json": config})


async def read(folder: Path, cache: Path, **more: Any) -> Resolved:
    configuration = folder / ".devcontainer" / "devcontainer.json"
    return await resolve(
        json.loads(configuration.read_text())["features"],
        configuration=configuration,
        workspace=folder,
        env={},
        cache=FeatureCache(cache),
        progress=Silent(),
        **more,
    )


def theirs_resolved(folder: Path) -> list[dict[str, Any]]:
    said = devcontainer("features", "resolve-dependencies", "--workspace-folder", folder, cwd=folder)
    order = json.loads(said[said.index('{\n  "installOrder"') :])["installOrder"]
    assert isinstance(order, list)
    return order


async def test_the_reference_publishes_and_we_read(registry: kit.OciRegistry, tmp_path: Path) -> None:
    namespace = "theirs/features"
    src = sources(tmp_path / "src", registry.host, namespace)
    said = json.loads(devcontainer("features", "publish", "-r", registry.host, "-n", namespace, src, cwd=tmp_path))
    folder = project(tmp_path / "p", f"{registry.host}/{namespace}/upper:1", f"{registry.host}/{namespace}/former:1.2")
    found = await read(folder, tmp_path / "cache")
    digests = {step.manifest.id: step.digest for step in found.steps}
    assert digests == {name: said[name]["digest"] for name in ("lower", "upper")}
    assert [step.consecutive_id for step in found.steps] == ["lower_0", "upper_1"]
    for step in found.steps:
        materialise(step, tmp_path / step.consecutive_id)
    assert (tmp_path / "lower_0" / "library" / "data.txt").read_text() == "data"
    assert (tmp_path / "upper_1" / "install.sh").stat().st_mode & 0o111


async def test_we_publish_and_the_reference_reads(registry: kit.OciRegistry, tmp_path: Path) -> None:
    namespace = "ours/features"
    packed, published = ours(tmp_path, registry.host, namespace)
    assert published.to_json()["upper"] == {
        "publishedTags": ["1", "1.2", "1.2.3", "latest"],
        "digest": published.items[1].digest,
        "version": "1.2.3",
        "publishedLegacyIds": ["former"],
    }
    base = f"{registry.host}/{namespace}"
    folder = project(tmp_path / "p", f"{base}/upper:1", f"{base}/former:1.2")
    found = await read(folder, tmp_path / "cache")
    order = theirs_resolved(folder)
    assert [entry["id"] for entry in order] == [f"{s.reference.resource}@{s.digest}" for s in found.steps]  # type: ignore[union-attr]
    said = json.loads(
        devcontainer("features", "info", "verbose", f"{base}/lower:1", "--output-format", "json", cwd=tmp_path)
    )
    with Client({}) as client:
        seen = artifact.describe(reference.parse_artifact(f"{base}/lower:1"), client)
        tags = artifact.published_tags(seen.reference, client)
    assert said["canonicalId"] == seen.canonical_id
    assert said["manifest"] == seen.manifest.value
    assert sorted(said["publishedTags"]) == sorted(tags)
    assert len(packed.packed) == 2


async def test_the_lockfile_has_the_same_bytes(registry: kit.OciRegistry, tmp_path: Path) -> None:
    namespace = "locked/features"
    ours(tmp_path, registry.host, namespace)
    base = f"{registry.host}/{namespace}"
    folder = project(tmp_path / "p", f"{base}/upper:1", f"{base}/lower")
    found = await read(folder, tmp_path / "cache")
    devcontainer("upgrade", "--workspace-folder", folder, cwd=folder)
    written = (folder / ".devcontainer" / "devcontainer-lock.json").read_text()
    assert lockfile.write(found.lockfile) == written


def held(file: Path) -> dict[str, bytes | None]:
    """Files and folders of an archive, under their exact names."""
    with tarfile.open(file) as packed:
        opened = {member.name: packed.extractfile(member) for member in packed}
        return {name: content.read() if content else None for name, content in opened.items()}


def test_both_pack_the_same_files(registry: kit.OciRegistry, tmp_path: Path) -> None:
    src = sources(tmp_path / "src", registry.host, "x/y")
    made = package(FEATURE, src, tmp_path / "ours")
    devcontainer("features", "package", src, "-o", tmp_path / "theirs", cwd=tmp_path)
    assert sorted(os.listdir(tmp_path / "ours")) == sorted(os.listdir(tmp_path / "theirs"))
    for one in made.packed:
        name = one.archive.name
        assert held(tmp_path / "ours" / name) == held(tmp_path / "theirs" / name)
    listed = [json.loads((tmp_path / f / made.file.name).read_text()) for f in ("ours", "theirs")]
    assert listed[0] == listed[1]


def test_a_version_is_published_once(registry: kit.OciRegistry, tmp_path: Path) -> None:
    namespace = "twice/features"
    _, first = ours(tmp_path / "a", registry.host, namespace)
    _, again = ours(tmp_path / "b", registry.host, namespace)
    assert [one.tags for one in again.items] == [(), ()]
    assert again.to_json() == {"lower": {}, "upper": {}}
    newer = package(FEATURE, sources(tmp_path / "c", registry.host, namespace, "1.3.0"), tmp_path / "out")
    older = package(FEATURE, sources(tmp_path / "d", registry.host, namespace, "1.1.0"), tmp_path / "out2")
    with Client({}) as client:
        assert publish(newer, registry.host, namespace, client).items[0].tags == ("1", "1.3", "1.3.0", "latest")
        assert publish(older, registry.host, namespace, client).items[0].tags == ("1.1", "1.1.0")
    assert first.items[0].digest


async def test_off_the_network(tmp_path: Path) -> None:
    """With a filled cache, with a lockfile and a cache, and with a vendored copy on a machine that has neither."""
    with kit.running(tmp_path / "registry") as one:
        namespace = "o/f"
        ours(tmp_path, one.host, namespace)
        folder = project(tmp_path / "p", f"{one.host}/{namespace}/upper:1")
        first = await read(folder, tmp_path / "cache")
        vendored = project(tmp_path / "v", f"{one.host}/{namespace}/upper:1")
        vendor(first, vendored, FeatureCache(tmp_path / "cache"))
        one.stop()
        old = await read(folder, tmp_path / "cache", fresh=0)
        assert old.lockfile == first.lockfile
        assert len(old.notes) == 2 and all("is used" in note for note in old.notes)
        pinned = await read(folder, tmp_path / "cache", fresh=0, lockfile=first.lockfile)
        assert (pinned.lockfile, pinned.notes) == (first.lockfile, ())
        fresh = await read(vendored, tmp_path / "no-cache")
        assert fresh.lockfile == first.lockfile
        assert [materialise(step, tmp_path / step.consecutive_id) for step in fresh.steps]
        assert not (tmp_path / "no-cache").exists()


def test_templates(registry: kit.OciRegistry, tmp_path: Path) -> None:
    root = write_project(
        tmp_path / "src",
        {
            "t/devcontainer-template.json": {
                "id": "t",
                "version": "2.0.0",
                "name": "T",
                "options": {"v": {"type": "string", "default": "9"}},
            },
            "t/.devcontainer/devcontainer.json": {"image": "base:${templateOption:v}"},
            "t/README.md": "about",
        },
    )
    packed = package(TEMPLATE, root, tmp_path / "out")
    with Client({}) as client:
        publish(packed, registry.host, "o/t", client)
        found = artifact.describe(reference.parse_artifact(f"{registry.host}/o/t/t:2"), client)
        files = artifact.contents(found, client)
    assert ".devcontainer/devcontainer.json" in files
    target = tmp_path / "applied"
    target.mkdir()
    said = devcontainer("templates", "apply", "-w", target, "-t", f"{registry.host}/o/t/t:2", cwd=target)
    assert json.loads(said) == {"files": ["./.devcontainer/devcontainer.json"]}
    assert json.loads((target / ".devcontainer" / "devcontainer.json").read_text()) == {"image": "base:9"}
    metadata = devcontainer("templates", "metadata", f"{registry.host}/o/t/t:2", cwd=target)
    assert json.loads(metadata) == json.loads(found.metadata or "")
