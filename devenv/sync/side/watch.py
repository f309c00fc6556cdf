"""Where something was written, as inotify tells it: hints, no truth. Nothing is watched that is not listed.

The scanner says which folders there are, before it lists each: what comes to be in one between the two is told here or
listed there. The kernel queues an event before the write returns to its writer, so that whoever empties the queue knows
of everything that was written before.
"""

import ctypes
import errno
import os
import select
import struct
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Ignored = Callable[[str, bool], bool]

MODIFY, ATTRIB, CLOSE_WRITE = 0x2, 0x4, 0x8
MOVED_FROM, MOVED_TO, CREATE, DELETE, DELETE_SELF, MOVE_SELF = 0x40, 0x80, 0x100, 0x200, 0x400, 0x800
UNMOUNT, OVERFLOW, GONE, IS_FOLDER = 0x2000, 0x4000, 0x8000, 0x40000000
_ONLY_FOLDERS, _NO_LINKS, _NOT_UNLINKED = 0x01000000, 0x02000000, 0x04000000
_WANTED = MODIFY | ATTRIB | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE | DELETE_SELF | MOVE_SELF
_FLAGS = _ONLY_FOLDERS | _NO_LINKS | _NOT_UNLINKED
_EVENT = struct.Struct("iIII")
_READ = 1 << 16
_MOST = 5000  # dirty folders; with more of them a full scan is no slower
POLL = 2.0  # seconds at least between looks where not everything can be watched


class Watcher:
    """`notify` is called, from a thread of its own, when something was written for the first time since `take`.
    `ignored` is asked for what lies in watched folders, `every` for the seconds between looks where not everything can
    be watched. Raises OSError where there is no inotify."""

    def __init__(
        self, ignored: "Ignored", notify: "Callable[[], None]", every: "Callable[[], float]" = lambda: POLL
    ) -> None:
        self._every = every
        self._ignored = ignored
        self._notify = notify
        self._library = ctypes.CDLL(None, use_errno=True)
        if not hasattr(self._library, "inotify_init1"):
            raise OSError(errno.ENOSYS, "inotify")
        self._number = self._library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._number < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        self._wake, self._woken = os.pipe()
        self._lock = threading.Lock()
        self._paths = {}  # type: dict[int, str]
        self._dirty = set()  # type: set[str]
        self._fresh = set()  # type: set[str]
        self._lost = False
        self._told = False
        self._failed = set()  # type: set[str]
        self._why = 0
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def add(self, path: str, full: str) -> None:
        """Before it is listed. A folder that moved is known by its new path from now on."""
        with self._lock:
            if self._number < 0:
                return
            found = self._library.inotify_add_watch(
                ctypes.c_int(self._number), ctypes.c_char_p(os.fsencode(full)), ctypes.c_uint32(_WANTED | _FLAGS)
            )
            if found >= 0:
                self._paths[found] = path
                return
            number = ctypes.get_errno()
            if number in (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP):
                return  # it is gone again, or cannot be listed either
            self._failed.add(path)
            if not self._why:
                self._why = number
                os.write(self._woken, b".")

    def take(self) -> "tuple[set[str], set[str], bool]":
        """(folders in which something was written, those that came to be, whether there were more than is known), since
        the last call."""
        with self._lock:
            self._drain()
            found = self._dirty, self._fresh, self._lost or bool(self._why)
            self._dirty, self._fresh, self._lost, self._told = set(), set(), False, False
            return found

    @property
    def lacking(self) -> str:
        """Why not everything is watched, "" where it is: then the rest is looked at now and then."""
        if not self._why:
            return ""
        if self._why != errno.ENOSPC:
            return os.strerror(self._why)
        needed = len(self._paths) + len(self._failed)
        return "%d folders are to be watched, and this user may watch no more than %d (fs.inotify.max_user_watches)" % (
            needed,
            len(self._paths),
        )

    def count(self) -> int:
        return len(self._paths)

    def close(self) -> None:
        with self._lock:
            if self._number < 0:
                return
            number, self._number = self._number, -1
        os.write(self._woken, b".")
        self._thread.join()
        for each in (number, self._wake, self._woken):
            os.close(each)

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._number, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            found = poll.poll(self._every() * 1000 if self._why else None)
            with self._lock:
                if self._number < 0:
                    return
                if any(number == self._wake for number, _ in found):
                    os.read(self._wake, 64)
                self._drain()
                news = (bool(self._dirty) or self._lost or (bool(self._why) and not found)) and not self._told
                self._told = self._told or news
            if news:
                self._notify()

    def _drain(self) -> None:
        while self._number >= 0:
            try:
                data = os.read(self._number, _READ)
            except BlockingIOError:
                return
            except OSError:
                self._lost = True
                return
            at = 0
            while at < len(data):
                watch, mask, _, length = _EVENT.unpack_from(data, at)
                at += _EVENT.size
                name = data[at : at + length].rstrip(b"\0") if length else b""
                at += length
                self._event(watch, mask, name)

    def _event(self, watch: int, mask: int, name: bytes) -> None:
        if mask & (OVERFLOW | UNMOUNT):
            self._lost = True
            return
        path = self._paths.get(watch)
        if path is None:
            return
        if mask & GONE:
            del self._paths[watch]
        if mask & (DELETE_SELF | MOVE_SELF | GONE):
            self._lost = self._lost or not path  # the root; of another folder its own one tells
            return
        is_folder = bool(mask & IS_FOLDER)
        if name:
            below = (path + "/" if path else "") + os.fsdecode(name)
            if self._ignored(below, is_folder):
                return
            if is_folder and mask & (CREATE | MOVED_TO):
                self._fresh.add(below)
            elif is_folder and mask & MOVED_FROM:
                self._forget(below)
            elif is_folder and mask & ATTRIB:
                self._dirty.add(below)  # it may be readable now, or not any more
        if len(self._dirty) < _MOST:
            self._dirty.add(path)
        else:
            self._lost = True

    def _forget(self, path: str) -> None:
        """It went away, perhaps out of the root; where it is still in it, the scanner adds it again."""
        gone = [watch for watch, known in self._paths.items() if known == path or known.startswith(path + "/")]
        for watch in gone:
            del self._paths[watch]
            self._library.inotify_rm_watch(ctypes.c_int(self._number), ctypes.c_int(watch))


class Poller:
    """The same where there is no inotify: everything may have been written to, every now and then."""

    lacking = "folders cannot be watched here"

    def __init__(self, notify: "Callable[[], None]", every: "Callable[[], float]") -> None:
        self._notify = notify
        self._every = every
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="look", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(self._every()):
            self._notify()

    def add(self, path: str, full: str) -> None:
        pass

    def take(self) -> "tuple[set[str], set[str], bool]":
        return set(), set(), True

    def close(self) -> None:
        self._end.set()
        self._thread.join()
