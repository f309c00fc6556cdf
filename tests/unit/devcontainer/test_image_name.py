"""Names of images: what an engine would take for one."""

from __future__ import annotations

import pytest

from devcontainer.image_name import is_image_name

_DIGEST = "sha256:" + "0f" * 32


@pytest.mark.parametrize(
    "text",
    [
        "python",
        "python:3.11-slim",
        "ghcr.io/acme/base:latest",
        "localhost:5000/a/b_c__d--e.f:v1",
        "REGISTRY.example.com:443/a",
        "[::1]:5000/a",
        f"python@{_DIGEST}",
        f"python:3.11@{_DIGEST}",
        _DIGEST,
        "16ce84d2172f",
    ],
)
def test_a_name(text: str) -> None:
    assert is_image_name(text)


@pytest.mark.parametrize(
    "text", ["", "Python", "a b", "a:", "a:b:c", "a/", "/a", "a//b", "https://a/b", "a@sha256:0f", "a:-x", "a\n", "-a"]
)
def test_no_name(text: str) -> None:
    assert not is_image_name(text)
