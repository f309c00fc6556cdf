"""The matcher by itself: the order of strength, its caches, and what it refuses."""

from __future__ import annotations

import ast
import pathlib
import re
import sys
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from devenv.sync.patterns import rules_of
from devenv.sync.side import rules
from devenv.sync.side.rules import Matcher

LINES = st.sampled_from(
    ["a", "!a", "*.b", "!*.b", "a*", "!a*", "/a", "!/a", "b/", "!b/", "a/*", "!b/**/a", "?", "**/a/b"]
)
GROUPS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["", "a", "a/b", "c"]), st.lists(LINES, min_size=1, max_size=4)),
    max_size=5,
    unique_by=lambda group: group[:2],
)
PATHS = st.lists(st.sampled_from(["a", "b", "c", "ab", "x.b"]), min_size=1, max_size=4).map("/".join)


def spec(groups: list[tuple[int, str, list[str]]], **more: Any) -> dict[str, Any]:
    compiled = [
        [layer, folder, [rule for line in lines for rule in rules_of(line, folder)]] for layer, folder, lines in groups
    ]
    return {"groups": compiled, "outputs": [], "max_file": 1, "git": False, **more}


@given(GROUPS, PATHS, st.booleans())
def test_the_strongest_line_decides(groups: list[tuple[int, str, list[str]]], path: str, is_folder: bool) -> None:
    parts = path.split("/")
    above = ["/".join(parts[:number]) for number in range(1, len(parts))]
    said = False
    for layer, folder, lines in sorted(groups, key=lambda group: (group[0], group[1].count("/") + bool(group[1]))):
        for line in lines:
            alone = Matcher(spec([(layer, folder, [line.removeprefix("!")])]))
            assume(not any(alone.ignored(one, True) for one in above))  # nobody asks about what is below
            if alone.ignored(path, is_folder):
                said = not line.startswith("!")
    assert Matcher(spec(groups)).ignored(path, is_folder) == said


@given(GROUPS, st.lists(st.tuples(PATHS, st.booleans()), max_size=20))
def test_the_order_of_questions_does_not_matter(
    groups: list[tuple[int, str, list[str]]], asked: list[tuple[str, bool]]
) -> None:
    one, other = Matcher(spec(groups)), Matcher(spec(list(reversed(groups))))
    assert [one.ignored(*question) for question in asked] == [
        *reversed([other.ignored(*question) for question in reversed(asked)])
    ]


def test_a_forgotten_folder_is_learnt_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "_MOST_FOLDERS", 3)
    matcher = Matcher(spec([(1, "", ["*.x", "/gone/"]), (1, "f3", ["!*.x", "y"])]))
    for _ in range(2):
        for number in range(10):
            found = [matcher.ignored(f"f{number}/{name}", False) for name in ("a.x", "y", "z")]
            assert found == ([False, True, False] if number == 3 else [True, False, False])
            assert matcher.ignored(f"gone/f{number}/z", False)


@pytest.mark.parametrize(
    "groups",
    [
        [[0, "", [[True, False, "", True, "glob", "("]]]],
        [[0, "", [[True, False, "", True, "command", "x"]]]],
        [[0, "", [[True]]]],
        [[0]],
    ],
)
def test_rules_that_nobody_compiled(groups: Any) -> None:
    with pytest.raises((ValueError, TypeError, re.error)):
        Matcher({**spec([]), "groups": groups}).ignored("a", False)


def test_it_runs_where_only_an_old_python_is() -> None:
    source = pathlib.Path(rules.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 6))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported <= {*sys.stdlib_module_names}
    assert not any(isinstance(node, ast.ImportFrom) for node in tree.body)
