"""The client against Debian's docker-registry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from devenv.errors import RegistryDenied, RegistryMissing, RegistryUnreachable
from devenv.oci import manifest
from devenv.oci.client import Client
from devenv.oci.digests import sha256
from tests.kit import registry as kit

pytestmark = pytest.mark.registry

BLOB = bytes(range(256)) * 1000
LAYER = manifest.Descriptor("application/vnd.devcontainers.layer.v1+tar", sha256(BLOB), len(BLOB))
MANIFEST = manifest.build("application/vnd.devcontainers", [LAYER], {"dev.containers.metadata": '{"id": "ü"}'})


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kit.OciRegistry]:
    with kit.running(tmp_path_factory.mktemp("registry")) as one:
        yield one


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kit.OciRegistry]:
    with kit.running(tmp_path_factory.mktemp("guarded"), password=True) as one:
        yield one


def push(client: Client, host: str, *tags: str) -> None:
    registry = client.registry(host)
    registry.push_blob("a/b", BLOB, LAYER.digest)
    registry.push_blob("a/b", manifest.EMPTY_CONFIG, sha256(manifest.EMPTY_CONFIG))
    assert registry.push_manifest("a/b", MANIFEST, tags) == MANIFEST.digest


def test_what_is_pushed_comes_back(registry: kit.OciRegistry, tmp_path: Path) -> None:
    tags = [f"1.{minor}" for minor in range(120)]  # more than one page of its tags
    with Client({}) as client:
        push(client, registry.host, "latest", *tags)
        one = client.registry(registry.host)
        assert one.manifest("a/b", "1.7").raw == MANIFEST.raw
        assert one.manifest("a/b", MANIFEST.digest).annotations == MANIFEST.annotations
        assert sorted(one.tags("a/b")) == sorted(["latest", *tags])
        assert one.blob("a/b", LAYER.digest, tmp_path / "blob", size=len(BLOB)) == len(BLOB)
        assert (tmp_path / "blob").read_bytes() == BLOB
        assert one.push_blob("a/b", BLOB, LAYER.digest) is False
        with pytest.raises(RegistryMissing) as caught:
            one.manifest("a/b", "1.200")
        assert "1.20?" in caught.value.hint
        with pytest.raises(RegistryMissing):
            one.tags("a/other")


def test_a_password_from_the_docker_configuration(guarded: kit.OciRegistry, tmp_path: Path) -> None:
    import base64

    pair = base64.b64encode(f"{kit.USER}:{kit.PASSWORD}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {guarded.host: {"auth": pair}}}))
    with Client({"DOCKER_CONFIG": str(tmp_path)}) as client:
        push(client, guarded.host, "1")
        assert client.registry(guarded.host).manifest("a/b", "1").digest == MANIFEST.digest
    with Client({}) as stranger, pytest.raises(RegistryDenied, match="anonymously"):
        stranger.registry(guarded.host).manifest("a/b", "1")
    wrong = {"DEVCONTAINERS_OCI_AUTH": f"{guarded.host}|{kit.USER}|wrong"}
    with Client(wrong) as guesser, pytest.raises(RegistryDenied, match=r"DEVCONTAINERS_OCI_AUTH \(rejected\)"):
        guesser.registry(guarded.host).manifest("a/b", "1")


def test_away_and_back(tmp_path: Path) -> None:
    with kit.running(tmp_path) as one, Client({}) as client:
        push(client, one.host, "1")
        one.stop()
        with pytest.raises(RegistryUnreachable):
            client.registry(one.host).manifest("a/b", "1")
        one.start()
        assert client.registry(one.host).manifest("a/b", "1").digest == MANIFEST.digest
