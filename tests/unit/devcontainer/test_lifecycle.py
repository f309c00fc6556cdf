"""Lifecycle commands: forms, order, markers (spec, *Lifecycle scripts*; marker bytes are the reference's)."""

from __future__ import annotations

from typing import Any

import pytest

from devcontainer import lifecycle
from devcontainer.lifecycle import MARKERS, LifecycleError, Stage, Stamp

FORMS = [
    pytest.param("a && b", [("", ("/bin/sh", "-c", "a && b"), "a && b")], id="a text runs in a shell"),
    pytest.param(["a", "b c"], [("", ("a", "b c"), "a b c")], id="an array runs as it is"),
    pytest.param(
        {"x": "a", "y": ["b", "c"]},
        [("x", ("/bin/sh", "-c", "a"), "a"), ("y", ("b", "c"), "b c")],
        id="an object runs in parallel",
    ),
    pytest.param("  ", [], id="a blank text is nothing"),
    pytest.param([], [], id="an empty array is nothing"),
    pytest.param({}, [], id="an empty object is nothing"),
    pytest.param({"x": "", "y": "b"}, [("y", ("/bin/sh", "-c", "b"), "b")], id="empty entries vanish"),
    pytest.param(None, [], id="not there"),
]


@pytest.mark.parametrize(("command", "expected"), FORMS)
def test_forms(command: Any, expected: list[Any]) -> None:
    parsed = lifecycle.parse(command)
    assert [(step.name, step.argv, step.text) for step in parsed.steps] == expected
    assert bool(parsed) is bool(expected)


@pytest.mark.parametrize("command", [3, True, ["a", 1], {"x": 1}, {"x": {"y": "z"}}, [["a"]]])
def test_not_a_command(command: Any) -> None:
    with pytest.raises(LifecycleError):
        lifecycle.parse(command)


def test_order_of_the_stages() -> None:
    assert [stage.value for stage in Stage] == [
        "initializeCommand",
        "onCreateCommand",
        "updateContentCommand",
        "postCreateCommand",
        "postStartCommand",
        "postAttachCommand",
    ]
    assert [stage for stage in Stage if not stage.in_container] == [Stage.INITIALIZE]
    assert lifecycle.DEFAULT_WAIT_FOR is Stage.UPDATE_CONTENT
    assert Stage.POST_ATTACH not in lifecycle.WAIT_FOR


def test_marker_files_are_those_of_the_reference() -> None:
    assert {stage.value: (marker.file, marker.stamp) for stage, marker in MARKERS.items()} == {
        "onCreateCommand": (".onCreateCommandMarker", Stamp.CREATED),
        "updateContentCommand": (".updateContentCommandMarker", Stamp.CREATED),
        "postCreateCommand": (".postCreateCommandMarker", Stamp.CREATED),
        "postStartCommand": (".postStartCommandMarker", Stamp.STARTED),
    }
    assert lifecycle.MARKER_FOLDER == ".devcontainer"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(None, False, id="no file"),
        pytest.param("2026-01-01T00:00:00.000000001Z\n", True, id="this container"),
        pytest.param("2026-01-01T00:00:00.000000001Z", True, id="without a line end"),
        pytest.param("2025-01-01T00:00:00.000000001Z\n", False, id="an earlier container, on a volume"),
        pytest.param("", True, id="an empty file counts, as in the reference"),
        pytest.param("\n", True, id="so does a line end alone"),
    ],
)
def test_has_run(content: str | None, expected: bool) -> None:
    assert lifecycle.has_run(content, "2026-01-01T00:00:00.000000001Z") is expected


def test_what_is_written_is_what_is_read() -> None:
    assert lifecycle.has_run(lifecycle.marker_content("T"), "T")
