"""How a configuration names a feature: in a registry, as an archive by https, or as a folder beside it.

(Spec, *Referencing a feature*.) A name that fits none of these forms is refused here, with what to write instead,
before anything asks the network for it.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections.abc import Iterator
from typing import TypeAlias

from devcontainer import checks
from devcontainer.checks import Issue
from devcontainer.jsonc import JsonValue, Path
from devcontainer.problem import Severity

DEFAULT_TAG = "latest"
OFFICIAL = "ghcr.io/devcontainers/features"

_SAME_NAME = (
    "aws-cli",
    "azure-cli",
    "desktop-lite",
    "docker-from-docker",
    "docker-in-docker",
    "dotnet",
    "git",
    "git-lfs",
    "github-cli",
    "java",
    "kubectl-helm-minikube",
    "node",
    "powershell",
    "python",
    "ruby",
    "rust",
    "sshd",
    "terraform",
)
BARE_IDS: dict[str, str] = {name: name for name in _SAME_NAME} | {"common": "common-utils", "golang": "go"}
"""Ids without registry from before features had one, with their present names below `OFFICIAL`."""

NOW_OPTIONS: dict[str, tuple[str, str]] = {
    "gradle": ("java", "installGradle"),
    "jupyterlab": ("python", "installJupyterlab"),
    "maven": ("java", "installMaven"),
}
"""Ids that became an option of another official feature: (feature, option)."""

_PATH = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*(?:/[a-z0-9]+(?:[._-][a-z0-9]+)*)*", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)
_URL = re.compile(r"https://(?P<host>[^/?#\x00-\x20]+)(?P<path>/[^?#\x00-\x20]*)?(?P<rest>[?#][^\x00-\x20]*)?")
_ARCHIVE = re.compile(r"devcontainer-feature-(?P<id>[A-Za-z0-9_-]+)\.tgz", re.ASCII)
_MOVED = re.compile(r"\Adevcontainers-contrib(?=/|\Z)")  # the collection has a new owner
_VERSION = re.compile(r"[:@][^/]*\Z")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class FeatureReferenceError(ValueError):
    """A name that no feature (or template) can have. `message` says what is wrong, `hint` what to write instead."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclasses.dataclass(frozen=True, slots=True)
class OciReference:
    """An artifact in a registry. `written` is the user's text; the rest is lower case."""

    written: str
    registry: str  # host, with a port where one is written
    namespace: str  # "devcontainers/features"; "" only for a collection of one word
    name: str
    tag: str = DEFAULT_TAG
    digest: str | None = None  # "sha256:…"; it decides, where there is one

    @property
    def repository(self) -> str:
        """What the registry calls it: "devcontainers/features/node"."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @property
    def resource(self) -> str:
        """Registry and repository, without version: what `installsAfter` compares."""
        return f"{self.registry}/{self.repository}"

    @property
    def reference(self) -> str:
        """What to ask the registry for: the digest, else the tag."""
        return self.digest or self.tag

    @property
    def sibling(self) -> str:
        """The prefix of all that is published beside it; `legacyIds` are names there."""
        return self.resource[: -len(self.name)]


@dataclasses.dataclass(frozen=True, slots=True)
class TarballReference:
    """A `.tgz` file by https. `id` is the part of its name that says which feature it holds."""

    written: str
    url: str
    id: str


@dataclasses.dataclass(frozen=True, slots=True)
class LocalReference:
    """A folder. `path` is normalised and relative to the folder of the configuration file: "a", "../shared/a"."""

    written: str
    path: str

    @property
    def id(self) -> str:
        return posixpath.basename(self.path)


FeatureReference: TypeAlias = OciReference | TarballReference | LocalReference


def parse(written: str, *, map_bare_ids: bool = True) -> FeatureReference:
    """The reference that a key of `features` or `dependsOn` means. Raises FeatureReferenceError.

    `map_bare_ids` gives the ids of before registries ("node") their present names.
    """
    if written.startswith(("./", "../")):
        return _local(written)
    if written.startswith("https://"):
        return _tarball(written)
    if written.startswith("/") or "\\" in written:
        raise FeatureReferenceError(
            f"{written!r} is not a name of a feature",
            "a folder is written relative to devcontainer.json, with './' or '../' in front and '/' between",
        )
    if _SCHEME.match(written):
        raise FeatureReferenceError(
            f"{written!r}: an archive is fetched by https only", "a registry is written without '://'"
        )
    if "/" not in written:
        return _bare(written, map_bare_ids)
    return parse_artifact(written)


def parse_artifact(written: str) -> OciReference:
    """The reference of something in a registry: the only form of templates. Raises FeatureReferenceError."""
    text = written.lower()
    head, at, digest = text.partition("@")
    colon = head.rfind(":")
    has_tag = colon > head.rfind("/")
    resource, tag = (head[:colon], head[colon + 1 :]) if has_tag else (head, DEFAULT_TAG)
    registry, _, repository = resource.partition("/")
    namespace, _, name = repository.rpartition("/")
    if not _is_registry(registry):
        raise FeatureReferenceError(
            f"{written!r} does not begin with a registry", _registry_hint(registry, repository, name)
        )
    if at and not _DIGEST.fullmatch(digest):
        raise FeatureReferenceError(
            f"{written!r}: {digest!r} is not a digest", "a digest is 'sha256:' and 64 hexadecimal digits"
        )
    if not _TAG.fullmatch(tag):
        raise FeatureReferenceError(f"{written!r}: {tag!r} is not a version", "for example ':1' or ':latest'")
    if not namespace or not _PATH.fullmatch(repository):
        raise FeatureReferenceError(
            f"{written!r}: {repository!r} is not a path in a registry",
            "it is a namespace and a name, such as 'devcontainers/features/node', in a-z, 0-9 and single '.', '_', '-'",
        )
    if registry == "ghcr.io":
        namespace = _MOVED.sub("devcontainers-extra", namespace)
    return OciReference(written, registry, namespace, name, tag, digest or None)


def collection(registry: str, namespace: str) -> OciReference:
    """Where the list of all that a repository publishes lies. Raises FeatureReferenceError."""
    registry, path = registry.lower(), namespace.lower()
    if not _HOST.fullmatch(registry):
        raise FeatureReferenceError(f"{registry!r} is not a registry", "for example 'ghcr.io'")
    if not _PATH.fullmatch(path):
        raise FeatureReferenceError(f"{namespace!r} is not a namespace", "for example 'devcontainers/features'")
    above, _, name = path.rpartition("/")
    return OciReference(f"{registry}/{path}", registry, above, name)


def without_version(written: str) -> str:
    """The text without its tag or digest."""
    return _VERSION.sub("", written)


def deprecation(written: str) -> str:
    """What to tell about a name of before registries; "" for any other."""
    if written in BARE_IDS:
        return f"is an old name; write {OFFICIAL}/{BARE_IDS[written]}:1"
    if written in NOW_OPTIONS:
        feature, option = NOW_OPTIONS[written]
        return f"is now the option {option!r} of {OFFICIAL}/{feature}:1"
    return ""


def issues(written: JsonValue, path: Path, *, at_key: bool = False) -> Iterator[Issue]:
    """What is wrong with a name in a devcontainer.json, at `path`."""
    if not isinstance(written, str):
        return
    old = deprecation(written)
    if old:
        yield Issue(path, old, "", Severity.WARNING, at_key)
        return
    try:
        parse(written)
    except FeatureReferenceError as error:
        yield Issue(path, error.message, error.hint, Severity.ERROR, at_key)


def identity(reference: FeatureReference) -> tuple[str, str]:
    """Equal for two references that fetch the same thing, whatever they look like."""
    if isinstance(reference, OciReference):
        return reference.resource, reference.reference
    return (reference.url, "") if isinstance(reference, TarballReference) else (reference.path, "")


def local_folder(reference: LocalReference, configuration: str, workspace: str) -> str:
    """The absolute path of a local feature's folder. Raises FeatureReferenceError if it lies outside `.devcontainer`.

    `configuration` is the absolute path of the devcontainer.json, `workspace` that of the project's folder.
    """
    folder = posixpath.normpath(posixpath.join(posixpath.dirname(configuration), reference.path))
    inside = posixpath.normpath(posixpath.join(workspace, ".devcontainer"))
    if not folder.startswith(inside + "/"):
        raise FeatureReferenceError(
            f"{reference.written!r} is {folder}, outside the folder .devcontainer of the project",
            f"move the feature below {inside}",
        )
    return folder


def _is_registry(host: str) -> bool:
    """Not a GitHub owner: a name with a dot or a port, or this machine."""
    return bool(_HOST.fullmatch(host)) and ("." in host or ":" in host or host == "localhost")


def _registry_hint(registry: str, repository: str, name: str) -> str:
    if repository.count("/") == 1:
        old = "features as files of a GitHub release are no longer supported; "
        return f"{old}the registry comes first: 'ghcr.io/{registry}/{repository}'"
    return f"the registry comes first, such as 'ghcr.io/{registry}/features/{name}'"


def _bare(written: str, map_bare_ids: bool) -> FeatureReference:
    if map_bare_ids and written in BARE_IDS:
        return dataclasses.replace(parse_artifact(f"{OFFICIAL}/{BARE_IDS[written]}:1"), written=written)
    if written in NOW_OPTIONS:
        raise FeatureReferenceError(f"{written!r} is no feature any more", deprecation(written))
    known = checks.nearest(written, tuple(BARE_IDS)) if map_bare_ids else ""
    local = f"a folder beside devcontainer.json is './{written}', a published one has a registry: '{OFFICIAL}/…'"
    raise FeatureReferenceError(f"{written!r} names no feature", f"{known} {local}".strip())


def _tarball(written: str) -> TarballReference:
    url = _URL.fullmatch(written)
    if url is None:
        raise FeatureReferenceError(f"{written!r} is not an address", "for example 'https://host/path/file.tgz'")
    if "@" in url["host"]:
        raise FeatureReferenceError(
            f"the address of a feature at {url['host'].rpartition('@')[2]} holds a user or password",
            "it would end in the lockfile and in the image; take it out",
        )
    file = posixpath.basename(url["path"] or "")
    archive = _ARCHIVE.fullmatch(file)
    if archive is None:
        raise FeatureReferenceError(
            f"{written!r}: the file {file!r} is not named like a feature",
            "the name is 'devcontainer-feature-ID.tgz', ID in letters, digits, '-' and '_'",
        )
    return TarballReference(
        written, f"https://{url['host'].lower()}{url['path'] or '/'}{url['rest'] or ''}", archive["id"]
    )


def _local(written: str) -> LocalReference:
    path = posixpath.normpath(written)
    if "\\" in written or "\0" in written:
        raise FeatureReferenceError(f"{written!r} is not a path of a feature", "the separator is '/'")
    if posixpath.basename(path) in (".", ".."):
        raise FeatureReferenceError(f"{written!r} names no folder of its own", "for example './my-feature'")
    return LocalReference(written, path)
