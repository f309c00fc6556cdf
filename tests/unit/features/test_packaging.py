"""Packing and publishing: equal content gives equal bytes, and nothing wrong leaves the house."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from devcontainer.features import reference
from devenv.errors import ConfigError, FeatureError, RegistryDenied, UsageError
from devenv.features import archive, artifact
from devenv.features.packaging import FEATURE, TEMPLATE, Collection, package
from devenv.features.publish import publish
from devenv.oci.client import Client
from devenv.oci.network import Limits
from tests.kit.project import write_project
from tests.kit.scripted_server import Reply, Request, ScriptedServer, scripted
from tests.unit.features.conftest import Shelf, feature

INSTALL = "#!/bin/sh\necho hello\n"


def source(root: Path, *names: str, **more: Any) -> Path:
    for name in names:
        write_project(root / name, {"devcontainer-feature.json": feature(name, **more), "install.sh": INSTALL})
    return root


def template(root: Path, **config: Any) -> Path:
    files = {
        "t/devcontainer-template.json": {**feature("t"), "optionalPaths": [".github/*", "docs/*"]},
        "t/.devcontainer/devcontainer.json": config or {"image": "x", "features": {"ghcr.io/a/b/c:1": {}, "./l": {}}},
        "t/.github/one.yml": "x",
    }
    return write_project(root, files)


def names(file: Path) -> list[str]:
    with tarfile.open(file) as packed:
        return packed.getnames()


def test_a_collection(tmp_path: Path) -> None:
    src = source(tmp_path / "src", "a", "b")
    (src / ".hidden").mkdir()
    (src / "notes").mkdir()
    made = package(FEATURE, src, tmp_path / "out")
    assert [one.archive.name for one in made.packed] == ["devcontainer-feature-a.tgz", "devcontainer-feature-b.tgz"]
    assert made.notes == ("notes has no devcontainer-feature.json: left out",)
    listed = json.loads(made.file.read_text())
    assert listed == {"sourceInformation": {"source": "devcontainer-cli"}, "features": [feature("a"), feature("b")]}
    # The reference looks for exactly these names.
    assert names(made.packed[0].archive) == [".", "./devcontainer-feature.json", "./install.sh"]


def test_a_single_one(tmp_path: Path) -> None:
    src = source(tmp_path / "src", "a")
    assert [one.id for one in package(FEATURE, src / "a", tmp_path / "out").packed] == ["a"]


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    one = source(tmp_path / "one", "a")
    other = source(tmp_path / "other", "a")
    os.utime(other / "a" / "install.sh", (1, 1))
    (other / "a" / "install.sh").chmod(0o700)
    first = package(FEATURE, one, tmp_path / "out").packed[0]
    again = package(FEATURE, other, tmp_path / "out2").packed[0]
    assert first.digest == again.digest
    assert first.archive.read_bytes() == again.archive.read_bytes()


def test_what_is_packed_unpacks(tmp_path: Path) -> None:
    src = source(tmp_path / "src", "a")
    write_project(src / "a", {"sub/deep/x": "1", "sub/ü": "2"})
    made = package(FEATURE, src, tmp_path / "out").packed[0]
    archive.unpack(made.archive, tmp_path / "back", "a")
    for path in (src / "a").rglob("*"):
        back = tmp_path / "back" / path.relative_to(src / "a")
        assert back.is_dir() if path.is_dir() else back.read_bytes() == path.read_bytes()


def test_older_ids_are_told_which_one_is_present(tmp_path: Path) -> None:
    made = package(FEATURE, source(tmp_path / "src", "a", legacyIds=["old"]), tmp_path / "out").packed[0]
    inside = archive.read(made.archive, "devcontainer-feature.json", "a")
    assert inside is not None and json.loads(inside)["currentId"] == "a"
    assert made.legacy_ids == ("old",)


def test_a_manifest_with_comments_is_packed_as_it_is(tmp_path: Path) -> None:
    text = '{\n  // why\n  "id": "a", "version": "1.0.0", "name": "a",\n}\n'
    write_project(tmp_path / "a", {"devcontainer-feature.json": text.encode(), "install.sh": INSTALL})
    made = package(FEATURE, tmp_path / "a", tmp_path / "out").packed[0]
    assert archive.read(made.archive, "devcontainer-feature.json", "a") == text.encode()
    assert made.metadata == feature("a")


def test_a_template_says_what_is_in_it(tmp_path: Path) -> None:
    made = package(TEMPLATE, template(tmp_path / "src"), tmp_path / "out").packed[0]
    assert made.metadata["type"] == "image"
    assert made.metadata["files"] == [
        ".devcontainer/devcontainer.json",
        ".github/one.yml",
        "devcontainer-template.json",
    ]
    assert made.metadata["featureIds"] == ["ghcr.io/a/b/c"]
    assert made.metadata["optionalPaths"] == [".github/one.yml", "docs/*"]


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    src = write_project(
        tmp_path / "src",
        {
            "a/devcontainer-feature.json": {"id": "a"},
            "b/devcontainer-feature.json": "{",
            "c/devcontainer-feature.json": feature("d"),
            "c/install.sh": INSTALL,
            "d/devcontainer-feature.json": feature("d"),
            "d/install.sh": INSTALL,
        },
    )
    with pytest.raises(ConfigError) as caught:
        package(FEATURE, src, tmp_path / "out")
    told = str(caught.value)
    for words in ("'version' is missing", "'name' is missing", "install.sh is missing", "b/devcontainer-feature.json"):
        assert words in told
    assert "'d' is" in told, "two folders with one id"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"name": "no kind"}, id="made from nothing"),
        pytest.param("{", id="no JSON"),
    ],
)
def test_a_template_without_a_usable_configuration(tmp_path: Path, config: Any) -> None:
    src = template(tmp_path / "src")
    text = config if isinstance(config, str) else json.dumps(config)
    (src / "t" / ".devcontainer" / "devcontainer.json").write_text(text)
    with pytest.raises(ConfigError, match=r"devcontainer\.json"):
        package(TEMPLATE, src, tmp_path / "out")


def test_a_template_without_any_configuration(tmp_path: Path) -> None:
    src = write_project(tmp_path / "src", {"t/devcontainer-template.json": feature("t")})
    with pytest.raises(ConfigError, match=r"no devcontainer\.json"):
        package(TEMPLATE, src, tmp_path / "out")


class TestFolders:
    def test_that_do_not_exist_or_hold_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no folder"):
            package(FEATURE, tmp_path / "none", tmp_path / "out")
        source(tmp_path / "repo" / "src", "a")
        with pytest.raises(UsageError) as caught:
            package(FEATURE, tmp_path / "repo", tmp_path / "out")
        assert caught.value.hint.endswith("src?")

    def test_output_is_not_emptied_unasked(self, tmp_path: Path) -> None:
        src = source(tmp_path / "src", "a")
        kept = write_project(tmp_path / "out", {"precious": "x"}) / "precious"
        with pytest.raises(UsageError, match="exists"):
            package(FEATURE, src, tmp_path / "out")
        assert kept.exists()
        package(FEATURE, src, tmp_path / "out", force=True)
        assert not kept.exists()

    def test_output_must_not_hold_the_source(self, tmp_path: Path) -> None:
        src = source(tmp_path / "repo" / "src", "a")
        with pytest.raises(UsageError, match="holds what is to be packed"):
            package(FEATURE, src, tmp_path / "repo", force=True)
        assert src.exists()

    def test_an_id_that_is_not_the_folders(self, tmp_path: Path) -> None:
        write_project(tmp_path / "a", {"devcontainer-feature.json": feature("b"), "install.sh": INSTALL})
        assert "rename" in package(FEATURE, tmp_path / "a", tmp_path / "out").notes[0]

    def test_a_link_that_leaves_the_feature(self, tmp_path: Path) -> None:
        src = source(tmp_path / "src", "a")
        (src / "a" / "passwd").symlink_to("/etc/passwd")
        with pytest.raises(FeatureError, match="outside"):
            package(FEATURE, src, tmp_path / "out")


def packed(folder: Path, *, version: str = "1.0.0", **more: Any) -> Collection:
    return package(FEATURE, source(folder / "src", "a", version=version, **more), folder / "out", force=True)


class TestPublish:
    @pytest.mark.parametrize(
        ("version", "registry", "namespace"),
        [("one", "ghcr.io", "o/f"), ("1.0.0", "ghcr.io", "NOT A PATH"), ("1.0.0", "not a host", "o/f")],
    )
    def test_wrong_names_and_versions_stop_before_anything(
        self, tmp_path: Path, version: str, registry: str, namespace: str
    ) -> None:
        with Client({}, limits=Limits(connect=0.1)) as client, pytest.raises(ConfigError):
            publish(packed(tmp_path, version=version), registry, namespace, client)

    def test_an_older_id_that_no_registry_takes(self, tmp_path: Path) -> None:
        with Client({}) as client, pytest.raises(ConfigError, match="Bad Id"):
            publish(packed(tmp_path, legacyIds=["Bad Id"]), "localhost:1", "o/f", client)

    def test_a_registry_that_does_not_let_us(self, tmp_path: Path) -> None:
        with scripted() as server, Client({}) as client:
            server.on("HEAD", f"/v2/o/f/a/blobs/{packed(tmp_path).packed[0].digest}", Reply(404))
            server.on("POST", "/v2/o/f/a/blobs/uploads/", Reply(403))
            with pytest.raises(RegistryDenied):
                publish(packed(tmp_path), server.host, "o/f", client)

    def test_kinds_are_told_to_github_only(self, tmp_path: Path) -> None:
        with scripted() as server, Client({}) as client:
            accepting(server, "o/f/a", "o/f")
            publish(packed(tmp_path), server.host, "o/f", client)
            (put,) = server.asked("PUT", "/v2/o/f/a/manifests/latest")
            assert json.loads(put.body)["annotations"].keys() == {"dev.containers.metadata"}


def accepting(server: ScriptedServer, *repositories: str) -> None:
    """A registry that takes everything and keeps nothing."""
    for repository in repositories:
        uploads = f"/v2/{repository}/blobs/uploads/"
        server.on("POST", uploads, Reply(202, headers={"Location": f"{uploads}1"}))
        server.on("PUT", f"{uploads}1", Reply(201))
        for tag in ("1", "1.0", "1.0.0", "latest"):
            server.on("PUT", f"/v2/{repository}/manifests/{tag}", Reply(201))


class TestArtifact:
    def test_looked_at_and_downloaded(self, shelf: Shelf) -> None:
        made = shelf.put("a", "1", "1.0")
        with Client({}) as client:
            found = artifact.describe(reference.parse_artifact(shelf.name("a")), client)
            assert found.canonical_id == f"{shelf.host}/f/a@{made.digest}"
            assert json.loads(found.metadata or "") == feature("a")
            assert artifact.published_tags(found.reference, client) == ["1", "1.0"]
            files = artifact.contents(found, client)
        assert files["install.sh"].executable
        assert sorted(files) == ["devcontainer-feature.json", "install.sh"]

    def test_without_metadata(self, shelf: Shelf) -> None:
        shelf.put("a", "1", annotated=False)
        with Client({}) as client:
            assert artifact.describe(reference.parse_artifact(shelf.name("a")), client).metadata is None

    def test_what_does_not_exist_has_no_tags(self, shelf: Shelf) -> None:
        with Client({}) as client:
            assert artifact.published_tags(reference.parse_artifact(shelf.name("none")), client) == []

    def test_an_image(self, shelf: Shelf) -> None:
        shelf.put("a", "1", config="application/vnd.oci.image.config.v1+json")
        with Client({}) as client, pytest.raises(FeatureError, match="no dev container feature"):
            artifact.describe(reference.parse_artifact(shelf.name("a")), client)

    def test_a_manifest_with_an_odd_layer(self, shelf: Shelf) -> None:
        def odd(request: Request) -> Reply:
            return Reply(200, b'{"config": {"digest": 1}, "layers": []}')

        shelf.server.on("GET", "/v2/f/a/manifests/1", odd)
        with Client({}) as client, pytest.raises(FeatureError, match="usable digest"):
            artifact.describe(reference.parse_artifact(shelf.name("a")), client)
