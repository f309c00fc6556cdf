"""Lifecycle commands: their forms, their order, and the files that say which have run (spec, *Lifecycle scripts*)."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping

from devcontainer.jsonc import JsonValue


class Stage(enum.StrEnum):
    """In the order in which they run. The first runs on the host, the others in the container."""

    INITIALIZE = "initializeCommand"
    ON_CREATE = "onCreateCommand"
    UPDATE_CONTENT = "updateContentCommand"
    POST_CREATE = "postCreateCommand"
    POST_START = "postStartCommand"
    POST_ATTACH = "postAttachCommand"

    @property
    def in_container(self) -> bool:
        return self is not Stage.INITIALIZE


CONTAINER_STAGES: tuple[Stage, ...] = tuple(stage for stage in Stage if stage.in_container)
WAIT_FOR: tuple[Stage, ...] = tuple(stage for stage in Stage if stage is not Stage.POST_ATTACH)
DEFAULT_WAIT_FOR = Stage.UPDATE_CONTENT

MARKER_FOLDER = ".devcontainer"
"""In the home of the remote user."""


class Stamp(enum.StrEnum):
    """Which of the engine's times, byte for byte as `inspect` writes it, stands in a marker."""

    CREATED = "Created"
    STARTED = "State.StartedAt"


@dataclasses.dataclass(frozen=True, slots=True)
class Marker:
    """`file` lies in MARKER_FOLDER; its content is the stamp and a line end."""

    file: str
    stamp: Stamp


MARKERS: Mapping[Stage, Marker] = {
    Stage.ON_CREATE: Marker(".onCreateCommandMarker", Stamp.CREATED),
    Stage.UPDATE_CONTENT: Marker(".updateContentCommandMarker", Stamp.CREATED),
    Stage.POST_CREATE: Marker(".postCreateCommandMarker", Stamp.CREATED),
    Stage.POST_START: Marker(".postStartCommandMarker", Stamp.STARTED),
}
"""The files that the reference leaves. `initializeCommand` and `postAttachCommand` run each time and have none."""


def has_run(content: str | None, stamp: str) -> bool:
    """Whether a marker with this content (None: no such file) says that a stage ran for the stamp.

    An empty file counts as run, because the reference takes it so.
    """
    return content is not None and content.rstrip("\n") in ("", stamp)


def marker_content(stamp: str) -> str:
    """What to write once a stage has succeeded. (The reference writes it before; a failed stage never runs again.)"""
    return stamp + "\n"


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One process. `name` is the key in the object form, else "". `text` is the command as people read it."""

    name: str
    argv: tuple[str, ...]
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class LifecycleCommand:
    """Steps run at the same time; all are awaited even if one fails. Without steps there is nothing to run."""

    steps: tuple[Step, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.steps)


class LifecycleError(ValueError):
    """Not a command: neither a text, an array of texts, nor an object of these."""


def parse(command: JsonValue) -> LifecycleCommand:
    """A text runs in `/bin/sh -c`, an array runs as it is, an object runs its entries in parallel.

    Empty commands vanish. Raises LifecycleError.
    """
    if isinstance(command, Mapping):
        steps = (_step(name, entry) for name, entry in command.items())
        return LifecycleCommand(tuple(step for step in steps if step is not None))
    step = _step("", command)
    return LifecycleCommand(() if step is None else (step,))


def _step(name: str, command: JsonValue) -> Step | None:
    if command is None:
        return None
    if isinstance(command, str):
        return Step(name, ("/bin/sh", "-c", command), command.strip()) if command.strip() else None
    if isinstance(command, list):
        words = tuple(word for word in command if isinstance(word, str))
        if len(words) != len(command):
            raise LifecycleError("a command given as an array has texts only")
        return Step(name, words, " ".join(words)) if words else None
    raise LifecycleError("a command is a text, an array of texts, or an object of named commands")
