"""Templates: their manifest, and what applying one makes of its files."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcontainer import templates
from devcontainer.checks import Issue
from devcontainer.jsonc import JsoncError
from devcontainer.options import Option
from devcontainer.problem import Severity
from devcontainer.templates import TemplateError, application

WHOLE: dict[str, Any] = {
    "id": "cuda",
    "version": "1.0.0",
    "name": "CUDA",
    "description": "d",
    "documentationURL": "https://d",
    "publisher": "me",
    "platforms": ["Python"],
    "keywords": ["gpu"],
    "optionalPaths": [".github/*"],
    "options": {
        "variant": {"type": "string", "proposals": ["12", "11"], "default": "12"},
        "kind": {"type": "string", "enum": ["a", "b"], "default": "a"},
        "nvtx": {"type": "boolean", "default": False},
        "bare": {"type": "string"},
    },
}
TEMPLATE = templates.load(json.dumps(WHOLE))
CONFIG = b'{\n  // why\n  "image": "cuda:${templateOption:variant}"\n}\n'
FILES = {
    "./devcontainer-template.json": b"{}",
    "./README.md": b"about the template",
    "./NOTES.md": b"more",
    "./docs/README.md": b"about the project: ${templateOption: kind }",
    "./.devcontainer/devcontainer.json": CONFIG,
    "./.github/dependabot.yml": b"x",
    "./.github/workflows/ci.yml": b"y",
    "./.githubby": b"z",
    "./image.bin": b"\x00\xff${templateOption:variant}",
    "./latin1.txt": b"caf\xe9 ${templateOption:variant}\r\n",
}


def test_the_manifest() -> None:
    assert TEMPLATE.problems == ()
    assert (TEMPLATE.id, TEMPLATE.version, TEMPLATE.name, TEMPLATE.publisher) == ("cuda", "1.0.0", "CUDA", "me")
    assert (TEMPLATE.description, TEMPLATE.documentation_url) == ("d", "https://d")
    assert (TEMPLATE.platforms, TEMPLATE.optional_paths) == (("Python",), (".github/*",))
    assert TEMPLATE.options["variant"] == Option("variant", "string", "12", proposals=("12", "11"))
    assert TEMPLATE.missing() == ()


@pytest.mark.parametrize(
    ("text", "line", "words", "severity"),
    [
        pytest.param("{", 1, "not closed", Severity.ERROR, id="not JSON"),
        pytest.param("[]", 1, "one object", Severity.ERROR, id="an array"),
        pytest.param('{\n"options": 3}', 2, "must be an object", Severity.ERROR, id="options that are a number"),
        pytest.param(
            '{\n"options": {"a-b": {}}}', 2, "cannot be named in a file", Severity.WARNING, id="option's name"
        ),
        pytest.param('{\n"optionalPath": []}', 2, "not a known property", Severity.WARNING, id="a slip"),
        pytest.param('{\n"platforms": "x"}', 2, "must be an array", Severity.WARNING, id="a text for an array"),
        pytest.param("{}", 1, "'version' is missing", Severity.WARNING, id="no version"),
    ],
)
def test_problems_of_a_manifest(text: str, line: int, words: str, severity: Severity) -> None:
    found = templates.load(text, "t.json").problems
    [problem] = [problem for problem in found if words in problem.message]
    assert (problem.file, problem.line, problem.severity) == ("t.json", line, severity)


def test_a_manifest_from_an_annotation() -> None:
    assert templates.from_value(WHOLE).options == TEMPLATE.options
    assert templates.from_value([]).errors
    assert templates.from_value({}).missing() == ("id", "version", "name")


def test_applied_with_the_defaults() -> None:
    found = templates.apply(FILES, TEMPLATE, {})
    assert set(found) == {
        "docs/README.md",
        ".devcontainer/devcontainer.json",
        ".github/dependabot.yml",
        ".github/workflows/ci.yml",
        ".githubby",
        "image.bin",
        "latin1.txt",
    }
    assert found[".devcontainer/devcontainer.json"] == CONFIG.replace(b"${templateOption:variant}", b"12")
    assert found["docs/README.md"] == b"about the project: a", "blanks around the name"
    assert found["image.bin"] == FILES["./image.bin"], "no text, no option"
    assert found["latin1.txt"] == b"caf\xe9 12\r\n", "every other byte stays"


@pytest.mark.parametrize(
    ("content", "args", "expected"),
    [
        pytest.param("${templateOption:nvtx}", {}, "false", id="false is a value"),
        pytest.param("${templateOption:nvtx}", {"nvtx": True}, "true", id="true"),
        pytest.param("${templateOption:nvtx}", {"nvtx": "true"}, "true", id="true as a text"),
        pytest.param("${templateOption:bare}x", {}, "x", id="no default"),
        pytest.param("${templateOption:nope}x", {}, "x", id="not declared"),
        pytest.param("${templateOption:extra}", {"extra": "e"}, "e", id="not declared, but given"),
        pytest.param("${templateOption:variant}", {"variant": ""}, "", id="an empty text"),
        pytest.param("${templateOption:variant}", {"variant": "\\1 $& ${x}"}, "\\1 $& ${x}", id="signs"),
        pytest.param(
            "${templateOption:variant}", {"variant": "${templateOption:kind}"}, "${templateOption:kind}", id="1"
        ),
        pytest.param(
            "$templateOption:variant ${templateOption}", {}, "$templateOption:variant ${templateOption}", id="no"
        ),
        pytest.param("${localEnv:variant}", {}, "${localEnv:variant}", id="another variable"),
        pytest.param("${templateOption:variant}", {"variant": "\ud800"}, "?", id="half of a character"),
        pytest.param("ä${templateOption:variant}", {"variant": "ö"}, "äö", id="other letters"),
    ],
)
def test_options(content: str, args: dict[str, Any], expected: str) -> None:
    assert templates.apply({"f": content.encode()}, TEMPLATE, args) == {"f": expected.encode()}


@pytest.mark.parametrize(
    ("omit", "gone"),
    [
        pytest.param([".github/*"], {".github/dependabot.yml", ".github/workflows/ci.yml"}, id="a folder"),
        pytest.param([".github/workflows/*"], {".github/workflows/ci.yml"}, id="a folder in it"),
        pytest.param([".githubby"], {".githubby"}, id="a file"),
        pytest.param(["./.githubby"], {".githubby"}, id="a file with ./"),
        pytest.param([".github"], set(), id="a folder without star is no file"),
        pytest.param(["nope", "nope/*"], set(), id="what is not there"),
    ],
)
def test_omitted(omit: list[str], gone: set[str]) -> None:
    whole = templates.apply(FILES, TEMPLATE, {})
    assert set(whole) - set(templates.apply(FILES, TEMPLATE, {}, omit)) == gone


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "..", ".", "a\\b", "a\0b"])
def test_a_file_outside_of_the_project(path: str) -> None:
    with pytest.raises(TemplateError, match="outside of a project"):
        templates.apply({path: b""}, TEMPLATE, {})


ISSUES: list[Any] = [
    pytest.param({"kind": "c"}, [], ("args", "kind"), "not one of 'a', 'b'", Severity.ERROR, id="enum"),
    pytest.param({"varient": "1"}, [], ("args", "varient"), "not an option", Severity.WARNING, id="a slip"),
    pytest.param({"variant": 3}, [], ("args", "variant"), "not a number", Severity.ERROR, id="a number"),
    pytest.param({"nvtx": "yes"}, [], ("args", "nvtx"), "true or false", Severity.ERROR, id="no boolean"),
    pytest.param({}, [".gihub/*"], ("omit-paths", 0), "not in the template", Severity.WARNING, id="omitted"),
]


@pytest.mark.parametrize(("args", "omit", "path", "words", "severity"), ISSUES)
def test_issues(args: Any, omit: list[str], path: Any, words: str, severity: Severity) -> None:
    [issue] = templates.issues(FILES, TEMPLATE, args, omit)
    assert (issue.path, issue.severity) == (path, severity)
    assert words in issue.message


def test_the_nearest_name_is_told() -> None:
    hints = [issue.hint for issue in templates.issues(FILES, TEMPLATE, {"varient": "1", "kind": "bb"}, [".gihub/*"])]
    assert hints == ["did you mean 'variant'?", "did you mean 'b'?", "did you mean '.github/*'?"]


def test_an_option_that_nobody_declares() -> None:
    files = {"./f": b"${templateOption:varient} ${templateOption:varient}", "g": b"\0${templateOption:x}"}
    [issue] = templates.issues(files, TEMPLATE, {})
    assert issue == Issue(
        ("f",),
        "uses the option 'varient', which the template does not declare",
        "did you mean 'variant'?",
        Severity.WARNING,
    )
    assert list(templates.issues(files, TEMPLATE, {}, ["f"])) == []


def test_no_issues() -> None:
    assert list(templates.issues(FILES, TEMPLATE, {"nvtx": "true", "variant": "x"}, [".github/*"])) == []


def test_features_are_added_and_comments_stay() -> None:
    found = templates.with_features(templates.apply(FILES, TEMPLATE, {}), {"ghcr.io/x/a:1": {"o": "1"}, "./b": {}})
    text = found[".devcontainer/devcontainer.json"].decode()
    assert "// why" in text
    assert '"ghcr.io/x/a:1": {\n' in text
    assert '"./b": {}' in text


def test_no_features() -> None:
    assert templates.with_features({"a": b"x"}, {}) == {"a": b"x"}


def test_no_place_for_features() -> None:
    with pytest.raises(TemplateError, match=r"no devcontainer\.json"):
        templates.with_features({"a": b"x"}, {"./b": {}})
    with pytest.raises(TemplateError, match="not UTF-8"):
        templates.with_features({".devcontainer.json": b"{\xff}"}, {"./b": {}})
    with pytest.raises(JsoncError):
        templates.with_features({".devcontainer.json": b"{"}, {"./b": {}})


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["a/devcontainer.json", ".devcontainer.json"], ".devcontainer.json"),
        ([".devcontainer/x/devcontainer.json", "b"], ".devcontainer/x/devcontainer.json"),
        (["my-devcontainer.json"], None),
    ],
)
def test_configuration_path(files: list[str], expected: str | None) -> None:
    assert templates.configuration_path(dict.fromkeys(files, b"")) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from([*WHOLE, "x"]), JSON, max_size=6) | JSON,
    st.dictionaries(st.sampled_from(["variant", "x", ""]), JSON, max_size=3),
    st.dictionaries(st.text(max_size=5), st.binary(max_size=30), max_size=3),
    st.lists(st.text(max_size=5), max_size=2),
)
def test_any_template_is_applied_or_refused(raw: Any, args: Any, files: dict[str, bytes], omit: list[str]) -> None:
    found = templates.from_value(raw)
    try:
        list(templates.issues(files, found, args, omit))
        result = templates.apply(files, found, args, omit)
    except TemplateError as error:
        assert error.message
        return
    assert not any(path.startswith(("/", "../")) for path in result)


@given(st.binary(max_size=80))
def test_a_file_without_options_stays_as_it_is(content: bytes) -> None:
    if b"templateOption" not in content:
        assert application.apply({"f": content}, TEMPLATE, {}) == {"f": content}
