"""JSON with the bytes of `JSON.stringify`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcontainer import javascript

TEXTS = [
    pytest.param({"b": 1, "a": [1, "x", None]}, '{"b":1,"a":[1,"x",null]}', id="no spaces, keys as they came"),
    pytest.param({"x": 1, "10": 2, "9": 3, "01": 4}, '{"9":3,"10":2,"x":1,"01":4}', id="whole numbers first"),
    pytest.param({"4294967295": 1, "4294967294": 2}, '{"4294967294":2,"4294967295":1}', id="up to an array's length"),
    pytest.param(1.0, "1", id="no fraction"),
    pytest.param(1.5, "1.5", id="a fraction"),
    pytest.param(float("inf"), "null", id="what JSON has not"),
    pytest.param("ä\u2028</>", '"ä\u2028</>"', id="other letters as they are"),
    pytest.param("\ud800x", '"\\ud800x"', id="half of a character"),
    pytest.param("\x7f\n\x01", '"\x7f\\n\\u0001"', id="control characters"),
    pytest.param({}, "{}", id="nothing"),
]


@pytest.mark.parametrize(("value", "expected"), TEXTS)
def test_stringify(value: Any, expected: str) -> None:
    assert javascript.stringify(value) == expected


def test_indented() -> None:
    assert javascript.stringify({"a": [1, {}], "b": []}, indent=2) == (
        '{\n  "a": [\n    1,\n    {}\n  ],\n  "b": []\n}'
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "true"),
        (False, "false"),
        ("x", "x"),
        (3, "3"),
        (3.10, "3.1"),
        (2.0, "2"),
        (1e300, "1e+300"),
        (1e-7, "1e-7"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        (float("nan"), "NaN"),
    ],
)
def test_text(value: Any, expected: str) -> None:
    assert javascript.text(value) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_the_value_stays(value: Any) -> None:
    assert json.loads(javascript.stringify(value)) == value
    assert json.loads(javascript.stringify(value, indent=2)) == value
