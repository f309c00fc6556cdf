"""ide: which editors know the environment's debugger, and their files."""

from __future__ import annotations

import asyncio
import pathlib
from typing import Any

from devenv.api.context import ClientContext
from devenv.api.messages import IdeArgs
from devenv.errors import UsageError
from devenv.ide.edit import Editor
from devenv.ide.facts import Facts
from devenv.ide.known.every import EDITORS, named
from devenv.ide.written import Look, State, Written, look, states, write
from devenv.supervisor.connection import Connection
from devenv.supervisor.door import Door
from devenv.supervisor.editor_files import EditorFiles
from devenv.supervisor.registry import Registry


class IdeVerbs:
    def __init__(self, registry: Registry, door: Door, files: EditorFiles) -> None:
        self._registry = registry
        self._door = door
        self._files = files

    async def ide(self, args: IdeArgs, ctx: ClientContext, connection: Connection) -> Any:
        wanted = args.editors or ([args.editor] if args.editor else [])
        editors = [named(name) for name in wanted]
        bench = await self._registry.find(args, ctx)
        await self._door.open(bench)
        facts = self._files.facts(bench)
        folder = pathlib.Path(bench.target.local_folder)
        if args.action == "write":
            if not editors:
                raise UsageError("ide write needs an editor", "one or more of " + ", ".join(EDITORS))
            return await asyncio.to_thread(_write, folder, editors, facts, args, ctx.umask)
        if editors:
            return {"text": "\n\n".join(editor.show(facts).rstrip("\n") for editor in editors)}
        return await asyncio.to_thread(_list, folder, facts)


def _list(folder: pathlib.Path, facts: Facts) -> dict[str, Any]:
    found = states(folder, facts)
    rows = [("EDITOR", "FILE", "STATE")]
    rows += [(editor.name, file.path, _state(file)) for editor, looks in found for file in looks]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"{name:{widths[0]}}  {path:{widths[1]}}  {state}" for name, path, state in rows]
    files = [
        {"editor": editor.name, "path": file.path, "state": file.state, "tracked": file.tracked, "reason": file.reason}
        for editor, looks in found
        for file in looks
    ]
    return {"editors": list(EDITORS), "files": files, "text": "\n".join(lines)}


def _state(file: Look) -> str:
    if file.state is State.UNUSABLE:
        return f"{file.state}: {file.reason}"
    return f"{file.state}, tracked by Git" if file.tracked else str(file.state)


def _write(folder: pathlib.Path, editors: list[Editor], facts: Facts, args: IdeArgs, umask: int) -> dict[str, Any]:
    files: list[dict[str, Any]] = []
    lines: list[str] = []
    for editor in dict.fromkeys(editors):
        done = True
        for file in editor.files:
            if args.dry_run:
                seen = look(folder, file, facts)
                note = f"{file.path} would be left as it is: {seen.reason}" if seen.state is State.UNUSABLE else ""
                written = Written(file.path, changed=bool(seen.diff), done=not note, note=note, diff=seen.diff)
            else:
                written = write(folder, file, facts, umask=umask, tracked_too=args.tracked)
            done = done and written.done
            lines += _told(written, args.dry_run)
            files.append(
                {
                    "editor": editor.name,
                    "path": written.path,
                    "changed": written.changed,
                    "done": written.done,
                    "note": written.note,
                    "diff": written.diff,
                }
            )
        if done and not args.dry_run:
            lines.append(f"{editor.title}: {editor.hint.format(port=facts.door.port)}")
    return {"files": files, "done": all(file["done"] for file in files), "text": "\n".join(lines)}


def _told(written: Written, dry_run: bool) -> list[str]:
    if written.changed:
        first = [f"{'would write' if dry_run else 'wrote'} {written.path}"]
    else:
        first = [f"{written.path} is up to date"] if written.done else []
    return [*first, *([written.note] if written.note else []), *([written.diff] if written.diff else [])]
