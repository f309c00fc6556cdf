"""Which configuration a person chose last, of a project folder that has several and no default one.

Kept in the state folder, never in the project. Only clients with a person in front of them use it: a script gets the
same answer on every machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib

from devenv.atomic_file import write_atomic

_MOST = 500  # folders


class Choices:
    """Read at each question: two supervisors may follow one another. A file that cannot be read is as good as none."""

    def __init__(self, state: pathlib.Path) -> None:
        self._path = state / "configurations.json"

    def get(self, folder: str) -> str:
        """The path of the configuration, as long as it is there; else ""."""
        chosen = self._read().get(_key(folder), "")
        return chosen if chosen and pathlib.Path(chosen).is_file() else ""

    def put(self, folder: str, config_file: str) -> None:
        known = self._read()
        if known.get(_key(folder)) == config_file:
            return
        known.pop(_key(folder), None)
        newest = dict([*known.items(), (_key(folder), config_file)][-_MOST:])
        with contextlib.suppress(OSError):  # a full disk costs a question next time
            write_atomic(self._path, json.dumps({"version": 1, "chosen": newest}, indent=1) + "\n")

    def _read(self) -> dict[str, str]:
        try:
            chosen = json.loads(self._path.read_text(encoding="utf-8"))["chosen"]
            return {str(folder): str(file) for folder, file in chosen.items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}


def _key(folder: str) -> str:
    return os.path.realpath(folder)  # one folder by two names is one project
