"""Options to variables (spec, *Option resolution*)."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from devcontainer.features import manifest, options
from devcontainer.problem import Severity

FEATURE = manifest.from_value(
    {
        "id": "f",
        "version": "1.0.0",
        "name": "F",
        "options": {
            "version": {"type": "string", "proposals": ["lts"], "default": "latest"},
            "installZsh": {"type": "boolean", "default": True},
            "kind": {"type": "string", "enum": ["server", "client"], "default": "server"},
            "bare": {"type": "string"},
        },
    }
)
WITHOUT = manifest.from_value({"id": "w", "version": "1.0.0", "name": "W", "options": {"a": {"type": "string"}}})
DEFAULTS = {"version": "latest", "installZsh": True, "kind": "server"}


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("version", "VERSION"),
        ("my-Opt.2", "MY_OPT_2"),
        ("9lives", "_LIVES"),
        ("__a", "_A"),
        ("1_2_x", "_X"),
        ("12", "_"),
        ("ünder score", "_NDER_SCORE"),
        ("a\U0001f600b", "A__B"),
        ("\u017f", "_"),
    ],
)
def test_names(option: str, name: str) -> None:
    assert options.environment_name(option) == name


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, DEFAULTS, id="the defaults"),
        pytest.param("18", {**DEFAULTS, "version": "18"}, id="a text is the version"),
        pytest.param(True, {**DEFAULTS, "version": True}, id="so is true"),
        pytest.param({"kind": "client", "bare": ""}, {**DEFAULTS, "kind": "client", "bare": ""}, id="given"),
        pytest.param({"other": "x", "2": "y"}, {"2": "y", **DEFAULTS, "other": "x"}, id="undeclared, numbers first"),
        pytest.param({"version": 3.10}, {**DEFAULTS, "version": "3.1"}, id="a number is passed on as JavaScript would"),
        pytest.param({"version": None, "kind": []}, DEFAULTS, id="what is no value is left out"),
        pytest.param(None, DEFAULTS, id="null"),
    ],
)
def test_values(given: Any, expected: dict[str, Any]) -> None:
    found = options.values(FEATURE, given)
    assert list(found.items()) == list(expected.items())


def test_a_text_needs_an_option_version() -> None:
    assert options.values(WITHOUT, "18") == {}


def test_environment() -> None:
    assert options.environment(FEATURE, {"installZsh": False}) == {
        "VERSION": "latest",
        "INSTALLZSH": "false",
        "KIND": "server",
    }


ISSUES = [
    pytest.param({"verison": "1"}, Severity.WARNING, "not an option", "'version'", ("verison",), id="a slip"),
    pytest.param({"kind": "sever"}, Severity.ERROR, "not one of 'server', 'client'", "'server'", ("kind",), id="enum"),
    pytest.param({"version": 18}, Severity.ERROR, "not a number", 'write "18"', ("version",), id="a number"),
    pytest.param({"version": None}, Severity.ERROR, "not null", "", ("version",), id="null"),
    pytest.param({"version": ["1"]}, Severity.ERROR, "not an array", "", ("version",), id="an array"),
    pytest.param({"installZsh": "no"}, Severity.ERROR, "true or false", "", ("installZsh",), id="no boolean"),
    pytest.param({"installZsh": "true"}, Severity.WARNING, "without quotes", "", ("installZsh",), id="true in quotes"),
    pytest.param({"version": True}, Severity.WARNING, "takes a text", "", ("version",), id="true for a text"),
    pytest.param({"kind": True}, Severity.ERROR, "'true' is not one of", "", ("kind",), id="true for an enum"),
    pytest.param({"version": "a\0b"}, Severity.ERROR, "NUL", "", ("version",), id="a NUL"),
    pytest.param({"version": "\ud800"}, Severity.ERROR, "half of", "", ("version",), id="half of a character"),
    pytest.param({"": "x"}, Severity.ERROR, "needs a name", "", ("",), id="a name of nothing"),
    pytest.param([], Severity.ERROR, "an object, a text", "", (), id="an array for options"),
    pytest.param(3, Severity.ERROR, "an object, a text", "", (), id="a number for options"),
]


@pytest.mark.parametrize(("given", "severity", "message", "hint", "path"), ISSUES)
def test_issues(given: Any, severity: Severity, message: str, hint: str, path: tuple[str, ...]) -> None:
    [issue] = options.issues(FEATURE, given, ("features", "f"))
    assert issue.severity is severity
    assert message in issue.message
    assert hint in issue.hint
    assert issue.path == ("features", "f", *path)


@pytest.mark.parametrize("given", [{}, "18", {"version": "anything", "installZsh": False, "kind": "client"}])
def test_no_issues(given: Any) -> None:
    assert list(options.issues(FEATURE, given)) == []


def test_issues_of_a_short_form_without_version() -> None:
    assert [i.severity for i in options.issues(WITHOUT, "18")] == [Severity.WARNING]
    assert list(options.issues(WITHOUT, True)) == []
    [issue] = options.issues(WITHOUT, False)
    assert "does not leave the feature out" in issue.message


def test_two_options_with_one_variable() -> None:
    [issue] = [i for i in options.issues(WITHOUT, {"a-b": "1", "a_b": "2"}) if "same variable" in i.message]
    assert "A_B" in issue.message


def test_the_file_for_ordinary_values_is_that_of_the_reference() -> None:
    assert options.env_file_text({"A": "1", "B": "x y"}) == 'A="1"\nB="x y"\n'


VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from("ABCD"), VALUES, max_size=4))
@example({"A": "$(exit 3) `id` \"quoted\" \\ $HOME 'x'\n second"})
def test_a_shell_reads_back_what_was_written(tmp_path: Path, variables: dict[str, str]) -> None:
    """Also a value that would be a command where the reference writes it."""
    file = tmp_path / "options.env"
    file.write_bytes(options.env_file_text(variables).encode())
    done = subprocess.run(
        ["/bin/sh", "-ec", 'set -a; . "$0"; exec env -0', str(file)], env={}, capture_output=True, check=True
    )
    found = dict(entry.split("=", 1) for entry in done.stdout.decode().split("\0") if entry)
    assert {name: value for name, value in found.items() if name in "ABCD"} == variables
