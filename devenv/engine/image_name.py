"""Image references as engines write them: Docker gives back what it was given, Podman the whole name. Pure."""

from __future__ import annotations

_HUB, _OFFICIAL, _HERE = "docker.io/", "library/", "localhost/"


def familiar(reference: str) -> str:
    """The short form: without Docker Hub, without Podman's name for what was made here, without the usual tag.

    >>> familiar("docker.io/library/python:latest")
    'python'
    """
    for prefix in (_HUB, _HERE):
        reference = reference.removeprefix(prefix)
    reference = reference.removeprefix(_OFFICIAL)
    return reference.removesuffix(":latest")


def same(one: str, other: str) -> bool:
    """Whether two references mean one image on one engine, as far as their text tells."""
    return familiar(one) == familiar(other)
