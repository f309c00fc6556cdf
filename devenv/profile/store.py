"""The profiles of one environment, on the host: they outlive their run and their container.

One folder each, named by the time; the newest are kept. Names of files are ours, so nothing that a container says
becomes a path. All calls block (disk): use a thread.
"""

from __future__ import annotations

import pathlib
import re
import secrets
import shutil
import time
from collections.abc import Mapping

import msgspec

from devenv.api.profiling import ProfileView
from devenv.atomic_file import write_atomic
from devenv.errors import NotFound, ProfileError
from devenv.profile.samples import Samples, read_speedscope

KEPT = 50
_NAME = re.compile(r"^\d{8}-\d{6}-[0-9a-f]{4}$")
_VIEW = "profile.json"


def new_id(now: float) -> str:
    return time.strftime("%Y%m%d-%H%M%S-", time.gmtime(now)) + secrets.token_hex(2)


class Store:
    """`<folder>/<id>/{profile.json, flame.html, profile.speedscope.json, trace.json.gz}`."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def add(self, view: ProfileView, files: Mapping[str, bytes]) -> ProfileView:
        """Keeps a profile; `files` by the view's field (page, ...). Raises ProfileError on a full disk."""
        names = {"page": "flame.html", "speedscope": "profile.speedscope.json", "trace": "trace.json.gz"}
        place = self.folder / view.id
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            place.mkdir(mode=0o700)
            for field, data in files.items():
                (place / names[field]).write_bytes(data)
            paths = {field: str(place / names[field]) for field in files}
            view = msgspec.structs.replace(view, **paths)
            write_atomic(place / _VIEW, msgspec.json.encode(view).decode())
        except OSError as error:
            shutil.rmtree(place, ignore_errors=True)
            raise ProfileError(
                f"the profile cannot be kept in {self.folder}: {error.strerror}", "make room there, then record again"
            ) from error
        for old in self.all()[KEPT:]:
            shutil.rmtree(self.folder / old.id, ignore_errors=True)
        return view

    def all(self) -> list[ProfileView]:
        """Newest first. One that cannot be read is passed over."""
        found = []
        try:
            names = sorted((entry.name for entry in self.folder.iterdir() if _NAME.match(entry.name)), reverse=True)
        except OSError:
            return []
        for name in names:
            try:
                view = msgspec.json.decode((self.folder / name / _VIEW).read_bytes(), type=ProfileView)
            except (OSError, msgspec.MsgspecError):
                continue
            if view.id == name:
                found.append(view)
        return found

    def find(self, reference: str) -> ProfileView:
        """By id, its beginning or its last part, a run's id or name (its newest), or `last`. Raises NotFound."""
        known = self.all()
        if not known:
            raise NotFound(
                "nothing was recorded yet", "record a run: devenv profile; a script: devenv profile train.py"
            )
        if reference in ("", "last"):
            return known[0]
        for same in (
            [view for view in known if view.id == reference or view.id.split("-")[-1] == reference],
            [view for view in known if reference in (view.run, view.name)],
            [view for view in known if view.id.startswith(reference)],
        ):
            if same:
                return same[0]
        raise NotFound(f"there is no profile {reference!r}", "see: devenv profile --list")

    def samples(self, view: ProfileView) -> Samples:
        """Raises ProfileError when its file is gone or damaged."""
        try:
            data = (self.folder / view.id / "profile.speedscope.json").read_bytes()
        except OSError as error:
            raise ProfileError(f"the file of profile {view.id} is gone", "record it again") from error
        return read_speedscope(data)

    def clear(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
