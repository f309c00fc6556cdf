"""`features generate-docs` and `templates generate-docs`: a README.md beside each manifest of a collection."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

from devcontainer import documentation, publishing
from devcontainer.features import manifest as features
from devcontainer.jsonc import JsonValue
from devcontainer.templates import manifest as templates
from devenv.dropin.flags import Line
from devenv.dropin.log import ERROR, WARNING, Log
from devenv.errors import UsageError

_README, _NOTES = "README.md", "NOTES.md"


def run(line: Line, log: Log) -> int:
    """0 also when a manifest cannot be read: the others have their page, and that one is told."""
    kind = line.command.split("s ")[0]
    written = line.text("project-folder")
    source = pathlib.Path(written)
    if not source.is_dir():
        raise UsageError(f"{source} is no folder", "name the folder that holds the features' or templates' folders")
    folders = sorted(one for one in source.iterdir() if one.is_dir() and not one.name.startswith("."))
    manifests = {one.name: raw for one in folders if (raw := _manifest(kind, one, log)) is not None}
    if not manifests:
        log.text(f"no {kind} lies in {source}: {_nearer(kind, source)}", WARNING)
    notes = {one.name: text for one in folders if (text := _text(one / _NOTES)) is not None}
    made = documentation.generate_docs(
        kind,
        manifests,
        notes,
        registry=line.text("registry"),
        namespace=line.text("namespace"),
        owner=line.text("github-owner"),
        repository=line.text("github-repo"),
        source=written,
    )
    for name, text in made.items():
        (source / name / _README).write_text(text, encoding="utf-8")
        log.text(f"wrote {source / name / _README}")
    return 0


def _manifest(kind: str, folder: pathlib.Path, log: Log) -> Mapping[str, JsonValue] | None:
    file = folder / publishing.manifest_name(kind)
    text = _text(file)
    if text is None:
        log.text(f"{folder} has no {file.name}: left out", WARNING)
        return None
    load = features.load if kind == "feature" else templates.load
    found = load(text, str(file))
    for problem in found.problems:
        log.text(str(problem), WARNING)
    if not found.raw.get("id"):
        log.text(f"{file} names no id: left out", ERROR)
        return None
    return found.raw


def _nearer(kind: str, source: pathlib.Path) -> str:
    below = source / "src"
    name = publishing.manifest_name(kind)
    return f"did you mean {below}?" if below.is_dir() else f"each has a {name} in a folder of its own"


def _text(file: pathlib.Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
