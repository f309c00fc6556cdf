"""The archive of an image, in every layout that engines write, and in those that none of them does."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from typing import IO

import pytest

from devenv.engine.image_tar import Spool
from devenv.errors import EngineError

A, B, C = (letter * 64 for letter in "abc")
CONFIG = "d" * 64


def tar(files: dict[str, bytes | str], *, folders: tuple[str, ...] = ()) -> io.BytesIO:
    """A file for bytes, a symbolic link for text."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name in folders:
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.DIRTYPE
            archive.addfile(entry)
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    made.seek(0)
    return made


def manifest(config: str, layers: list[str]) -> bytes:
    return json.dumps([{"Config": config, "RepoTags": ["a:1"], "Layers": layers}]).encode()


def oci() -> io.BytesIO:
    blobs = f"blobs/sha256/{A}", f"blobs/sha256/{B}", f"blobs/sha256/{CONFIG}"
    files: dict[str, bytes | str] = {
        blobs[0]: b"lowest" * 1000,
        blobs[1]: b"highest",
        blobs[2]: b"{}",
        "index.json": b"{}",
        "manifest.json": manifest(blobs[2], [blobs[0], blobs[1]]),
        "oci-layout": b"{}",
    }
    return tar(files, folders=("blobs/", "blobs/sha256/"))


def legacy() -> io.BytesIO:
    """As Engine 20.10: the second layer has the bytes of the first, and is a link to it."""
    layers = [f"{one}/layer.tar" for one in (A, B, C)]
    files: dict[str, bytes | str] = {
        f"{A}/VERSION": b"1.0",
        f"{A}/json": b"{}",
        layers[0]: b"lowest",
        layers[1]: f"../{layers[0]}",
        layers[2]: b"highest",
        f"{CONFIG}.json": b"{}",
        "manifest.json": manifest(f"{CONFIG}.json", layers),
        "repositories": b"{}",
    }
    return tar(files, folders=(A, B, C))


def spooled(source: IO[bytes], *leave: str) -> Spool:
    spool = Spool(io.BytesIO(), leave)
    spool.take(source)
    return spool


def contents(archive: tuple[int, Iterator[bytes]]) -> dict[str, bytes | str]:
    size, pieces = archive
    body = b"".join(pieces)
    assert len(body) == size
    return files_of(io.BytesIO(body))


def files_of(file: IO[bytes]) -> dict[str, bytes | str]:
    found: dict[str, bytes | str] = {}
    with tarfile.open(fileobj=file) as archive:
        for entry in archive:
            content = None if entry.issym() else archive.extractfile(entry)
            if entry.issym() or content is not None:
                found[entry.name] = entry.linkname if content is None else content.read()
    return found


@pytest.mark.parametrize("source", [oci, legacy])
def test_an_archive_comes_out_as_it_went_in(source: Callable[[], io.BytesIO]) -> None:
    assert contents(spooled(source()).archive(())) == files_of(source())


def test_layers_are_named_in_the_order_of_the_image() -> None:
    assert spooled(oci()).layers(f"sha256:{CONFIG}") == [f"blobs/sha256/{A}", f"blobs/sha256/{B}"]
    assert spooled(legacy()).layers(f"sha256:{CONFIG}") == [f"{one}/layer.tar" for one in (A, B, C)]


def test_a_layer_that_its_name_tells_is_not_even_put_down() -> None:
    file = io.BytesIO()
    spool = Spool(file, {f"sha256:{A}"})
    spool.take(oci())
    assert b"lowest" not in file.getvalue() and b"highest" in file.getvalue()
    kept = contents(spool.archive({f"blobs/sha256/{A}"}))
    assert f"blobs/sha256/{A}" not in kept and kept[f"blobs/sha256/{B}"] == b"highest"
    spool.require([f"blobs/sha256/{B}"])
    with pytest.raises(EngineError, match="lacks a layer"):
        spool.require([f"blobs/sha256/{A}"])


def test_a_layer_of_the_old_layout_goes_with_the_links_to_it() -> None:
    kept = contents(spooled(legacy(), f"sha256:{A}").archive({f"{A}/layer.tar", f"{B}/layer.tar"}))
    assert f"{A}/layer.tar" not in kept and f"{B}/layer.tar" not in kept
    assert kept[f"{C}/layer.tar"] == b"highest" and kept[f"{A}/VERSION"] == b"1.0"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("../escape", b"", id="upwards"),
        pytest.param("/etc/passwd", b"", id="absolute"),
        pytest.param(f"{A}/../../layer.tar", b"", id="upwards inside"),
        pytest.param("blobs/sha256/short", b"", id="no digest"),
        pytest.param(f"{A}/layer.tar", "/etc/passwd", id="link to an absolute path"),
        pytest.param(f"{A}/layer.tar", "../../layer.tar", id="link out of the archive"),
        pytest.param("manifest.json", f"{A}/layer.tar", id="link where a file has to be"),
        pytest.param(f"{A}/layer.tar\n", b"", id="line end"),
    ],
)
def test_what_no_engine_writes_is_refused(name: str, content: bytes | str) -> None:
    with pytest.raises(EngineError, match="something else"):
        spooled(tar({name: content}))


def test_a_name_that_comes_twice_is_refused() -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("manifest.json"))
    made.seek(0)
    with pytest.raises(EngineError, match="something else"):
        spooled(made)


def test_a_device_is_refused() -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        entry = tarfile.TarInfo(f"{A}/layer.tar")
        entry.type = tarfile.CHRTYPE
        archive.addfile(entry)
    made.seek(0)
    with pytest.raises(EngineError, match="something else"):
        spooled(made)


def test_an_archive_that_is_cut_off_is_told() -> None:
    with pytest.raises(EngineError, match="cannot be read"):
        spooled(io.BytesIO(oci().getvalue()[:3000]))


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{}", b"null", b'[{"Config": "x"}]', b'[{"Config": "x", "Layers": 3}]', b"[1]"],
)
def test_a_manifest_that_says_nothing_is_told(text: bytes) -> None:
    with pytest.raises(EngineError, match=r"manifest\.json"):
        spooled(tar({"manifest.json": text})).layers(f"sha256:{CONFIG}")


def test_an_archive_without_a_manifest_is_told() -> None:
    with pytest.raises(EngineError, match=r"no manifest\.json"):
        spooled(tar({"oci-layout": b"{}"})).layers(f"sha256:{CONFIG}")


def test_a_full_disk_is_told_where_it_is() -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(EngineError, match="No space left on device") as raised:
        Spool(Full()).take(oci())
    assert "this machine" in raised.value.hint
