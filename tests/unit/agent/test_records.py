from __future__ import annotations

import json
import os
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devenv.agent import place, records
from devenv.agent.pace import Pace


def make(tmp_path: pathlib.Path, **more: object) -> records.Folder:
    folder = records.Folder(str(tmp_path), "20260101-000000-abcd")
    folder.create()
    folder.write(
        {"v": 1, "id": folder.id, "state": "running", "boot": records.boot(), "keeper_pid": 1, "future": "kept", **more}
    )
    return folder


def test_new_ids_are_valid() -> None:
    assert all(records.valid_id(records.new_id(number * 1e7)) for number in range(100))


@given(st.text() | st.integers() | st.none())
def test_no_other_text_is_an_id(value: object) -> None:
    if records.valid_id(value):
        assert isinstance(value, str) and "/" not in value and ".." not in value


def test_alive_is_the_lock(tmp_path: pathlib.Path) -> None:
    folder = make(tmp_path)
    lock = folder.lock()
    assert (folder.current() or {})["state"] == "running"
    os.close(lock)
    lost = folder.current()
    assert lost is not None
    assert (lost["state"], lost["future"]) == ("lost", "kept")
    assert folder.read() == lost
    assert folder.current() == lost


def test_a_damaged_record_is_no_record(tmp_path: pathlib.Path) -> None:
    folder = make(tmp_path)
    path = pathlib.Path(folder.path, "record.json")
    for text in ["", "{", "[]", '{"id": "20260101-000000-ffff"}', "\xff"]:
        path.write_text(text)
        assert folder.read() is None
    path.unlink()
    path.symlink_to("/etc/hostname")
    assert folder.read() is None


def test_the_record_is_replaced_whole(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make(tmp_path)
    before = folder.read()

    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(records.os, "write", full)
        with pytest.raises(OSError):
            folder.write({"id": folder.id, "state": "exited"})
    assert folder.read() == before
    assert sorted(os.listdir(folder.path)) == ["record.json"]


def test_folders_lists_only_runs(tmp_path: pathlib.Path) -> None:
    make(tmp_path)
    (tmp_path / "other").mkdir()
    assert [folder.id for folder in records.folders(str(tmp_path))] == ["20260101-000000-abcd"]
    assert records.folders(str(tmp_path / "none")) == []
    json.dumps(records.boot())


def test_place_makes_a_private_folder(tmp_path: pathlib.Path) -> None:
    path, kept = place.place(str(tmp_path), os.getuid())
    assert path == str(tmp_path / f"u{os.getuid()}") and kept is False
    assert os.stat(path).st_mode & 0o777 == 0o700
    os.chmod(path, 0o755)
    assert place.place(str(tmp_path), os.getuid())[0] == path
    assert os.stat(path).st_mode & 0o777 == 0o700


def test_pace_lets_bursts_and_bulk_through() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])
    assert not any(pace.pause(1 << 16) for _ in range(1000))
    assert [pace.pause(10) for _ in range(40)].count(False) == 32
    assert pace.pause(10)
    now[0] += 1.0
    assert not pace.pause(10)
    rests = 0
    for _ in range(1000):
        now[0] += 0.0001
        rests += pace.pause(10)
    assert rests > 900
