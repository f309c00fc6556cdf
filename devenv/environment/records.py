"""What devenv remembers of an environment on disk: one small JSON file per environment, written atomically.

Everything in it can be found again from the engine; losing it costs time, never truth. No secret values.
"""

from __future__ import annotations

import os
import pathlib
import tempfile

import msgspec


class Record(msgspec.Struct, kw_only=True):
    """`record.json`. Unknown fields are ignored, missing ones have their default: versions may differ."""

    v: int = 1
    local_folder: str = ""
    config_file: str = ""
    container: str = ""  # id
    adopted: bool = False
    remote_user: str = ""
    workspace_folder: str = ""
    prepared: bool = False  # users and state volume of `container` are done
    chown: list[int] = []  # [old uid, old gid, new uid, new gid] still to be done in the home folder
    home: str = ""
    uid: int = -1  # of the remote user in `container`; -1 unknown
    hooks: dict[str, str] = {}  # stage: the stamp (Created or StartedAt) for which it has succeeded
    dockerfile: str = ""  # text of the Dockerfile that the container's image was built from
    said: list[str] = []  # notes that are told only once


def write_atomic(path: pathlib.Path, text: str, *, mode: int = 0o600) -> None:
    """Old content or new content, never half of it, whatever kills us. The folder must exist."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        pathlib.Path(temporary).replace(path)
    except BaseException:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise


class RecordFile:
    """The record of one environment folder. A file that cannot be read counts as none."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._path = folder / "record.json"

    def load(self) -> Record:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Record)
        except (OSError, msgspec.MsgspecError):
            return Record()

    def save(self, record: Record) -> None:
        write_atomic(self._path, msgspec.json.encode(record).decode() + "\n")

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)
