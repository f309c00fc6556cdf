"""Change one value of a JSONC text and leave every other byte, comment and indentation as it was.

The result is text again; nothing is parsed twice into values and printed back. A new element of a container that
spans lines gets a line of its own, indented like its neighbours; in a container on one line it joins that line.
"""

from __future__ import annotations

import json
import re

from devcontainer.jsonc.document import Document, Path
from devcontainer.jsonc.nodes import Array, JsonValue, Node, Object, to_value
from devcontainer.jsonc.parser import parse, skip_trivia

_INDENTED = re.compile(r"(?:\r\n|\r|\n)([ \t]+)[^\s]")
_SAME_LINE_COMMENTS = re.compile(r"(?:[ \t]*(?://[^\r\n]*|/\*(?:[^*]|\*(?!/))*\*/))+")


class EditError(ValueError):
    """The path does not fit the text, for example a key asked of an array."""


def set_value(text: str, path: Path, value: JsonValue) -> str:
    """The text with `value` at `path`: replaced, or added with any objects that are missing on the way.

    An index equal to an array's length appends. Raises JsoncError for text that is not JSONC and EditError for a
    path through something that is neither object nor array. Setting the value that is there changes nothing.
    """
    document = parse(text)
    node = document.node(path)
    if node is not None:
        return text if _same(to_value(node), value) else _replace(document, node, value)
    depth = len(path) - 1
    while document.node(path[:depth]) is None:
        depth -= 1
    parent, step = document.node(path[:depth]), path[depth]
    for missing in reversed(path[depth + 1 :]):
        if not isinstance(missing, str) and missing != 0:
            raise EditError(f"{_dotted(path)}: there is no element {missing}")
        value = {missing: value} if isinstance(missing, str) else [value]
    if isinstance(parent, Object) and isinstance(step, str):
        return _insert(document, parent, value, step)
    if isinstance(parent, Array) and isinstance(step, int) and step == len(parent.items):
        return _insert(document, parent, value, None)
    raise EditError(f"{_dotted(path)}: {_dotted(path[:depth]) or 'the root'} has no place for {step!r}")


def append(text: str, path: Path, value: JsonValue) -> str:
    """The text with `value` added at the end of the array at `path`, which is made if it is missing."""
    node = parse(text).node(path)
    if node is None:
        return set_value(text, path, [value])
    if not isinstance(node, Array):
        raise EditError(f"{_dotted(path) or 'the root'} is not an array")
    return set_value(text, (*path, len(node.items)), value)


def _same(old: JsonValue, new: JsonValue) -> bool:
    return json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)


def _dotted(path: Path) -> str:
    return ".".join(str(step) for step in path)


def _replace(document: Document, node: Node, value: JsonValue) -> str:
    text = document.text
    one_line = "\n" not in text[node.start : node.end] and isinstance(node, Array | Object) and _has_children(node)
    new = _compact(value) if one_line else _lines(document, value, _line_indent(text, node.start))
    return text[: node.start] + new + text[node.end :]


def _insert(document: Document, parent: Array | Object, value: JsonValue, key: str | None) -> str:
    text, close = document.text, parent.end - 1
    prefix = "" if key is None else json.dumps(key, ensure_ascii=False) + ": "
    outer = _line_indent(text, parent.start)
    eol = _eol(text)
    if not _has_children(parent):
        indent = outer + _unit(document)
        body = eol + indent + prefix + _lines(document, value, indent)
        inside = text[parent.start + 1 : close]
        kept = inside.rstrip(" \t\r\n")  # comments stay where they are, the new element follows them
        tail = inside[len(kept) :] if "\n" in inside[len(kept) :] else eol + outer
        return text[: parent.start + 1] + kept + body + tail + text[close:]
    last = _children_end(parent)
    first = _first_child(parent)
    after, comma = _after_last(text, last)
    spread = _breaks(text, parent.start + 1, first) or _breaks(text, last, close)
    if not spread:
        hugging = "\n" in text[first:last]
        new = prefix + (_lines(document, value, outer) if hugging else _compact(value))
        if comma:
            return text[:after] + " " + new + "," + text[after:]
        return text[:last] + ", " + new + text[last:]
    indent = _line_indent(text, first)
    if not _breaks(text, parent.start + 1, first):
        indent = outer + _unit(document)
    body = eol + indent + prefix + _lines(document, value, indent)
    place = _same_line_end(text, after, close)
    if comma:
        return text[:place] + body + "," + text[place:]
    return text[:last] + "," + text[last:place] + body + text[place:]


def _has_children(node: Array | Object) -> bool:
    return bool(node.items if isinstance(node, Array) else node.members)


def _first_child(node: Array | Object) -> int:
    return node.items[0].start if isinstance(node, Array) else node.members[0].key.start


def _children_end(node: Array | Object) -> int:
    return node.items[-1].end if isinstance(node, Array) else node.members[-1].value.end


def _after_last(text: str, end: int) -> tuple[int, bool]:
    """The offset after the last element and its trailing comma, if it has one."""
    at, _ = skip_trivia(text, end)
    return (at + 1, True) if text[at : at + 1] == "," else (end, False)


def _same_line_end(text: str, offset: int, close: int) -> int:
    """Past comments that follow on the same line: they belong to the element before them."""
    comments = _SAME_LINE_COMMENTS.match(text, offset, close)
    return comments.end() if comments else offset


def _breaks(text: str, start: int, end: int) -> bool:
    return "\n" in text[start:end] or "\r" in text[start:end]


def _line_indent(text: str, offset: int) -> str:
    start = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
    match = re.compile(r"[ \t]*").match(text, start)
    return match[0][: offset - start] if match else ""


def _eol(text: str) -> str:
    match = re.search(r"\r\n|\n|\r", text)
    return match[0] if match else "\n"


def _unit(document: Document) -> str:
    """One step of indentation as this text has it: the first indented line tells; four spaces if none does."""
    match = _INDENTED.search(document.text)
    if match is None:
        return "    "
    return "\t" if match[1].startswith("\t") else match[1]


def _compact(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _lines(document: Document, value: JsonValue, indent: str) -> str:
    if isinstance(value, str | int | float | bool | None) or not value:
        return _compact(value)
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=_unit(document))
    return text.replace("\n", _eol(document.text) + indent)
