"""The syntax tree of a JSONC text: values with the offsets they were written at. No line numbers, no meaning."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias

JsonValue: TypeAlias = bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"] | None


@dataclasses.dataclass(frozen=True, slots=True)
class Scalar:
    """A string, number, true, false or null; `start` and `end` are offsets in characters, `end` exclusive."""

    value: bool | int | float | str | None
    start: int
    end: int


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """One `"key": value` of an object."""

    key: Scalar
    value: Node

    @property
    def name(self) -> str:
        return str(self.key.value)


@dataclasses.dataclass(frozen=True, slots=True)
class Array:
    items: tuple[Node, ...]
    start: int
    end: int


@dataclasses.dataclass(frozen=True, slots=True)
class Object:
    """Members in the order written, duplicates included."""

    members: tuple[Member, ...]
    start: int
    end: int

    def member(self, name: str) -> Member | None:
        """The member that counts: the last one of that name, as in JavaScript."""
        for member in reversed(self.members):
            if member.name == name:
                return member
        return None


Node: TypeAlias = Scalar | Array | Object


def to_value(node: Node) -> JsonValue:
    """The plain Python value; of two members with one name the last wins."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Array):
        return [to_value(item) for item in node.items]
    return {member.name: to_value(member.value) for member in node.members}
