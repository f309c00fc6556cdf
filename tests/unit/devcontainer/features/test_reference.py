"""Names of features (spec, *Referencing a feature*), good and bad."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcontainer.features import reference
from devcontainer.features.reference import FeatureReferenceError, LocalReference, OciReference, TarballReference

HASH = "sha256:" + "0a" * 32
OFFICIAL = "devcontainers/features"

GOOD = [
    pytest.param(
        "ghcr.io/devcontainers/features/node:1",
        OciReference("ghcr.io/devcontainers/features/node:1", "ghcr.io", OFFICIAL, "node", "1"),
        id="registry, path and version",
    ),
    pytest.param(
        "ghcr.io/a/b", OciReference("ghcr.io/a/b", "ghcr.io", "a", "b", "latest"), id="without version: the latest"
    ),
    pytest.param(
        "GHCR.io/A/B:V1", OciReference("GHCR.io/A/B:V1", "ghcr.io", "a", "b", "v1"), id="upper case becomes lower"
    ),
    pytest.param(
        f"ghcr.io/a/b@{HASH}", OciReference(f"ghcr.io/a/b@{HASH}", "ghcr.io", "a", "b", "latest", HASH), id="a digest"
    ),
    pytest.param(
        f"ghcr.io/a/b:1@{HASH}",
        OciReference(f"ghcr.io/a/b:1@{HASH}", "ghcr.io", "a", "b", "1", HASH),
        id="a tag for people and a digest that decides",
    ),
    pytest.param(
        "localhost:5000/a/b:2", OciReference("localhost:5000/a/b:2", "localhost:5000", "a", "b", "2"), id="a port"
    ),
    pytest.param("localhost/a/b", OciReference("localhost/a/b", "localhost", "a", "b"), id="this machine"),
    pytest.param("registry:5000/a/b", OciReference("registry:5000/a/b", "registry:5000", "a", "b"), id="a short host"),
    pytest.param("[::1]:5000/a/b", OciReference("[::1]:5000/a/b", "[::1]:5000", "a", "b"), id="IPv6"),
    pytest.param("r.io/a/b/c/d_e-f.g", OciReference("r.io/a/b/c/d_e-f.g", "r.io", "a/b/c", "d_e-f.g"), id="long"),
    pytest.param(
        "ghcr.io/devcontainers-contrib/features/x",
        OciReference("ghcr.io/devcontainers-contrib/features/x", "ghcr.io", "devcontainers-extra/features", "x"),
        id="a collection that moved",
    ),
    pytest.param(
        "ghcr.io/devcontainers-contrib2/x",
        OciReference("ghcr.io/devcontainers-contrib2/x", "ghcr.io", "devcontainers-contrib2", "x"),
        id="one that only begins like it",
    ),
    pytest.param("node", OciReference("node", "ghcr.io", OFFICIAL, "node", "1"), id="an id of before registries"),
    pytest.param("golang", OciReference("golang", "ghcr.io", OFFICIAL, "go", "1"), id="one with another name since"),
    pytest.param(
        "https://H.example/p/devcontainer-feature-my_Id-2.tgz",
        TarballReference(
            "https://H.example/p/devcontainer-feature-my_Id-2.tgz",
            "https://h.example/p/devcontainer-feature-my_Id-2.tgz",
            "my_Id-2",
        ),
        id="an archive",
    ),
    pytest.param(
        "https://h/devcontainer-feature-x.tgz?a=/b#c",
        TarballReference(
            "https://h/devcontainer-feature-x.tgz?a=/b#c", "https://h/devcontainer-feature-x.tgz?a=/b#c", "x"
        ),
        id="an archive with a query",
    ),
    pytest.param("./x", LocalReference("./x", "x"), id="a folder"),
    pytest.param("../x/y/", LocalReference("../x/y/", "../x/y"), id="a folder above"),
    pytest.param("./a/..//b/./c", LocalReference("./a/..//b/./c", "b/c"), id="a folder by a detour"),
    pytest.param("./A b", LocalReference("./A b", "A b"), id="a folder with a blank keeps its case"),
]

BAD = [
    pytest.param("nod", "names no feature", "did you mean 'node'.*'./nod'", id="a bare id, with the nearest"),
    pytest.param("my-feature", "names no feature", "'./my-feature'", id="a bare id"),
    pytest.param("", "names no feature", "ghcr.io", id="nothing"),
    pytest.param("node:18", "names no feature", "", id="a bare id with version"),
    pytest.param("gradle", "no feature any more", "installGradle", id="what is an option now"),
    pytest.param("owner/repo/id", "begin with a registry", "ghcr.io/owner/repo/id", id="GitHub releases"),
    pytest.param(
        "owner/repo/id@v1", "begin with a registry", "ghcr.io/owner/repo/id", id="GitHub releases with version"
    ),
    pytest.param("owner/id", "begin with a registry", "ghcr.io", id="no registry"),
    pytest.param("ghcr.io/b", "not a path", "namespace", id="no namespace"),
    pytest.param("ghcr.io/a//b", "not a path", "", id="an empty part"),
    pytest.param("ghcr.io/a/b/", "not a path", "", id="an empty name"),
    pytest.param("ghcr.io/a/b c", "not a path", "", id="a blank"),
    pytest.param("ghcr.io/a/b--c", "not a path", "", id="two separators"),
    pytest.param("ghcr.io/ä/b", "not a path", "", id="a letter of another alphabet"),
    pytest.param("ghcr.io/a/b:", "not a version", "", id="an empty version"),
    pytest.param("ghcr.io/a/b:-1", "not a version", "", id="a version that cannot be"),
    pytest.param("ghcr.io/a/b@v1", "not a digest", "sha256", id="a version for a digest"),
    pytest.param("ghcr.io/a/b@sha256:12", "not a digest", "64", id="a short digest"),
    pytest.param("ghcr.io/a/b@sha512:" + "0" * 64, "not a digest", "", id="another hash"),
    pytest.param("ghcr.io /a/b", "registry", "", id="a blank in the host"),
    pytest.param("http://h/devcontainer-feature-x.tgz", "https only", "", id="http"),
    pytest.param("oci://ghcr.io/a/b", "https only", "without '://'", id="a scheme for a registry"),
    pytest.param("https://h/feature.tgz", "'feature.tgz' is not named", "devcontainer-feature-ID.tgz", id="file name"),
    pytest.param("https://h/devcontainer-feature-.tgz", "is not named", "", id="an empty id"),
    pytest.param("https://h/devcontainer-feature-a.b.tgz", "is not named", "", id="a dot in the id"),
    pytest.param("https://h", "is not named", "", id="no file"),
    pytest.param("https://", "not an address", "", id="no host"),
    pytest.param("https://h h/devcontainer-feature-x.tgz", "not an address", "", id="a blank in the address"),
    pytest.param("/abs/x", "not a name", "'./'", id="an absolute folder"),
    pytest.param(".\\x", "not a name", "'/'", id="a backslash"),
    pytest.param("./a\\b", "not a path", "'/'", id="a backslash further on"),
    pytest.param("./a\0b", "not a path", "", id="a NUL"),
    pytest.param("./", "names no folder", "", id="the configuration's own folder"),
    pytest.param("../", "names no folder", "", id="the folder above"),
    pytest.param("./a/../..", "names no folder", "", id="a folder above by a detour"),
]


@pytest.mark.parametrize(("written", "expected"), GOOD)
def test_parsed(written: str, expected: reference.FeatureReference) -> None:
    assert reference.parse(written) == expected


@pytest.mark.parametrize(("written", "message", "hint"), BAD)
def test_refused(written: str, message: str, hint: str) -> None:
    with pytest.raises(FeatureReferenceError, match=message) as caught:
        reference.parse(written)
    assert "\n" not in caught.value.message
    assert re.search(hint, caught.value.hint)


def test_a_password_is_refused_and_not_shown() -> None:
    with pytest.raises(FeatureReferenceError) as caught:
        reference.parse("https://me:hunter2@h/devcontainer-feature-x.tgz")
    assert "hunter2" not in caught.value.message + caught.value.hint


def test_parts_of_a_reference() -> None:
    found = reference.parse_artifact(f"ghcr.io/devcontainers/features/node:1@{HASH}")
    assert found.repository == "devcontainers/features/node"
    assert found.resource == "ghcr.io/devcontainers/features/node"
    assert found.reference == HASH
    assert found.sibling == "ghcr.io/devcontainers/features/"
    assert reference.parse_artifact("ghcr.io/a/b").reference == "latest"
    assert LocalReference("../x/y", "../x/y").id == "y"


@pytest.mark.parametrize("written", ["./x", "https://h/devcontainer-feature-x.tgz", "node"])
def test_an_artifact_lies_in_a_registry(written: str) -> None:
    with pytest.raises(FeatureReferenceError):
        reference.parse_artifact(written)


def test_collection() -> None:
    found = reference.collection("GHCR.io", "Devcontainers/Features")
    assert (found.registry, found.repository, found.tag) == ("ghcr.io", "devcontainers/features", "latest")
    assert reference.collection("ghcr.io", "me").resource == "ghcr.io/me"


@pytest.mark.parametrize(("registry", "namespace"), [("no host", "a"), ("ghcr.io", "a//b"), ("ghcr.io", "")])
def test_collection_refused(registry: str, namespace: str) -> None:
    with pytest.raises(FeatureReferenceError):
        reference.collection(registry, namespace)


def test_bare_ids_can_be_refused() -> None:
    with pytest.raises(FeatureReferenceError):
        reference.parse("node", map_bare_ids=False)


def test_old_names_are_told() -> None:
    assert "features/common-utils:1" in reference.deprecation("common")
    assert "installMaven" in reference.deprecation("maven")
    assert reference.deprecation("ghcr.io/devcontainers/features/node") == ""


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("ghcr.io/a/b:1", "ghcr.io/a/b"),
        (f"ghcr.io/a/b@{HASH}", "ghcr.io/a/b"),
        ("localhost:5000/a/b", "localhost:5000/a/b"),
        ("./a:b", "./a"),
    ],
)
def test_without_version(written: str, expected: str) -> None:
    assert reference.without_version(written) == expected


def test_identity_is_what_is_fetched() -> None:
    same = {reference.identity(reference.parse(text)) for text in ("ghcr.io/a/b", "ghcr.io/A/b:latest")}
    assert len(same) == 1
    different = ("ghcr.io/a/b:1", "ghcr.io/a/b:2", "./b", "./c", "https://h/devcontainer-feature-b.tgz")
    assert len({reference.identity(reference.parse(text)) for text in different}) == len(different)


@pytest.mark.parametrize(
    ("written", "configuration", "expected"),
    [
        pytest.param("./x", "/w/.devcontainer/devcontainer.json", "/w/.devcontainer/x", id="beside the file"),
        pytest.param("../x", "/w/.devcontainer/gpu/devcontainer.json", "/w/.devcontainer/x", id="shared by two"),
        pytest.param("./.devcontainer/x", "/w/.devcontainer.json", "/w/.devcontainer/x", id="file in the root"),
    ],
)
def test_local_folder(written: str, configuration: str, expected: str) -> None:
    found = reference.parse(written)
    assert isinstance(found, LocalReference)
    assert reference.local_folder(found, configuration, "/w") == expected


@pytest.mark.parametrize(
    ("written", "configuration"),
    [
        pytest.param("../x", "/w/.devcontainer/devcontainer.json", id="beside .devcontainer"),
        pytest.param("./x", "/w/.devcontainer.json", id="in the root"),
        pytest.param("../.devcontainer2/x", "/w/.devcontainer/devcontainer.json", id="a folder of a similar name"),
        pytest.param("./x", "/elsewhere/devcontainer.json", id="a configuration elsewhere"),
    ],
)
def test_a_local_folder_lies_in_devcontainer(written: str, configuration: str) -> None:
    found = reference.parse(written)
    assert isinstance(found, LocalReference)
    with pytest.raises(FeatureReferenceError, match="outside"):
        reference.local_folder(found, configuration, "/w")


@given(st.text(max_size=80) | st.from_regex(r"[a-z./:@\\-]{0,40}", fullmatch=True))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        found = reference.parse(text)
    except FeatureReferenceError:
        return
    assert found.written == text
    assert reference.identity(found)
