"""VS Code's `.vscode/launch.json`: one attach entry is added or kept; every other byte stays. Text in, text out.

The file is the user's, and often committed: text that cannot be read is never touched, and a tracked file is not
rewritten because a port happens to be taken on this machine.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import secrets
import stat
import subprocess
from collections.abc import Iterator
from typing import Any

from devcontainer.jsonc import JsoncError, parse
from devcontainer.jsonc.edit import append, set_value

NAME = "devenv: attach"
FILE = ".vscode/launch.json"
LOCAL_ROOT = "${workspaceFolder}"
_MOST_BYTES = 4 << 20
_TYPES = ("debugpy", "python")  # "python" is the older name of the same debugger


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """What an attach entry must say. `port` is where the debugger is reached now; `preferred` follows from the
    project's name and is what a file shared by a team should hold."""

    port: int
    preferred: int
    remote_root: str
    local_root: str = LOCAL_ROOT
    just_my_code: bool = True
    subprocess: bool = True

    def to_json(self, port: int) -> dict[str, Any]:
        # `connect` is copied by debugpy for child processes, so it must be the host's address, not a short form.
        return {
            "name": NAME,
            "type": "debugpy",
            "request": "attach",
            "connect": {"host": "127.0.0.1", "port": port},
            "pathMappings": [{"localRoot": self.local_root, "remoteRoot": self.remote_root}],
            "justMyCode": self.just_my_code,
            "subProcess": self.subprocess,
        }


@dataclasses.dataclass(frozen=True, slots=True)
class Merged:
    text: str | None  # the file's new text; None: leave the file (or its absence) alone
    note: str = ""  # one line for the person; "" when there is nothing to say

    @property
    def changed(self) -> bool:
        return self.text is not None


def _as_file(entry: dict[str, Any]) -> str:
    return json.dumps({"version": "0.2.0", "configurations": [entry]}, indent=2) + "\n"


def _port_of(item: dict[str, Any]) -> int | None:
    connect = item.get("connect")
    port = connect.get("port") if isinstance(connect, dict) else item.get("port")  # the older form has no `connect`
    return port if isinstance(port, int) else None


def _remote_roots(item: dict[str, Any]) -> list[str]:
    mappings = item.get("pathMappings")
    found = [m.get("remoteRoot") for m in mappings if isinstance(m, dict)] if isinstance(mappings, list) else []
    return [root for root in found if isinstance(root, str)]


def merge(text: str | None, entry: Entry, *, tracked: bool = False) -> Merged:
    """What becomes of launch.json (`text` None: there is none). Merging the result again changes nothing."""
    if text is None or not text.strip():
        return Merged(_as_file(entry.to_json(entry.port)))
    try:
        value = parse(text, FILE).value
    except JsoncError as error:
        return Merged(None, f"{error}; the file is left as it is, add the entry by hand")
    configurations = value.get("configurations", []) if isinstance(value, dict) else None
    if not isinstance(configurations, list):
        return Merged(None, f"{FILE} has no list of configurations; the file is left as it is, add the entry by hand")
    items: list[tuple[int, dict[str, Any]]] = [
        (index, item)
        for index, item in enumerate(configurations)
        if isinstance(item, dict) and item.get("type") in _TYPES and item.get("request") == "attach"
    ]
    ours = [(index, item) for index, item in items if item.get("name") == NAME]
    fitting = [item for _, item in (*ours, *items) if entry.remote_root in _remote_roots(item)]
    if any(_port_of(item) == entry.port for item in fitting):
        return Merged(None)
    if tracked and fitting:
        return Merged(
            None,
            f"{FILE} is tracked by Git and stays as it is: it says port {_port_of(fitting[0])}, "
            f"the debugger is on port {entry.port} now",
        )
    if ours:
        return Merged(_correct(text, ours[0][0], ours[0][1], entry, entry.preferred if tracked else entry.port))
    port = entry.preferred if tracked else entry.port
    note = (
        "" if port == entry.port else f"{FILE} got port {port} for the team; the debugger is on port {entry.port} now"
    )
    return Merged(append(text, ("configurations",), entry.to_json(port)), note)


def _correct(text: str, index: int, item: dict[str, Any], entry: Entry, port: int) -> str:
    """Our own entry with the address and folder of today; what else the user changed in it stays."""
    path = ("configurations", index)
    text = set_value(text, (*path, "connect"), {"host": "127.0.0.1", "port": port})
    if entry.remote_root in _remote_roots(item):
        return text
    return set_value(text, (*path, "pathMappings"), [{"localRoot": entry.local_root, "remoteRoot": entry.remote_root}])


def is_tracked(folder: pathlib.Path, file: str = FILE) -> bool:
    """Whether Git tracks the file; False without Git or outside a repository. Blocks: use a thread."""
    # The repository's own configuration may name programs to run, and the container can write it.
    argv = ["git", "-C", str(folder), "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]
    try:
        done = subprocess.run(
            [*argv, "ls-files", "--error-unmatch", "--", file],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


def update(folder: pathlib.Path, entry: Entry, *, umask: int = 0o022) -> Merged:
    """`merge` applied to the project's file, written by a rename with its mode kept. Blocks: use a thread.

    What is new gets the modes of the client's `umask`. A file that cannot be read or written leaves a note; a debugger
    that runs is worth more than this file. Links are not followed: the container can plant one, and would have the
    host write where it points.
    """
    try:
        with _opened_folder(folder, umask) as directory:
            found = _read(directory)
            text = None if found is None else found[0].decode("utf-8")
            merged = merge(text, entry, tracked=found is not None and is_tracked(folder))
            if merged.text is not None:
                _write(directory, merged.text.encode("utf-8"), 0o666 & ~umask if found is None else found[1])
    except (OSError, UnicodeDecodeError) as error:
        return Merged(None, f"{FILE} cannot be written ({error}); add the entry by hand")
    return merged


@contextlib.contextmanager
def _opened_folder(folder: pathlib.Path, umask: int) -> Iterator[int]:
    """A descriptor of the project's `.vscode`, made when it is not there."""
    parent_name, _ = FILE.split("/")
    project = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        made = False
        with contextlib.suppress(FileExistsError):
            os.mkdir(parent_name, dir_fd=project)
            made = True
        directory = os.open(parent_name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=project)
        if made:
            os.fchmod(directory, 0o777 & ~umask)
    finally:
        os.close(project)
    try:
        yield directory
    finally:
        os.close(directory)


def _read(directory: int) -> tuple[bytes, int] | None:
    """Bytes and mode of launch.json, None when there is none."""
    name = FILE.split("/")[1]
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is not a regular file")
        return file.read(_MOST_BYTES), stat.S_IMODE(status.st_mode)


def _write(directory: int, data: bytes, mode: int) -> None:
    name = FILE.split("/")[1]
    work = f".{name}.{secrets.token_hex(4)}"
    descriptor = os.open(work, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=directory)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)
        os.rename(work, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        os.unlink(work, dir_fd=directory)
        raise
