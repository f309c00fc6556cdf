"""Contents in a stream: whole, resumed, in changed blocks, changed under way, and from somebody who means harm."""

from __future__ import annotations

import hashlib
import os
import pathlib
import random
import struct
from collections.abc import AsyncIterator, Iterator, Mapping

import pytest

from devenv.sync.side import pack
from devenv.sync.side.receiver import SMALL, Receiver
from devenv.sync.side.stage import Stage

BLOCK = pack.BLOCK


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def some(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


class Far:
    """Where contents arrive."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self.stage = Stage(self.number)

    def receive(self, wanted: Mapping[bytes, str] | None, stream: bytes, cut: int = 1000) -> Receiver:
        receiver = Receiver(self.stage, wanted)
        try:
            for at in range(0, len(stream), cut):
                receiver.feed(stream[at : at + cut])
        finally:
            receiver.close()
        return receiver

    def content(self, data: bytes) -> bytes:
        return (self.folder / digest(data).hex()).read_bytes()

    @property
    def names(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def far(tmp_path: pathlib.Path) -> Iterator[Far]:
    made = Far(tmp_path / "stage")
    yield made
    os.close(made.number)


def written(root: pathlib.Path, contents: Mapping[str, bytes]) -> list[tuple[bytes, str, int, bytes]]:
    for path, data in contents.items():
        (root / path).write_bytes(data)
    return [(digest(data), path, 0, b"") for path, data in contents.items()]


@pytest.mark.parametrize("cut", [1, 7, 4096, 1 << 30])
def test_what_is_sent_arrives_however_it_is_cut(cut: int, root: pathlib.Path, far: Far) -> None:
    contents = {"empty": b"", "small": b"x", "odd": some(9), "whole piece": some(pack.PIECE if cut > 1000 else 77)}
    if cut > 1000:
        contents["big"] = some(3 * pack.PIECE + 5)
    wanted = written(root, contents)
    receiver = far.receive({one[0]: "" for one in wanted}, b"".join(pack.write(str(root), wanted)), cut)
    assert (receiver.ended, receiver.failed) == (True, {})
    for data in contents.values():
        assert far.content(data) == data
    assert far.stage.verified == {digest(data) for data in contents.values()}


def test_small_files_come_together(root: pathlib.Path) -> None:
    wanted = written(root, {f"f{number}": some(2000, number) for number in range(1000)})
    pieces = list(pack.write(str(root), wanted))
    assert len(pieces) < 8
    assert max(map(len, pieces)) < 2 * pack.TOGETHER


def test_after_a_cut_only_the_rest_travels(root: pathlib.Path, far: Far) -> None:
    data = some(5 * pack.PIECE)
    wanted = written(root, {"a": data})
    stream = b"".join(pack.write(str(root), wanted))
    far.receive({digest(data): ""}, stream[: len(stream) // 2])
    there = far.stage.partly(digest(data))
    assert 2 * pack.PIECE <= there < len(data)
    assert not far.stage.has(digest(data))
    rest = b"".join(pack.write(str(root), [(digest(data), "a", there, b"")]))
    assert len(rest) < len(data) - there + 1000
    assert far.receive({digest(data): ""}, rest).failed == {}
    assert far.content(data) == data


@pytest.mark.parametrize("path", ["shorter", "none"])
def test_what_is_shorter_by_now_than_what_has_come_is_gone(path: str, root: pathlib.Path, far: Far) -> None:
    (root / "shorter").write_bytes(b"x")
    data = some(1000)
    stream = b"".join(pack.write(str(root), [(digest(data), path, 500, b"")]))
    receiver = far.receive({digest(data): ""}, stream)
    assert (receiver.ended, receiver.failed, far.names) == (True, {digest(data): ""}, set())


def test_a_part_that_is_not_what_it_was_does_not_stay(root: pathlib.Path, far: Far) -> None:
    data = some(3 * pack.PIECE)
    written(root, {"a": data})
    (far.folder / f"{digest(data).hex()}.part").write_bytes(bytes(1000))
    receiver = far.receive({digest(data): ""}, b"".join(pack.write(str(root), [(digest(data), "a", 1000, b"")])))
    assert receiver.failed == {digest(data): ""}
    assert far.names == set()


@pytest.mark.parametrize("change", ["gone", "a link", "shorter", "another", "grown"])
def test_what_changed_meanwhile_ends_with_a_mark_and_the_others_arrive(
    change: str, root: pathlib.Path, far: Far
) -> None:
    wanted = written(root, {"a": some(2 * pack.PIECE), "b": b"after it"})
    stream = pack.write(str(root), wanted)
    if change in ("gone", "a link"):
        (root / "a").unlink()
    if change == "a link":
        (root / "a").symlink_to("/etc/passwd")
    if change == "another":
        (root / "a").write_bytes(some(2 * pack.PIECE, 9))
    if change == "shorter":
        os.truncate(root / "a", 5)
    if change == "grown":
        with (root / "a").open("ab") as file:
            file.write(b"more")
    receiver = far.receive({one[0]: "" for one in wanted}, b"".join(stream))
    assert (receiver.ended, receiver.failed) == (True, {wanted[0][0]: ""})
    assert far.names == {digest(b"after it").hex()}


@pytest.mark.parametrize(
    ("new", "most"),
    [
        pytest.param(lambda old: old[: 3 * BLOCK] + b"!" + old[3 * BLOCK + 1 :], BLOCK, id="one byte"),
        pytest.param(lambda old: old + b"a line\n", BLOCK, id="appended"),
        pytest.param(lambda old: old[: 5 * BLOCK + 10], 100, id="cut"),
        pytest.param(lambda old: old[4 * BLOCK : 6 * BLOCK] + old[: 4 * BLOCK], 100, id="moved"),
        pytest.param(lambda old: some(6 * BLOCK, 7), 6 * BLOCK, id="all of it"),
    ],
)
def test_of_a_big_file_only_changed_blocks_travel(new: object, most: int, root: pathlib.Path, far: Far) -> None:
    old = some(6 * BLOCK + 1000)
    there = far.folder.parent / "old"
    there.write_bytes(old)
    data = new(old)  # type: ignore[operator]
    (root / "a").write_bytes(data)
    stream = b"".join(pack.write(str(root), [(digest(data), "a", 0, pack.blocks(str(there)))]))
    assert len(stream) < most + 2000
    receiver = far.receive({digest(data): str(there)}, stream, 1 << 20)
    assert (receiver.failed, far.content(data) == data) == ({}, True)


def test_blocks_of_a_file_that_changed_there_are_found_out(root: pathlib.Path, far: Far) -> None:
    old = some(3 * BLOCK)
    there = far.folder.parent / "old"
    there.write_bytes(old)
    blocks = pack.blocks(str(there))
    (root / "a").write_bytes(old + b"!")
    stream = b"".join(pack.write(str(root), [(digest(old + b"!"), "a", 0, blocks)]))
    for changed in (some(3 * BLOCK, 5), b""):
        there.write_bytes(changed)
        receiver = far.receive({digest(old + b"!"): str(there)}, stream)
        assert (receiver.failed, far.names) == ({digest(old + b"!"): ""}, set())


def test_a_disk_without_room_refuses_before_anything_is_written(
    root: pathlib.Path, far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = written(root, {"a": some(2 * SMALL), "b": b"small"})
    disk = os.statvfs(far.number)
    full = os.statvfs_result((4096, 4096, disk.f_blocks, 1000, 1000, *tuple(disk)[5:]))
    monkeypatch.setattr(os, "statvfs", lambda *_: full)
    receiver = far.receive({one[0]: "" for one in wanted}, b"".join(pack.write(str(root), wanted)))
    assert receiver.refused.startswith("not enough room on the disk: 2 MB are needed, 3 MB are free")
    assert receiver.failed == {one[0]: receiver.refused for one in wanted}
    assert far.names == set()
    one = far.receive({wanted[1][0]: ""}, b"".join(pack.write(str(root), wanted[1:])))
    assert one.failed == {}  # one save is no such question


def test_a_disk_that_fills_up_refuses_what_nobody_asked_for(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = [some(pack.PIECE, number) for number in range(80)]
    disk = os.statvfs(far.number)
    looks = iter([1 << 30, 1000])
    monkeypatch.setattr(
        os, "statvfs", lambda *_: os.statvfs_result((4096, 4096, disk.f_blocks, 0, next(looks), *tuple(disk)[5:]))
    )
    parts = [part for data in contents for part in pack.whole(digest(data), data)]
    receiver = far.receive(None, b"".join([pack.beginning(0), *parts, pack.ENDING]), 1 << 20)
    assert receiver.refused.startswith("not enough room on the disk: 16 MB are needed")
    assert far.names == {digest(data).hex() for data in contents[:64]}
    assert receiver.failed.keys() == {digest(data) for data in contents[64:]}


TOTAL, HEAD = struct.pack(">Q", 100), bytes([32]) + digest(b"right")


def place(offset: int, size: int) -> bytes:
    return struct.pack(">QQ", offset, size)


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        pytest.param(TOTAL + bytes([32]) + digest(b"other") + place(0, 1), "nobody asked for", id="another content"),
        pytest.param(TOTAL + bytes([3]) + b"../" + place(0, 1), "nobody asked for", id="a name"),
        pytest.param(TOTAL + HEAD + place(9, 1), "behind its end", id="offset behind the end"),
        pytest.param(TOTAL + HEAD + place(0, 5) + struct.pack(">I", 6) + b"123456", "announced", id="more than said"),
        pytest.param(TOTAL + HEAD + place(0, 5) + struct.pack(">I", pack.PIECE + 1), "too big", id="a huge piece"),
        pytest.param(
            TOTAL + HEAD + place(0, 5) + struct.pack(">III", pack.REUSE, 0, 1), "blocks of nothing", id="no old file"
        ),
        pytest.param(TOTAL + b"\0" + b"more", "more comes", id="behind the end"),
    ],
)
def test_a_stream_that_means_harm_is_refused(stream: bytes, said: str, far: Far) -> None:
    with pytest.raises(pack.Broken, match=said):
        far.receive({digest(b"right"): ""}, stream)
    assert not far.stage.has(digest(b"right"))


def test_blocks_without_end_are_refused(far: Far) -> None:
    there = far.folder.parent / "old"
    there.write_bytes(bytes(2 * BLOCK))
    stream = TOTAL + HEAD + place(0, BLOCK) + struct.pack(">III", pack.REUSE, 0, 1 << 31)
    with pytest.raises(pack.Broken, match="announced"):
        far.receive({digest(b"right"): str(there)}, stream)


def test_noise_is_broken_or_waits_for_more(far: Far) -> None:
    chance = random.Random(5)
    for _ in range(500):
        receiver = Receiver(far.stage, {digest(b"right"): ""})
        try:
            receiver.feed(TOTAL + HEAD + place(0, 100) + chance.randbytes(chance.randrange(300)))
        except pack.Broken:
            pass
        finally:
            receiver.close()
    assert not far.stage.has(digest(b"right"))


async def whole(stream: bytes, cut: int) -> AsyncIterator[bytes]:
    for at in range(0, len(stream), cut):
        yield stream[at : at + cut]


@pytest.mark.parametrize("size", [0, 1, 1000, 3 * pack.PIECE])
async def test_one_content_in_memory(size: int, root: pathlib.Path) -> None:
    data = some(size)
    stream = b"".join(pack.write(str(root), written(root, {"a": data})))
    assert await pack.single(whole(stream, 999), size) == data
    if size:
        assert await pack.single(whole(stream, 999), size - 1) is None
        with pytest.raises(pack.Broken, match="too early"):
            await pack.single(whole(stream[: len(stream) // 2], 999), size)
    (root / "a").unlink()
    gone = b"".join(pack.write(str(root), [(digest(data), "a", 0, b"")]))
    assert await pack.single(whole(gone, 999), size) == b""
