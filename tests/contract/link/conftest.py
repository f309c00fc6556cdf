"""Every link there is: the fake and the real one, on both tiers."""

from __future__ import annotations

import pathlib
from collections.abc import AsyncIterator

import pytest

from devenv.link.fakes import FakeLink, open_local_link
from devenv.link.port import Link, Tier


@pytest.fixture(params=["fake-direct", "fake-stream", "agent-direct", "agent-stream"])
async def link(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> AsyncIterator[Link]:
    kind, tier = request.param.split("-")
    made: Link = FakeLink(Tier(tier)) if kind == "fake" else await open_local_link(tmp_path, Tier(tier))
    yield made
    await made.close()
