"""Archives that strangers made: what is unpacked, and what is refused."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devenv.errors import FeatureError
from devenv.features import archive
from tests.unit.features.conftest import tar


def header(kind: bytes, target: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    made = tarfile.TarInfo()
    made.type, made.linkname, made.mode = kind, target, mode
    return made


def link(target: str) -> tarfile.TarInfo:
    return header(tarfile.SYMTYPE, target)


def hard(target: str) -> tarfile.TarInfo:
    return header(tarfile.LNKTYPE, target)


def at(folder: Path, content: bytes) -> Path:
    file = folder / "archive"
    file.write_bytes(content)
    return file


FILES = {"./install.sh": b"#!/bin/sh\n", "./sub/data": b"x" * 3000, "top": b""}


@pytest.mark.parametrize("packed", [tar(FILES), tar(FILES, "w:gz")], ids=["plain", "gzip"])
def test_files_and_their_modes(tmp_path: Path, packed: bytes) -> None:
    written = archive.unpack(at(tmp_path, packed), tmp_path / "out", "f")
    assert written == ["install.sh", "sub/data", "top"]
    assert (tmp_path / "out" / "sub" / "data").read_bytes() == b"x" * 3000
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "out").rglob("*")}
    assert modes == {"install.sh": 0o755, "sub": 0o755, "data": 0o644, "top": 0o644}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({"a": b"1", "l": link("a")}, {"a": b"1", "l": b"1"}, id="a link"),
        pytest.param({"l": link("d/../a"), "a": b"1", "d/x": b""}, {"l": b"1"}, id="a link before its file"),
        pytest.param({"d/l": link("../a"), "a": b"1"}, {"d/l": b"1"}, id="a link upwards, inside"),
        pytest.param({"a": b"1", "h": hard("./a")}, {"h": b"1"}, id="a hard link"),
        pytest.param({"a": b"1", "./a": b"2"}, {"a": b"2"}, id="a file twice"),
        pytest.param({"d": header(tarfile.DIRTYPE), "d/a": b"1"}, {"d/a": b"1"}, id="a folder"),
        pytest.param({"a": b"1", "d/h": hard("a"), "a//b/../": header(tarfile.DIRTYPE)}, None, id="dots in a folder"),
        pytest.param({"./": header(tarfile.DIRTYPE), "ü": b"1"}, {"ü": b"1"}, id="a name beyond ASCII"),
    ],
)
def test_what_archives_may_hold(tmp_path: Path, files: dict[str, bytes], expected: dict[str, bytes] | None) -> None:
    file = at(tmp_path, tar(files))
    if expected is None:
        with pytest.raises(FeatureError):
            archive.unpack(file, tmp_path / "out", "f")
        return
    archive.unpack(file, tmp_path / "out", "f")
    held = archive.contents(file, "f")
    for path, content in expected.items():
        assert (tmp_path / "out" / path).read_bytes() == content
        assert held[path].data == content


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"/etc/x": b""}, id="an absolute path"),
        pytest.param({"../x": b""}, id="a path upwards"),
        pytest.param({"a/../../x": b""}, id="a path upwards in the middle"),
        pytest.param({"l": link("/etc/passwd")}, id="an absolute link"),
        pytest.param({"l": link("..")}, id="a link to above"),
        pytest.param({"d/l": link("../../x")}, id="a link that leaves"),
        pytest.param({"h": hard("/etc/passwd")}, id="an absolute hard link"),
        pytest.param({"h": hard("../x")}, id="a hard link that leaves"),
        pytest.param({"h": hard("later"), "later": b""}, id="a hard link to what comes later"),
        pytest.param({"l": link("a"), "h": hard("l"), "a": b""}, id="a hard link to a link"),
        pytest.param({"x": header(tarfile.CHRTYPE)}, id="a device"),
        pytest.param({"x": header(tarfile.FIFOTYPE)}, id="a pipe"),
        pytest.param({"a": b"", "a/b": b""}, id="a file that becomes a folder"),
        pytest.param({"a/b": b"", "a": b""}, id="a folder that becomes a file"),
        pytest.param({"l": link("d"), "d/x": b"", "l/y": b""}, id="a file through a link"),
        pytest.param({"p/q/s": link("../.."), "t": link("p/q/s/..")}, id="two links that leave together"),
    ],
)
def test_what_is_refused(tmp_path: Path, files: dict[str, bytes]) -> None:
    (tmp_path / "x").write_text("untouched")
    with pytest.raises(FeatureError, match="the archive of some-feature is refused"):
        archive.unpack(at(tmp_path, tar(files)), tmp_path / "out", "some-feature")
    assert (tmp_path / "x").read_text() == "untouched"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"hello, this is no archive at all" * 40, id="text"),
        pytest.param(tar(FILES)[:2000], id="cut in the middle"),
        pytest.param(tar(FILES, "w:gz")[:60], id="compressed and cut"),
        pytest.param(b"\x1f\x8b" + b"\0" * 600, id="not really compressed"),
        pytest.param(b"", id="empty"),
    ],
)
def test_no_archive(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(FeatureError, match="no readable archive"):
        archive.unpack(at(tmp_path, content), tmp_path / "out", "f")


def test_a_bomb_stops_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "UNPACKED_LIMIT", 1024 * 1024)
    packed = gzip.compress(tar({"zeros": b"\0" * 4 * 1024 * 1024}))
    assert len(packed) < 10_000
    with pytest.raises(FeatureError, match="unpacks to more than"):
        archive.unpack(at(tmp_path, packed), tmp_path / "out", "f")


def test_a_header_bomb_stops_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "UNPACKED_LIMIT", 1024 * 1024)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", pax_headers={"comment": "x" * 4 * 1024 * 1024}):
        pass
    with pytest.raises(FeatureError, match="unpacks to more than"):
        archive.unpack(at(tmp_path, packed.getvalue()), tmp_path / "out", "f")


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MEMBER_LIMIT", 5)
    with pytest.raises(FeatureError, match="more than 5 files"):
        archive.unpack(at(tmp_path, tar({f"f{n}": b"" for n in range(6)})), tmp_path / "out", "f")


def test_one_file_of_it(tmp_path: Path) -> None:
    file = at(tmp_path, tar(FILES))
    assert archive.read(file, "install.sh", "f") == b"#!/bin/sh\n"
    assert archive.read(file, "other", "f") is None
    with pytest.raises(FeatureError, match="larger than"):
        archive.read(file, "sub/data", "f", limit=10)


def test_some_of_it(tmp_path: Path) -> None:
    file = at(tmp_path, tar({**FILES, "l": link("top")}))
    assert archive.unpack(file, tmp_path / "out", "f", lambda path: path == "top") == ["top"]
    assert sorted(os.listdir(tmp_path / "out")) == ["top"]


def test_links_of_contents_must_lead_somewhere(tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match="leads to no file"):
        archive.contents(at(tmp_path, tar({"a": link("b"), "b": link("a")})), "f")


@given(st.binary(max_size=3000))
def test_any_bytes_are_an_archive_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    try:
        archive.unpack(at(folder, content), folder / "out", "f")
    except FeatureError:
        pass


@given(st.data())
def test_a_damaged_archive_never_writes_outside(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    content = bytearray(tar({**FILES, "l": link("top"), "h": hard("top")}))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("damaged")
    try:
        archive.unpack(at(folder, bytes(content)), folder / "out", "f")
    except FeatureError:
        pass
    assert set(os.listdir(folder)) <= {"archive", "out"}
    for path in (folder / "out").rglob("*"):
        assert os.path.realpath(path).startswith(os.path.realpath(folder / "out"))
