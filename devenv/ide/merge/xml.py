"""Values of attributes in an XML file, changed where they stand; nothing else is written anew."""

from __future__ import annotations

import re
import xml.parsers.expat
from collections.abc import Callable, Iterator, Mapping
from xml.sax.saxutils import quoteattr

from devenv.ide.merge.outcome import Unmergeable

Wanted = Callable[[tuple[str, ...], Mapping[str, str]], Mapping[str, str]]
"""(names of the elements around and the element's own, its attributes) to the attributes that must be otherwise."""


def set_attributes(text: str, wanted: Wanted) -> str:
    """The text with the attributes that `wanted` asks for, each of which must be there. Raises Unmergeable."""
    data = text.encode("utf-8")
    changes = [
        (start, changed) for start, path, found in _elements(data) if (changed := dict(wanted(path, found))) and found
    ]
    for start, changed in reversed(changes):
        end = _tag_end(data, start)
        tag = data[start:end].decode("utf-8")
        for name, value in changed.items():
            pattern = re.compile(rf"(?<=[\s])({re.escape(name)}\s*=\s*)(\"[^\"]*\"|'[^']*')")
            tag = pattern.sub(lambda match, value=value: match[1] + quoteattr(value), tag, count=1)  # type: ignore[misc]
        data = data[:start] + tag.encode("utf-8") + data[end:]
    return data.decode("utf-8")


def elements(text: str) -> Iterator[tuple[tuple[str, ...], Mapping[str, str]]]:
    """Every element, in order: its path and its attributes. Raises Unmergeable."""
    for _, path, attributes in _elements(text.encode("utf-8")):
        yield path, attributes


def _elements(data: bytes) -> list[tuple[int, tuple[str, ...], Mapping[str, str]]]:
    found: list[tuple[int, tuple[str, ...], Mapping[str, str]]] = []
    path: list[str] = []
    parser = xml.parsers.expat.ParserCreate("utf-8")

    def start(name: str, attributes: dict[str, str]) -> None:
        path.append(name)
        found.append((parser.CurrentByteIndex, tuple(path), attributes))

    def end(_: str) -> None:
        path.pop()

    def doctype(*_: object) -> None:
        raise Unmergeable("it has a document type, which no run configuration has")  # and no entities to expand

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)
    except xml.parsers.expat.ExpatError as error:
        raise Unmergeable(f"it is no XML ({error})") from None
    return found


def _tag_end(data: bytes, start: int) -> int:
    """Past the ">" of the tag: one within quotes is a value's."""
    match = re.compile(rb"<(?:[^>\"']|\"[^\"]*\"|'[^']*')*>").match(data, start)
    assert match is not None, "the parser has read it"
    return match.end()
