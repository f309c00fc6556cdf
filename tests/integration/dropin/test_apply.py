"""A template's files in a project: those that the reference writes, with the user's options and features."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from devcontainer.jsonc import parse
from tests.integration.dropin.conftest import Dropin
from tests.kit import reference
from tests.kit.registry import OciRegistry

pytestmark = [pytest.mark.registry, pytest.mark.node]

FEATURES = '[{"id": "ghcr.io/x/y/z:1", "options": {"a": "b"}}, {"id": "ghcr.io/x/y/w:1"}]'


@pytest.fixture
def template(registry: OciRegistry, templates: Path, tmp_path: Path) -> str:
    """`REGISTRY/NAMESPACE/`: a template's name follows."""
    namespace = f"apply/n{uuid.uuid4().hex[:8]}"
    reference.result("templates", "publish", templates, "-r", registry.host, "-n", namespace, cwd=tmp_path)
    return f"{registry.host}/{namespace}/"


APPLIED: list[tuple[str, str, list[str]]] = [
    ("as it is", "one", []),
    ("with an option", "one", ["-a", '{"tag": "3.12"}']),
    ("an option beyond the proposals", "one", ["--template-args", '{"tag": "3.13"}']),
    ("without a folder", "one", ["--omit-paths", '[".github/*"]']),
    ("without a file", "one", ["--omit-paths", '[".devcontainer/start.sh"]']),
    ("with features", "one", ["-f", FEATURES]),
    ("with features beside others", "two", ["-f", FEATURES]),
    ("a folder for what is on the way", "one", ["--tmp-dir", "."]),
]


@pytest.mark.parametrize(("name", "words"), [case[1:] for case in APPLIED], ids=[case[0] for case in APPLIED])
def test_as_the_reference_applies(dropin: Dropin, template: str, tmp_path: Path, name: str, words: list[str]) -> None:
    ran = dropin("templates", "apply", "-w", "ours/deep", "-t", f"{template}{name}", *words, cwd=tmp_path)
    theirs = reference.result("templates", "apply", "-w", "theirs", "-t", f"{template}{name}", *words, cwd=tmp_path)
    assert ran.rc == 0, ran.err
    assert ran.json == theirs
    one, other = tmp_path / "ours" / "deep", tmp_path / "theirs"
    assert files(one) == files(other)


def files(folder: Path) -> dict[str, object]:
    """Contents by path; configurations as values, because features are added with another layout."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            text = path.read_text()
            found[str(path.relative_to(folder))] = parse(text).value if path.suffix == ".json" else text
    return found


def test_comments_stay_when_features_are_added(dropin: Dropin, template: str, tmp_path: Path) -> None:
    assert dropin("templates", "apply", "-t", f"{template}one", "-f", FEATURES, cwd=tmp_path).rc == 0
    assert "// why" in (tmp_path / ".devcontainer" / "devcontainer.json").read_text()


def test_a_file_that_may_be_executed_stays_so(dropin: Dropin, template: str, tmp_path: Path) -> None:
    assert dropin("templates", "apply", "-t", f"{template}one", cwd=tmp_path).rc == 0
    assert (tmp_path / ".devcontainer" / "start.sh").stat().st_mode & 0o111
    assert not (tmp_path / ".devcontainer" / "devcontainer.json").stat().st_mode & 0o111


def test_what_is_replaced_is_told(dropin: Dropin, template: str, tmp_path: Path) -> None:
    words = ("templates", "apply", "-t", f"{template}two")
    (tmp_path / ".devcontainer.json").write_text("mine")
    assert "replaced" in dropin(*words, cwd=tmp_path).err
    assert "replaced" not in dropin(*words, cwd=tmp_path).err


def test_nothing_is_written_through_a_link(dropin: Dropin, template: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    project = tmp_path / "project"
    project.mkdir()
    (project / ".devcontainer").symlink_to(outside)
    ran = dropin("templates", "apply", "-w", project, "-t", f"{template}one", cwd=tmp_path)
    assert ran.rc == 1
    assert "outside of the project" in ran.err
    assert list(outside.iterdir()) == []


REFUSED: list[tuple[str, list[str], str]] = [
    ("options that are no JSON", ["-a", '{"tag":'], "--template-args: column 8"),
    ("an option that is no text", ["-a", '{"tag": 1}'], "the values are texts; not so: tag"),
    ("options that are no object", ["-a", "[]"], "--template-args must be a JSON object"),
    ("features that are no array", ["-f", "{}"], "--features must be a JSON array"),
    ("a feature without id", ["-f", '[{"x": 1}]'], "each entry is an object with an 'id'"),
    ("paths that are no array", ["--omit-paths", "{}"], "--omit-paths must be a JSON array"),
    ("a path that is no text", ["--omit-paths", "[1]"], "--omit-paths must be a JSON array"),
]


@pytest.mark.parametrize(("words", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_choice_that_cannot_be_meant(
    dropin: Dropin, template: str, tmp_path: Path, words: list[str], said: str
) -> None:
    line = ("templates", "apply", "-w", tmp_path / "w", "-t", f"{template}one", *words)
    ran = dropin(*line, cwd=tmp_path)
    assert (ran.rc, ran.out) == (1, "")
    assert said in ran.err
    assert not (tmp_path / "w").exists()
    assert reference.run(*line, cwd=tmp_path).returncode == 1


def test_all_that_is_wrong_at_once(dropin: Dropin, template: str, tmp_path: Path) -> None:
    ran = dropin("templates", "apply", "-t", f"{template}one", "-a", "[]", "-f", "{}", cwd=tmp_path)
    assert "--template-args" in ran.err
    assert "--features" in ran.err


@pytest.mark.parametrize("name", ["gone", "one:9", "./x", "nonsense"])
def test_no_such_template(dropin: Dropin, template: str, tmp_path: Path, name: str) -> None:
    written = name if name in ("./x", "nonsense") else f"{template}{name}"
    ran = dropin("templates", "apply", "-t", written, cwd=tmp_path)
    assert (ran.rc, ran.out) == (1, "")
    assert reference.run("templates", "apply", "-t", written, cwd=tmp_path).returncode == 1


def test_a_feature_is_no_template(dropin: Dropin, registry: OciRegistry, features: Path, tmp_path: Path) -> None:
    """The reference unpacks it into the project."""
    reference.result("features", "publish", features, "-r", registry.host, "-n", "apply/features", cwd=tmp_path)
    ran = dropin("templates", "apply", "-t", f"{registry.host}/apply/features/alpha", cwd=tmp_path)
    assert ran.rc == 1
    assert "is a feature, not a template" in ran.err
    assert not (tmp_path / "install.sh").exists()


def test_a_mistyped_option_is_told(dropin: Dropin, template: str, tmp_path: Path) -> None:
    ran = dropin("templates", "apply", "-t", f"{template}one", "-a", json.dumps({"tog": "3"}), cwd=tmp_path)
    assert ran.rc == 0
    assert "did you mean 'tag'?" in ran.err
