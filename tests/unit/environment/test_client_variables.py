"""Which configurations mean something else for each client."""

from __future__ import annotations

from typing import Any

import pytest

from devenv.environment import target as targets
from tests.unit.environment.conftest import IMAGE, Site

CASES: list[tuple[str, dict[str, Any], bool]] = [
    ("nothing", {}, False),
    ("a text", {"remoteEnv": {"A": "b", "C": None}}, False),
    ("the container's", {"remoteEnv": {"A": "${containerEnv:B}"}}, False),
    ("the client's", {"remoteEnv": {"A": "x${localEnv:B:d}"}}, True),
    ("its other name", {"remoteEnv": {"A": "${env:B}"}}, True),
    ("of the container itself", {"containerEnv": {"A": "${localEnv:B}"}}, False),
]


@pytest.mark.parametrize(("config", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_names_client_variables(site: Site, config: dict[str, Any], expected: bool) -> None:
    site.configure({"image": IMAGE, **config})
    assert targets.names_client_variables(await site.target()) is expected
