"""The built wheel, installed where ordinary users can run it: tests use what users get, not the checkout."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from tests.kit import rig

PACKAGES = ("devcontainer", "devenv", "tui")


def bin_folder(version: str = "") -> Path:
    """Folder with the `devenv` of the present sources (called `version` if given); built when they changed since."""
    with rig.lock("installed"):
        environment = _dependencies()
        app = rig.state() / f"app-{_digest([*_sources(), str(environment), version, 'and its wheel'])}"
        if not (app / "done").exists():
            _build(app, environment, version)
        return app / "bin"


def wheel() -> Path:
    """The wheel of the present sources."""
    (found,) = (bin_folder().parent / "wheel").glob("*.whl")
    return found


def dependencies() -> Path:
    """The folder with all that the product depends on, for a virtual environment without a network."""
    (found,) = _dependencies().glob("lib/python3*/site-packages")
    return found


def host_python() -> str:
    """A Python that every user may execute: the distribution's, else the one that runs the tests."""
    found = "/usr/bin/python3"
    probe = [found, "-c", "import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))"]
    if os.path.exists(found) and subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return found
    return sys.executable


def _sources() -> list[str]:
    """One line per file that goes into the wheel: its name and the hash of its content."""
    files = [rig.ROOT / "pyproject.toml"]
    for package in PACKAGES:
        files += sorted(path for path in (rig.ROOT / package).rglob("*") if path.is_file() and path.suffix != ".pyc")
    return [
        f"{path.relative_to(rig.ROOT)} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in files
        if path.exists()
    ]


def _dependencies() -> Path:
    """A virtual environment with the product's dependencies; made again when their list changes."""
    listed = tomllib.loads((rig.ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    python = host_python()
    folder = rig.state() / f"deps-{_digest([python, *listed])}"
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _run(python, "-m", "venv", str(folder))
        _run(str(folder / "bin/python"), "-m", "pip", "install", "--quiet", *listed)
        (folder / "done").touch()
    return folder


def _build(app: Path, environment: Path, version: str) -> None:
    shutil.rmtree(app, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        # From a copy: a build writes next to the sources, which other processes may be reading.
        copy = Path(folder, "source")
        copy.mkdir()
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            if (rig.ROOT / name).exists():
                shutil.copy2(rig.ROOT / name, copy / name)
            else:
                (copy / name).touch()
        for package in PACKAGES:
            shutil.copytree(rig.ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
        if version:
            file = copy / "devenv/version.py"
            file.write_text(re.sub(r'(?m)^VERSION = ".*"$', f'VERSION = "{version}"', file.read_text()))
        pip = (str(environment / "bin/python"), "-m", "pip")
        _run(*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, str(copy))
        (made,) = Path(folder).glob("*.whl")
        _run(str(environment / "bin/python"), "-m", "venv", "--without-pip", str(app))
        (app / "wheel").mkdir()
        shutil.copy2(made, app / "wheel")
        (packages,) = environment.glob("lib/python3*/site-packages")
        (own,) = app.glob("lib/python3*/site-packages")
        (own / "dependencies.pth").write_text(f"{packages}\n")
        _run(
            *pip,
            "--python",
            str(app / "bin/python"),
            "install",
            "--quiet",
            "--no-deps",
            "--force-reinstall",
            str(made),
        )
    (app / "done").touch()


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, check=False, text=True)
    assert done.returncode == 0, f"{' '.join(argv)}\n{done.stdout}{done.stderr}"


def _digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
