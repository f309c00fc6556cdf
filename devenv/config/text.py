"""YAML text to plain values with positions, read so that nothing the user wrote is turned into something else.

YAML 1.1 makes a number of `3`, a truth of `on` and an octal of `010`. Where the schema wants a text, the characters
as written are kept; where it wants a number, only decimal digits are one; keys are always the characters written.
Duplicate keys, unknown tags and endless aliases are problems.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from devenv.config.sources import KeyPath, Source, Sources, dotted
from devenv.errors import Problem

if TYPE_CHECKING:
    import yaml

MAX_VALUES = 20_000
"""Aliases can make a small file huge; no honest configuration comes near this."""

_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z", re.ASCII)
_FRACTION = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\Z", re.ASCII)
_TRUE = ("true", "yes", "on")
_TAG = "tag:yaml.org,2002:"


class YamlText:
    """The outcome: `value` (None for an empty file), where everything stands, and what is wrong."""

    def __init__(self, text: str, file: str, schema: dict[str, Any]) -> None:
        self._file = file
        self._root_schema = schema
        self._values: dict[KeyPath, Source] = {}
        self._keys: dict[KeyPath, Source] = {}
        self._open: set[int] = set()
        self._count = 0
        self.problems: list[Problem] = []
        self.value: Any = None
        self.sources = Sources(file, self._values, self._keys)
        node = self._compose(text)
        if node is not None:
            self.value = self._build(node, (), schema)

    def _compose(self, text: str) -> yaml.Node | None:
        import yaml

        try:
            # The pure Python loader: its messages and columns are the better ones, and the file is small.
            return yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            message = " ".join(part for part in (error.context, error.problem) if part) or "is not YAML"
            line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
            self.problems.append(Problem(self._file, line, column, "", message, _yaml_hint(message)))
        except yaml.reader.ReaderError as error:
            before = text[: error.position]
            line, column = before.count("\n") + 1, error.position - before.rfind("\n")
            self.problems.append(
                Problem(self._file, line, column, "", f"holds a character that YAML forbids: {error.reason}")
            )
        except RecursionError:
            self.problems.append(Problem(self._file, 0, 0, "", "is nested too deeply"))
        return None

    def _build(self, node: yaml.Node, path: KeyPath, schema: dict[str, Any]) -> Any:
        import yaml

        self._values.setdefault(path, self._source(node))
        self._count += 1
        if self._count > MAX_VALUES or len(path) > 40:
            if self._count != MAX_VALUES + 2:  # said once
                self._problem(node, (), "holds too much: aliases multiply what they stand for")
            self._count = MAX_VALUES + 1
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path, schema)
        if id(node) in self._open:
            self._problem(node, path, "contains itself")
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                inner = self._child(schema, None)
                return [self._build(child, (*path, index), inner) for index, child in enumerate(node.value)]
            return self._mapping(node, path, schema)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.Node, path: KeyPath, schema: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key_node, value_node in self._pairs(node, path):
            key = str(key_node.value)
            here = (*path, key)
            if key in first:
                self._problem(key_node, here, f"is written twice; the first is in line {first[key]}")
                continue
            first[key] = key_node.start_mark.line + 1
            self._keys[here] = self._source(key_node)
            found[key] = self._build(value_node, here, self._child(schema, key))
        for default_node in self._merged(node, path):
            inherited = self._build(default_node, path, schema)
            found = {**inherited, **found} if isinstance(inherited, dict) else found
        return found

    def _pairs(self, node: yaml.Node, path: KeyPath) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        import yaml

        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(key_node, path, "has a key that is not a text")
            elif key_node.tag != _TAG + "merge":
                yield key_node, value_node

    def _merged(self, node: yaml.Node, path: KeyPath) -> Iterator[yaml.Node]:
        """What `<<` brings in, the strongest last."""
        import yaml

        for key_node, value_node in reversed(node.value):
            if key_node.tag == _TAG + "merge":
                several = isinstance(value_node, yaml.SequenceNode)
                for source in reversed(value_node.value) if several else [value_node]:
                    if isinstance(source, yaml.MappingNode):
                        yield source
                    else:
                        self._problem(source, path, "'<<' needs a mapping")

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath, schema: dict[str, Any]) -> Any:
        text = str(node.value)
        kind = node.tag.removeprefix(_TAG)
        if kind in ("str", "value", "timestamp", "binary", "merge") or (
            not node.style and kind != "null" and _wants_text(schema)
        ):
            return text
        if node.style and node.tag.startswith(_TAG):
            return text  # quoted with an explicit tag such as !!int
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() in _TRUE
        if kind == "int":
            return int(text) if _DECIMAL.match(text) and len(text) < 100 else text
        if kind == "float":
            return float(text) if _FRACTION.match(text) else text
        self._problem(node, path, f"has the unknown tag {node.tag!r}")
        return None

    def _child(self, schema: dict[str, Any], key: str | None) -> dict[str, Any]:
        """The schema of an element: of a list (key None) or under a key. {} where anything goes."""
        for form in (schema, *schema.get("anyOf", ())):
            form = self._resolved(form)
            found = form.get("items") if key is None else form.get("properties", {}).get(key)
            if found is None and key is not None:
                patterns = form.get("patternProperties", {}).items()
                found = next(
                    (s for pattern, s in patterns if re.search(pattern, key)), form.get("additionalProperties")
                )
            if isinstance(found, dict):
                return self._resolved(found)
        return {}

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        reference = schema.get("$ref")
        if reference is None:
            return schema
        found: dict[str, Any] = self._root_schema["$defs"][reference.removeprefix("#/$defs/")]
        return found

    def _source(self, node: yaml.Node) -> Source:
        return Source(self._file, node.start_mark.line + 1, node.start_mark.column + 1)

    def _problem(self, node: yaml.Node, path: KeyPath, message: str) -> None:
        self.problems.append(Problem(*self._source(node), dotted(path), message))


def _wants_text(schema: dict[str, Any]) -> bool:
    forms = (schema, *schema.get("anyOf", ()))
    return any("string" in (form.get("type") or ()) for form in forms) and "enum" not in schema


def _yaml_hint(message: str) -> str:
    if "\\t" in message:
        return "YAML is indented with spaces, not with tabs"
    if "mapping values are not allowed" in message:
        return "a text that contains ': ' needs quotes"
    return ""
