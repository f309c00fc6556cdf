"""`devenv debug --attach`: what it asks for, and what a person is asked."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from devenv.cli import attaching, wire
from devenv.cli.options import BadUsage
from devenv.cli.verbs.debug import VERB

REFUSED = {"kind": "Refused", "message": "it may not be entered", "code": 77, "details": {"ask": "privileged"}}


class Supervisor:
    """Stands for the supervisor: refuses what is not privileged, if it is told to."""

    def __init__(self, refuses: dict[str, Any] | None = None) -> None:
        self.asked: list[dict[str, Any]] = []
        self._refuses = refuses

    def call(self, verb: str, args: dict[str, Any], on_message: object = None) -> dict[str, Any]:
        assert verb == "debug-attach"
        self.asked.append(args)
        if self._refuses and not args.get("privileged"):
            raise wire.WireError(self._refuses)
        return {"text": "devenv: debugger ready"}


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    found = Supervisor()
    monkeypatch.setattr(wire, "call", found.call)
    return found


def run(*words: str) -> int:
    return VERB.run(VERB.parse(["--attach", *words]))


def test_the_newest_run_a_run_and_a_process(supervisor: Supervisor, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == run("train.py") == run("41") == 0
    assert [asked["target"] for asked in supervisor.asked] == ["", "train.py", "41"]
    assert "debugger ready" in capsys.readouterr().out


def test_options_may_follow_the_name(supervisor: Supervisor, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train.py", "--json", "--no-subprocess") == 0
    assert supervisor.asked[0]["subprocess"] is False
    assert capsys.readouterr().out.startswith("{")


@pytest.mark.parametrize("words", [("a", "b"), ("--no-wait", "a"), ("-d", "a"), ("--name", "x", "a")])
def test_what_makes_no_sense_with_it(supervisor: Supervisor, words: tuple[str, ...]) -> None:
    with pytest.raises(BadUsage, match="debug --attach"):
        run(*words)
    assert supervisor.asked == []


@pytest.mark.parametrize(("answer", "times"), [("y\n", 2), ("n\n", 1), ("", 1)])
def test_a_person_is_asked_for_every_capability(monkeypatch: pytest.MonkeyPatch, answer: str, times: int) -> None:
    supervisor = Supervisor(REFUSED)
    monkeypatch.setattr(wire, "call", supervisor.call)
    monkeypatch.setattr(os, "isatty", lambda fd: True)
    monkeypatch.setattr(sys.stdin, "readline", lambda: answer, raising=False)
    if times == 2:
        assert run("train.py") == 0
    else:
        with pytest.raises(wire.WireError):
            run("train.py")
    assert len(supervisor.asked) == times


def test_a_script_is_refused_and_may_say_so_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = Supervisor(REFUSED)
    monkeypatch.setattr(wire, "call", supervisor.call)
    monkeypatch.setattr(os, "isatty", lambda fd: False)
    with pytest.raises(wire.WireError):
        run("train.py")
    assert run("--privileged", "train.py") == 0


def test_another_refusal_is_no_question(monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = Supervisor({**REFUSED, "details": {}})
    monkeypatch.setattr(wire, "call", supervisor.call)
    monkeypatch.setattr(attaching, "_agreed", lambda why: pytest.fail("it asked"))
    with pytest.raises(wire.WireError):
        run("train.py")
