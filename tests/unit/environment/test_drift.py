"""Property by property, with both values."""

from __future__ import annotations

from typing import Any

import pytest

from devenv.environment import drift
from devenv.environment.properties import digest, image_part

BASE: dict[str, Any] = {
    "image": "a:1",
    "containerEnv": {"A": digest("1")},
    "mounts": {"/data": "type=volume,source=d,target=/data"},
    "init": False,
    "capAdd": [],
    "runArgs": ["--cpus=1"],
    "imageEntries": 0,
}

CASES: list[tuple[str, dict[str, Any], list[tuple[str, str, str]]]] = [
    ("nothing", {}, []),
    ("internal only", {"imageEntries": 3}, []),
    ("image", {"image": "a:2"}, [("image", "a:2", "a:1")]),
    (
        "a value of env",
        {"containerEnv": {"A": digest("2")}},
        [("containerEnv.A", "(another value)", "(value at creation)")],
    ),
    ("env added", {"containerEnv": {"A": digest("1"), "B": digest("x")}}, [("containerEnv.B", "set", "(none)")]),
    ("env removed", {"containerEnv": {}}, [("containerEnv.A", "(none)", "set")]),
    ("flag", {"init": True}, [("init", "true", "false")]),
    ("list", {"capAdd": ["SYS_PTRACE"]}, [("capAdd", '["SYS_PTRACE"]', "(none)")]),
    ("mount gone", {"mounts": {}}, [("mounts /data", "(none)", "type=volume,source=d,target=/data")]),
]


@pytest.mark.parametrize(("change", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_compare(change: dict[str, Any], expected: list[tuple[str, str, str]]) -> None:
    found = drift.compare({**BASE, **change}, BASE)
    assert [(d.property, d.wanted, d.actual) for d in found] == expected


def test_what_is_not_known_is_not_compared() -> None:
    assert drift.compare(BASE, {"init": False}) == []


def test_another_kind_of_configuration() -> None:
    wanted = {k: v for k, v in BASE.items() if k != "image"} | {"build.dockerfile": "Dockerfile"}
    found = {(d.property, d.wanted, d.actual) for d in drift.compare(wanted, BASE)}
    assert found == {("image", "(none)", "a:1"), ("build.dockerfile", "Dockerfile", "(none)")}


def test_values_of_the_environment_are_never_shown() -> None:
    text = str(drift.compare({**BASE, "containerEnv": {"A": digest("s3cret")}}, BASE))
    assert "s3cret" not in text and digest("s3cret") not in text


def test_image_moved() -> None:
    (found,) = drift.image_moved("a:1", "sha256:" + "1" * 64, "sha256:" + "2" * 64)
    assert (found.property, found.wanted, found.actual) == ("image a:1", "1" * 12, "2" * 12)
    assert drift.image_moved("a:1", "", "x") == [] and drift.image_moved("a:1", "x", "x") == []


@pytest.mark.parametrize(
    ("now", "then", "expected"),
    [
        ("FROM a\nRUN x\n", "FROM a\nRUN y\n", ("Dockerfile line 2", "RUN x", "RUN y")),
        ("FROM a\n", "FROM a\nRUN y\n", ("Dockerfile line 2", "(end)", "RUN y")),
        ("FROM a\n", "", None),
        ("FROM a\n", "FROM a\n", None),
    ],
)
def test_dockerfile(now: str, then: str, expected: tuple[str, str, str] | None) -> None:
    found = [(d.property, d.wanted, d.actual) for d in drift.dockerfile_changed(now, then)]
    assert found == ([expected] if expected else [])


def test_image_part_of_the_metadata() -> None:
    entries: list[Any] = [{"a": 1}, {"b": 2}, {"c": 3}]
    assert image_part(entries, {"imageEntries": 2}, {"c": 3}) == 2
    assert image_part(entries, None, {"c": 3}) == 2  # another tool's: the last one is the project's
    assert image_part(entries, None, {}) == 3
    assert image_part([], None, {"c": 3}) == 0
