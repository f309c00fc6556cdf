from __future__ import annotations

import io
import os
import pathlib
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devenv.agent.tarstream import TarError, TarStream


def entry(name: str, **more: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in more.items():
        setattr(info, key, value)
    return info


def archive(*members: tuple[tarfile.TarInfo, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def extract(root: pathlib.Path, data: bytes, step: int = 1000) -> None:
    stream = TarStream(os.fsencode(root))
    try:
        for at in range(0, len(data), step):
            stream.feed(data[at : at + step])
        stream.end()
    finally:
        stream.abort()


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("step", [1, 511, 100000])
def test_files_folders_links_and_modes(tmp_path: pathlib.Path, format: int, step: int) -> None:
    long = "deep/" + "/".join(["n" * 60] * 2) + "/file.txt"
    data = archive(
        (entry("dir", type=tarfile.DIRTYPE, mode=0o750), b""),
        (entry("dir/run.sh", mode=0o755), b"#!/bin/sh\n"),
        (entry("./dir/data", mode=0o640), bytes(1500)),
        (entry("empty"), b""),
        (entry(long), b"long"),
        (entry("dir/link", type=tarfile.SYMTYPE, linkname="data"), b""),
        (entry("hard", type=tarfile.LNKTYPE, linkname="dir/run.sh"), b""),
        format=format,
    )
    extract(tmp_path, data, step)
    assert (tmp_path / "dir").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "dir/run.sh").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "dir/link").read_bytes() == bytes(1500)
    assert (tmp_path / "empty").read_bytes() == b""
    assert (tmp_path / long).read_bytes() == b"long"
    assert (tmp_path / "hard").samefile(tmp_path / "dir/run.sh")


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_very_long_and_strange_names(tmp_path: pathlib.Path, format: int) -> None:
    name = "/".join(["d" * 90] * 4) + "/\u00e9\u20ac.txt"
    extract(tmp_path, archive((entry(name), b"x"), format=format))
    assert (tmp_path / name).read_bytes() == b"x"


@pytest.mark.parametrize(
    "members",
    [
        pytest.param([(entry("/etc/passwd"), b"x")], id="absolute"),
        pytest.param([(entry("../up"), b"x")], id="up"),
        pytest.param([(entry("a/../../up"), b"x")], id="up from below"),
        pytest.param([(entry("a", type=tarfile.SYMTYPE, linkname="/etc"), b"")], id="link to an absolute path"),
        pytest.param([(entry("a", type=tarfile.SYMTYPE, linkname="../.."), b"")], id="link up"),
        pytest.param(
            [
                (entry("d", type=tarfile.DIRTYPE), b""),
                (entry("a", type=tarfile.SYMTYPE, linkname="d"), b""),
                (entry("a/f"), b"x"),
            ],
            id="through a link",
        ),
        pytest.param([(entry("a", type=tarfile.LNKTYPE, linkname="../secret"), b"")], id="hard link up"),
        pytest.param(
            [(entry("a", type=tarfile.LNKTYPE, linkname="/etc/passwd"), b"")], id="hard link to an absolute path"
        ),
        pytest.param([(entry("null", type=tarfile.CHRTYPE), b"")], id="device"),
        pytest.param([(entry("pipe", type=tarfile.FIFOTYPE), b"")], id="fifo"),
    ],
)
def test_what_leads_outside_is_refused(tmp_path: pathlib.Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    (tmp_path / "secret").write_text("secret")
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(TarError):
        extract(root, archive(*members))
    assert {path.name for path in tmp_path.iterdir()} == {"secret", "root"}
    assert (tmp_path / "secret").read_text() == "secret"


def test_damage_is_noticed(tmp_path: pathlib.Path) -> None:
    data = bytearray(archive((entry("a"), b"x" * 600)))
    with pytest.raises(TarError, match="cut short"):
        extract(tmp_path, bytes(data[:700]))
    data[0] ^= 1
    with pytest.raises(TarError, match="damaged header"):
        extract(tmp_path, bytes(data))


@settings(max_examples=100)
@given(st.binary(max_size=3000), st.integers(0, 2999), st.integers(0, 255))
def test_noise_never_escapes(tmp_path_factory: pytest.TempPathFactory, noise: bytes, position: int, value: int) -> None:
    top = tmp_path_factory.mktemp("tar")
    root = top / "root"
    root.mkdir()
    data = bytearray(archive((entry("d/a"), b"x" * 600), (entry("b"), b"y")))
    data[position % len(data)] = value
    for item in (noise, bytes(data)):
        try:
            extract(root, item)
        except (TarError, OSError, ValueError):
            pass
    assert [path.name for path in top.iterdir()] == ["root"]
