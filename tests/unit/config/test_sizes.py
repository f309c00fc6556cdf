"""Sizes as people write them, and that the schema takes exactly those."""

from __future__ import annotations

import re

import pytest

from devenv.config.schema import schema
from devenv.config.sizes import in_bytes

PATTERN = re.compile(schema()["$defs"]["SyncConfig"]["properties"]["max-file"]["pattern"])


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("17", 17), ("8b", 8), ("1k", 1024), ("100MB", 100 << 20), ("2 GiB", 2 << 30), ("1.5g", 3 << 29)],
)
def test_sizes(text: str, size: int) -> None:
    assert PATTERN.search(text)
    assert in_bytes(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1", "1,5g", "2 apples", "1  g", "1ib", "1e3", "٣"])
def test_what_is_no_size(text: str) -> None:
    assert not PATTERN.search(text)
    with pytest.raises(ValueError, match="is no size"):
        in_bytes(text)
