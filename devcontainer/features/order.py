"""The order in which features are installed: rounds over a graph (spec, *Feature installation order*).

Each round takes all features whose predecessors are installed; of these only the ones of the highest priority; and
puts them into a fixed order. That order decides what an image looks like, so here it is the reference's to the letter,
also where the specification says otherwise: of one feature with several sets of options the one with the *fewest*
options comes first (the specification: with the most), and tags are compared as texts.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence

from devcontainer import collation, javascript
from devcontainer.features.manifest import FeatureManifest
from devcontainer.features.reference import FeatureReference, LocalReference, OciReference, TarballReference
from devcontainer.jsonc import JsonValue


class CycleError(ValueError):
    """Features that wait for each other. `cycle` names them as written, the first one again at the end."""

    def __init__(self, cycle: tuple[str, ...], soft: bool) -> None:
        super().__init__("features wait for each other: " + " -> ".join(cycle))
        self.message = str(self)
        self.cycle = cycle
        self.hint = (
            "one of these edges is an 'installsAfter', which can be dropped"
            if soft
            else "each of them says in 'dependsOn' that the next one comes first"
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Node:
    """One feature with one set of options: the same feature with other options is another node."""

    reference: FeatureReference
    given: JsonValue  # options as written
    manifest: FeatureManifest
    digest: str | None = None
    depends_on: tuple[Node, ...] = ()
    """What must come before; without edges of their own, because only equality counts."""
    installs_after: tuple[FeatureReference, ...] = ()
    place: str = ""
    """The absolute path of a local feature, for the order."""
    by_user: bool = True


def install_order(nodes: Sequence[Node], override: Sequence[FeatureReference] = ()) -> list[Node]:
    """The nodes in the order of installation. Raises CycleError; a node that a `depends_on` means must be there."""
    priorities = {id(node): priority(node, override) for node in nodes}
    soft = {
        id(node): [r for r in node.installs_after if any(is_named_by(other, r) for other in nodes)] for node in nodes
    }
    remaining, installed = list(nodes), list[Node]()
    while remaining:
        ready = [
            node
            for node in remaining
            if all(any(same(done, needed) for done in installed) for needed in node.depends_on)
            and all(any(is_named_by(done, reference) for done in installed) for reference in soft[id(node)])
        ]
        if not ready:
            raise _cycle(remaining, installed, soft)
        highest = max(priorities[id(node)] for node in ready)
        taken = [node for node in ready if priorities[id(node)] == highest]
        chosen = {id(node) for node in taken}
        remaining = [node for node in remaining if id(node) not in chosen]
        installed += sorted(taken, key=functools.cmp_to_key(compare))
    return installed


def same(one: Node, other: Node) -> bool:
    """Whether installing both would install one thing twice.

    In a registry: the content and the options; an archive: likewise; a folder: the path and the options, as the
    reference has it (the specification never takes two local features for one).
    """
    first, second = one.reference, other.reference
    if isinstance(first, LocalReference) and isinstance(second, LocalReference):
        equal = first.path == second.path
    elif isinstance(first, OciReference) and isinstance(second, OciReference):
        equal = one.digest == other.digest if one.digest and other.digest else _version(first) == _version(second)
    elif isinstance(first, TarballReference) and isinstance(second, TarballReference):
        equal = one.digest == other.digest if one.digest and other.digest else first.url == second.url
    else:
        return False
    return equal and same_options(one.given, other.given)


def same_options(one: JsonValue, other: JsonValue) -> bool:
    """Whether two sets of options as written mean the same; `true` and "true" do, a text and an object never."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same_value(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other


def is_named_by(node: Node, reference: FeatureReference) -> bool:
    """Whether `installsAfter` (or an order given by the user) means this node; versions and options do not count.

    A feature is also meant by each id that it was ever published under. These stand in its own manifest; the
    reference asks the network for that of the id in `installsAfter` instead, needed or not.
    """
    own = node.reference
    if isinstance(own, OciReference) and isinstance(reference, OciReference):
        if own.resource == reference.resource:
            return True
        return any(f"{own.sibling}{alias}".lower() == reference.resource for alias in node.manifest.aliases)
    if isinstance(own, TarballReference) and isinstance(reference, TarballReference):
        return own.url == reference.url
    if isinstance(own, LocalReference) and isinstance(reference, LocalReference):
        return own.path == reference.path
    return False


def compare(one: Node, other: Node) -> int:
    """Negative if the first of two nodes of a round is installed first."""
    first, second = one.reference, other.reference
    if isinstance(first, OciReference) and isinstance(second, OciReference):
        if one.digest == other.digest and same_options(one.given, other.given):
            return 0
        return (
            _compare_names(one, first, other, second)
            or _compare_tags(first, second)
            or _compare_options(one.given, other.given)
            or collation.compare(one.digest or "", other.digest or "")
        )
    if isinstance(first, LocalReference) and isinstance(second, LocalReference):
        return collation.compare(one.place, other.place) or _compare_options(one.given, other.given)
    if isinstance(first, TarballReference) and isinstance(second, TarballReference):
        return collation.compare(first.url, second.url) or _compare_options(one.given, other.given)
    return collation.compare(first.written, second.written)


def priority(node: Node, override: Sequence[FeatureReference]) -> int:
    """Of `overrideFeatureInstallOrder`: its first entry has the highest, what it does not name has 0."""
    named = (len(override) - place for place, reference in enumerate(override) if is_named_by(node, reference))
    return max(named, default=0)


def _version(reference: OciReference) -> tuple[str, str]:
    return reference.resource, reference.reference


def _compare_names(one: Node, first: OciReference, other: Node, second: OciReference) -> int:
    if first.sibling != second.sibling:
        return collation.compare(first.sibling[:-1], second.sibling[:-1])
    if set(one.manifest.aliases or (first.name,)) & set(other.manifest.aliases or (second.name,)):
        return 0
    return collation.compare(first.name, second.name)


def _compare_tags(first: OciReference, second: OciReference) -> int:
    return 0 if first.digest or second.digest else collation.compare(first.tag, second.tag)


def _compare_options(one: JsonValue, other: JsonValue) -> int:
    if isinstance(one, dict) and isinstance(other, dict):
        return _compare_objects(one, other)
    return _compare_values(one, other) or collation.compare(_type(one), _type(other))


def _compare_objects(one: Mapping[str, JsonValue], other: Mapping[str, JsonValue]) -> int:
    if len(one) != len(other):
        return len(one) - len(other)
    for first, second in zip(sorted(one, key=_utf16), sorted(other, key=_utf16), strict=True):
        difference = collation.compare(first, second) or _compare_values(one[first], other[second])
        if difference:
            return difference
    return 0


def _compare_values(one: JsonValue, other: JsonValue) -> int:
    if isinstance(one, str) and isinstance(other, str):
        return collation.compare(one, other)
    if isinstance(one, bool) and isinstance(other, bool):
        return int(one) - int(other)  # false first
    return 0


def _same_value(one: JsonValue, other: JsonValue) -> bool:
    if isinstance(one, str | int | float) and isinstance(other, str | int | float):
        return javascript.text(one) == javascript.text(other)
    return one == other


def _type(value: JsonValue) -> str:
    """JavaScript's word for it."""
    return "boolean" if isinstance(value, bool) else "string" if isinstance(value, str) else "object"


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")


def _cycle(
    nodes: Sequence[Node], installed: Sequence[Node], soft: Mapping[int, Iterable[FeatureReference]]
) -> CycleError:
    """Follow what each node waits for: in the end one is met again."""
    path: list[Node] = [nodes[0]]
    kinds: list[bool] = []
    while True:
        following, is_soft = _waits_for(path[-1], nodes, installed, soft[id(path[-1])])
        kinds.append(is_soft)
        place = next((n for n, node in enumerate(path) if node is following), None)
        if place is not None:
            names = tuple(node.reference.written for node in path[place:])
            return CycleError((*names, names[0]), any(kinds[place:]))
        path.append(following)


def _waits_for(
    node: Node, nodes: Sequence[Node], installed: Sequence[Node], soft: Iterable[FeatureReference]
) -> tuple[Node, bool]:
    for needed in node.depends_on:
        if not any(same(done, needed) for done in installed):
            return next(other for other in nodes if same(other, needed)), False
    for reference in soft:
        if not any(is_named_by(done, reference) for done in installed):
            return next(other for other in nodes if is_named_by(other, reference)), True
    raise AssertionError(f"{node.reference.written} waits for nothing")
