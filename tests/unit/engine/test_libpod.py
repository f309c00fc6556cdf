"""Who the engine's user is in a container, from Podman's maps of ids."""

from __future__ import annotations

import pytest

from devenv.engine.libpod import own_id

CASES = [
    ("no maps: the engine is root, or the usual of a rootless one", [], 0),
    ("keep-id", ["0:1:24001", "24001:0:1", "24002:24002:41535"], 24001),
    ("keep-id:uid=1000", ["0:1:1000", "1000:0:1", "1001:1001:64536"], 1000),
    ("a range that begins with it", ["0:0:65536"], 0),
    ("a range of others", ["0:1:65536"], 0),
]


@pytest.mark.parametrize(("what", "maps", "expected"), CASES, ids=[case[0] for case in CASES])
def test_own_id(what: str, maps: list[str], expected: int) -> None:
    assert own_id(maps) == expected
