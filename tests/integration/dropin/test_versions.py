"""outdated, upgrade and resolve-dependencies beside the reference, with features in a registry and in folders."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.dropin.conftest import ALPHA, Dropin
from tests.kit import reference
from tests.kit import registry as kit
from tests.kit.project import write_project
from tests.kit.registry import OciRegistry

pytestmark = [pytest.mark.registry, pytest.mark.node]

VERSIONS = ("1.2.3", "1.2.4", "1.10.0", "2.0.0")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OciRegistry]:
    """With four versions of one feature, and another one that depends on it."""
    folder = tmp_path_factory.mktemp("versions")
    with kit.running(tmp_path_factory.mktemp("registry")) as one:
        for version in VERSIONS:
            source = write_project(
                folder / version,
                {"alpha/devcontainer-feature.json": {**ALPHA, "version": version}, "alpha/install.sh": "#!/bin/sh\n"},
            )
            reference.result("features", "publish", source, "-r", one.host, "-n", "me/coll", cwd=folder)
        needs = {"id": "beta", "version": "0.1.0", "name": "B", "dependsOn": {f"{one.host}/me/coll/alpha:1": {}}}
        source = write_project(
            folder / "needs", {"beta/devcontainer-feature.json": needs, "beta/install.sh": "#!/bin/sh\n"}
        )
        reference.result("features", "publish", source, "-r", one.host, "-n", "me/coll", cwd=folder)
        yield one


LOCAL = {"id": "loc", "version": "1.0.0", "name": "L"}

CASES: dict[str, dict[str, Any]] = {
    "a line": {"HOST/me/coll/alpha:1": {"flag": True}},
    "a narrower line": {"HOST/me/coll/alpha:1.2": "x"},
    "an exact version": {"HOST/me/coll/alpha:1.2.3": {}},
    "the newest": {"HOST/me/coll/alpha": {}, "HOST/me/coll/alpha:latest": {"e": "y"}},
    "a digest": {"HOST/me/coll/alpha@DIGEST": {}},
    "a folder": {"./loc": {}},
    "all of them": {
        "HOST/me/coll/alpha:1": {"flag": True},
        "./loc": {},
        "HOST/me/coll/alpha": {},
        "HOST/me/coll/alpha@DIGEST": {},
        "HOST/me/coll/alpha:1.2": "x",
    },
    "one that depends on another": {"HOST/me/coll/beta:0": {}, "HOST/me/coll/alpha:1": {}},
}


@pytest.fixture
def digest(registry: OciRegistry, tmp_path: Path) -> str:
    words = ("features", "info", "manifest", f"{registry.host}/me/coll/alpha:1.2.3", "--output-format", "json")
    return str(reference.result(*words, cwd=tmp_path)["canonicalId"]).partition("@")[2]


@pytest.fixture
def project(registry: OciRegistry, digest: str, tmp_path: Path) -> Any:
    def make(features: dict[str, Any]) -> Path:
        named = {key.replace("HOST", registry.host).replace("DIGEST", digest): value for key, value in features.items()}
        return write_project(
            tmp_path / "p",
            {
                ".devcontainer/devcontainer.json": {"image": "x", "features": named},
                ".devcontainer/loc/devcontainer-feature.json": LOCAL,
                ".devcontainer/loc/install.sh": "#!/bin/sh\n",
            },
        )

    return make


@pytest.mark.parametrize("style", ["text", "json"])
@pytest.mark.parametrize("name", CASES)
def test_outdated(dropin: Dropin, project: Any, name: str, style: str) -> None:
    folder = project(CASES[name])
    words = ("outdated", "--workspace-folder", ".", "--output-format", style)
    ours, theirs = dropin(*words, cwd=folder), reference.run(*words, cwd=folder)
    assert (ours.rc, ours.out) == (0, theirs.stdout.decode())


def test_outdated_compares_with_the_lockfile(dropin: Dropin, project: Any, registry: OciRegistry) -> None:
    folder = project({"HOST/me/coll/alpha:1": {}})
    digest = f"sha256:{'0' * 64}"
    entry = {"version": "1.2.3", "resolved": f"{registry.host}/me/coll/alpha@{digest}", "integrity": digest}
    lockfile = folder / ".devcontainer" / "devcontainer-lock.json"
    lockfile.write_text(json.dumps({"features": {f"{registry.host}/me/coll/alpha:1": entry}}))
    words = ("outdated", "--workspace-folder", ".")
    ours, theirs = dropin(*words, cwd=folder), reference.run(*words, cwd=folder)
    assert (ours.rc, ours.out) == (0, theirs.stdout.decode())
    assert ours.out.splitlines()[1].split()[1:] == ["1.2.3", "1.10.0", "2.0.0"]


def test_outdated_without_registry(dropin: Dropin, tmp_path: Path) -> None:
    folder = write_project(tmp_path, {".devcontainer.json": {"image": "x", "features": {"localhost:1/a/b/c:1": {}}}})
    ran = dropin("outdated", "--output-format", "json", cwd=folder)
    assert (ran.rc, ran.json) == (0, {"features": {"localhost:1/a/b/c:1": {}}})
    assert "cannot be reached" in ran.err


@pytest.mark.parametrize("name", [name for name in CASES if name != "a folder"])
def test_upgrade_prints_and_writes_the_reference_s_lockfile(dropin: Dropin, project: Any, name: str) -> None:
    folder = project(CASES[name])
    lockfile = folder / ".devcontainer" / "devcontainer-lock.json"
    words = ("upgrade", "--workspace-folder", ".")
    ours, theirs = dropin(*words, "--dry-run", cwd=folder), reference.run(*words, "--dry-run", cwd=folder)
    assert (ours.rc, ours.out) == (0, theirs.stdout.decode())
    assert not lockfile.exists()
    assert dropin(*words, cwd=folder).rc == 0
    assert lockfile.read_text() == ours.out
    lockfile.unlink()
    assert reference.run(*words, cwd=folder).returncode == 0
    assert lockfile.read_text() == ours.out


def test_folders_alone_need_no_lockfile(dropin: Dropin, project: Any) -> None:
    """The reference writes an empty one."""
    folder = project(CASES["a folder"])
    ran = dropin("upgrade", cwd=folder)
    assert (ran.rc, "nothing to lock" in ran.err) == (0, True)
    assert not (folder / ".devcontainer" / "devcontainer-lock.json").exists()


def test_a_feature_is_moved_to_another_version(dropin: Dropin, project: Any, registry: OciRegistry) -> None:
    """The reference moves the other one too: it replaces text."""
    folder = project({"HOST/me/coll/alpha:1": {"flag": True}, "./loc": {}})
    words = ("upgrade", "-f", f"{registry.host}/me/coll/alpha:1", "-v", "2")
    config = folder / ".devcontainer" / "devcontainer.json"
    before = config.read_text()
    dry = dropin(*words, "--dry-run", cwd=folder)
    assert (dry.rc, config.read_text()) == (0, before)
    assert f'"{registry.host}/me/coll/alpha:2"' in dry.out
    assert dropin(*words, cwd=folder).rc == 0
    assert config.read_text() == before.replace("alpha:1", "alpha:2")
    assert json.loads((folder / ".devcontainer" / "devcontainer-lock.json").read_text()) == dry.json


def test_a_feature_that_is_not_there_is_told(dropin: Dropin, project: Any, registry: OciRegistry) -> None:
    folder = project({"HOST/me/coll/alpha:1": {}})
    ran = dropin("upgrade", "-f", f"{registry.host}/me/coll/gone", "-v", "2", "--dry-run", cwd=folder)
    assert ran.rc == 0
    assert "does not name" in ran.err


@pytest.mark.parametrize("name", CASES)
def test_resolved_dependencies(dropin: Dropin, project: Any, name: str) -> None:
    folder = project(CASES[name])
    words = ("features", "resolve-dependencies", "--workspace-folder", ".")
    ours, theirs = dropin(*words, cwd=folder), reference.run(*words, cwd=folder)
    assert (ours.rc, theirs.returncode) == (0, 0)
    assert _unnamed(ours.out) == _unnamed(theirs.stdout.decode())


def _unnamed(text: str) -> str:
    """The names of nodes are made of something else in either program."""
    return re.sub(r"\b[0-9a-f]{6}\[", "[", text)


NOT_THERE: list[tuple[str, dict[str, Any] | None]] = [
    ("no configuration", None),
    ("no features", {"image": "x"}),
    ("no such tag", {"image": "x", "features": {"HOST/me/coll/alpha:9": {}}}),
    ("no such feature", {"image": "x", "features": {"HOST/me/coll/gone:1": {}}}),
    ("no such folder", {"image": "x", "features": {"./gone": {}}}),
]


@pytest.mark.parametrize("config", [case[1] for case in NOT_THERE], ids=[case[0] for case in NOT_THERE])
@pytest.mark.parametrize("words", [("upgrade",), ("features", "resolve-dependencies")], ids=" ".join)
def test_nothing_to_resolve(
    dropin: Dropin, registry: OciRegistry, tmp_path: Path, words: tuple[str, ...], config: dict[str, Any] | None
) -> None:
    if config is not None:
        (tmp_path / ".devcontainer.json").write_text(json.dumps(config).replace("HOST", registry.host))
    ran = dropin(*words, cwd=tmp_path)
    assert (ran.rc, ran.out) == (1, "")
    assert ran.err
    assert reference.run(*words, cwd=tmp_path).returncode == 1


@pytest.mark.parametrize("words", [("outdated",), ("upgrade",), ("features", "resolve-dependencies")], ids=" ".join)
def test_a_missing_configuration_has_the_reference_s_words(
    dropin: Dropin, tmp_path: Path, words: tuple[str, ...]
) -> None:
    ran = dropin(*words, cwd=tmp_path)
    assert ran.rc == 1
    assert f"Dev container config ({tmp_path}/.devcontainer/devcontainer.json) not found." in ran.err


def test_a_configuration_that_cannot_be_read(dropin: Dropin, tmp_path: Path) -> None:
    """The reference takes it for an empty one."""
    (tmp_path / ".devcontainer.json").write_text('{"image": ')
    ran = dropin("outdated", cwd=tmp_path)
    assert ran.rc == 1
    assert ".devcontainer.json:1:" in ran.err
