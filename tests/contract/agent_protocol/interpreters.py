"""The interpreters that the agent must run on, as far as this machine has them.

`DEVENV_TEST_PYTHONS` (paths with `:` between) names them; else pyenv's versions are taken, found through
`PYENV_ROOT` or `pyenv` on PATH; the interpreter that runs the tests always counts.
"""

from __future__ import annotations

import functools
import os
import pathlib
import shutil
import subprocess
import sys

VERSIONS = tuple((3, minor) for minor in range(6, 14))


def _candidates() -> list[pathlib.Path]:
    named = os.environ.get("DEVENV_TEST_PYTHONS")
    if named:
        return [pathlib.Path(part) for part in named.split(os.pathsep) if part]
    root = os.environ.get("PYENV_ROOT")
    if not root and (program := shutil.which("pyenv")):
        root = subprocess.run([program, "root"], capture_output=True, text=True, check=True).stdout.strip()
    found = sorted(pathlib.Path(root, "versions").glob("3.*/bin/python")) if root else []
    return [*found, pathlib.Path(sys.executable)]


@functools.cache
def available() -> dict[tuple[int, int], str]:
    """{(major, minor): path} of what runs."""
    found: dict[tuple[int, int], str] = {}
    for path in _candidates():
        try:
            answer = subprocess.run(
                [str(path), "-I", "-S", "-c", "import sys; print(*sys.version_info[:2])"],
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()
        except (OSError, subprocess.CalledProcessError):
            continue
        found.setdefault((int(answer[0]), int(answer[1])), str(path))
    return found
