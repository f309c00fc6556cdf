"""Before a project's files go to another machine for the first time: what would travel is shown, and asked about."""

from __future__ import annotations

import asyncio
import os
import pathlib

from devenv.environment.files import Synced
from devenv.environment.plan import Send
from devenv.errors import Refused
from devenv.sync import survey_text
from devenv.sync.ruler import ProjectRules
from devenv.sync.survey import Kind, Limits, Survey, survey

_ASKED = (Kind.SECRET, Kind.BIG)
_IGNORE = ".devenvignore"


async def ask(synced: Synced, folder: pathlib.Path, ruler: ProjectRules, limits: Limits, send: Send) -> None:
    """Once: what was agreed on is noted in `folder`, which is this pair's own. `send` is what a person said.

    Raises Refused with what would travel, where there is something to be asked and nobody has said anything.
    """
    said = folder / "agreed"
    if await asyncio.to_thread(lambda: (folder / "ancestor").exists() or said.exists()):
        return
    found = await asyncio.to_thread(_look, synced, ruler, limits)
    if found.asks and send is Send.ASK:
        left = [finding.line for finding in found.findings if finding.kind in _ASKED]
        raise Refused(
            f"{synced.host} would be copied to {synced.container} of another machine: there is something to look at",
            "`devenv up --send all` copies it; `--send rest` leaves out secrets and big files, by .devenvignore",
            details={"lines": survey_text.lines(found, 100), "send": "rest" if left else "all"},
        )
    if found.asks and send is Send.REST:
        await asyncio.to_thread(_leave_out, pathlib.Path(synced.host), found)
    await asyncio.to_thread(_note, said, send)


def _note(said: pathlib.Path, send: Send) -> None:
    said.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    said.write_text(f"{send.value}\n", encoding="ascii")


def _look(synced: Synced, ruler: ProjectRules, limits: Limits) -> Survey:
    return survey(pathlib.Path(synced.host), ruler.rules(), limits)


def _leave_out(root: pathlib.Path, found: Survey) -> None:
    """A line for each, after those that are there."""
    file = root / _IGNORE
    try:
        text, mode = file.read_text(encoding="utf-8", errors="surrogateescape"), file.stat().st_mode & 0o777
    except FileNotFoundError:
        text, mode = "", 0o644
    if text and not text.endswith("\n"):
        text += "\n"
    lines = [finding.line for finding in found.findings if finding.kind in _ASKED]
    data = (text + "".join(f"{line}\n" for line in lines)).encode("utf-8", "surrogateescape")
    temporary = root / f".{_IGNORE}.{os.getpid()}"
    temporary.write_bytes(data)
    temporary.chmod(mode)
    temporary.replace(file)
