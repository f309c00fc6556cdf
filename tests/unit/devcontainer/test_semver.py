"""Versions: compared as numbers, and the tags that a new one gets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcontainer import semver
from devcontainer.semver import VersionError

ORDER = [
    "0.9.9",
    "1.0.0-1",
    "1.0.0-2",
    "1.0.0-10",
    "1.0.0-a",
    "1.0.0-a.1",
    "1.0.0-b",
    "1.0.0",
    "1.2.0",
    "1.10.0",
    "2.0.0",
]


def test_order() -> None:
    assert [version.text for version in semver.versions(reversed(ORDER))] == ORDER
    assert semver.parse("1.10.0") > semver.parse("1.9.0")
    assert semver.parse("1.0.0") >= semver.parse("1.0.0+build")


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "v1.2.3", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-01", "latest", "1.2.x"]
)
def test_no_version(text: str) -> None:
    with pytest.raises(VersionError) as caught:
        semver.parse(text)
    assert "1.2.3" in caught.value.hint


def test_a_version_of_endless_digits_is_none() -> None:
    with pytest.raises(VersionError):
        semver.parse("1.2." + "9" * 5000)


PUBLISHED = ["1.0.0", "1.2.0", "1.10.0", "2.0.0", "3.0.0-rc.1", "latest", "1", "1.2", "2", "junk"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("latest", "2.0.0"),
        ("1", "1.10.0"),
        ("1.2", "1.2.0"),
        ("1.2.0", "1.2.0"),
        ("3.0.0-rc.1", "3.0.0-rc.1"),
        ("3", None),
        ("1.3", None),
        ("9.9.9", None),
        ("", None),
        ("1.x", None),
    ],
)
def test_the_newest_that_a_tag_stands_for(wanted: str, expected: str | None) -> None:
    found = semver.newest(PUBLISHED, wanted)
    assert (found.text if found else None) == expected


def test_major() -> None:
    assert semver.parse("12.3.4").major == "12"


TAGS = [
    pytest.param("1.0.0", [], ["1", "1.0", "1.0.0", "latest"], id="the first one"),
    pytest.param("1.0.1", ["1.0.0", "1.0", "1", "latest"], ["1", "1.0", "1.0.1", "latest"], id="the next one"),
    pytest.param("1.0.0", ["1.0.0"], [], id="one that is there"),
    pytest.param("1.0.1", ["1.0.0", "1.1.0"], ["1.0", "1.0.1"], id="a fix of an older minor"),
    pytest.param("1.1.0", ["1.0.0", "2.0.0"], ["1", "1.1", "1.1.0"], id="a fix of an older major"),
    pytest.param("1.10.0", ["1.9.0", "1.2.0"], ["1", "1.10", "1.10.0", "latest"], id="ten after nine"),
    pytest.param("1.9.0", ["1.10.0"], ["1.9", "1.9.0"], id="nine before ten"),
    pytest.param("2.0.0", ["2.0.0-rc.1", "1.0.0"], ["2", "2.0", "2.0.0", "latest"], id="after its pre-release"),
    pytest.param(
        "1.0.0", ["junk", "v9.9.9", "latest"], ["1", "1.0", "1.0.0", "latest"], id="other tags are no versions"
    ),
]


@pytest.mark.parametrize(("version", "published", "expected"), TAGS)
def test_tags_to_publish(version: str, published: list[str], expected: list[str]) -> None:
    assert semver.tags_to_publish(version, published) == expected


def test_what_is_no_version_is_not_published() -> None:
    with pytest.raises(VersionError):
        semver.tags_to_publish("1.0", [])


NUMBERS = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12)).map(
    lambda numbers: ".".join(str(number) for number in numbers)
)


@given(st.lists(NUMBERS, max_size=8))
def test_tags_always_lead_to_the_newest(published: list[str]) -> None:
    """Whatever the order of publishing, a tag leads to the newest version that it stands for."""
    tags: dict[str, str] = {}
    for version in published:
        for tag in semver.tags_to_publish(version, tags):
            tags[tag] = version
    for tag, version in tags.items():
        found = semver.newest(published, tag)
        assert found is not None
        assert found.text == version
