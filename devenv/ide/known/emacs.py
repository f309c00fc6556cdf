"""Emacs: `dape-command` in the project's `.dir-locals.el`, which dape offers at its prompt.

Emacs takes that variable from a project without asking, since nothing happens before the person confirms the prompt.
"""

from __future__ import annotations

import itertools
import json

from devenv.ide.edit import Editor, FileEdit, Merged
from devenv.ide.facts import HOST, NAME, Facts
from devenv.ide.merge import block, lisp
from devenv.ide.merge.lisp import Form
from devenv.ide.merge.outcome import Unmergeable

FILE = ".dir-locals.el"
_MODE = "python-base-mode"  # of python-mode and python-ts-mode
_MODES = (_MODE, "python-mode", "python-ts-mode", "nil", "prog-mode")
_VARIABLE = "dape-command"
_HEAD = """\
;;; Directory Local Variables            -*- no-byte-compile: t -*-
;;; For more information see (info "(emacs) Directory Variables")

"""
# Evaluated by dape: the folder is not written down, so that the file suits everybody who works on the project.
_ROOT = ("(directory-file-name (expand-file-name", f'(locate-dominating-file default-directory "{FILE}")))')


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _pair(facts: Facts) -> list[str]:
    """The lines of (dape-command . …), each to be indented alike."""
    return [
        f'({_VARIABLE} . (attach host "{HOST}" port {facts.door.port}',
        f' :name {_quoted(NAME)} :type "python" :request "attach"',
        f' :connect (:host "{HOST}" :port {facts.door.port})',
        f" :pathMappings [(:localRoot {_ROOT[0]}",
        f"                             {_ROOT[1]}",
        f"                 :remoteRoot {_quoted(facts.remote_root)})]",
        f" :justMyCode {'t' if facts.just_my_code else ':json-false'}))",
    ]


def _indented(lines: list[str], column: int) -> str:
    return ("\n" + " " * column).join(lines)


def merge(text: str | None, facts: Facts, add: bool) -> Merged:
    if text is None or not text.strip():
        return Merged(show(facts) if add else text or "", ours=False)
    forms = lisp.parse(text)
    if len(forms) != 1 or (forms[0].items is None and forms[0].text != "nil"):
        raise Unmergeable("it is not one list of modes and variables")
    root = forms[0]
    found = [(entry, pair) for entry in root.items or () for pair in _pairs(entry)]
    ours = next((pair for _, pair in found if _quoted(NAME) in {atom.text for atom in pair.atoms()}), None)
    if ours is not None:
        return Merged(_corrected(text, ours, facts), ours=True)
    if not add:
        return Merged(text, ours=False)
    if any(_name(entry) in _MODES and _name(pair) == _VARIABLE for entry, pair in found):
        raise Unmergeable(f"it has a {_VARIABLE} of its own")
    if root.items is None:
        return Merged(text[: root.start] + _list(facts) + text[root.end :], ours=False)
    entry = next((entry for entry in root.items if _name(entry) == _MODE and _pairs(entry)), None)
    if entry is not None:
        last = _pairs(entry)[-1]
        at, column, new = last.end, lisp.column(text, _pairs(entry)[0].start), _pair(facts)
    elif root.items:
        at, column, new = root.items[-1].end, lisp.column(text, root.items[0].start), _entry(facts)
    else:
        at, column, new = root.start + 1, lisp.column(text, root.start) + 1, _entry(facts)
    gap = "\n" + " " * column if at > root.start + 1 else ""
    return Merged(text[:at] + block.as_in(text, gap + _indented(new, column)) + text[at:], ours=False)


def _name(form: Form) -> str:
    return form.items[0].text if form.items else ""


def _pairs(entry: Form) -> tuple[Form, ...]:
    """The (VARIABLE . VALUE) pairs of a mode's entry, written as (MODE . (PAIRS)) or (MODE PAIRS)."""
    if not entry.items:
        return ()
    rest = entry.items[1:]
    if len(rest) == 2 and rest[0].text == "." and rest[1].items is not None:
        rest = rest[1].items
    return tuple(form for form in rest if form.items)


def _corrected(text: str, pair: Form, facts: Facts) -> str:
    """The ports, and the project's folder in the container, where the mapping names another one only."""
    atoms = list(pair.atoms())
    changes: list[tuple[Form, str]] = []
    for key, value in itertools.pairwise(atoms):
        if key.text in ("port", ":port") and value.text != str(facts.door.port):
            changes.append((value, str(facts.door.port)))
    roots = [value for key, value in itertools.pairwise(atoms) if key.text == ":remoteRoot"]
    wanted = _quoted(facts.remote_root)
    if len(roots) == 1 and roots[0].text != wanted:  # of several, nobody knows which is meant
        changes.append((roots[0], wanted))
    for form, new in sorted(changes, key=lambda change: change[0].start, reverse=True):
        text = text[: form.start] + new + text[form.end :]
    return text


def _entry(facts: Facts) -> list[str]:
    first, *rest = _pair(facts)
    opening = f"({_MODE} . ("
    lines = [opening + first, *(" " * len(opening) + line for line in rest)]
    return [*lines[:-1], lines[-1] + "))"]


def _list(facts: Facts) -> str:
    return "(" + _indented(_entry(facts), 1) + ")"


def show(facts: Facts) -> str:
    return _HEAD + _list(facts) + "\n"


EDITOR = Editor("emacs", "Emacs (dape)", (FileEdit("emacs", FILE, merge),), "M-x dape RET in a Python file", show)
