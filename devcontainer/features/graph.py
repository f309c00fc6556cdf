"""From the features of a configuration to the list of what is installed, with no network: the caller brings manifests.

`Resolution` says what it needs to know next, is told, and asks again until nothing is missing. Everything reachable
by `dependsOn` is needed; what stands in `installsAfter` never is.
"""

from __future__ import annotations

import collections
import dataclasses
import posixpath
from collections.abc import Iterable, Mapping, Sequence

from devcontainer.features import options, reference
from devcontainer.features.manifest import FeatureManifest
from devcontainer.features.order import Node, install_order, is_named_by, priority, same
from devcontainer.features.reference import FeatureReference, FeatureReferenceError, LocalReference
from devcontainer.jsonc import JsonValue

MAX_FEATURES = 200
"""More than any project has: a collection whose features name ever new ones is refused, not followed."""

_SOMEWHERE = "/workspace/.devcontainer/configuration"


class ResolutionError(ValueError):
    """The features cannot be brought into an order. `message` names the feature, `hint` says what to do.

    A cycle is an `order.CycleError`, a key that is no feature's name a `reference.FeatureReferenceError`.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class MissingFeatureError(ResolutionError):
    """The order was asked for before everything was provided; `missing` says what."""

    def __init__(self, missing: tuple[FeatureReference, ...], asked_by: str) -> None:
        super().__init__(f"the feature {missing[0].written!r}, {asked_by}, could not be had")
        self.missing = missing


@dataclasses.dataclass(frozen=True, slots=True)
class Fetched:
    """What the caller found for a reference. `source` and `oci_manifest` are passed on to the step unread."""

    manifest: FeatureManifest
    digest: str | None = None  # "sha256:…" of the OCI manifest or of the archive; None for a folder
    source: str = ""  # for example the folder with its files
    oci_manifest: Mapping[str, JsonValue] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class InstallStep:
    """One feature with one set of options, in its place of the order."""

    reference: FeatureReference
    written: str  # the name as the configuration, or another feature, has it
    given: JsonValue  # options as written there
    values: Mapping[str, str | bool]  # with the defaults
    manifest: FeatureManifest
    digest: str | None
    consecutive_id: str  # "node_0": the feature's id and its place; the name of its folder during the build
    depends_on: tuple[str, ...] = ()  # as written, for the lockfile
    soft_after: tuple[str, ...] = ()  # what it would follow and does follow, as written
    by_user: bool = True  # the configuration names it; else another feature needs it
    source: str = ""
    oci_manifest: Mapping[str, JsonValue] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class _Asked:
    reference: FeatureReference
    given: JsonValue
    by: tuple[str, ...]  # the features that lead here, the configuration's first; () if it is the configuration's own


class Resolution:
    """Not to be shared between threads. Nothing that is provided twice or unasked does harm."""

    def __init__(
        self,
        features: Mapping[str, JsonValue],
        *,
        override_order: Sequence[str] = (),
        additional: Mapping[str, JsonValue] | None = None,
        folder: str = _SOMEWHERE,
        map_bare_ids: bool = True,
    ) -> None:
        """`features` and `override_order` as the configuration has them. Raises FeatureReferenceError.

        `additional` features count only where the configuration does not name the same. `folder` is the absolute
        path of the configuration's folder; it matters for the order of local features in and above it.
        """
        wanted = {**(additional or {}), **features}
        wanted = {key: wanted[key] for key in dict.fromkeys((*features, *wanted))}
        self._map_bare_ids = map_bare_ids
        self._folder = folder
        self._user = tuple(
            _Asked(self._parse(written), given, ()) for written, given in with_present_names(wanted).items()
        )
        self._override = tuple(self._parse(written) for written in override_order)
        self._fetched: dict[tuple[str, str], Fetched] = {}

    def wanted(self) -> list[FeatureReference]:
        """What must be provided next, each once; [] when the order can be asked for.

        Raises FeatureReferenceError for a `dependsOn` that names no feature, ResolutionError for too many.
        """
        return list(self._walk()[1])

    def provide(self, reference: FeatureReference, fetched: Fetched) -> None:
        """Tell what a reference is. The same manifest serves every reference to the same thing."""
        self._fetched[_identity(reference)] = fetched

    def asked_by(self, wanted: FeatureReference) -> tuple[str, ...]:
        """The features that lead to a reference, the configuration's first; () if the configuration names it."""
        _, missing = self._walk()
        key = _identity(wanted)
        return next((chain for found, chain in missing.items() if _identity(found) == key), ())

    def unused_override(self) -> tuple[str, ...]:
        """Entries of `overrideFeatureInstallOrder` that mean no feature which is installed."""
        nodes, _ = self._walk()
        return tuple(r.written for r in self._override if not any(is_named_by(node, r) for node in nodes))

    def install_order(self) -> tuple[InstallStep, ...]:
        """All features in the order of installation. Raises MissingFeatureError, CycleError and what `wanted` raises.

        Equal input gives an equal order, whatever the order in which things were provided.
        """
        nodes, missing = self._walk()
        if missing:
            chain = next(iter(missing.values()))
            raise MissingFeatureError(tuple(missing), f"needed by {chain[-1]!r}" if chain else "of the configuration")
        ordered = install_order(nodes, self._override)
        return tuple(self._step(node, place, ordered) for place, node in enumerate(ordered))

    def priority(self, node: Node) -> int:
        """That of a node of `graph` by `overrideFeatureInstallOrder`."""
        return priority(node, self._override)

    def graph(self) -> tuple[Node, ...]:
        """The nodes in the order of discovery, for a picture of the graph."""
        return tuple(self._walk()[0])

    def _walk(self) -> tuple[list[Node], dict[FeatureReference, tuple[str, ...]]]:
        """Breadth first, as the reference walks: of two nodes that are the same the first one found stays."""
        queue = collections.deque(self._user)
        nodes: list[Node] = []
        missing: dict[tuple[str, str], _Asked] = {}
        while queue:
            asked = queue.popleft()
            fetched = self._fetched.get(_identity(asked.reference))
            if fetched is None:
                missing.setdefault(_identity(asked.reference), asked)
                continue
            chain = (*asked.by, asked.reference.written)
            following = self._depends_on(fetched.manifest, chain)
            node = self._node(asked, fetched, following)
            if any(same(known, node) for known in nodes):
                continue
            nodes.append(node)
            if len(nodes) > MAX_FEATURES:
                raise ResolutionError(
                    f"{chain[0]!r} leads to more than {MAX_FEATURES} features",
                    "look at the last one: " + repr(chain[-1]),
                )
            queue.extend(following)
        return nodes, {asked.reference: asked.by for asked in missing.values()}

    def _depends_on(self, manifest: FeatureManifest, chain: tuple[str, ...]) -> list[_Asked]:
        found: list[_Asked] = []
        for written, given in manifest.depends_on.items():
            try:
                found.append(_Asked(self._parse(written), given, chain))
            except FeatureReferenceError as error:
                message = f"the feature {chain[-1]!r} depends on another: {error.message}"
                raise FeatureReferenceError(message, error.hint) from error
        return found

    def _node(self, asked: _Asked, fetched: Fetched, following: Iterable[_Asked]) -> Node:
        return Node(
            asked.reference,
            asked.given,
            fetched.manifest,
            fetched.digest,
            tuple(self._edge(needed) for needed in following),
            tuple(self._soft(fetched.manifest)),
            self._place(asked.reference),
            not asked.by,
        )

    def _edge(self, asked: _Asked) -> Node:
        """Enough of a node to be recognised."""
        fetched = self._fetched.get(_identity(asked.reference))
        manifest, digest = (fetched.manifest, fetched.digest) if fetched else (FeatureManifest({}), None)
        return Node(asked.reference, asked.given, manifest, digest)

    def _soft(self, manifest: FeatureManifest) -> Iterable[FeatureReference]:
        for written in manifest.installs_after:
            try:
                yield self._parse(written)
            except FeatureReferenceError:
                continue  # among the manifest's problems; nothing of that name can be installed

    def _place(self, found: FeatureReference) -> str:
        return posixpath.normpath(posixpath.join(self._folder, found.path)) if isinstance(found, LocalReference) else ""

    def _parse(self, written: str) -> FeatureReference:
        return reference.parse(written, map_bare_ids=self._map_bare_ids)

    def _step(self, node: Node, place: int, ordered: Sequence[Node]) -> InstallStep:
        fetched = self._fetched[_identity(node.reference)]
        name = node.manifest.plain_id or _reference_id(node.reference)
        before = ordered[:place]
        return InstallStep(
            reference=node.reference,
            written=node.reference.written,
            given=node.given,
            values=options.values(node.manifest, node.given),
            manifest=node.manifest,
            digest=node.digest,
            consecutive_id=f"{name}_{place}",
            depends_on=tuple(needed.reference.written for needed in node.depends_on),
            soft_after=tuple(
                soft.written for soft in node.installs_after if any(is_named_by(done, soft) for done in before)
            ),
            by_user=node.by_user,
            source=fetched.source,
            oci_manifest=fetched.oci_manifest,
        )


def with_present_names(features: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Features that became an option of another one, as that option; a feature that is missing for it is added."""
    found = {key: value for key, value in features.items() if key not in reference.NOW_OPTIONS}
    for old in features:
        if old not in reference.NOW_OPTIONS:
            continue
        name, option = reference.NOW_OPTIONS[old]
        official = f"{reference.OFFICIAL}/{name}"
        key = next((k for k in found if k in (name, official) or k.startswith(f"{official}:")), f"{official}:1")
        given = found.get(key)
        written = given if isinstance(given, dict) else {options.VERSION: given} if isinstance(given, str) else {}
        found[key] = {**written, option: True}
    return found


_identity = reference.identity


def _reference_id(found: FeatureReference) -> str:
    return found.id if not isinstance(found, reference.OciReference) else found.name
