"""References as Docker and as Podman write them."""

from __future__ import annotations

import pytest

from devenv.engine.image_name import familiar, same

CASES = [
    ("a name alone", "python", "docker.io/library/python:latest", True),
    ("a tag", "python:3.12", "docker.io/library/python:3.12", True),
    ("another tag", "python:3.12", "docker.io/library/python:3.13", False),
    ("a user's on the Hub", "pytorch/pytorch:2.9", "docker.io/pytorch/pytorch:2.9", True),
    ("made on this machine", "devenv/project:1", "localhost/devenv/project:1", True),
    ("another registry", "ghcr.io/a/b:latest", "ghcr.io/a/b", True),
    ("not the Hub's", "a/b", "ghcr.io/a/b", False),
    ("a digest", "a@sha256:00", "docker.io/library/a@sha256:00", True),
]


@pytest.mark.parametrize(("what", "one", "other", "equal"), CASES, ids=[case[0] for case in CASES])
def test_same(what: str, one: str, other: str, equal: bool) -> None:
    assert same(one, other) is equal and same(other, one) is equal


def test_familiar_is_settled() -> None:
    for _, one, other, _ in CASES:
        assert familiar(familiar(one)) == familiar(one) and familiar(familiar(other)) == familiar(other)
