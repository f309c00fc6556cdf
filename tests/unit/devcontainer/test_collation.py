"""Texts in the order of `localeCompare`; tests/integration asks JavaScript itself."""

from __future__ import annotations

import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcontainer import collation

PAIRS = [
    pytest.param("a", "B", id="case does not come first"),
    pytest.param("a", "A", id="lower case first"),
    pytest.param("aB", "Ab", id="the first difference of case decides"),
    pytest.param("A", "ab", id="a letter more outweighs case"),
    pytest.param("a_b", "a-b", id="underscore before dash"),
    pytest.param("a-b", "a.b", id="dash before dot"),
    pytest.param("a.b", "a/b", id="dot before slash"),
    pytest.param("a/b", "a1", id="punctuation before digits"),
    pytest.param("a1", "ab", id="digits before letters"),
    pytest.param("1.10", "1.9", id="digit by digit"),
    pytest.param("", "a", id="nothing first"),
    pytest.param("e", "é", id="a mark after none"),
    pytest.param("é", "f", id="but with its letter"),
    pytest.param("z", "я", id="another alphabet last"),
    pytest.param("a\tb", "a b", id="white space in its own order"),
]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_order(first: str, second: str) -> None:
    assert collation.compare(first, second) == -1
    assert collation.compare(second, first) == 1
    assert collation.compare(first, first) == 0


def test_a_control_character_has_no_weight() -> None:
    assert collation.key("a\x01b")[:3] == collation.key("ab")[:3]
    assert collation.compare("a\x01b", "ab") != 0, "but the texts are not the same"


@given(st.lists(st.text(max_size=6), max_size=6))
def test_a_total_order(texts: list[str]) -> None:
    by_key = sorted(texts, key=collation.key)
    assert by_key == sorted(texts, key=functools.cmp_to_key(collation.compare))


@given(st.text(max_size=5), st.text(max_size=5))
def test_only_the_same_text_is_equal(first: str, second: str) -> None:
    assert (collation.compare(first, second) == 0) == (first == second)
