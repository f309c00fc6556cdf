"""Run records: the folder of one run, its record, and the lock that says whether its keeper is alive.

A folder holds `record.json` (replaced by rename, never written in place), `lock` (held by the keeper while it lives),
`ctl.sock`, and the spool's segments. A run is alive when the lock is held, never because a process with its pid
exists: after a restart of the container another process has that pid.

The record is additive for ever: whoever reads it ignores what it does not know, and keeps it when rewriting.
"""

import binascii
import fcntl
import os
import time

from . import jsontext, spool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERSION = 1
LIVE = ("starting", "running")
_RECORD = "record.json"
_RESERVE_NAME = "reserve"
_RESERVE = 1 << 16  # bytes set aside on disk, given up when a record must be written on a full disk
_LIMIT = 1 << 20  # bytes of a record


def valid_id(id: object) -> bool:
    """Only what `new_id` makes: an id is part of a path."""
    if not isinstance(id, str) or not 20 <= len(id) <= 24:
        return False
    day, _, rest = id.partition("-")
    second, _, tail = rest.partition("-")
    return len(day) == 8 and len(second) == 6 and (day + second).isdigit() and not set(tail) - set("0123456789abcdef")


def new_id(now: float) -> str:
    return time.strftime("%Y%m%d-%H%M%S-", time.gmtime(now)) + binascii.hexlify(os.urandom(2)).decode("ascii")


def boot() -> str:
    """Changes whenever the container starts again: the start time of its first process, within this boot."""
    try:
        with open("/proc/1/stat") as file:
            started = file.read().rpartition(")")[2].split()[19]
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()[:8] + "-" + started
    except (OSError, IndexError):
        return ""


class Folder:
    """One run on disk."""

    def __init__(self, runs: str, id: str) -> None:
        self.id = id
        self.path = os.path.join(runs, id)

    def _file(self, name: str) -> str:
        return os.path.join(self.path, name)

    def create(self) -> None:
        os.mkdir(self.path, 0o700)

    # the lock

    def lock(self) -> int:
        """For the keeper: a descriptor that holds the lock as long as it is open."""
        fd = os.open(self._file("lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        return fd

    def try_lock(self) -> int:
        """The lock when no keeper holds it, else -1."""
        try:
            fd = os.open(self._file("lock"), os.O_RDWR | os.O_NOFOLLOW)
        except OSError:
            return -1
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            return -1
        return fd

    # the record

    def read(self) -> "dict[str, Any] | None":
        """The record as it stands; None when there is none that can be read."""
        try:
            fd = os.open(self._file(_RECORD), os.O_RDONLY | os.O_NOFOLLOW)
            with open(fd, "rb") as file:
                value = jsontext.loads(file.read(_LIMIT).decode("utf-8", "surrogateescape"))
        except (OSError, ValueError):
            return None
        return value if isinstance(value, dict) and value.get("id") == self.id else None

    def write(self, record: "dict[str, Any]", sync: bool = False) -> None:
        """Replaces the record. On a full disk the reserve is given up for it; `OSError` when that was not enough."""
        data = jsontext.dumps(record).encode("utf-8", "surrogateescape")
        try:
            self._replace(data, sync)
        except OSError:
            if not self._release():
                raise
            self._replace(data, sync)
            self.reserve()

    def _replace(self, data: bytes, sync: bool) -> None:
        path = self._file(_RECORD + ".%d" % os.getpid())
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            try:
                while data:
                    data = data[os.write(fd, data) :]
                if sync:
                    os.fsync(fd)
            finally:
                os.close(fd)
            os.rename(path, self._file(_RECORD))
        except OSError:
            try:
                os.unlink(path)
            except OSError:
                pass
            raise

    def reserve(self) -> None:
        """Sets disk space aside for later records; silently less when there is none."""
        try:
            fd = os.open(self._file(_RESERVE_NAME), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        except OSError:
            return
        try:
            os.write(fd, bytes(_RESERVE))
        except OSError:
            pass
        finally:
            os.close(fd)

    def _release(self) -> bool:
        try:
            os.unlink(self._file(_RESERVE_NAME))
        except OSError:
            return False
        return True

    def release(self) -> None:
        self._release()

    # the whole

    def current(self) -> "dict[str, Any] | None":
        """The record with the size of the moment; a run whose keeper is gone becomes `lost`, here and on disk."""
        record = self.read()
        if record is None or record.get("state") not in LIVE:
            return record
        fd = self.try_lock()
        if fd < 0:
            end, holes = spool.extent(self.path)
            record["size"] = max(end, int(record.get("size") or 0))
            record["gap"], record["gaps"] = spool.largest(holes), holes
            return record
        try:
            record = self.read()  # its keeper may have ended it properly in between
            if record is not None and record.get("state") in LIVE:
                self._lose(record)
                try:
                    self.write(record)
                except OSError:
                    pass  # the next one who looks tries again
        finally:
            os.close(fd)
        return record

    def _lose(self, record: "dict[str, Any]") -> None:
        end, holes = spool.extent(self.path)
        last = 0.0
        for name in os.listdir(self.path):
            try:
                last = max(last, os.stat(self._file(name)).st_mtime)
            except OSError:
                pass
        restarted = record.get("boot") != boot()
        record["state"] = "lost"
        record["ended"] = last or time.time()
        record["attached"] = 0
        record["size"] = max(end, int(record.get("size") or 0))
        record["gap"], record["gaps"] = spool.largest(holes), holes
        if restarted:
            record["reason"] = "lost: the container stopped while it ran"
        else:
            record["reason"] = "lost: its keeper (pid %s) was killed" % record.get("keeper_pid")

    def remove(self) -> None:
        """Deletes the folder with all in it."""
        for name in os.listdir(self.path):
            os.unlink(self._file(name))
        os.rmdir(self.path)


def folders(runs: str) -> "list[Folder]":
    """Every run on disk, oldest first."""
    try:
        names = os.listdir(runs)
    except OSError:
        return []
    return [Folder(runs, name) for name in sorted(names) if valid_id(name)]
