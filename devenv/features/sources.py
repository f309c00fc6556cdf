"""Where one feature comes from: the project's vendored copies, the user's cache, the network, a folder. Blocking.

A digest (written, or from the lockfile) is found wherever its content is. A tag means what the vendored copy says,
else what the registry said lately, else what it says now; when it cannot be asked, what it said last, with a note.
Everything is verified by digest, whatever it came from.
"""

from __future__ import annotations

import os
import pathlib
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from devcontainer.features import lockfile as locks
from devcontainer.features import manifest as feature_manifest
from devcontainer.features import reference as names
from devcontainer.features.graph import Fetched, InstallStep
from devcontainer.features.manifest import FeatureManifest
from devcontainer.features.reference import FeatureReference, LocalReference, OciReference, TarballReference
from devenv.errors import (
    FeatureError,
    RegistryBusy,
    RegistryError,
    RegistryFailed,
    RegistryMissing,
    RegistryTimeout,
    RegistryUnreachable,
)
from devenv.features import archive, tree
from devenv.features.cache import FeatureCache, Remembered
from devenv.features.vendor import VendorFolder
from devenv.oci.digests import mismatch
from devenv.oci.manifest import Descriptor, Manifest

if TYPE_CHECKING:
    from devenv.oci.client import Client

CONFIG_TYPE = "application/vnd.devcontainers"
_AWAY = (RegistryUnreachable, RegistryTimeout, RegistryFailed, RegistryBusy)
"""Nobody answered, or not to the point: what was known before may serve. A refusal is an answer."""

_VENDOR = "`devenv vendor` keeps a copy in the project for machines that cannot"
_GITHUB = frozenset({"github.com", "api.github.com"})
Seen = Callable[[int, int], None]


def _unseen(done: int, total: int) -> None:
    pass


class Sources:
    """One resolution's way to features. Calls may overlap in threads.

    `configuration` and `workspace` are absolute; `connect` is called when the network is needed, once.
    """

    def __init__(
        self,
        *,
        configuration: pathlib.Path,
        workspace: pathlib.Path,
        cache: FeatureCache,
        vendor: VendorFolder,
        connect: Callable[[], Client],
        env: Mapping[str, str],
        lockfile: locks.Lockfile | None,
        fresh: float,
        note: Callable[[str], None],
    ) -> None:
        self._configuration = configuration
        self._workspace = workspace
        self._cache = cache
        self._vendor = vendor
        self._vendored = {name: entry.digest for name, entry in vendor.index().items()}
        self._connect = connect
        self._env = env
        self._lockfile = lockfile
        self._fresh = fresh
        self._note = note
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._silent: set[str] = set()  # registries that did not answer: one time limit is enough for all their tags
        self.fetched_anything = False

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def manifest(self, reference: FeatureReference) -> Fetched:
        """What the graph needs to know of a feature.

        Raises RegistryError, FeatureError, and from the pure library IntegrityError and FeatureReferenceError.
        """
        if isinstance(reference, LocalReference):
            return self._local(reference)
        if isinstance(reference, TarballReference):
            return self._tarball(reference)
        return self._artifact(reference)

    def files(self, step: InstallStep, seen: Seen = _unseen) -> pathlib.Path:
        """The archive with a feature's files, or the folder of a local one. Raises RegistryError, FeatureError."""
        reference = step.reference
        if isinstance(reference, LocalReference):
            return pathlib.Path(step.source)
        digest = step.digest or ""
        if isinstance(reference, TarballReference):
            return self._find(digest) or self._download(reference, digest, seen)
        return self._blob(reference, feature_layer(self._manifest(reference, digest), step.written), seen)

    # Folders

    def _local(self, reference: LocalReference) -> Fetched:
        folder = pathlib.Path(names.local_folder(reference, str(self._configuration), str(self._workspace)))
        if not folder.is_dir():
            raise FeatureError(
                f"the feature {reference.written!r} does not exist: {folder} is no folder",
                _nearest_folder(folder, reference),
                details={"feature": reference.written},
            )
        inside, real = tree.boundary(folder), pathlib.Path(os.path.realpath(folder))
        if inside not in real.parents:
            raise FeatureError(
                f"the feature {reference.written!r} leads to {real}, outside the folder {tree.FOLDER} of the project",
                f"copy it below {inside}",
                details={"feature": reference.written},
            )
        file = folder / feature_manifest.FILE
        try:
            text = file.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise _no_manifest(reference.written, str(folder)) from None
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise FeatureError(f"{file} cannot be read: {reason}", details={"feature": reference.written}) from error
        return Fetched(feature_manifest.load(text, str(file)), None, str(folder))

    # Registries

    def _artifact(self, reference: OciReference) -> Fetched:
        digest = reference.digest or locks.digest_for(self._lockfile, reference)
        if digest is None:
            digest = self._tag(reference)
        locks.verify(self._lockfile, reference, digest)
        found = self._manifest(reference, digest)
        layer = feature_layer(found, reference.written)
        text = found.annotations.get(feature_manifest.ANNOTATION)
        if text is None:
            text = self._inside(self._blob(reference, layer, _unseen), reference.written)
        return Fetched(_loaded(text, reference.written), digest, "", found.value)

    def _tag(self, reference: OciReference) -> str:
        name = f"{reference.resource}:{reference.tag}"
        if name in self._vendored:
            return self._vendored[name]
        known = self._cache.recall(name)
        if known is not None and 0 <= known.age < self._fresh and self._cache.read(known.digest) is not None:
            return known.digest
        usable = known if known is not None and self._cache.read(known.digest) is not None else None
        if usable is not None and reference.registry in self._silent:
            return self._as_before(reference.written, usable, f"{reference.registry} does not answer")
        try:
            found = self._network().registry(reference.registry).manifest(reference.repository, reference.tag)
        except _AWAY as error:
            if isinstance(error, RegistryUnreachable | RegistryTimeout):
                self._silent.add(reference.registry)
            if usable is None:
                raise _without_network(error, reference.written) from error
            return self._as_before(reference.written, usable, error.message)
        self._keep(found)
        self._cache.remember(name, found.digest)
        return found.digest

    def _as_before(self, written: str, known: Remembered, why: str) -> str:
        self._note(f"{written}: what it meant {_ago(known.age)} ago is used ({why})")
        return known.digest

    def _manifest(self, reference: OciReference, digest: str) -> Manifest:
        for place in (self._vendor, self._cache):
            content = place.read(digest)
            if content is not None:
                return Manifest(content, digest)
        try:
            found = self._network().registry(reference.registry).manifest(reference.repository, digest)
        except RegistryMissing as error:
            if reference.digest is None:
                error.hint = "the lockfile names it and it is gone: take its entry out of the lockfile"
            raise
        except _AWAY as error:
            raise _without_network(error, reference.written) from error
        self._keep(found)
        return found

    def _keep(self, found: Manifest) -> None:
        self._cache.add(found.raw)
        self.fetched_anything = True

    def _blob(self, reference: OciReference, layer: Descriptor, seen: Seen) -> pathlib.Path:
        here = self._find(layer.digest)
        if here is not None:
            return here
        registry = self._network().registry(reference.registry)
        with self._cache.incoming() as file:
            try:
                registry.blob(reference.repository, layer.digest, file, size=layer.size, seen=seen)
            except _AWAY as error:
                raise _without_network(error, reference.written) from error
            self.fetched_anything = True
            return self._cache.adopt(file, layer.digest)

    # Archives from web addresses

    def _tarball(self, reference: TarballReference) -> Fetched:
        wanted = locks.digest_for(self._lockfile, reference) or self._vendored.get(reference.url)
        known = self._cache.recall(reference.url)
        if wanted is None and known is not None and 0 <= known.age < self._fresh:
            wanted = known.digest
        path = self._find(wanted) if wanted else None
        if path is None:
            try:
                path = self._download(reference, wanted or "")
            except _AWAY as error:
                path = self._find(known.digest) if known is not None and not wanted else None
                if path is None or known is None:
                    raise _without_network(error, reference.written) from error
                self._as_before(reference.written, known, error.message)
        digest = f"sha256:{path.name}"
        locks.verify(self._lockfile, reference, digest)
        return Fetched(_loaded(self._inside(path, reference.written), reference.written), digest)

    def _download(self, reference: TarballReference, wanted: str, seen: Seen = _unseen) -> pathlib.Path:
        """Raises DigestMismatch when it is not what the resolution has seen before."""
        host = urllib.parse.urlsplit(reference.url).hostname
        token = self._env.get("GITHUB_TOKEN") if host in _GITHUB else None
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with self._cache.incoming() as file:
            digest = self._network().download(reference.url, file, headers=headers, seen=seen)
            locks.verify(self._lockfile, reference, digest)
            if wanted and digest != wanted:
                raise mismatch(reference.written, wanted, digest)
            self.fetched_anything = True
            path = self._cache.adopt(file, digest)
        self._cache.remember(reference.url, digest)
        return path

    # What they share

    def _find(self, digest: str) -> pathlib.Path | None:
        return self._vendor.find(digest) or self._cache.find(digest)

    def _inside(self, path: pathlib.Path, written: str) -> str:
        content = archive.read(path, feature_manifest.FILE, written)
        if content is None:
            raise _no_manifest(written, "its archive")
        try:
            return content.decode()
        except UnicodeError:
            raise FeatureError(
                f"{feature_manifest.FILE} of {written!r} is not UTF-8", details={"feature": written}
            ) from None

    def _network(self) -> Client:
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client


def feature_layer(found: Manifest, written: str) -> Descriptor:
    """The blob with the files of a feature or template. Raises FeatureError when the manifest is of something else."""
    try:
        config, layers = found.config, found.layers
    except ValueError as error:
        raise FeatureError(f"{written!r}: {error}", details={"feature": written}) from None
    if config is None or config.media_type != CONFIG_TYPE or not layers:
        kind = config.media_type if config is not None else "a manifest without a configuration, such as an index"
        raise FeatureError(
            f"{written!r} is no dev container feature or template (but {kind})",
            "check the name: it may be an image's",
            details={"feature": written},
        )
    return layers[0]


def _loaded(text: str, written: str) -> FeatureManifest:
    return feature_manifest.load(text, f"{feature_manifest.FILE} of {written}")


def _no_manifest(written: str, where: str) -> FeatureError:
    return FeatureError(
        f"the feature {written!r} has no {feature_manifest.FILE} in {where}",
        "is it a feature?",
        details={"feature": written},
    )


def _nearest_folder(folder: pathlib.Path, reference: LocalReference) -> str:
    import difflib

    try:
        present = [one.parent.name for one in folder.parent.glob(f"*/{feature_manifest.FILE}")]
    except OSError:
        present = []
    near = difflib.get_close_matches(folder.name, present, n=1)
    return f"did you mean {reference.written[: -len(folder.name)]}{near[0]}?" if near else "check the path"


def _without_network(error: RegistryError, written: str) -> RegistryError:
    """The same error, saying what would have helped."""
    message = error.message if written in error.message else f"{written}: {error.message}"
    joint = " " if error.hint.endswith("?") else "; "
    hint = f"{error.hint}{joint}{_VENDOR}" if error.hint else ""
    return type(error)(message, hint, details={**error.details, "feature": written})


def _ago(seconds: float) -> str:
    minutes = max(0, round(seconds / 60))
    if minutes < 120:
        return f"{minutes} min"
    hours = round(minutes / 60)
    return f"{hours} h" if hours < 48 else f"{round(hours / 24)} days"
