"""stderr as the reference writes it: lines with the time in front, or one JSON object a line. stdout is for results.

Objects: `text` and `raw` (a piece of output) with level, timestamp (ms) and text; `start` and `stop` (with
startTimestamp) of a step; `progress` of a lifecycle command with name, status (running, succeeded, failed) and
stepDetail. What belongs to lifecycle commands says `"channel": "postCreate"`. Levels: 1 trace, 2 debug, 3 info,
4 warning, 5 error. JSON has every level, text those that were asked for.
"""

import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from devenv.dropin.flags import Line

TRACE, DEBUG, INFO, WARNING, ERROR = 1, 2, 3, 4, 5
LEVELS = {"trace": TRACE, "debug": DEBUG, "info": INFO, "error": ERROR}

CHANNEL = "postCreate"
_HOOK = "hook:"
_ON_HOST = "initializeCommand"
_DOTFILES = "dotfiles"
_STEP, _STEP_END = "::step::", "::endstep::"
_PROJECT = "devcontainer.json"


class Log:
    """Receives what a command and the supervisor tell. `clock` gives seconds since the epoch.

    `elapsed`: lines begin with the milliseconds since the start, as the reference does where stdout is a terminal.
    """

    def __init__(
        self,
        *,
        as_json: bool = False,
        level: int = INFO,
        elapsed: bool = False,
        write: "Callable[[str], Any] | None" = None,
        clock: "Callable[[], float]" = time.time,
    ) -> None:
        self.as_json = as_json
        self._level = level
        self._elapsed = elapsed
        self._write = write or _to_stderr
        self._clock = clock
        self._began = self._now()
        self._steps: dict[str, tuple[int, str]] = {}  # key: when it began, what it is called
        self._running: dict[str, int] = {}  # commands of a stage that run
        self._failed: set[str] = set()

    # --- what our own code says ---

    def text(self, text: str, level: int = INFO) -> None:
        """A sentence."""
        self._event("text", text, level)

    def raw(self, text: str, level: int = INFO, *, hook: bool = False) -> None:
        """A piece of a program's output."""
        self._event("raw", text, level, hook=hook)

    # --- what the supervisor says (devenv.api.messages) ---

    def __call__(self, message: "dict[str, Any]") -> None:
        kind = message["t"]
        if kind == "progress":
            if message.get("done"):
                self._done(message)
            else:
                self._begun(message)
        elif kind == "line":
            self._output(str(message["key"]), str(message["text"]))
        elif kind == "note":
            self.text(str(message["text"]), WARNING if message.get("level") == "warning" else INFO)

    def _begun(self, message: "dict[str, Any]") -> None:
        key = str(message["key"])
        if key in self._steps:
            if message.get("detail"):
                self.text(f"{self._steps[key][1]}: {message['detail']}", DEBUG)
            return
        title = str(message.get("title") or key)
        self._steps[key] = (self._now(), title)
        if not key.startswith(_HOOK):
            self._event("start", title, INFO if key.startswith("build:") else DEBUG)
            return
        stage, _, command = _hook(key, title)
        if not self._running.get(stage):
            self.raw(f"\x1b[1m{_head(stage, key)}...\x1b[0m\r\n\r\n", hook=True)
        self._running[stage] = self._running.get(stage, 0) + 1
        self._progress(stage, "running", command)
        self._event("start", _run(stage, command), INFO if stage == _ON_HOST else DEBUG, hook=True)

    def _done(self, message: "dict[str, Any]") -> None:
        key = str(message["key"])
        started, title = self._steps.pop(key, (self._now(), key))
        failed = message.get("ok") is False
        detail = str(message.get("detail") or "")
        if not key.startswith(_HOOK):
            if failed:
                self.text(f"{title}: {detail or 'failed'}", ERROR)
            self._event("stop", title, INFO if key.startswith("build:") else DEBUG, since=started)
            return
        stage, name, command = _hook(key, title)
        self._event("stop", _run(stage, command), INFO if stage == _ON_HOST else DEBUG, since=started, hook=True)
        if failed:
            self._failed.add(stage)
            one = f"{name} of {stage}" if name else stage
            self.text(f"{one} failed{f' with {detail}' if detail else ''}; no further command is run", ERROR)
        self._running[stage] = self._running.get(stage, 1) - 1
        if not self._running[stage]:
            self._progress(stage, "failed" if stage in self._failed else "succeeded")

    def _output(self, key: str, text: str) -> None:
        hook = key.startswith(_HOOK)
        self.raw(f"{text}\n", hook=hook)
        if not hook:
            return
        stage = _hook(key, "")[0]
        if _STEP_END in text:
            self._progress(stage, "running", "")
        elif _STEP in text:
            self._progress(stage, "running", text.split(_STEP, 1)[1])

    # --- the two formats ---

    def _progress(self, stage: str, status: str, detail: "str | None" = None) -> None:
        if not self.as_json or stage == _ON_HOST:  # the reference tells of those in the container only
            return
        if stage == _DOTFILES:
            self._object({"type": "progress", "name": "Installing Dotfiles", "status": status})
            return
        event: dict[str, Any] = {"type": "progress", "name": f"Running {stage}...", "status": status}
        if detail is not None:
            event["stepDetail"] = detail
        self._object({**event, "channel": CHANNEL})

    def _event(self, kind: str, text: str, level: int, *, since: "int | None" = None, hook: bool = False) -> None:
        now = self._now()
        if self.as_json:
            event: dict[str, Any] = {"type": kind, "level": level, "timestamp": now, "text": text}
            if since is not None:
                event["startTimestamp"] = since
            self._object({**event, "channel": CHANNEL} if hook else event)
            return
        if level < self._level:
            return
        if kind == "start":
            text = f"Start: {text}"
        elif kind == "stop":
            if self._level > DEBUG:
                return
            text = f"Stop ({now - (since or now)} ms): {text}"
        if kind == "raw" and self._elapsed:
            self._write(text)
            return
        self._write(f"[{self._stamp(now)}] {_plain(text)}")

    def _object(self, event: "dict[str, Any]") -> None:
        from devenv.cli.wire import encode

        self._write(encode(event) + "\n")

    def _stamp(self, now: int) -> str:
        if self._elapsed:
            return f"{now - self._began} ms"
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now / 1000)) + f".{now % 1000:03}Z"

    def _now(self) -> int:
        return int(self._clock() * 1000)


def of(line: "Line") -> Log:
    """The log that a command line asks for."""
    return Log(
        as_json=line.text("log-format") == "json",
        level=LEVELS.get(line.text("log-level"), INFO),
        elapsed=sys.stdout.isatty(),
    )


def _hook(key: str, title: str) -> "tuple[str, str, str]":
    """(stage, name of one of several commands, command) of a lifecycle command's step."""
    _, stage, name = [*key.partition("\n")[0].split(":", 2), ""][:3]
    head = f"{stage} {name}: " if name else f"{stage}: "
    return stage, name, title.removeprefix(head)


def _head(stage: str, key: str) -> str:
    """Where a command comes from: see devenv.lifecycle.hooks.progress_key."""
    if stage == _DOTFILES:
        return "Installing Dotfiles"
    feature = key.partition("\n")[2]
    return f"Running the {stage} from " + (f"Feature '{feature}'" if feature else _PROJECT)


def _run(stage: str, command: str) -> str:
    return f"Run: {command}" if stage == _ON_HOST else f"Run in container: {command}"


def _plain(text: str) -> str:
    """Without colours, and with a line end."""
    if "\x1b" in text or "\x9b" in text:
        import re

        text = re.sub("(?:\x9b|\x1b\\[)[0-?]*[ -/]*[@-~]", "", text)
    return text if text.endswith("\n") else f"{text}\n"


def _to_stderr(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
