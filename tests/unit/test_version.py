"""Which version is newer."""

from __future__ import annotations

import itertools

import pytest

from devenv.version import VERSION, newer, parsed

ORDER = ["0.1.0.dev3", "0.1.0a1", "0.1.0b1", "0.1.0rc1", "0.1.0rc2", "0.1", "0.1.0.post1", "0.1.1", "0.2", "0.10", "1"]


@pytest.mark.parametrize(("older", "later"), list(itertools.pairwise(ORDER)))
def test_the_order_of_versions(older: str, later: str) -> None:
    assert newer(later, older)
    assert not newer(older, later)


def test_a_version_is_not_newer_than_itself() -> None:
    assert parsed(VERSION) is not None
    assert not newer(VERSION, VERSION)
    assert not newer("1.0.0", "1.0")
    assert not newer("1.0+local", "1.0")


@pytest.mark.parametrize("text", ["", "x", "1..2", "1.x.2", "1.2-3", "rc1"])
def test_what_is_no_version_is_never_newer(text: str) -> None:
    assert parsed(text) is None
    assert not newer(text, "0.0.1")
    assert not newer("9", text)
