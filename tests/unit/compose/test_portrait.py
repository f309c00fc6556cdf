"""What is told of an edited Compose file."""

from __future__ import annotations

from typing import Any

import pytest

from devcontainer.compose import Service
from devenv.compose import portrait

APP = {"image": "a", "environment": {"A": "1"}, "build": {"args": {"X": "y"}, "context": "."}, "volumes": ["v:/v"]}
DB = {"image": "db", "environment": {"PASSWORD": "s3cret"}}


def of(app: dict[str, Any], **others: dict[str, Any]) -> dict[str, str]:
    return {
        **portrait.portrait(Service("app", app)),
        **portrait.others(Service(name, raw) for name, raw in others.items()),
    }


CASES: dict[str, tuple[dict[str, str], dict[str, str], list[tuple[str, str, str]]]] = {
    "nothing": (of(APP, db=DB), of(APP, db=DB), []),
    "nothing was kept": ({}, of(APP, db=DB), []),
    "a property": (of(APP), of({**APP, "image": "b"}), [("service image", '"a"', '"b"')]),
    "a variable": (
        of(APP),
        of({**APP, "environment": {"A": "2", "B": "3"}}),
        [
            ("service environment.A", "(value at creation)", "(another value)"),
            ("service environment.B", "(none)", "set"),
        ],
    ),
    "one that is gone": (
        of(APP),
        of({"image": "a", "build": APP["build"], "volumes": APP["volumes"]}),
        [
            ("service environment.A", "set", "(none)"),
        ],
    ),
    "another service": (of(APP, db=DB), of(APP, db={**DB, "init": True}), [("service db", "(as made)", "(edited)")]),
    "one more service": (of(APP), of(APP, db=DB), [("service db", "(none)", "(in the files)")]),
    "one service less": (of(APP, db=DB), of(APP), [("service db", "(as made)", "(none)")]),
    "kept before other services were": (portrait.portrait(Service("app", APP)), of(APP, db=DB), []),
}


@pytest.mark.parametrize("name", CASES)
def test_what_differs(name: str) -> None:
    then, now, told = CASES[name]
    assert [(d.property, d.actual, d.wanted) for d in portrait.differences(then, now)] == told


def test_values_that_may_be_secret_are_not_kept() -> None:
    assert "s3cret" not in repr(of(DB, db=DB))
    assert portrait.other_names(of(APP, db=DB, cache={})) == ["db", "cache"]
