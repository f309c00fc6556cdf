"""Which of several configurations: a person is asked, a script never."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from devenv.cli import which
from devenv.cli.verbs.configs import listing

VIEW: dict[str, Any] = {
    "config": "cpu",
    "file": "/p/.devcontainer/cpu/devcontainer.json",
    "name": "Laptop",
    "kind": "image",
    "made_from": "python:3.11",
    "default": False,
    "remembered": False,
    "status": "running",
    "problem": "",
}
GPU = {
    **VIEW,
    "config": "gpu",
    "file": "/p/.devcontainer/gpu/devcontainer.json",
    "name": "gpu",
    "kind": "dockerfile",
    "made_from": ".devcontainer/gpu/Dockerfile",
    "status": "absent",
}
BAD = {
    **GPU,
    "config": "old",
    "name": "",
    "kind": "",
    "made_from": "",
    "problem": "old.json:1: image: a text is needed",
}
FOUND = [VIEW, GPU, BAD]


def error(remembered: str = "", offer: str = "configs") -> dict[str, Any]:
    return {"message": "several", "details": {"offer": offer, "remembered": remembered}}


class Person:
    """The standard streams: which are terminals, and what is typed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, terminals: str, typed: str = "") -> None:
        self.said = io.StringIO()
        self.asked: list[str] = []
        monkeypatch.setattr(which.os, "isatty", lambda fd: str(fd) in terminals)
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        monkeypatch.setattr(sys, "stderr", self.said)

        def call(verb: str, args: dict[str, Any]) -> Any:
            self.asked.append(verb)
            return {"configs": FOUND}

        monkeypatch.setattr(which.wire, "call", call)


@pytest.mark.parametrize(
    ("typed", "file"),
    [
        pytest.param("2\n", GPU["file"], id="a number"),
        pytest.param("gpu\n", GPU["file"], id="the word for --config"),
        pytest.param("Laptop\n", VIEW["file"], id="its name"),
        pytest.param("0\n4\nx\n1\n", VIEW["file"], id="until there is such a one"),
        pytest.param("\n", "", id="none"),
        pytest.param("", "", id="the end of the input"),
    ],
)
def test_a_person_is_asked(monkeypatch: pytest.MonkeyPatch, typed: str, file: str) -> None:
    person = Person(monkeypatch, "012", typed)
    assert which.chosen(error(), {}, tell=True, ask=True) == file
    text = person.said.getvalue()
    assert "1.  cpu  Laptop  python:3.11" in text and "2.  gpu" in text and "a text is needed" in text
    assert person.asked == ["configs"]


@pytest.mark.parametrize(
    ("terminals", "values", "ask"),
    [
        pytest.param("", {}, True, id="nobody is there"),
        pytest.param("012", {"json": True}, True, id="a program reads JSON"),
        pytest.param("12", {}, True, id="nothing can be typed"),
        pytest.param("012", {}, False, id="a verb that does not ask"),
    ],
)
def test_who_is_not_asked(monkeypatch: pytest.MonkeyPatch, terminals: str, values: dict[str, Any], ask: bool) -> None:
    person = Person(monkeypatch, terminals, "1\n")
    assert which.chosen(error(), values, tell=True, ask=ask) == ""
    assert (person.asked, person.said.getvalue()) == ([], "")


@pytest.mark.parametrize(
    ("terminals", "tell", "said"),
    [("012", True, True), ("012", False, False), ("1", True, False), ("0", True, False)],
)
def test_the_choice_of_last_time(monkeypatch: pytest.MonkeyPatch, terminals: str, tell: bool, said: bool) -> None:
    person = Person(monkeypatch, terminals)
    assert which.chosen(error("/p/x/devcontainer.json"), {}, tell=tell, ask=True) == "/p/x/devcontainer.json"
    assert ("chosen last time; see `devenv configs`" in person.said.getvalue()) is said


def test_it_is_nothing_for_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    Person(monkeypatch, "")
    assert which.chosen(error("/p/x/devcontainer.json"), {}, tell=True, ask=True) == ""
    assert which.chosen(error("/p/x", offer="init"), {}, tell=True, ask=True) == ""


def test_the_list() -> None:
    text = listing([{**VIEW, "default": True}, {**GPU, "remembered": True}, BAD])
    assert "cpu     Laptop  image       python:3.11                   running         default\n" in text
    assert "no container    chosen last time" in text and "old     " in text and "cannot be used" in text
    assert "  old.json:1: image: a text is needed\n" in text
    assert "devenv init" in listing([])
