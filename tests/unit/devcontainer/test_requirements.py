"""Host requirements (spec, *Host requirements*; the byte parser is the reference's)."""

from __future__ import annotations

from typing import Any

import pytest

from devcontainer import requirements
from devcontainer.requirements import Gpu, HostRequirements


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8gb", 8 * 2**30),
        ("1tb", 2**40),
        ("512mb", 512 * 2**20),
        ("3kb", 3 * 2**10),
        ("77", 77),
        ("8 gb", 0),
        ("8GB", 0),
        ("8g", 0),
        ("1.5gb", 0),
        ("", 0),
        ("-1gb", 0),
        ("8gb\n", 0),
        ("٣gb", 0),
    ],
)
def test_sizes(text: str, expected: int) -> None:
    assert requirements.size_in_bytes(text) == expected
    assert requirements.is_size(text) is (expected > 0)


@pytest.mark.parametrize(
    ("value", "gpu"),
    [
        (True, Gpu(True)),
        (False, None),
        ("optional", Gpu(False)),
        ({}, Gpu(True)),
        ({"cores": 4, "memory": "8gb"}, Gpu(True, 4, 8 * 2**30)),
        ("maybe", None),
        (None, None),
        ({"cores": True, "memory": 3}, Gpu(True)),
    ],
)
def test_gpu_forms(value: Any, gpu: Gpu | None) -> None:
    assert requirements.parse({"gpu": value}).gpu == gpu


def test_nothing_is_asked() -> None:
    for value in (None, [], {}, {"cpus": "4", "memory": 8, "storage": None}):
        assert not requirements.parse(value)


OPTIONAL, REQUIRED = Gpu(False), Gpu(True)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param(None, OPTIONAL, OPTIONAL, id="who asks for nothing yields"),
        pytest.param(OPTIONAL, None, OPTIONAL, id="on both sides"),
        pytest.param(OPTIONAL, OPTIONAL, OPTIONAL, id="both optional"),
        pytest.param(OPTIONAL, REQUIRED, REQUIRED, id="required wins"),
        pytest.param(Gpu(True, 2, 5), Gpu(True, 1, 9), Gpu(True, 2, 9), id="the highest of each"),
        pytest.param(Gpu(True, 2), OPTIONAL, Gpu(True, 2), id="a size is a requirement"),
    ],
)
def test_merge_of_gpus(one: Gpu | None, other: Gpu | None, expected: Gpu | None) -> None:
    assert requirements.merge([HostRequirements(gpu=one), HostRequirements(gpu=other)]).gpu == expected


def test_merge_takes_the_highest() -> None:
    merged = requirements.merge(
        [
            requirements.parse({"cpus": 4, "memory": "1gb"}),
            requirements.parse({"cpus": 2, "memory": "2gb", "storage": "5kb"}),
        ]
    )
    assert merged == HostRequirements(4, 2 * 2**30, 5 * 2**10)
    assert requirements.merge([]) == HostRequirements()
