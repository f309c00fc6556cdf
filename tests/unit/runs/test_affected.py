from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devenv.runs.affected import Failed, Phase, affected_tests, is_test_file, module_names, plan
from devenv.runs.imports import imports_of

PROJECT: dict[str, frozenset[str]] = {
    "src/net/__init__.py": frozenset(),
    "src/net/model.py": frozenset({"torch"}),
    "src/net/data.py": frozenset(),
    "src/net/train.py": frozenset({".", ".model", ".data", "net.data"}),
    "tests/conftest.py": frozenset({"pytest"}),
    "tests/test_model.py": frozenset({"net.model", "net.model.Net"}),
    "tests/test_train.py": frozenset({"net", "net.train"}),
    "tests/slow/conftest.py": frozenset(),
    "tests/slow/test_all.py": frozenset({"net.train"}),
    "tests/test_io.py": frozenset(),
    "tool.py": frozenset(),
    "unused.py": frozenset(),
    "tests/tool_test.py": frozenset(),
}
TESTS = {path for path in PROJECT if is_test_file(path)}


@pytest.mark.parametrize(
    ("changed", "tests", "why"),
    [
        (["tests/test_io.py"], {"tests/test_io.py"}, "a test file is itself"),
        (["src/net/model.py"], {"tests/test_model.py", "tests/test_train.py", "tests/slow/test_all.py"}, "imports"),
        (["src/net/data.py"], {"tests/test_train.py", "tests/slow/test_all.py"}, "through train"),
        (["tool.py"], {"tests/tool_test.py"}, "by its name"),
        (["unused.py"], None, "nothing is known to use it"),
        (["tests/slow/conftest.py"], {"tests/slow/test_all.py"}, "what is below it"),
        (["tests/conftest.py"], TESTS, "what is below it"),
        (["conftest.py"], None, "everything"),
        (["pyproject.toml"], None, "configuration"),
        (["params.yaml"], None, "data"),
        (["tests/test_io.py", "tool.py"], {"tests/test_io.py", "tests/tool_test.py"}, "together"),
        (["tests/test_io.py", "unused.py"], None, "one that cannot be told decides"),
        (
            ["src/net/__init__.py"],
            TESTS - {"tests/test_io.py", "tests/tool_test.py"},
            "a package is imported with its modules",
        ),
    ],
)
def test_what_a_change_affects(changed: list[str], tests: set[str] | None, why: str) -> None:
    assert affected_tests(changed, PROJECT) == tests, why


def test_a_module_that_a_conftest_uses_affects_everything() -> None:
    project = {**PROJECT, "tests/conftest.py": frozenset({"tool"})}
    assert affected_tests(["tool.py"], project) is None


def test_imports_in_a_circle_end() -> None:
    project = {"a.py": frozenset({"b"}), "b.py": frozenset({"a"}), "test_a.py": frozenset({"a"})}
    assert affected_tests(["b.py"], project) == {"test_a.py"}


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("src/net/model.py", {"net.model", "src.net.model"}),
        ("src/net/__init__.py", {"net", "src.net"}),
        ("tool.py", {"tool"}),
        ("scripts/tool.py", {"tool", "scripts.tool"}),
        ("__init__.py", set()),
    ],
)
def test_names_of_a_module(path: str, names: set[str]) -> None:
    assert set(module_names(path, frozenset(PROJECT))) == names


@given(
    st.dictionaries(
        st.sampled_from(sorted(PROJECT)), st.frozensets(st.sampled_from(["net", ".", "..", "...x", "a.b", ".y.z", ""]))
    )
)
def test_any_imports_are_survived(project: dict[str, frozenset[str]]) -> None:
    for path in project:
        found = affected_tests([path], project)
        assert found is None or found <= set(project)


def test_failed_first_then_changed_then_affected_then_all() -> None:
    failed = [Failed("tests/test_io.py::test_b", "tests/test_io.py"), Failed("tests/gone.py::test_x", "tests/gone.py")]
    project = {**PROJECT, "tests/test_other.py": frozenset()}
    assert plan(["src/net/data.py", "tests/tool_test.py"], project, failed) == (
        Phase(
            "affected",
            ("tests/test_io.py", "tests/tool_test.py", "tests/slow/test_all.py", "tests/test_train.py"),
            ("tests/test_io.py::test_b",),
        ),
        Phase("all"),
    )


def test_one_phase_is_enough_when_all_are_affected() -> None:
    failed = [Failed("tests/test_io.py::test_b", "tests/test_io.py")]
    assert plan(["params.yaml"], PROJECT, failed) == (Phase("all", (), ("tests/test_io.py::test_b",)),)
    assert plan(["tests/conftest.py"], PROJECT) == (Phase("all"),)
    assert plan(["params.yaml", "tests/test_io.py"], PROJECT) == (Phase("all", (), ("tests/test_io.py",)),)


def test_order_of_files() -> None:
    failed = [Failed("tests/tool_test.py::test_b", "tests/tool_test.py")]
    first, second = plan(["src/net/data.py", "tests/test_train.py"], PROJECT, failed)
    assert first.paths == ("tests/tool_test.py", "tests/test_train.py", "tests/slow/test_all.py")
    assert first.first == ("tests/tool_test.py::test_b",)
    assert second == Phase("all")


SOURCE = b"""
import os, net.model as m
from . import sibling
from ..up import thing, other as o
from .pkg.mod import *
def f():
    from lazy import part
"""


def test_reading_imports() -> None:
    expected = {"os", "net.model", ".", ".sibling", "..up", "..up.thing", "..up.other", ".pkg.mod", "lazy", "lazy.part"}
    assert imports_of(SOURCE) == expected
    broken = imports_of(SOURCE + b"def broken(:\n")
    assert expected <= broken | {"..up.other"}


@given(st.binary(max_size=200))
def test_reading_anything(data: bytes) -> None:
    assert all(isinstance(name, str) for name in imports_of(data))
    imports_of(b"import a\nfrom b import c, (\n" + data)
