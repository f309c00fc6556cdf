"""Editing JSONC: one value changes, every other byte and comment stays."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcontainer import jsonc
from devcontainer.jsonc import edit

LAUNCH = """{
    // Use IntelliSense to learn about possible attributes.
    "version": "0.2.0",
    "configurations": [
        {
            "name": "A" // mine
        }, // the end of mine
        // { "name": "off" }
    ]
}
"""

CASES = [
    pytest.param(
        LAUNCH,
        ("configurations",),
        {"name": "B"},
        LAUNCH.replace("// the end of mine\n", '// the end of mine\n        {\n            "name": "B"\n        },\n'),
        id="after a trailing comma and its comment, which keeps its line",
    ),
    pytest.param("[]", (), 1, "[\n    1\n]", id="an empty array is spread"),
    pytest.param("[ ]", (), 1, "[\n    1\n]", id="blanks in an empty array go"),
    pytest.param("[\n]", (), 1, "[\n    1\n]", id="an empty array on two lines"),
    pytest.param("[ // none yet\n]", (), 1, "[ // none yet\n    1\n]", id="a comment in an empty array stays first"),
    pytest.param("[/* none */]", (), 1, "[/* none */\n    1\n]", id="a block comment in an empty array"),
    pytest.param("[1, 2]", (), 3, "[1, 2, 3]", id="one line stays one line"),
    pytest.param("[1, 2, ]", (), 3, "[1, 2, 3, ]", id="one line with a trailing comma"),
    pytest.param("[ 1 ]", (), {"a": [2]}, '[ 1, {"a": [2]} ]', id="blanks inside the brackets stay"),
    pytest.param("[\n\t1\n]", (), 2, "[\n\t1,\n\t2\n]", id="tabs"),
    pytest.param("[\r\n  1\r\n]\r\n", (), [2], "[\r\n  1,\r\n  [\r\n    2\r\n  ]\r\n]\r\n", id="Windows line ends"),
    pytest.param("[\n  1 // one\n]", (), 2, "[\n  1, // one\n  2\n]", id="the comma goes before the comment"),
    pytest.param(
        "[\n  1 /* a */ // b\n  // c\n]", (), 2, "[\n  1, /* a */ // b\n  2\n  // c\n]", id="several comments"
    ),
    pytest.param('[{\n  "a": 1\n}]', (), {"b": 2}, '[{\n  "a": 1\n}, {\n  "b": 2\n}]', id="brackets that hug"),
    pytest.param('{"l": [\n    1]}', ("l",), 2, '{"l": [\n    1,\n    2]}', id="a closing bracket on the last line"),
    pytest.param(
        "{}", ("a", "b"), 1, '{\n    "a": {\n        "b": [\n            1\n        ]\n    }\n}', id="all is missing"
    ),
]


@pytest.mark.parametrize(("text", "path", "value", "expected"), CASES)
def test_append(text: str, path: jsonc.Path, value: Any, expected: str) -> None:
    assert edit.append(text, path, value) == expected


@pytest.mark.parametrize(
    ("text", "path", "value", "expected"),
    [
        pytest.param('{"a": 1} // x', ("a",), 2, '{"a": 2} // x', id="a scalar"),
        pytest.param('{"a": 1}', ("a",), 1, '{"a": 1}', id="the same value changes nothing"),
        pytest.param('{"a": 1}', ("a",), True, '{"a": true}', id="true is not one"),
        pytest.param('{"a": [ 1,2 ]}', ("a",), [1, 2], '{"a": [ 1,2 ]}', id="the same value, however written"),
        pytest.param('{"a": {"x": 1}}', ("a",), {"y": 2}, '{"a": {"y": 2}}', id="a container on one line stays so"),
        pytest.param(
            '{\n  "a": {\n    "x": 1\n  }\n}', ("a",), {"y": 2}, '{\n  "a": {\n    "y": 2\n  }\n}', id="lines"
        ),
        pytest.param('{"a": 1, "a": 2}', ("a",), 3, '{"a": 1, "a": 3}', id="of two equal keys the one that counts"),
        pytest.param('{ "a": 1 }', ("b",), "é", '{ "a": 1, "b": "é" }', id="a new key on one line"),
        pytest.param('{\n  "a": 1,\n}', ("b",), 2, '{\n  "a": 1,\n  "b": 2,\n}', id="a trailing comma is kept up"),
        pytest.param("[1, 2]", (0,), 3, "[3, 2]", id="an element"),
        pytest.param("1 // x", (), 2, "2 // x", id="the root"),
    ],
)
def test_set_value(text: str, path: jsonc.Path, value: Any, expected: str) -> None:
    assert edit.set_value(text, path, value) == expected


@pytest.mark.parametrize(
    ("text", "path"),
    [
        pytest.param("[1]", ("a",), id="a key of an array"),
        pytest.param("{}", (0,), id="an index of an object"),
        pytest.param("[1]", (5,), id="an index past the end"),
        pytest.param('{"a": 1}', ("a", "b"), id="a key of a number"),
        pytest.param("{}", ("a", 3), id="an element of an array that is not there"),
    ],
)
def test_a_path_that_does_not_fit(text: str, path: jsonc.Path) -> None:
    with pytest.raises(edit.EditError):
        edit.set_value(text, path, 1)


def test_append_to_what_is_no_array() -> None:
    with pytest.raises(edit.EditError, match="a is not an array"):
        edit.append('{"a": {}}', ("a",), 1)


def test_text_that_is_not_jsonc_is_refused() -> None:
    with pytest.raises(jsonc.JsoncError):
        edit.append('{"a": [1 2]}', ("a",), 3)


GAPS = st.sampled_from(
    ["", "", " ", "\n", "\n  ", "\n\t", " // c\n", "/* b */", " /* d\n e */ ", "\r\n", "\n    // f\n    "]
)


@st.composite
def documents(draw: st.DrawFn, depth: int = 3) -> tuple[str, Any]:
    """A text with comments and blanks in every gap, and its value."""
    kind = draw(st.sampled_from(["scalar", "array", "object"] if depth else ["scalar"]))
    if kind == "scalar":
        return draw(st.sampled_from([("1", 1), ("true", True), ('"// x"', "// x"), ("null", None), ('"é\\n"', "é\n")]))
    count = draw(st.integers(0, 3))
    parts, values = [], []
    for index in range(count):
        text, value = draw(documents(depth - 1))
        if kind == "object":
            text = f'"k{index}"{draw(GAPS)}:{draw(GAPS)}{text}'
        parts.append(draw(GAPS) + text + draw(GAPS))
        values.append(value)
    comma = "," + draw(GAPS) if count and draw(st.booleans()) else ""
    body = ",".join(parts) + comma + ("" if count else draw(GAPS))
    if kind == "array":
        return f"[{body}]", values
    return f"{{{body}}}", {f"k{index}": value for index, value in enumerate(values)}


def paths(value: Any, at: jsonc.Path = ()) -> list[jsonc.Path]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, child in children for path in paths(child, (*at, key)))]


def parent_of(value: Any, path: jsonc.Path) -> Any:
    for step in path:
        value = value[step]
    return value


NEW = st.sampled_from([7, "new // not a comment", [], {"a": [1, {"b": None}]}, [[1]], {}])
COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|(//[^\r\n]*|/\*.*?\*/)', re.DOTALL)


def comments(text: str) -> list[str]:
    return [match[1] for match in COMMENT.finditer(text) if match[1]]


@given(documents(), NEW, st.data())
def test_adding_keeps_every_other_byte(document: tuple[str, Any], new: Any, data: st.DataObject) -> None:
    text, value = document
    assert jsonc.parse(text).value == value
    places = [path for path in paths(value) if isinstance(parent_of(value, path), list | dict)]
    if not places:
        return
    path = data.draw(st.sampled_from(places))
    expected = copy.deepcopy(value)
    parent = parent_of(expected, path)
    if isinstance(parent, list):
        parent.append(new)
        result = edit.append(text, path, new)
    else:
        parent["added"] = new
        result = edit.set_value(text, (*path, "added"), new)
    assert jsonc.parse(result).value == expected
    assert comments(result) == [*comments(text)], "comments stay, in order"
    old, fresh = iter(result), [char for char in text if not char.isspace()]
    assert all(char in old for char in fresh), "what was written is still there, in order"
    node = jsonc.parse(text).node(path)
    assert node is not None
    assert result.startswith(text[: node.start + 1])
    assert result.endswith(text[node.end - 1 :])


@given(documents(), NEW, st.data())
def test_replacing_keeps_what_is_around(document: tuple[str, Any], new: Any, data: st.DataObject) -> None:
    text, value = document
    path = data.draw(st.sampled_from(paths(value)))
    node = jsonc.parse(text).node(path)
    assert node is not None
    result = edit.set_value(text, path, new)
    assert result.startswith(text[: node.start])
    assert result.endswith(text[node.end :])
    assert parent_of(jsonc.parse(result).value, path) == new
    assert edit.set_value(result, path, new) == result, "a second time nothing changes"
