"""What devenv remembers of an environment on disk: one small JSON file per environment, written atomically.

Everything in it can be found again from the engine; losing it costs time, never truth. No secret values.
"""

from __future__ import annotations

import pathlib

import msgspec

from devenv.atomic_file import write_atomic


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
    changed_hooks: dict[str, str] = {}  # stage: digest of its commands when it succeeded
    dockerfile: str = ""  # text of the Dockerfile that the container's image was built from
    local_features: dict[str, str] = {}  # id as written: digest of the folder that was installed
    features: dict[str, str] = {}  # id as written: version and digest that were installed
    settings: dict[str, str] | None = None  # devenv's own for `container`: name to JSON; None: not known
    project: str = ""  # name of the Compose project, "" for a single container
    service: dict[str, str] = {}  # what the Compose files said of the main service: key to JSON, values of env digested
    secrets_file: str = ""  # where the person's secrets for this environment are read from, never what they are
    said: list[str] = []  # notes that are told only once


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
