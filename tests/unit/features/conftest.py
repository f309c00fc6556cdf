"""Features on shelves: a project's folders, a registry of the test's own, archives with anything in them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from devenv.features.cache import FeatureCache
from devenv.features.fetch import Resolved, resolve
from devenv.oci import manifest
from devenv.oci.digests import sha256
from devenv.oci.network import Limits
from tests.kit.project import write_project
from tests.kit.scripted_server import Reply, ScriptedServer, scripted

FAST = Limits(connect=2.0, read=0.3, retries=0, pause=0.0)
SCRIPT = b"#!/bin/sh\necho installed\n"


def feature(name: str, version: str = "1.0.0", **more: Any) -> dict[str, Any]:
    return {"id": name, "version": version, "name": name, **more}


def tar(files: Mapping[str, bytes | tarfile.TarInfo], mode: str = "w") -> bytes:
    """An archive; a TarInfo is a member without content."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:
        for name, content in files.items():
            header = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            header.name = name
            if isinstance(content, bytes):
                header.size = len(content)
                header.mode = 0o755 if content.startswith(b"#!") else 0o644
                archive.addfile(header, io.BytesIO(content))
            else:
                archive.addfile(header)
    return packed.getvalue()


class Quiet:
    """A Progress that remembers its last words."""

    def __init__(self) -> None:
        self.ended: dict[str, bool] = {}
        self.details: list[str] = []

    def step(self, key: str, title: str) -> None:
        pass

    def update(self, key: str, *, fraction: float | None = None, detail: str = "") -> None:
        self.details.append(detail)

    def line(self, key: str, text: str, stream: str = "stdout") -> None:
        pass

    def done(self, key: str, *, ok: bool = True, detail: str = "") -> None:
        self.ended[key] = ok

    def note(self, text: str, *, level: str = "info") -> None:
        pass


class Shelf:
    """A registry that has what was put into it, and counts what it is asked."""

    def __init__(self, server: ScriptedServer) -> None:
        self.server = server

    @property
    def host(self) -> str:
        return self.server.host

    def put(
        self,
        name: str,
        *tags: str,
        metadata: Mapping[str, Any] | None = None,
        files: Mapping[str, bytes] | None = None,
        annotated: bool = True,
        config: str = "application/vnd.devcontainers",
    ) -> manifest.Manifest:
        value = feature(name) if metadata is None else metadata
        own = {"./devcontainer-feature.json": json.dumps(value).encode(), "./install.sh": SCRIPT}
        blob = tar(own if files is None else files)
        layer = manifest.Descriptor("application/vnd.devcontainers.layer.v1+tar", sha256(blob), len(blob))
        notes = {"dev.containers.metadata": json.dumps(value)} if annotated else {}
        made = manifest.build(config, [layer], notes)
        for reference in (*tags, made.digest):
            self.server.on("GET", f"/v2/f/{name}/manifests/{reference}", Reply(200, made.raw))
        self.server.on("GET", f"/v2/f/{name}/blobs/{layer.digest}", Reply(200, blob))
        self.server.on("GET", f"/v2/f/{name}/tags/list", Reply(200, json.dumps({"tags": tags}).encode()))
        return made

    def name(self, feature: str, version: str = ":1") -> str:
        return f"{self.host}/f/{feature}{version}"

    def asked(self) -> list[str]:
        return [one.path.rpartition("/f/")[2] for one in self.server.requests]


class World:
    """A project, a cache and a clock."""

    def __init__(self, folder: Path) -> None:
        self.workspace = folder / "project"
        self.configuration = self.workspace / ".devcontainer" / "devcontainer.json"
        self.configuration.parent.mkdir(parents=True)
        self.clock = 1_700_000_000.0
        self.cache = FeatureCache(folder / "cache", now=lambda: self.clock)
        self.progress = Quiet()
        self.env: dict[str, str] = {}

    def local(self, name: str, *, files: Mapping[str, Any] | None = None, **more: Any) -> Path:
        folder = self.configuration.parent / name
        own = {"devcontainer-feature.json": feature(folder.name, **more), "install.sh": SCRIPT}
        return write_project(folder, own if files is None else files)

    async def resolve(self, features: Mapping[str, Any] | Sequence[str], **more: Any) -> Resolved:
        wanted = features if isinstance(features, Mapping) else {name: {} for name in features}
        return await resolve(
            wanted,
            configuration=self.configuration,
            workspace=self.workspace,
            env=self.env,
            cache=self.cache,
            progress=self.progress,
            **{"limits": FAST, **more},
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with scripted() as server:
        yield Shelf(server)
