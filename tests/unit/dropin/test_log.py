"""The two formats of stderr, with the fields and channels that the reference's have."""

from __future__ import annotations

import json
from typing import Any

import pytest

from devcontainer.merge import PROJECT
from devenv.dropin import flags
from devenv.dropin.log import DEBUG, ERROR, INFO, TRACE, Log, of
from devenv.lifecycle.hooks import progress_key


class Written:
    """What a log wrote, at a clock that goes on by a second at each look."""

    def __init__(self, **options: Any) -> None:
        self.text = ""
        self._now = 1700000000.0
        self.log = Log(write=self._take, clock=self._tick, **options)

    def _take(self, text: str) -> None:
        self.text += text

    def _tick(self) -> float:
        self._now += 1.0
        return self._now

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


def hook(
    log: Log, stage: str, command: str, *lines: str, name: str = "", ok: bool = True, origin: str = PROJECT
) -> None:
    key = progress_key(stage, name, origin)
    log({"t": "progress", "key": key, "title": f"{stage}{' ' if name else ''}{name}: {command}", "done": False})
    for line in lines:
        log({"t": "line", "key": key, "text": line, "stream": "stdout"})
    log({"t": "progress", "key": key, "done": True, "ok": ok, "detail": "" if ok else "exit code 3"})


def test_a_lifecycle_command_in_json() -> None:
    written = Written(as_json=True)
    hook(written.log, "onCreateCommand", "echo x", "x")
    head, running, start, output, stop, succeeded = written.events
    assert head["type"] == "raw"
    assert head["text"] == "\x1b[1mRunning the onCreateCommand from devcontainer.json...\x1b[0m\r\n\r\n"
    assert running == {
        "type": "progress",
        "name": "Running onCreateCommand...",
        "status": "running",
        "stepDetail": "echo x",
        "channel": "postCreate",
    }
    assert list(start) == ["type", "level", "timestamp", "text", "channel"]
    assert (start["level"], start["text"]) == (2, "Run in container: echo x")
    assert (output["type"], output["level"], output["text"]) == ("raw", 3, "x\n")
    assert list(stop) == ["type", "level", "timestamp", "text", "startTimestamp", "channel"]
    assert stop["startTimestamp"] < stop["timestamp"]
    assert succeeded["status"] == "succeeded"
    assert "stepDetail" not in succeeded
    assert {event["channel"] for event in written.events} == {"postCreate"}


def test_one_on_the_host_is_told_at_info() -> None:
    written = Written(as_json=True)
    hook(written.log, "initializeCommand", "true")
    start = next(event for event in written.events if event["type"] == "start")
    assert (start["level"], start["text"]) == (3, "Run: true")


def test_a_feature_s_command_names_the_feature() -> None:
    written = Written()
    hook(written.log, "postCreateCommand", "true", origin="./a")
    assert "Running the postCreateCommand from Feature './a'..." in written.text


def test_dotfiles_are_no_lifecycle_command() -> None:
    written = Written(as_json=True)
    hook(written.log, "dotfiles", "git clone x", origin="dotfiles")
    assert [event for event in written.events if event["type"] == "progress"] == [
        {"type": "progress", "name": "Installing Dotfiles", "status": "running"},
        {"type": "progress", "name": "Installing Dotfiles", "status": "succeeded"},
    ]
    assert written.events[0]["text"].startswith("\x1b[1mInstalling Dotfiles...")


def test_several_at_once_are_one_progress() -> None:
    written = Written(as_json=True)
    for name in ("one", "two"):
        title = f"postCreateCommand {name}: echo {name}"
        written.log({"t": "progress", "key": f"hook:postCreateCommand:{name}", "title": title, "done": False})
    for name in ("two", "one"):
        written.log({"t": "progress", "key": f"hook:postCreateCommand:{name}", "done": True, "ok": True})
    shown = [(e["status"], e.get("stepDetail")) for e in written.events if e["type"] == "progress"]
    assert shown == [("running", "echo one"), ("running", "echo two"), ("succeeded", None)]
    assert sum(event["text"].startswith("\x1b[1mRunning the") for event in written.events if "text" in event) == 1


def test_a_failure_is_said_and_is_the_end_of_the_progress() -> None:
    written = Written(as_json=True)
    hook(written.log, "postCreateCommand", "false", ok=False)
    assert [e["status"] for e in written.events if e["type"] == "progress"] == ["running", "failed"]
    (said,) = [e for e in written.events if e.get("level") == ERROR]
    assert said["text"] == "postCreateCommand failed with exit code 3; no further command is run"


def test_steps_that_a_command_tells_of() -> None:
    written = Written(as_json=True)
    hook(written.log, "postCreateCommand", "x", "::step::Installing", "...", "::endstep::")
    shown = [e.get("stepDetail") for e in written.events if e["type"] == "progress"]
    assert shown == ["x", "Installing", "", None]


def test_a_build_has_no_channel_and_is_told_at_info() -> None:
    written = Written(as_json=True)
    written.log({"t": "progress", "key": "build:1", "title": "[1/2] FROM x", "done": False})
    written.log({"t": "progress", "key": "build:1", "fraction": None, "detail": "half", "done": False})
    written.log({"t": "line", "key": "build:1", "text": "output", "stream": "stdout"})
    written.log({"t": "progress", "key": "build:1", "detail": "cached", "done": True, "ok": True})
    assert [(e["type"], e["level"]) for e in written.events] == [("start", 3), ("text", 2), ("raw", 3), ("stop", 3)]
    assert not any("channel" in event for event in written.events)


def test_a_step_that_failed_is_an_error() -> None:
    written = Written(as_json=True)
    written.log({"t": "progress", "key": "create", "title": "Creating x", "done": False})
    written.log({"t": "progress", "key": "create", "detail": "", "done": True, "ok": False})
    assert [(e["type"], e["level"], e["text"]) for e in written.events if e["type"] == "text"] == [
        ("text", 5, "Creating x: failed")
    ]


def test_text_has_the_time_in_front_and_no_colours() -> None:
    written = Written()
    written.log.text("\x1b[31mhello\x1b[0m")
    written.log.raw("x")
    assert written.text == "[2023-11-14T22:13:22.000Z] hello\n[2023-11-14T22:13:23.000Z] x\n"


def test_beside_a_terminal_text_has_the_time_that_went_by() -> None:
    written = Written(elapsed=True)
    written.log.text("hello")
    written.log.raw("as it is")
    assert written.text == "[1000 ms] hello\nas it is"


LEVELS = [(TRACE, 5), (DEBUG, 5), (INFO, 2), (ERROR, 1)]


@pytest.mark.parametrize(("level", "lines"), LEVELS)
def test_text_has_what_was_asked_for(level: int, lines: int) -> None:
    written = Written(level=level)
    written.log({"t": "progress", "key": "link", "title": "Connecting", "done": False})
    written.log.text("detail", DEBUG)
    written.log({"t": "progress", "key": "link", "done": True, "ok": True})
    written.log({"t": "note", "text": "a note", "level": "info"})
    written.log.text("an error", ERROR)
    assert len(written.text.splitlines()) == lines
    assert ("Stop (" in written.text) is (level <= DEBUG)


def test_json_has_every_level() -> None:
    written = Written(as_json=True, level=ERROR)
    written.log.text("trace", TRACE)
    written.log({"t": "note", "text": "careful", "level": "warning"})
    written.log({"t": "event", "what": "ever"})
    assert [event["level"] for event in written.events] == [1, 4]


def test_the_command_line_says_which_log() -> None:
    assert of(flags.parse(["up", "--log-format", "json"])).as_json
    assert not of(flags.parse(["up"])).as_json
    assert not of(flags.parse(["templates", "metadata", "x"])).as_json
