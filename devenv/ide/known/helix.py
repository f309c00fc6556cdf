"""Helix: a debugger template in the project's `.helix/languages.toml`."""

from __future__ import annotations

from devenv.ide.edit import Editor, FileEdit, Merged
from devenv.ide.facts import HOST, Facts
from devenv.ide.merge import toml

FILE = ".helix/languages.toml"
TEMPLATE = "devenv"


# Nothing is named: what attaches without is told what it lacks, and Helix 25.01 refuses its whole
# configuration because of a number or a table in these arguments.
_TEMPLATE = {"name": TEMPLATE, "request": "attach", "completion": [], "args": {}}


def merge(text: str | None, facts: Facts, add: bool) -> Merged:
    merged, ours = toml.merge_template(text or "", "python", TEMPLATE, _TEMPLATE, add=add)
    return Merged(merged, ours)


def show(facts: Facts) -> str:
    head = f"# {FILE}; then  :debug-remote {HOST}:{facts.door.port} {TEMPLATE}\n"
    return head + merge(None, facts, True).text


EDITOR = Editor("helix", "Helix", (FileEdit("helix", FILE, merge),), f":debug-remote {HOST}:{{port}} {TEMPLATE}", show)
