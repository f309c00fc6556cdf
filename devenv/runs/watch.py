"""Noticing that kept files of a project changed: the one place that uses watchdog. No polling while events work.

On Linux each kept folder gets its own kernel watch, so pruned trees cost none; elsewhere one recursive observer serves
and events from pruned folders are dropped. Events are hints only: a file is read and compared before it counts. When
the kernel's queue overflows, or folders come and go, the kept tree is compared as a whole. When kernel watches run
out, it is compared every second, and a note says so.

Concurrency: everything public belongs to one event loop; the disk is touched by one worker thread at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import posixpath
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from devenv.runs.ignore import SUFFIXES, Rules
from devenv.runs.snapshot import Change, Snapshot

QUIET = 0.02  # seconds without a further event after which changes are looked at
MOST = 0.25  # seconds after the first event when they are looked at anyway
POLL = 1.0  # seconds between comparisons when there are no events
_GITIGNORE = ".gitignore"


class Hints(Protocol):
    """Receives hints from a source of events, in any thread."""

    def file(self, path: str) -> None:
        """Something may have happened to this file (relative path)."""

    def everything(self) -> None:
        """Folders changed, or events were lost: compare the whole tree."""


class Source(Protocol):
    """A source of hints. Called in the worker thread only. Raises OSError when the kernel has no watch left."""

    def add(self, folder: str) -> None:
        """Hints for what lies directly in this folder from now on; adding it again is fine."""

    def settle(self, folders: set[str]) -> None:
        """The kept folders are exactly these: drop what was watched beside them."""

    def close(self) -> None: ...


def _of_interest(name: str) -> bool:
    return name.endswith(SUFFIXES) or name == _GITIGNORE


def linux_source(root: str, hints: Hints) -> Source:
    """inotify, one watch per folder, one thread in all."""
    from watchdog.observers.inotify_c import (
        CallbackId,
        InotifyConstants,
        InotifyEvent,
        InotifyFD,
        Mask,
        WatchDescriptor,
    )

    mask = Mask(
        InotifyConstants.IN_CLOSE_WRITE
        | InotifyConstants.IN_CREATE
        | InotifyConstants.IN_DELETE
        | InotifyConstants.IN_MOVE
        | InotifyConstants.IN_ONLYDIR
        | InotifyConstants.IN_DONT_FOLLOW
        | InotifyConstants.IN_EXCL_UNLINK
    )

    class Inotify:
        def __init__(self) -> None:
            self._watches: dict[str, WatchDescriptor] = {}
            self._folders: dict[WatchDescriptor, tuple[str, CallbackId]] = {}
            self._lock = threading.Lock()  # for the two maps; never held while watchdog is called
            self._added = 0
            self._inotify = InotifyFD()
            self._inotify.start()

        def add(self, folder: str) -> None:
            full = posixpath.join(root, folder) if folder else root
            if not os.access(full, os.R_OK):
                return
            with self._lock:
                if folder in self._watches:
                    return
            self._added += 1
            identity = CallbackId(self._added)
            try:
                number = self._inotify.add_callback(os.fsencode(full), mask, self, identity)
            except (FileNotFoundError, NotADirectoryError):
                return  # gone again; its parent's event is on its way
            with self._lock:
                known = self._folders.get(number)
                if known is not None:
                    self._watches.pop(known[0], None)
                self._watches[folder], self._folders[number] = number, (folder, identity)
            if known is not None:  # a renamed folder has the watch of its old name
                self._inotify.remove_callbacks([(number, known[1])])

        def settle(self, folders: set[str]) -> None:
            with self._lock:
                stale = [self._watches.pop(name) for name in list(self._watches) if name not in folders]
                known = [(number, self._folders.pop(number)[1]) for number in stale if number in self._folders]
            self._inotify.remove_callbacks(known)

        def close(self) -> None:
            self._inotify.stop()
            self._inotify.join()

        # From here on: called in watchdog's thread.
        def on_event(self, event: InotifyEvent) -> None:
            if event.is_directory:
                hints.everything()
                return
            name = os.fsdecode(event.name)
            if not _of_interest(name):
                return
            known = self._folders.get(event.wd)
            if known is None:
                hints.everything()
            else:
                hints.file(posixpath.join(known[0], name))

        def on_watch_deleted(self, wd: WatchDescriptor) -> None:
            with self._lock:
                known = self._folders.pop(wd, None)
                if known is not None:
                    self._watches.pop(known[0], None)

        def on_queue_overflow(self) -> None:
            hints.everything()

    return Inotify()


def observer_source(root: str, hints: Hints) -> Source:
    """watchdog's observer of this platform (FSEvents on macOS), recursive: there a watch costs nothing per folder."""
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers import Observer

    class Handler(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            if event.event_type in ("opened", "closed_no_write"):
                return
            for path in (event.src_path, event.dest_path):
                name = os.fsdecode(path)
                if not name:
                    continue
                if event.is_directory:
                    if event.event_type != "modified":
                        hints.everything()
                elif _of_interest(name):
                    hints.file(os.path.relpath(name, root))

    class Recursive:
        def __init__(self) -> None:
            self._observer = Observer()
            self._observer.schedule(Handler(), root, recursive=True)
            self._observer.start()

        def add(self, folder: str) -> None:
            pass

        def settle(self, folders: set[str]) -> None:
            pass

        def close(self) -> None:
            self._observer.stop()
            self._observer.join()

    return Recursive()


def default_source(root: str, hints: Hints) -> Source:
    return linux_source(root, hints) if sys.platform == "linux" else observer_source(root, hints)


class Watch:
    """Changes of a project's kept files. `async with Watch(...) as watch: changes = await watch.changes()`.

    `on_contents` gets every kept file's bytes at the start and after each change (None: it is gone), in the worker
    thread. `on_note` gets one line when watching had to change its ways.
    """

    def __init__(
        self,
        root: str,
        rules: Rules,
        *,
        on_contents: Callable[[str, bytes | None], None] | None = None,
        on_note: Callable[[str], None] = lambda note: None,
        source: Callable[[str, Hints], Source] = default_source,
        quiet: float = QUIET,
        most: float = MOST,
        poll: float = POLL,
    ) -> None:
        self.root = os.path.normpath(root)
        self.rules = rules
        self.snapshot = Snapshot(self.root, rules, on_contents)
        self.polling = False
        self._on_note = on_note
        self._make_source = source
        self._quiet, self._most, self._poll = quiet, most, poll
        self._source: Source | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._hinted = asyncio.Event()
        self._suspects: set[str] = set()
        self._everything = False
        self._turn = asyncio.Lock()
        self._work: asyncio.Task[None] | None = None
        self._found: list[Change] = []

    async def __aenter__(self) -> Watch:
        self._loop = asyncio.get_running_loop()
        try:
            self._source = await asyncio.to_thread(self._make_source, self.root, self)
        except OSError as error:
            self._give_up_events(error)
        await self.compare(whole=True)  # what is there now is where changes are counted from
        return self

    async def __aexit__(self, *_: object) -> None:
        self._loop = None
        if self._work is not None:
            await asyncio.wait([self._work])
        if self._source is not None:
            await asyncio.to_thread(self._source.close)
            self._source = None

    # Hints, in any thread.
    def file(self, path: str) -> None:
        self._call(self._hint, path)

    def everything(self) -> None:
        self._call(self._hint, None)

    def _call(self, function: Callable[[str | None], None], path: str | None) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits for hints
                loop.call_soon_threadsafe(function, path)

    def _hint(self, path: str | None) -> None:
        if path is None or posixpath.basename(path) == _GITIGNORE:
            self._everything = True
        else:
            self._suspects.add(path)
        self._hinted.set()

    async def changes(self) -> list[Change]:
        """Waits for files that differ from what they were when last looked at; never an empty list."""
        while True:
            await self._wait_for_hints()
            found = await self.compare()
            if found:
                return found

    async def _wait_for_hints(self) -> None:
        if self.polling:
            # Nothing tells us of changes: the time between two looks is the only thing there is to wait for.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll):
                    await self._hinted.wait()
            self._everything = True
            return
        if not (self._suspects or self._everything or self._found):
            await self._hinted.wait()
        deadline = asyncio.get_running_loop().time() + self._most
        while asyncio.get_running_loop().time() < deadline:
            self._hinted.clear()
            try:
                async with asyncio.timeout(self._quiet):
                    await self._hinted.wait()
            except TimeoutError:
                return

    async def compare(self, *, whole: bool = False) -> list[Change]:
        """Looks at once at what was hinted (`whole`: at the whole kept tree) and returns what differs.

        Cancelling it loses nothing: what was found in the meantime is returned by the next call.
        """
        async with self._turn:
            if self._work is not None:
                await asyncio.shield(self._work)  # of a call that was cancelled
            self._work = asyncio.create_task(self._look(self._everything or whole))
            await asyncio.shield(self._work)
            self._work = None
            found, self._found = self._found, []
            return found

    async def _look(self, everything: bool) -> None:
        suspects = self._suspects
        self._suspects, self._everything = set(), False
        self._hinted.clear()
        folders: set[str] = set()
        source = self._source
        failure: list[OSError] = []

        def on_folder(folder: str) -> None:
            folders.add(folder)
            if source is not None and not failure:
                try:
                    source.add(folder)
                except OSError as error:
                    failure.append(error)

        def work() -> list[Change]:
            if not everything:
                return self.snapshot.look_at(self._kept(suspects))
            found = self.snapshot.rescan(on_folder)
            if failure and source is not None:
                source.close()
            elif source is not None and folders:
                source.settle(folders)
            return found

        self._found += await asyncio.to_thread(work)
        if failure:
            self._source = None
            self._give_up_events(failure[0])

    def _kept(self, suspects: Iterable[str]) -> list[str]:
        """Hints of a recursive observer come from pruned folders too."""
        kept = []
        for path in suspects:
            parts = path.split("/")[:-1]
            folders = ["/".join(parts[: count + 1]) for count in range(len(parts))]
            if all(self.rules.keeps_folder(folder) for folder in folders):
                kept.append(path)
        return kept

    def _give_up_events(self, error: OSError) -> None:
        self.polling = True
        self._on_note(
            f"cannot watch every folder ({error.strerror or error}): looking for changes every {self._poll:g} s;"
            " a higher fs.inotify.max_user_watches, or folders named in test.ignore, would help"
        )


def watch_project(root: str, ignore: Iterable[str], **options: Any) -> Watch:
    """A watch with the project's own rules and the patterns of `test.ignore`."""
    return Watch(root, Rules(os.path.normpath(root), list(ignore)), **options)
