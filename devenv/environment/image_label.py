"""The label `devcontainer.metadata` of an image or container that somebody else made: what of it can be used.

A wrong label stops nobody: the image runs without it, and nobody here can correct it. But it is told, because what it
asks for (a user, a mount) is not there then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from devcontainer import identity, metadata, properties
from devcontainer.jsonc import JsonValue
from devcontainer.problem import Severity
from devcontainer.variables import Substitution, VariableError
from devenv.engine.port import ImageSnapshot


def entries(labels: Mapping[str, str]) -> list[metadata.Entry]:
    """All of them in order, without the properties whose variables can never be resolved."""
    return [{k: v for k, v in entry.items() if not _unresolvable(v)} for entry in metadata.read(_label(labels))]


def complaints(image: ImageSnapshot, reference: str) -> Iterator[str]:
    """One sentence for each thing in an image's label that is wrong, and has no effect therefore."""
    said: list[str] = []
    read = metadata.read(_label(image.labels), said.append)
    for sentence in said:
        yield f"image {reference}: {sentence}"
    for number, entry in enumerate(read, 1):
        where = f"image {reference}: label {identity.METADATA}, entry {number}"
        for issue in properties.issues(entry, personal=True):
            if issue.severity is Severity.ERROR:
                yield f"{where}: {'.'.join(map(str, issue.path))}: {issue.message}; it has no effect"
        for key, value in entry.items():
            if problem := _unresolvable(value):
                yield f"{where}: {key}: {problem}; it has no effect"


def _label(labels: Mapping[str, str]) -> str | None:
    return labels.get(identity.METADATA)


def _unresolvable(value: JsonValue) -> str:
    try:
        Substitution(local_env={}, container_env={}).apply(value)
    except VariableError as error:
        return str(error)
    return ""
