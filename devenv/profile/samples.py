"""Weighted stacks: what every profiler's result is, once it is read. Pure.

speedscope's file format is the common one (https://www.speedscope.app/file-format-schema.json): py-spy writes it, and
results of the other tools are kept in it too, so that any of them opens there.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from devenv.errors import ProfileError
from devenv.profile.frames import Frame, clean, function
from devenv.profile.labels import script_of

Stack = tuple[Frame, ...]

SECONDS, BYTES = "seconds", "bytes"
_COMMAND = re.compile(r'^process (\d+):"(.*)"?$')  # py-spy's frame for a process among others
_PROCESS = re.compile(r'^process (\d+):"(.*?)";(.*)$')
_NUMBERED = re.compile(r"^Process (\d+) ")


@dataclasses.dataclass(frozen=True, slots=True)
class Samples:
    """`weights` by stack, outermost frame first, in `unit`. A frame without a file stands for a process."""

    unit: str
    weights: Mapping[Stack, float]
    count: int = 0  # how many samples, or allocations, or calls were seen
    processes: int = 1

    @property
    def total(self) -> float:
        return sum(self.weights.values())


def read_speedscope(data: bytes, labels: Mapping[int, str] | None = None) -> Samples:
    """All threads of a speedscope file together. `labels` name processes where the file has several.

    Raises ProfileError for what is no such file: it was written in the container.
    """
    try:
        return _read(json.loads(data), labels or {})
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ProfileError(
            "the profiler's file cannot be read", "it may be cut short: is there room on the disk?"
        ) from error


def _read(value: Any, labels: Mapping[int, str]) -> Samples:
    frames = [
        Frame(function(item["name"]), clean(item.get("file") or ""), int(item.get("line") or 0))
        for item in value["shared"]["frames"]
    ]
    numbers = [_NUMBERED.match(str(profile["name"])) for profile in value["profiles"]]
    pids = {int(match[1]) for match in numbers if match}
    named = [_COMMAND.match(frame.name) for frame in frames if not frame.file]
    commands = {int(match[1]): script_of(match[2].split()) for match in named if match}
    weights: dict[Stack, float] = {}
    count, unit = 0, SECONDS
    for profile, match in zip(value["profiles"], numbers, strict=True):
        if profile["type"] != "sampled":
            raise ValueError(profile["type"])
        unit = BYTES if profile["unit"] == BYTES else SECONDS
        root: Stack = ()
        if match and len(pids) > 1:
            pid = int(match[1])
            root = (Frame(f"{labels.get(pid) or commands.get(pid) or 'process'} ({pid})", "", 0),)
        for sample, weight in zip(profile["samples"], profile["weights"], strict=True):
            if not sample:
                continue
            stack = (*root, *tidy(since_fork([frames[index] for index in sample])))
            weights[stack] = weights.get(stack, 0.0) + max(0.0, float(weight))
            count += 1
    return Samples(unit, weights, count, max(1, len(pids)))


_FRAME = re.compile(r"^(.*) \((.*?)(?::(\d+))?\)$")


def read_raw(data: bytes, rate: int, labels: Mapping[int, str] | None = None) -> Samples:
    """py-spy's folded stacks, `rate` samples in a second. Its own remarks among the lines are passed over."""
    found: list[tuple[int, list[Frame], int]] = []
    commands: dict[int, str] = {}
    root = 0
    for line in data.decode("utf-8", "replace").splitlines():
        text, _, count = line.rpartition(" ")
        if not count.isdigit() or line.startswith("py-spy>"):
            continue
        pid = 0
        while (match := _PROCESS.match(text)) is not None:
            root = root if pid else int(match[1])
            pid, text = int(match[1]), match[3]
            commands[pid] = script_of(match[2].split())
        found.append((pid, tidy(since_fork(_frames(text))), int(count)))
    # Before it has its first child, a process stands without its number.
    pids = {pid or root for pid, _, _ in found}
    weights: dict[Stack, float] = {}
    for number, frames, count_of in found:
        pid = number or root
        name = (labels or {}).get(pid) or commands.get(pid) or "process"
        stack = (*((Frame(f"{name} ({pid})", "", 0),) if len(pids) > 1 else ()), *frames)
        weights[stack] = weights.get(stack, 0.0) + count_of / rate
    return Samples(SECONDS, weights, sum(count_of for _, _, count_of in found), max(1, len(pids)))


def _frames(text: str) -> list[Frame]:
    """Semicolons part frames; a name may have one of its own."""
    frames: list[Frame] = []
    held = ""
    for part in text.split(";"):
        held = f"{held};{part}" if held else part
        if (match := _FRAME.match(held)) is not None:
            frames.append(Frame(function(match[1]), clean(match[2]), int(match[3] or 0)))
            held = ""
    return frames


def since_fork(stack: Sequence[Frame]) -> Sequence[Frame]:
    """A forked process carries its parent's frames outside of its own first one; they are none of its doing."""
    for index in range(len(stack) - 1, 0, -1):
        if stack[index].name.endswith("_bootstrap") and stack[index].file.endswith("multiprocessing/process.py"):
            return stack[index:]
    return stack


def tidy(stack: Sequence[Frame]) -> list[Frame]:
    """Without what says nothing: how importing works, unless it is the innermost, and py-spy's frames for processes."""
    last = len(stack) - 1
    return [
        frame
        for index, frame in enumerate(stack)
        if (frame.file or not _COMMAND.match(frame.name))
        and (index == last or not frame.file.startswith("<frozen importlib"))
    ]


def write_speedscope(samples: Samples, name: str) -> bytes:
    """A speedscope file with one entry for each stack, biggest first."""
    index: dict[Frame, int] = {}
    stacks, weights = [], []
    for stack, weight in sorted(samples.weights.items(), key=lambda item: -item[1]):
        stacks.append([index.setdefault(frame, len(index)) for frame in stack])
        weights.append(weight)
    value = {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "name": name,
        "activeProfileIndex": 0,
        "exporter": "devenv",
        "shared": {"frames": [{"name": f.name, "file": f.file, "line": f.line or None} for f in index]},
        "profiles": [
            {
                "type": "sampled",
                "name": name,
                "unit": samples.unit,
                "startValue": 0,
                "endValue": sum(weights),
                "samples": stacks,
                "weights": weights,
            }
        ],
    }
    return json.dumps(value, separators=(",", ":")).encode()


def read_stacks(data: bytes) -> Samples:
    """What our recorder in the container writes (devenv.profile.inside.record): frames, stacks by index, weights."""
    try:
        value = json.loads(data)
        frames = [Frame(clean(name), clean(file), int(line)) for name, file, line in value["frames"]]
        weights: dict[Stack, float] = {}
        for indices, weight in value["stacks"]:
            stack = tuple(tidy(since_fork([frames[index] for index in indices])))
            weights[stack] = weights.get(stack, 0.0) + max(0.0, float(weight))
        unit = BYTES if value["unit"] == BYTES else SECONDS
        return Samples(unit, weights, int(value["count"]), int(value.get("processes") or 1))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ProfileError(
            "the profiler's file cannot be read", "it may be cut short: is there room on the disk?"
        ) from error
