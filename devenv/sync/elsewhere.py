"""Where something was written on this machine, where there is no inotify (macOS): watchdog's observer of the platform.

Its events come a moment after the write. Who asks what was written before a moment writes a file of ours and waits
until that one was told of; where it is not, nobody knows, and everything is looked at.
"""

from __future__ import annotations

import itertools
import os
import pathlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from devenv.sync.side.apply import OWN

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent

_PATIENCE = 2.0  # seconds for our own file to be told of
_MOST = 5000  # dirty folders; with more of them a full scan is no slower
_COOKIE = "cookie-"


class ObserverWatcher:
    """In the place of `side.watch.Watcher`: see there. Raises OSError when the folder cannot be watched."""

    lacking = ""

    def __init__(self, root: str, ignored: Callable[[str, bool], bool], notify: Callable[[], None]) -> None:
        from watchdog.events import FileSystemEventHandler
        from watchdog.observers import Observer

        self._root = os.path.realpath(root)
        self._ignored = ignored
        self._notify = notify
        self._changed = threading.Condition()
        self._dirty: set[str] = set()
        self._fresh: set[str] = set()
        self._lost = False
        self._told = False
        self._numbers = itertools.count()
        self._seen = ""
        watcher = self

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                watcher._on(event)

        self._observer = Observer()
        self._observer.schedule(Handler(), self._root, recursive=True)
        self._observer.start()

    def add(self, path: str, full: str) -> None:
        """It is watched already."""

    def take(self) -> tuple[set[str], set[str], bool]:
        current = self._wait_for_ourselves()
        with self._changed:
            found = self._dirty, self._fresh, self._lost or not current
            self._dirty, self._fresh, self._lost, self._told = set(), set(), False, False
            return found

    def close(self) -> None:
        self._observer.stop()
        self._observer.join()

    def _wait_for_ourselves(self) -> bool:
        """Whether everything that was written before is known by now."""
        own = pathlib.Path(self._root, OWN)
        name = f"{_COOKIE}{os.getpid()}-{next(self._numbers)}"
        try:
            (own / name).write_bytes(b"")
        except OSError:
            return False
        try:
            with self._changed:
                return self._changed.wait_for(lambda: self._seen == name, _PATIENCE)
        finally:
            (own / name).unlink(missing_ok=True)

    def _on(self, event: FileSystemEvent) -> None:
        """In watchdog's thread."""
        news = False
        with self._changed:
            for source in (event.src_path, event.dest_path):
                path = self._inside(os.fsdecode(source)) if source else None
                if path is None:
                    continue
                if path.startswith(f"{OWN}/{_COOKIE}"):
                    self._seen = path.partition("/")[2]
                    self._changed.notify_all()
                elif path != OWN and not path.startswith(f"{OWN}/") and self._watched(path, event.is_directory):
                    self._dirty.add(path.rpartition("/")[0])
                    if event.is_directory and event.event_type == "created":
                        self._fresh.add(path)
                    # Of what a folder holds that moved, not every system tells.
                    self._lost = self._lost or (event.is_directory and event.event_type == "moved")
                    news = True
            if len(self._dirty) > _MOST:
                self._dirty, self._fresh, self._lost = set(), set(), True
            news = news and not self._told
            self._told = self._told or news
        if news:
            self._notify()

    def _inside(self, full: str) -> str | None:
        if full == self._root:
            return None
        prefix = self._root.rstrip("/") + "/"
        return full[len(prefix) :] if full.startswith(prefix) else None

    def _watched(self, path: str, is_folder: bool) -> bool:
        """Whether neither it nor a folder above it is ignored."""
        names = path.split("/")
        above = ("/".join(names[:count]) for count in range(1, len(names)))
        return not any(self._ignored(folder, True) for folder in above) and not self._ignored(path, is_folder)
