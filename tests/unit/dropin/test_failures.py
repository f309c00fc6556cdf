"""Errors as results: what the reference's readers look for is there, whatever failed."""

from __future__ import annotations

from typing import Any

import pytest

from devenv.cli.wire import WireError
from devenv.dropin.failures import answer, known, tell
from devenv.dropin.log import Log
from devenv.errors import BuildFailed, ConfigError, DevenvError, EngineMissing, HookFailed, NotFound, Problem

WHAT = "An error occurred setting up the container."

HOOK = {"hook": "postCreateCommand", "name": "", "origin": "devcontainer.json", "lines": ["a", "b"]}

ANSWERS: list[tuple[str, DevenvError, dict[str, str]]] = [
    (
        "a missing file",
        NotFound("Dev container config (/x) not found."),
        {"message": "Dev container config (/x) not found.", "description": "Dev container config (/x) not found."},
    ),
    ("the engine", EngineMissing("no engine"), {"message": "no engine", "description": WHAT}),
    (
        "a lifecycle command",
        HookFailed("it failed", details=HOOK),
        {"message": "it failed", "description": "postCreateCommand from devcontainer.json failed."},
    ),
    (
        "one of several, of a feature",
        HookFailed("it failed", details={**HOOK, "name": "one", "origin": "./a"}),
        {"message": "it failed", "description": "one of postCreateCommand from Feature './a' failed."},
    ),
    (
        "on the host",
        HookFailed("it failed", details={**HOOK, "hook": "initializeCommand"}),
        {"message": "it failed", "description": "The initializeCommand in the devcontainer.json failed."},
    ),
    (
        "dotfiles",
        HookFailed("it failed", details={**HOOK, "hook": "dotfiles", "origin": "dotfiles"}),
        {"message": "it failed", "description": "Installing the dotfiles failed."},
    ),
    (
        "in a container",
        BuildFailed("no", details={"container": "abc"}),
        {"message": "no", "description": WHAT, "containerId": "abc"},
    ),
    (
        "all problems of a configuration",
        ConfigError([Problem("f", 1, 2, "a", "x"), Problem("f", 2, 3, "b", "y")]),
        {"message": "f:1:2: a: x\nf:2:3: b: y", "description": "f:1:2: a: x\nf:2:3: b: y"},
    ),
]


@pytest.mark.parametrize(("error", "expected"), [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS])
def test_answer(error: DevenvError, expected: dict[str, str]) -> None:
    found = answer(error.to_wire(), WHAT)
    assert found == {"outcome": "error", **expected}
    assert list(found)[:3] == ["outcome", "message", "description"]


def test_errors_from_here_and_from_the_supervisor_are_known() -> None:
    wire: dict[str, Any] = NotFound("x", "y").to_wire()
    assert known(NotFound("x", "y")) == known(WireError(wire)) == wire
    assert known(ValueError("a defect")) is None


def test_what_is_told() -> None:
    written: list[str] = []
    log = Log(write=written.append, clock=lambda: 0.0)
    tell(HookFailed("it failed", "correct it", details=HOOK).to_wire(), log)
    assert [line[27:] for line in written] == ["it failed\n", "  | a\n", "  | b\n", "  correct it\n"]
