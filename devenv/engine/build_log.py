"""Reads what a builder prints while it works, incrementally: BuildKit's rawjson, its plain form, the classic builder.

Pure: lines in, progress out. No process, no file. What a step printed is kept (a bounded tail), so that a failure can
name the step and show its last lines.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from devenv.engine.port import Progress

TAIL = 40  # lines kept per step
_MOUNTS = re.compile(r"--mount=\S+\s+")  # says nothing to who waits for a step
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclasses.dataclass(slots=True)
class Step:
    key: str
    name: str
    began: bool = False
    ended: bool = False
    failed: str = ""
    seconds: float = 0.0
    lines: deque[str] = dataclasses.field(default_factory=lambda: deque(maxlen=TAIL))
    partial: str = ""


class BuildLog:
    """Base of the three readers: owns the steps, tells `progress`, writes readable lines through `write`."""

    def __init__(self, progress: Progress, write: Callable[[str], None]) -> None:
        self.steps: dict[str, Step] = {}
        self.loose: deque[str] = deque(maxlen=TAIL)
        self._progress = progress
        self._write = write

    def feed(self, line: str) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        """The output has ended: no step stays open."""
        for step in self.steps.values():
            self._flush(step)

    def failure(self) -> tuple[str, list[str]]:
        """(step's name or "", its last lines or else the last loose lines)."""
        failed = [s for s in self.steps.values() if s.failed]
        if failed:
            step = failed[-1]
            return step.name, list(step.lines) or [step.failed]
        return "", [line for line in self.loose if line.strip()][-TAIL:]

    def _begin(self, step: Step) -> Step:
        if not step.began:
            step.began = True
            step.name = _MOUNTS.sub("", step.name)
            self._progress.step(f"build:{step.key}", step.name)
            self._write(f"=> {step.name}")
        return step

    def _text(self, step: Step, text: str, stream: str = "stdout") -> None:
        *whole, step.partial = (step.partial + text).split("\n")
        for line in whole:
            self._line(step, line, stream)

    def _line(self, step: Step, line: str, stream: str = "stdout") -> None:
        shown = _ANSI.sub("", line.rsplit("\r", 1)[-1] if not line.endswith("\r") else line.rstrip("\r"))
        step.lines.append(shown)
        self._progress.line(f"build:{step.key}", shown, stream)
        self._write(f"   {shown}")

    def _flush(self, step: Step) -> None:
        if step.partial:
            self._line(step, step.partial)
            step.partial = ""

    def _end(self, step: Step, *, error: str = "", cached: bool = False, seconds: float = 0.0) -> None:
        if step.ended and not error:
            return
        self._flush(step)
        step.ended = True
        step.failed = error
        step.seconds = seconds
        detail = error or ("cached" if cached else f"{seconds:.1f} s")
        self._progress.done(f"build:{step.key}", ok=not error, detail=detail)
        self._write(f"   [{detail}] {step.name}")

    def _loose(self, line: str) -> None:
        self.loose.append(_ANSI.sub("", line))
        self._write(_ANSI.sub("", line))


class RawJsonLog(BuildLog):
    """`docker buildx build --progress=rawjson`: objects of `SolveStatus`, one per line or indented over several."""

    def __init__(self, progress: Progress, write: Callable[[str], None]) -> None:
        super().__init__(progress, write)
        self._object: list[str] | None = None

    def feed(self, line: str) -> None:
        line = line.rstrip("\n")
        if self._object is not None:
            self._object.append(line)
            if line == "}":
                text, self._object = "\n".join(self._object), None
                self._status(text)
        elif line == "{":
            self._object = [line]
        elif line.startswith("{"):
            self._status(line)
        else:
            self._loose(line)

    def _status(self, text: str) -> None:
        try:
            status = json.loads(text)
        except ValueError:
            self._loose(text)
            return
        for entries, name in (("logs", "data"), ("warnings", "short")):
            for entry in status.get(entries) or ():
                try:
                    entry[name] = base64.b64decode(entry.get(name) or "")
                except binascii.Error:
                    entry[name] = b""
        self.status(status)

    def status(self, status: Mapping[str, Any]) -> None:
        """One object of `SolveStatus`, texts that processes wrote as bytes."""
        for vertex in status.get("vertexes") or ():
            self._vertex(vertex)
        for entry in status.get("statuses") or ():
            step = self.steps.get(entry.get("vertex", ""))
            if step is not None and step.began and not step.ended:
                total, current = entry.get("total") or 0, entry.get("current") or 0
                fraction = min(1.0, current / total) if total else None
                self._progress.update(
                    f"build:{step.key}", fraction=fraction, detail=str(entry.get("id") or entry.get("name") or "")
                )
        for log in status.get("logs") or ():
            step = self.steps.get(log.get("vertex", ""))
            if step is not None:
                data = log.get("data", b"").decode("utf-8", "replace")
                self._text(step, data, "stderr" if log.get("stream") == 2 else "stdout")
        for warning in status.get("warnings") or ():
            if short := warning.get("short", b"").decode("utf-8", "replace"):
                self._progress.note(f"build: {short}", level="warning")

    def _vertex(self, vertex: dict[str, Any]) -> None:
        digest = str(vertex.get("digest", ""))
        step = self.steps.setdefault(digest, Step(digest.removeprefix("sha256:")[:12], vertex.get("name", "")))
        if not vertex.get("started"):
            return
        self._begin(step)
        if error := vertex.get("error"):
            self._end(step, error=error)
        elif vertex.get("completed"):
            seconds = max(0.0, _seconds(vertex["completed"]) - _seconds(vertex["started"]))
            self._end(step, cached=bool(vertex.get("cached")), seconds=seconds)


def _seconds(stamp: str) -> float:
    """Seconds of the day of an RFC 3339 stamp: enough for a difference within one build."""
    match = re.search(r"T(\d+):(\d+):(\d+(?:\.\d+)?)", stamp)
    return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3]) if match else 0.0


class PlainLog(BuildLog):
    """BuildKit's `--progress=plain`, for a Buildx that is older than rawjson (0.13)."""

    _line_form = re.compile(r"^#(\d+) (.*)$")
    _stamped = re.compile(r"^\d+\.\d+ ?(.*)$")

    def feed(self, line: str) -> None:
        line = line.rstrip("\n")
        match = self._line_form.match(line)
        if match is None:
            if line.strip():
                self._loose(line)
            return
        key, text = match[1], match[2]
        step = self.steps.get(key)
        if step is None:
            self.steps[key] = self._begin(Step(key, text))
        elif text == "CACHED":
            self._end(step, cached=True)
        elif text.startswith("DONE "):
            self._end(step, seconds=float(text[5:].rstrip("s") or 0))
        elif text.startswith("ERROR: "):
            self._end(step, error=text[7:])
        elif stamped := self._stamped.match(text):
            self._line(step, stamped[1])


class ClassicLog(BuildLog):
    """`docker build` without BuildKit: numbered steps, output between them, the complaint at the very end."""

    _step = re.compile(r"^(?:Step|STEP) (\d+)/(\d+) ?: (.*)$")  # Docker, Podman
    _image = re.compile(r"^(?: ---> .*|--> (?:Using cache )?[0-9a-f]{11,64})$")

    def __init__(self, progress: Progress, write: Callable[[str], None]) -> None:
        super().__init__(progress, write)
        self._current: Step | None = None

    def feed(self, line: str) -> None:
        line = _ANSI.sub("", line.rstrip("\n"))
        if match := self._step.match(line):
            if self._current is not None:
                self._end(self._current)
            self._current = self._begin(Step(match[1], f"[{match[1]}/{match[2]}] {match[3]}"))
            self.steps[match[1]] = self._current
        elif self._image.match(line) or line.startswith(("Removing intermediate container ", "Sending build context ")):
            if "-> Using cache" in line and self._current is not None:
                self._end(self._current, cached=True)
        elif self._current is not None:
            self._line(self._current, line)
        elif line.strip():
            self._loose(line)

    def failed(self, complaint: str) -> None:
        """The command ended with an error: the step that was open is the one that failed."""
        if self._current is not None:
            self._end(self._current, error=complaint or "failed")

    def finish(self) -> None:
        super().finish()
        if self._current is not None and not self._current.ended:
            self._end(self._current)
