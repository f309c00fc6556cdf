"""Variables; each result is what @devcontainers/cli 0.89.0 gives (spec, *Variables in devcontainer.json*)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcontainer.variables import Substitution, VariableError, names_used

HOST = Substitution(
    local_env={"EMPTY": "", "FOO": "two", "NESTED": "${localEnv:FOO}"},
    local_workspace_folder="/home/me/v",
    container_workspace_folder="/w/${localWorkspaceFolderBasename}",
    devcontainer_id="id1",
)
CONTAINER = Substitution(container_env={"PATH": "/bin"})

CASES = [
    pytest.param("${localEnv:FOO}", "two", id="an environment variable"),
    pytest.param("${env:FOO}", "two", id="its older name"),
    pytest.param("${localEnv:NOPE}", "", id="not set"),
    pytest.param("${localEnv:}", "", id="an empty name"),
    pytest.param("${localEnv:NOPE:there}", "there", id="a default"),
    pytest.param("${localEnv:NOPE:http://h}", "http", id="the default ends at the second colon"),
    pytest.param("${localEnv:NOPE:a:b:c}", "a", id="only the first segment"),
    pytest.param("${env:EMPTY:x}", "", id="empty counts as set"),
    pytest.param("${localEnv:NESTED}", "${localEnv:FOO}", id="results are not resolved again"),
    pytest.param("$${localEnv:FOO}", "$two", id="no escape"),
    pytest.param("${ localEnv:FOO }", "${ localEnv:FOO }", id="blanks make another name"),
    pytest.param("${localEnv:FOO\n}", "${localEnv:FOO\n}", id="a line end is no part of a variable"),
    pytest.param("${localEnv:FOO\u2028}", "${localEnv:FOO\u2028}", id="nor is JavaScript's other line end"),
    pytest.param("${nope:x}", "${nope:x}", id="an unknown name stays"),
    pytest.param("${localWorkspaceFolder:x}", "/home/me/v", id="arguments that mean nothing"),
    pytest.param(
        "${containerWorkspaceFolder}|${containerWorkspaceFolderBasename}", "/w/v|v", id="the folder is resolved first"
    ),
    pytest.param("a${devcontainerId}b", "aid1b", id="the id"),
    pytest.param("${containerEnv:PATH:d}", "${containerEnv:PATH:d}", id="not known before the container is"),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_on_the_host(text: str, expected: str) -> None:
    assert HOST.text(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("${containerEnv:PATH}:x", "/bin:x", id="set"),
        pytest.param("${containerEnv:NOPE}", "", id="not set"),
        pytest.param("${containerEnv:NOPE:d:e}", "d", id="a default"),
        pytest.param("${localEnv:FOO}", "${localEnv:FOO}", id="the host is not asked at this time"),
    ],
)
def test_once_the_container_exists(text: str, expected: str) -> None:
    assert CONTAINER.text(text) == expected


def test_values_of_objects_and_arrays_but_not_keys() -> None:
    value = {"${localEnv:FOO}": ["${localEnv:FOO}", 1, None, {"a": "${localEnv:FOO}"}]}
    assert HOST.apply(value) == {"${localEnv:FOO}": ["two", 1, None, {"a": "two"}]}


@pytest.mark.parametrize("text", ["${localEnv}", "x ${env} y"])
def test_an_environment_variable_without_a_name(text: str) -> None:
    with pytest.raises(VariableError, match="no environment variable name"):
        HOST.text(text)


def test_a_root_workspace() -> None:
    assert Substitution(local_workspace_folder="/").text("${localWorkspaceFolderBasename}") == ""


def test_names_used() -> None:
    value = {"a": ["${localEnv:A}", "${localEnv:B:x} ${containerEnv:C}"], "b": 3, "c": []}
    assert names_used(value, "localEnv") == {"A", "B"}
    assert names_used(value, "containerEnv") == {"C"}


@given(st.text(alphabet="${}:localEnv F\n"))
def test_any_text_resolves_or_says_why(text: str) -> None:
    try:
        HOST.text(text)
    except VariableError as error:
        assert error.variable in text
