"""Identity labels and the id made from them. The values were taken from @devcontainers/cli 0.89.0."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcontainer import identity

KNOWN = [
    pytest.param(
        "/srv/projects/digits",
        "1rc6pkuj662s526ch6bigqueso9a84t50nhb65f562imok44u8hg",
        id="plain",
    ),
    pytest.param(
        '/srv/projects/größe "x" ü\U0001f600',
        "0likju63h0j896btj1d29j9rur20sqc0l9ipfmdik2b5s3vovo5c",
        id="quotes, letters beyond ASCII and beyond the basic plane; padded with a zero",
    ),
]


@pytest.mark.parametrize(("folder", "expected"), KNOWN)
def test_equals_the_reference(folder: str, expected: str) -> None:
    labels = identity.id_labels(folder, f"{folder}/.devcontainer/devcontainer.json")
    assert identity.devcontainer_id(labels) == expected


def test_labels() -> None:
    assert identity.id_labels("/p", "/p/.devcontainer.json") == {
        "devcontainer.local_folder": "/p",
        "devcontainer.config_file": "/p/.devcontainer.json",
    }


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"]))
    )
)
def test_form_and_independence_of_order(labels: dict[str, str]) -> None:
    value = identity.devcontainer_id(labels)
    assert re.fullmatch("[0-9a-v]{52}", value)
    assert identity.devcontainer_id(dict(reversed(labels.items()))) == value
