"""devcontainer-feature.json: what is read, and what is told about the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcontainer.features import manifest
from devcontainer.options import Option
from devcontainer.problem import Severity

WHOLE: dict[str, Any] = {
    "id": "a",
    "version": "1.2.3",
    "name": "A",
    "description": "d",
    "documentationURL": "https://d",
    "licenseURL": "https://l",
    "keywords": ["k"],
    "options": {
        "version": {"type": "string", "proposals": ["1", "2"], "default": "1", "description": "which"},
        "kind": {"type": "string", "enum": ["x", "y"], "default": "x"},
        "flag": {"type": "boolean", "default": False},
        "bare": {"type": "string"},
    },
    "installsAfter": ["ghcr.io/devcontainers/features/common-utils"],
    "dependsOn": {"./b": {"v": "1"}},
    "legacyIds": ["old"],
    "deprecated": True,
    "containerEnv": {"A": "${PATH}"},
    "init": True,
    "privileged": False,
    "capAdd": ["SYS_PTRACE"],
    "securityOpt": ["seccomp=unconfined"],
    "mounts": ["source=x,target=/x", {"type": "volume", "source": "y", "target": "/y"}],
    "entrypoint": "/e",
    "customizations": {"vscode": {"extensions": ["e"]}},
    "onCreateCommand": "true",
    "postAttachCommand": {"a": ["b"]},
}


def test_the_whole_manifest_has_no_problem() -> None:
    found = manifest.load(json.dumps(WHOLE))
    assert found.problems == ()
    assert (found.id, found.version, found.name, found.description) == ("a", "1.2.3", "A", "d")
    assert found.documentation_url == "https://d"
    assert found.options == {
        "version": Option("version", "string", "1", "which", proposals=("1", "2")),
        "kind": Option("kind", "string", "x", enum=("x", "y")),
        "flag": Option("flag", "boolean", False),
        "bare": Option("bare"),
    }
    assert found.installs_after == ("ghcr.io/devcontainers/features/common-utils",)
    assert found.depends_on == {"./b": {"v": "1"}}
    assert found.aliases == ("a", "old")
    assert found.deprecated
    assert found.container_env == {"A": "${PATH}"}
    assert found.missing() == ()


def test_published_under_an_old_id() -> None:
    found = manifest.from_value({"id": "old", "currentId": "new", "legacyIds": ["old"]})
    assert found.renamed_to == "new"
    assert found.aliases == ("new", "old")
    assert manifest.from_value({"id": "new", "currentId": "new", "legacyIds": ["old"]}).renamed_to == ""


def test_older_keys_move_below_customizations() -> None:
    found = manifest.load('{"extensions": ["a"], "settings": {"x": 1, "y": 1}, "customizations": {"o": 1}}')
    assert found.raw["customizations"] == {"o": 1, "vscode": {"extensions": ["a"], "settings": {"x": 1, "y": 1}}}
    assert "extensions" not in found.raw
    both = manifest.from_value(
        {
            "extensions": ["a"],
            "settings": {"x": 1},
            "customizations": {"vscode": {"extensions": ["b"], "settings": {"x": 2}}},
        }
    )
    assert both.raw["customizations"] == {"vscode": {"extensions": ["b", "a"], "settings": {"x": 2}}}


ERRORS = [
    pytest.param("", 1, 1, "", id="nothing"),
    pytest.param('{"id": "a",,}', 1, 12, "", id="not JSON"),
    pytest.param("[1]", 1, 1, "one object", id="an array"),
    pytest.param('{"id": 3}', 1, 8, "must be a text", id="an id that is a number"),
    pytest.param('{\n "options": []}', 2, 13, "must be an object", id="options that are an array"),
    pytest.param('{"options": {"a": "b"}}', 1, 19, "must be an object", id="an option that is a text"),
    pytest.param('{"dependsOn": ["./a"]}', 1, 15, "must be an object", id="dependsOn as an array"),
    pytest.param('{"dependsOn": {"./a": 3}}', 1, 23, "must be an object, a text", id="options of a dependency"),
    pytest.param('{"dependsOn": {"a/b": {}}}', 1, 16, "registry", id="a dependency that names nothing"),
    pytest.param('{"containerEnv": {"A": 1}}', 1, 24, "must be a text", id="a variable that is a number"),
    pytest.param('{"mounts": ["type=bind"]}', 1, 13, "no target", id="a mount without target"),
    pytest.param('{"entrypoint": ["a"]}', 1, 16, "must be a text", id="an entrypoint as an array"),
    pytest.param('{"postCreateCommand": 3}', 1, 23, "", id="a hook that is a number"),
    pytest.param('{"customizations": "x"}', 1, 20, "must be an object", id="customizations as a text"),
    pytest.param(
        '{"mounts": ["source=${localEnv},target=/a"]}', 1, 12, "no environment variable name", id="no variable"
    ),
]

WARNINGS = [
    pytest.param({"name": None}, "name", "must be a text", id="no name"),
    pytest.param({"id": "a/b"}, "id", "cannot name a folder", id="an id that is a path"),
    pytest.param({"optoins": {}}, "optoins", "not a known property", id="an unknown key"),
    pytest.param({"options": {"a": {"type": "int"}}}, "options.a.type", "not one of", id="an unknown type"),
    pytest.param({"options": {"a": {"type": "string", "default": 3}}}, "options.a.default", "text", id="a number"),
    pytest.param({"options": {"a": {"type": "boolean", "default": "x"}}}, "options.a.default", "true", id="no boolean"),
    pytest.param(
        {"options": {"a": {"type": "string", "default": "z", "enum": ["y"]}}}, "options.a.default", "enum", id="default"
    ),
    pytest.param(
        {"options": {"a": {"type": "string", "default": "y", "enum": ["y"], "proposals": ["z"]}}},
        "options.a.proposals",
        "no effect",
        id="both enum and proposals",
    ),
    pytest.param({"installsAfter": ["common-utils"]}, "installsAfter.0", "names no feature", id="installsAfter"),
    pytest.param({"keywords": "a"}, "keywords", "array", id="keywords as a text"),
    pytest.param({"init": "yes"}, "init", "true or false", id="a flag that is a text"),
]


@pytest.mark.parametrize(("text", "line", "column", "words"), ERRORS)
def test_errors_have_a_position(text: str, line: int, column: int, words: str) -> None:
    found = manifest.load(text, "f.json")
    assert [(problem.line, problem.column) for problem in found.errors] == [(line, column)]
    assert found.errors[0].file == "f.json"
    assert words in found.errors[0].message


@pytest.mark.parametrize(("extra", "key", "words"), WARNINGS)
def test_what_does_not_stop_anybody_is_a_warning(extra: dict[str, Any], key: str, words: str) -> None:
    raw = {"id": "a", "version": "1.0.0", "name": "A", **extra}
    found = manifest.from_value(raw)
    assert found.errors == ()
    assert [problem.key for problem in found.problems if words in problem.message] == [key]
    assert manifest.load(json.dumps(raw)).problems[0].line == 1


def test_what_publishing_needs() -> None:
    found = manifest.load('{"version": ""}')
    assert found.missing() == ("id", "version", "name")
    assert {problem.severity for problem in found.problems} == {Severity.WARNING}


def test_keys_written_twice() -> None:
    found = manifest.load('{"id": "a", "version": "1.0.0",\n "name": "A", "id": "b"}')
    assert [(p.key, p.line) for p in found.problems] == [("id", 2)]
    assert found.id == "b"


def test_a_default_that_is_a_number_was_meant_as_a_text() -> None:
    found = manifest.from_value({"options": {"a": {"type": "string", "default": 3.10}}})
    assert found.options["a"].default == "3.1"


@pytest.mark.parametrize("identity", ["../../etc", "a/b", "", ".", "..", "a b", "-a", "a\n"])
def test_an_id_that_is_no_file_name_is_not_used_as_one(identity: str) -> None:
    assert manifest.from_value({"id": identity}).plain_id == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
MANIFESTS = st.dictionaries(st.sampled_from([*WHOLE, "currentId", "settings", "extensions", "x"]), JSON, max_size=8)


@given(JSON | MANIFESTS)
def test_any_value_is_a_manifest_with_problems(value: Any) -> None:
    found = manifest.from_value(value)
    assert all(problem.message for problem in found.problems)
    for name in ("id", "options", "aliases", "container_env", "depends_on", "installs_after", "renamed_to"):
        getattr(found, name)
    again = manifest.load(json.dumps(value, allow_nan=False)) if _finite(value) else found
    assert again.id == found.id


@given(st.text(max_size=60))
def test_any_text_is_a_manifest_with_problems(text: str) -> None:
    manifest.load(text)


def _finite(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True
