"""Reading JSONC: what is accepted, what is refused, and the position that is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcontainer import jsonc
from devcontainer.jsonc.parser import MAX_DEPTH

GOOD = [
    pytest.param("{}", {}, id="an empty object"),
    pytest.param(' [1, -2.5, 1e3, true, false, null, "x"] ', [1, -2.5, 1000.0, True, False, None, "x"], id="all kinds"),
    pytest.param('{"a": 1,}', {"a": 1}, id="a trailing comma in an object"),
    pytest.param("[1,]", [1], id="a trailing comma in an array"),
    pytest.param('// c\n{"a": /* b */ 1 // d\n}\n/* e */', {"a": 1}, id="comments everywhere"),
    pytest.param('{"a": "// no comment /* here */"}', {"a": "// no comment /* here */"}, id="comment signs in a text"),
    pytest.param('\ufeff{"a": 1}', {"a": 1}, id="a byte order mark"),
    pytest.param('{"a": 1, "a": 2}', {"a": 2}, id="of two equal keys the last"),
    pytest.param(r'"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"', '"\\/\b\f\n\r\té😀', id="every escape"),
    pytest.param('{"a"\t:\r\n1}', {"a": 1}, id="all white space"),
    pytest.param('"a\tb"', "a\tb", id="a tab in a text"),
    pytest.param("/**/1/***/", 1, id="the shortest block comments"),
]

BAD = [
    pytest.param("", 1, 1, "empty", id="nothing"),
    pytest.param("  // only a comment", 1, 20, "empty", id="only a comment"),
    pytest.param('{"a": 1 "b": 2}', 1, 8, "comma is missing", id="a missing comma between members"),
    pytest.param('{\n  "a": 1\n  "b": 2\n}', 2, 9, "comma is missing", id="the comma belongs to the line before"),
    pytest.param("[1 2]", 1, 3, "comma is missing", id="a missing comma between elements"),
    pytest.param('{"a": 1} x', 1, 10, "after the end", id="text after the value"),
    pytest.param("{} {}", 1, 4, "after the end", id="two values"),
    pytest.param("{,}", 1, 2, "key in double quotes", id="a comma alone in an object"),
    pytest.param("[,]", 1, 2, "value is missing", id="a comma alone in an array"),
    pytest.param("[1,,2]", 1, 4, "value is missing", id="two commas"),
    pytest.param('{"a" 1}', 1, 5, "':' is missing", id="no colon"),
    pytest.param('{"a":}', 1, 6, "value is missing", id="no value"),
    pytest.param("{a: 1}", 1, 2, "key in double quotes", id="a key without quotes"),
    pytest.param("{'a': 1}", 1, 2, "key in double quotes", id="a key in single quotes"),
    pytest.param("['a']", 1, 2, "double quotes", id="a text in single quotes"),
    pytest.param("[True]", 1, 2, "not a JSON value", id="a word of Python"),
    pytest.param("[NaN]", 1, 2, "not a JSON value", id="a number that is none"),
    pytest.param('{"a": [1}', 1, 9, "does not close", id="the wrong bracket"),
    pytest.param('\n {"a": [1, 2', 2, 8, "not closed", id="an open array"),
    pytest.param('{"a": 1', 1, 1, "not closed", id="an open object"),
    pytest.param('["abc', 1, 2, "not closed", id="an open text"),
    pytest.param('["a\nb"]', 1, 2, "not closed", id="a line end in a text"),
    pytest.param('["a\x01"]', 1, 4, "U+0001", id="a control character"),
    pytest.param(r'["C:\dir"]', 1, 5, "backslash", id="a Windows path"),
    pytest.param(r'["\u12"]', 1, 3, "not an escape", id="a short escape"),
    pytest.param(r'["\ud800"]', 1, 2, "surrogate", id="half a character"),
    pytest.param("[01]", 1, 2, "not a JSON number", id="a leading zero"),
    pytest.param("[1.]", 1, 2, "not a JSON number", id="a point without digits"),
    pytest.param("[-]", 1, 2, "not a JSON number", id="a sign alone"),
    pytest.param("[1e999]", 1, 2, "too large", id="infinity by size"),
    pytest.param("[" + "9" * 5000 + "]", 1, 2, "too many digits", id="more digits than the interpreter reads"),
    pytest.param("[\u0663]", 1, 2, "not a JSON number", id="a digit of another script"),
    pytest.param("/* open", 1, 1, "comment is not closed", id="an open comment"),
    pytest.param("[1]\r\n\r\n/* x", 3, 1, "comment is not closed", id="Windows line ends count once"),
    pytest.param("[1\u00a0]", 1, 3, "comma is missing", id="a no-break space"),
    pytest.param("[" * (MAX_DEPTH + 1), 1, MAX_DEPTH + 1, "levels deep", id="nested too deeply"),
]


@pytest.mark.parametrize(("text", "value"), GOOD)
def test_accepts(text: str, value: Any) -> None:
    assert jsonc.parse(text).value == value


@pytest.mark.parametrize(("text", "line", "column", "words"), BAD)
def test_refuses_with_position(text: str, line: int, column: int, words: str) -> None:
    with pytest.raises(jsonc.JsoncError) as caught:
        jsonc.parse(text, "a.json")
    assert (caught.value.line, caught.value.column) == (line, column)
    assert words in caught.value.message
    assert str(caught.value).startswith(f"a.json:{line}:{column}: ")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from([None, 2, "\t"]), st.booleans())
def test_reads_whatever_json_can_write(value: Any, indent: Any, ascii_only: bool) -> None:
    assert jsonc.parse(json.dumps(value, indent=indent, ensure_ascii=ascii_only)).value == value


@given(st.text(alphabet='{}[]",:/*\\ \n\rtrue1-.eu0'))
def test_never_raises_anything_else(text: str) -> None:
    try:
        jsonc.parse(text)
    except jsonc.JsoncError as error:
        assert 1 <= error.line <= text.count("\n") + text.count("\r") + 1
        assert error.column >= 1


def test_positions_of_values_and_keys() -> None:
    document = jsonc.parse('{\n  "a": {"b": [10,\n 20]}\n}')
    assert document.position(("a", "b", 1)) == (3, 2)
    assert document.key_position(("a", "b")) == (2, 9)
    assert document.position(("a", "b")) == (2, 14)
    assert document.position(("a", "nothing", "here")) == (2, 8), "of what is not there: the nearest around it"
    assert document.spans[("a", "b", 0)] == (16, 18)


def test_duplicates_are_told_with_both_places() -> None:
    (duplicate,) = jsonc.parse('{"x": [{"a": 1,\n"a": 2}]}').duplicates
    assert duplicate == (("x", 0, "a"), (2, 1), (1, 9))
