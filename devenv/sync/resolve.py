"""A conflict ended by a person's choice. What is not chosen goes to the trash of the side that had it."""

from __future__ import annotations

import contextlib
import enum
import os
import pathlib
import posixpath
import tempfile
import time

from devenv.errors import Refused
from devenv.sync.core.changes import Step
from devenv.sync.core.entries import Entry, Kind, Tree, tracked_part
from devenv.sync.core.merge import Conflict, Why
from devenv.sync.endpoint import Endpoint, Wanted
from devenv.sync.session import Session
from devenv.sync.side.receiver import Receiver
from devenv.sync.side.stage import Stage
from devenv.sync.words import printable

_LONGEST = 255  # bytes of a name
_AROUND = 4096  # bytes that a stream has beside the content


class Take(enum.StrEnum):
    HOST = "host"
    CONTAINER = "container"
    BOTH = "both"


async def resolve(session: Session, conflict: Conflict, take: Take) -> None:
    """The next cycle then finds one side unchanged, and brings it the other one's content. Raises Refused."""
    path = conflict.path
    if conflict.why in (Why.UNREADABLE, Why.IN_THE_WAY):
        raise Refused(
            f"{printable(path)}: {conflict.why.value}, so nothing can be chosen",
            "make it readable, or move it away; the next cycle looks again",
        )
    if take is Take.BOTH:
        await _keep_beside(session, conflict)
    loser = conflict.host if take is Take.CONTAINER else conflict.container
    await session.pretend(path, tracked_part(loser))


async def _keep_beside(session: Session, conflict: Conflict) -> None:
    """The container's content on this machine, under a name of its own."""
    theirs = conflict.container
    if not isinstance(theirs, Entry) or theirs.kind not in (Kind.FILE, Kind.LINK):
        raise Refused(f"{printable(conflict.path)}: only files can be kept twice", "choose one of host and container")
    step = Step(beside(conflict.path), None, theirs)
    contents = None
    if theirs.kind is Kind.FILE:
        contents = session.container.pack([Wanted(theirs.digest, conflict.path, 0)])
    (why,) = await session.host.apply([step], f"both-{time.time_ns()}", contents)
    if why:
        raise Refused(f"{printable(step.path)}: {why}", "try again")


def beside(path: str, at: float | None = None) -> str:
    """`a/b.py` as `a/b.conflict-container-20261127T021500.py`."""
    folder, name = posixpath.split(path)
    stem, dot, suffix = name.rpartition(".")
    if not stem:
        stem, dot, suffix = name, "", ""
    mark = ".conflict-container-" + time.strftime("%Y%m%dT%H%M%S", time.gmtime(at))
    room = _LONGEST - len((mark + dot + suffix).encode("utf-8", "surrogateescape"))
    while len(stem.encode("utf-8", "surrogateescape")) > room:
        stem = stem[:-1]
    return posixpath.join(folder, stem + mark + dot + suffix)


async def content_of(end: Endpoint, entry: Tree, path: str, most: int) -> bytes | None:
    """A file's content, b"" where there is none; None where it is no file, or longer than `most` bytes."""
    if entry is None:
        return b""
    if entry.kind is not Kind.FILE:
        return None
    with tempfile.TemporaryDirectory(prefix="devenv-") as name:
        folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY)
        receiver = Receiver(Stage(folder), {entry.digest: ""})
        left = most + _AROUND
        try:
            async with contextlib.aclosing(end.pack([Wanted(entry.digest, path, 0)])) as pieces:  # type: ignore[type-var]
                async for data in pieces:
                    left -= len(data)
                    if left < 0:
                        return None
                    receiver.feed(data)
        finally:
            receiver.close()
            os.close(folder)
        return _read(pathlib.Path(name, entry.digest.hex()))


def _read(file: pathlib.Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None
