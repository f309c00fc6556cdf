"""Tells on stderr how far long work is: a live line in a terminal, plain lines in a log, JSON lines with --json.

stdout stays free for data. Loaded only by verbs that may take long.
"""

import json
import os
import sys
import time

from devenv.cli.wire import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Narrator", "decode", "duration", "size"]


def size(count: float) -> str:
    """Bytes for people: 1.5 GiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def duration(seconds: float) -> str:
    """Seconds for people: 4.2 s, 3 m 05 s, 2 h 10 m, 3 d 4 h."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02} m"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


class Narrator:
    """Receives the supervisor's progress messages."""

    def __init__(self, *, as_json: bool = False, verbose: bool = False) -> None:
        self._json = as_json
        self._verbose = verbose
        self._live = not as_json and os.isatty(2) and os.environ.get("TERM", "") != "dumb"
        self._started: dict[str, float] = {}
        self._titles: dict[str, str] = {}
        self._shown = ""

    def __call__(self, message: "dict[str, Any]") -> None:
        if self._json:
            sys.stderr.write(json.dumps(message) + "\n")
            sys.stderr.flush()
            return
        kind = message["t"]
        if kind == "progress":
            self._progress(message)
        elif kind == "note":
            mark = "! " if message.get("level") == "warning" else "  "
            self._print(mark + message["text"])
        elif kind == "line":
            if self._live and not self._verbose:
                self._status(f"  {message['text'].strip()}")
            else:
                self._print(f"  | {message['text'].rstrip()}")

    def _progress(self, message: "dict[str, Any]") -> None:
        key = message["key"]
        title = message.get("title") or self._titles.get(key, key)
        self._titles[key] = title
        if message.get("done"):
            took = time.monotonic() - self._started.pop(key, time.monotonic())
            mark = "✓" if message.get("ok", True) else "✗"
            detail = f" — {message['detail']}" if message.get("detail") else ""
            self._print(f"{mark} {title}{detail} ({duration(took)})")
            return
        if key not in self._started:
            self._started[key] = time.monotonic()
            if not self._live:
                self._print(f"· {title}")
        fraction = message.get("fraction")
        detail = message.get("detail", "")
        if fraction is not None:
            filled = int(24 * max(0.0, min(1.0, fraction)))
            self._status(f"· {title} [{'█' * filled}{'░' * (24 - filled)}] {fraction:4.0%} {detail}")
        else:
            self._status(f"· {title} {detail}")

    def _status(self, text: str) -> None:
        if not self._live:
            return
        columns = os.get_terminal_size(2).columns
        self._shown = text[: columns - 1]
        sys.stderr.write("\r\x1b[K" + self._shown)
        sys.stderr.flush()

    def _print(self, text: str) -> None:
        if self._live and self._shown:
            sys.stderr.write("\r\x1b[K")
            self._shown = ""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def close(self) -> None:
        if self._live and self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = ""
