"""The cache and the vendored copies: verified, atomic, bounded."""

from __future__ import annotations

import concurrent.futures
import json
import os
from pathlib import Path

import pytest

from devenv.errors import FeatureError
from devenv.features.cache import FeatureCache
from devenv.features.vendor import Vendored, VendorFolder
from devenv.oci.digests import sha256

HOUR = 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(tmp_path: Path, clock: Clock) -> FeatureCache:
    return FeatureCache(tmp_path / "cache", size_limit=250, now=clock)


def test_content_by_digest(cache: FeatureCache) -> None:
    digest = cache.add(b"content")
    assert digest == sha256(b"content")
    assert cache.read(digest) == b"content"
    found = cache.find(digest)
    assert found is not None and found.read_bytes() == b"content"
    assert cache.read(sha256(b"other")) is None and cache.find(sha256(b"other")) is None


def test_content_that_was_changed_counts_as_missing(cache: FeatureCache) -> None:
    digest = cache.add(b"content")
    cache.path(digest).write_bytes(b"changed")
    assert cache.read(digest) is None and cache.find(digest) is None
    cache.add(b"content")
    assert cache.read(digest) == b"content"


@pytest.mark.parametrize("text", ["", "latest", "sha256:../../etc", "sha256:" + "A" * 64])
def test_a_path_needs_a_digest(cache: FeatureCache, text: str) -> None:
    with pytest.raises(ValueError, match="not a digest"):
        cache.path(text)


def test_a_file_that_is_not_finished_stays_nowhere(cache: FeatureCache) -> None:
    with pytest.raises(RuntimeError), cache.incoming() as file:
        file.write_bytes(b"half")
        raise RuntimeError
    assert list((cache.folder / "incoming").iterdir()) == []


def test_what_a_tag_meant(cache: FeatureCache, clock: Clock) -> None:
    assert cache.recall("r/f:1") is None
    cache.remember("r/f:1", sha256(b"a"))
    clock.now += 90
    assert cache.recall("r/f:1") == (sha256(b"a"), 90)
    cache.remember("r/f:1", sha256(b"b"))
    assert cache.recall("r/f:1") == (sha256(b"b"), 0)
    clock.now -= 10
    found = cache.recall("r/f:1")
    assert found is not None and found.age == -10


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"digest": "latest", "asked": 0, "name": "r/f:1"}'])
def test_a_broken_note_is_none(cache: FeatureCache, text: str) -> None:
    cache.remember("r/f:1", sha256(b"a"))
    (note,) = (cache.folder / "tags").iterdir()
    note.write_text(text)
    assert cache.recall("r/f:1") is None


def test_pruning_takes_what_was_used_longest_ago(cache: FeatureCache, clock: Clock) -> None:
    digests = []
    for letter in (b"a", b"b", b"c", b"d"):
        digests.append(cache.add(letter * 100))
        cache.read(digests[-1])  # the file's time is the test's clock then
        clock.now += HOUR
    cache.read(digests[0])
    clock.now += 2 * HOUR
    assert cache.prune() == 200
    assert [cache.read(digest) is not None for digest in digests] == [True, False, False, True]


def test_pruning_keeps_what_is_in_use(cache: FeatureCache, clock: Clock) -> None:
    digests = [cache.add(bytes([n]) * 200) for n in range(3)]
    for digest in digests:
        cache.read(digest)
    assert cache.prune() == 0
    assert all(cache.read(digest) for digest in digests)


def test_pruning_removes_what_a_killed_process_left(cache: FeatureCache, clock: Clock) -> None:
    folder = cache.folder / "incoming"
    folder.mkdir(parents=True)
    for name, age in (("old", 48 * HOUR), ("new", HOUR)):
        (folder / name).write_text("x")
        os.utime(folder / name, (clock.now - age, clock.now - age))
    cache.prune()
    assert [one.name for one in folder.iterdir()] == ["new"]


def test_many_at_once(tmp_path: Path) -> None:
    """As two processes would: each has its own object."""
    contents = [bytes([n]) * 1000 for n in range(20)]

    def work(_: int) -> None:
        own = FeatureCache(tmp_path)
        for content in contents:
            own.remember("r/f:1", own.add(content))
            assert own.read(sha256(content)) == content

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    found = FeatureCache(tmp_path).recall("r/f:1")
    assert found is not None and found.digest == sha256(contents[-1])
    assert list((tmp_path / "incoming").iterdir()) == []


class TestVendor:
    ENTRY = Vendored("ghcr.io/f/node:1", sha256(b"manifest"), 8)

    def write(self, folder: Path, *contents: bytes) -> VendorFolder:
        place = VendorFolder(folder)
        place.write([self.ENTRY], {sha256(content): content for content in contents})
        return place

    def test_an_image_layout(self, tmp_path: Path) -> None:
        place = self.write(tmp_path, b"manifest", b"files")
        assert place.index() == {self.ENTRY.name: self.ENTRY}
        assert place.read(self.ENTRY.digest) == b"manifest"
        assert json.loads((tmp_path / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
        (listed,) = json.loads((tmp_path / "index.json").read_text())["manifests"]
        assert listed["annotations"] == {"org.opencontainers.image.ref.name": "ghcr.io/f/node:1"}

    def test_the_same_again_writes_nothing(self, tmp_path: Path) -> None:
        place = self.write(tmp_path, b"manifest")
        assert place.write([self.ENTRY], {self.ENTRY.digest: b"manifest"}) == []

    def test_what_is_no_longer_needed_goes(self, tmp_path: Path) -> None:
        place = self.write(tmp_path, b"manifest", b"files")
        place.write([self.ENTRY], {self.ENTRY.digest: b"manifest"})
        assert place.read(sha256(b"files")) is None
        assert sorted(one.name for one in tmp_path.iterdir()) == ["blobs", "index.json", "oci-layout"]

    def test_nothing_vendored(self, tmp_path: Path) -> None:
        assert VendorFolder(tmp_path / "none").index() == {}

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"manifests": [1]}', '{"manifests": [{}]}', "\xff"])
    def test_a_broken_index(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "index.json").write_text(text, encoding="latin-1")
        with pytest.raises(FeatureError, match="vendored features"):
            VendorFolder(tmp_path).index()

    def test_entries_of_other_tools_are_left_out(self, tmp_path: Path) -> None:
        listed = [{"digest": self.ENTRY.digest}, {"digest": "x", "annotations": {}}]
        (tmp_path / "index.json").write_text(json.dumps({"manifests": listed}))
        assert VendorFolder(tmp_path).index() == {}
