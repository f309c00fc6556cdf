"""What `py-spy dump --json` says. Pure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from devenv.errors import ProfileError
from devenv.profile.frames import Frame, clean, function


@dataclasses.dataclass(frozen=True, slots=True)
class Thread:
    pid: int
    id: int
    name: str
    active: bool
    gil: bool
    frames: tuple[Frame, ...]  # innermost first

    @property
    def main(self) -> bool:
        return self.id == self.pid or self.name == "MainThread"


def _unnamed(item: Mapping[str, Any]) -> str:
    """A program that never imported `threading` has no names."""
    return "MainThread" if item.get("os_thread_id") == item["pid"] else ""


def parse(text: bytes) -> list[Thread]:
    """The threads of one process. Raises ProfileError for anything else."""
    try:
        threads = [
            Thread(
                pid=int(item["pid"]),
                id=int(item.get("os_thread_id") or 0),
                name=clean(item.get("thread_name") or _unnamed(item)),
                active=bool(item.get("active")),
                gil=bool(item.get("owns_gil")),
                frames=tuple(
                    Frame(
                        function(frame["name"]),
                        clean(frame["filename"]),
                        int(frame.get("line") or 0),
                        tuple((clean(v["name"]), clean(v.get("repr") or "?")) for v in frame.get("locals") or ()),
                    )
                    for frame in item["frames"]
                ),
            )
            for item in json.loads(text)
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProfileError("py-spy's answer cannot be read", "this is a defect: please tell its release") from error
    return threads
