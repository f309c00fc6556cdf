"""Wheels from the package index, fetched on the host and never in a container.

pip does it, so that its own configuration (index, proxy, certificates) applies. All calls block (network): use a
thread.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Sequence

from devenv.delivery.interpreter import Interpreter


class NoWheel(Exception):
    """Nothing was downloaded; the text is pip's last line."""


def platforms(interpreter: Interpreter, newest_glibc: int | None = None) -> list[str]:
    """pip's names of the Linux platforms whose wheels load there, best first; `newest_glibc` (2.x) bounds the list."""
    machine = interpreter.machine
    if interpreter.glibc is None:
        return [f"musllinux_1_{minor}_{machine}" for minor in (2, 1)]
    newest = interpreter.glibc[1] if newest_glibc is None else min(interpreter.glibc[1], newest_glibc)
    named = [f"manylinux_2_{minor}_{machine}" for minor in range(newest, 4, -1)]
    return [*named, f"manylinux2014_{machine}", f"manylinux2010_{machine}", f"manylinux1_{machine}"]


def for_interpreter(interpreter: Interpreter, named: Sequence[str]) -> list[str]:
    """pip's options for wheels built for this interpreter and one of these platforms."""
    options = ["--implementation", "cp", "--abi", interpreter.abi]
    for platform in named:
        options += ["--platform", platform]
    return options


PURE = ("--implementation", "py", "--abi", "none", "--platform", "any")
"""pip's options for wheels that run everywhere."""


def download(requirement: str, python: tuple[int, ...], folder: str, options: Sequence[str]) -> pathlib.Path:
    """One wheel, without what it depends on, into the empty `folder`. Raises `NoWheel`."""
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    argv += ["--disable-pip-version-check", "--retries", "2", "--dest", folder]
    argv += ["--python-version", ".".join(map(str, python)), *options, requirement]
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    found = sorted(pathlib.Path(folder).glob("*.whl"))
    if done.returncode == 0 and found:
        return found[0]
    raise NoWheel((done.stdout.strip().splitlines() or ["pip said nothing"])[-1])


def unpack(wheel: pathlib.Path, target: pathlib.Path, keep: Callable[[str], str | None]) -> None:
    """Files of a wheel below `target`, world-readable. `keep` gives a member's path there, None for one of no use.

    A path that would lead out of `target` is passed over. Programs stay executable.
    """
    import zipfile

    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            name = None if entry.is_dir() else keep(entry.filename)
            if not name or name.startswith("/") or ".." in name.split("/"):
                continue
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(entry))
            path.chmod(0o755 if (entry.external_attr >> 16) & 0o100 else 0o644)
    for folder, _, _ in os.walk(target):
        pathlib.Path(folder).chmod(0o755)
