from __future__ import annotations

import pathlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devenv.agent import spool

WRITES = st.lists(st.tuples(st.sampled_from([1, 2, 3]), st.binary(min_size=1, max_size=5000)), max_size=40)


def read_all(folder: pathlib.Path, offset: int = 0, limit: int = 1 << 16) -> list[tuple[int, int, bytes]]:
    reader = spool.SpoolReader(str(folder))
    out = []
    while True:
        at, stream, data = reader.read(offset, limit)
        if not data:
            reader.close()
            return out
        out.append((at, stream, data))
        offset = at + len(data)


@settings(max_examples=60)
@given(writes=WRITES, limit=st.integers(1, 9000))
def test_what_was_written_is_read_with_its_streams(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[int, bytes]], limit: int
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    writer = spool.SpoolWriter(str(folder), 1 << 20)
    for number, (stream, data) in enumerate(writes):
        assert writer.write(stream, data, float(number))
    pieces = read_all(folder, 0, limit)
    assert b"".join(data for _, _, data in pieces) == b"".join(data for _, data in writes)
    for stream in (1, 2, 3):
        got = b"".join(data for _, owner, data in pieces if owner == stream)
        assert got == b"".join(data for owner, data in writes if owner == stream)
    assert spool.extent(str(folder)) == (writer.end, [])
    writer.close()


@settings(max_examples=30)
@given(sizes=st.lists(st.integers(1, 60000), min_size=1, max_size=40), start=st.integers(0, 2_000_000))
def test_the_cap_holds_and_offsets_stay(tmp_path_factory: pytest.TempPathFactory, sizes: list[int], start: int) -> None:
    folder = tmp_path_factory.mktemp("spool")
    writer = spool.SpoolWriter(str(folder), 1 << 18)
    whole = b""
    for number, size in enumerate(sizes):
        data = bytes((number + at) % 251 for at in range(size))
        writer.write(1, data, float(number))
        whole += data
    writer.close()
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 1 << 18
    assert writer.end == len(whole)
    for at, _, data in read_all(folder, start):
        assert at >= start
        assert whole[at : at + len(data)] == data
    end, holes = spool.extent(str(folder))
    assert (end, holes) == (writer.end, writer.holes())
    assert sum(b - a for a, b in holes) == writer.dropped
    if writer.dropped:
        assert len(holes) == 1 and holes[0][0] >= (1 << 18) // 4


def test_a_reader_sees_what_comes_later(tmp_path: pathlib.Path) -> None:
    writer = spool.SpoolWriter(str(tmp_path))
    reader = spool.SpoolReader(str(tmp_path))
    assert reader.read(0, 10) == (0, 1, b"")
    writer.write(1, b"one", 0.0)
    assert reader.read(0, 10) == (0, 1, b"one")
    assert reader.read(3, 10)[2] == b""
    writer.write(2, b"two", 0.0)
    writer.write(1, b"three", 0.0)
    assert reader.read(3, 10) == (3, 2, b"two")
    assert reader.read(6, 2) == (6, 1, b"th")
    reader.close()
    writer.close()


def test_a_refusing_disk_drops_counts_and_recovers(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    writer = spool.SpoolWriter(str(folder))
    folder.rmdir()
    assert writer.write(1, b"lost", 10.0) is False
    assert writer.trouble and writer.dropped == 4 and list(writer.ring) == [(0, 1, b"lost")]
    folder.mkdir()
    assert writer.write(1, b"too early", 10.5) is False
    assert writer.write(1, b"kept", 12.0) is True
    assert read_all(folder) == [(13, 1, b"kept")]
    assert writer.holes() == [[0, 13]] == spool.extent(str(folder))[1]
    writer.close()


def test_memory_of_refused_output_is_bounded(tmp_path: pathlib.Path) -> None:
    writer = spool.SpoolWriter(str(tmp_path / "none"))
    for _ in range(100):
        writer.write(1, bytes(1 << 16), 0.0)
    assert sum(len(data) for _, _, data in writer.ring) <= spool.RING
    assert writer.ring[-1][0] + len(writer.ring[-1][2]) == writer.end


def test_a_planted_link_is_not_followed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / spool.segment_name(0)).symlink_to(tmp_path / "secret")
    assert read_all(folder) == []
