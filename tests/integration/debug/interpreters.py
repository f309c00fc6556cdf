"""Python interpreters of several versions on this machine, as pyenv keeps them."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

import pytest


def interpreter(minor: str) -> str:
    """An interpreter of that version on this machine; the test is skipped, saying so, when there is none."""
    named = shutil.which(f"python{minor}")
    root = pathlib.Path(os.environ.get("PYENV_ROOT") or pathlib.Path(sys.base_prefix).parent.parent)
    kept = sorted(root.glob(f"versions/{minor}.*/bin/python{minor}"))
    for path in [*map(str, kept), *([named] if named else [])]:
        # pyenv's shims exist for versions that are not chosen
        if subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    pytest.skip(f"Python {minor} is not on this machine (pyenv install {minor})")
