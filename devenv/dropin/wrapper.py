"""`devenv devcontainer --install-wrapper DIR`: a program called `devcontainer` that is devenv.

Nothing is put there unasked: a program of that name may be installed, and scripts mean that one until somebody says
otherwise.
"""

import os
import shlex
import sys

from devenv.cli.options import BadUsage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "devcontainer"
_MARK = "# This is devenv; see `devenv devcontainer --help`."
# -P: a folder called `devenv` in the caller's working folder is not imported.
_PROGRAM = 'import sys; sys.argv.insert(1, "devcontainer"); from devenv.cli.main import main; main()'


def run(words: "list[str]") -> int:
    """`DIR [--force]`. Raises BadUsage for what would hide, be hidden by, or replace another program."""
    force = "--force" in words
    folders = [word for word in words if word != "--force"]
    if len(folders) != 1 or folders[0].startswith("-"):
        raise BadUsage("devcontainer: --install-wrapper takes a folder", "for example ~/.local/bin")
    folder = os.path.abspath(os.path.expanduser(folders[0]))
    if not os.path.isdir(folder):
        raise BadUsage(f"devcontainer: there is no folder {folder}", "make it, or name one on your PATH")
    if not force:
        _refuse(folder, os.environ)
    file = os.path.join(folder, NAME)
    try:
        _write(file)
    except OSError as error:
        raise BadUsage(f"devcontainer: {file} cannot be written: {error.strerror}") from error
    sys.stdout.write(f"{file} is devenv now\n")
    if folder not in _path(os.environ):
        sys.stderr.write(f"{folder} is not on your PATH: add it to have `{NAME}` found\n")
    return 0


def text() -> str:
    return f'#!/bin/sh\n{_MARK}\nexec {shlex.quote(sys.executable)} -P -c {shlex.quote(_PROGRAM)} "$@"\n'


def others(env: "Mapping[str, str]") -> "list[str]":
    """Programs of that name on the PATH, in its order, that are not this wrapper."""
    found = [os.path.join(folder, NAME) for folder in _path(env)]
    return [file for file in dict.fromkeys(found) if os.access(file, os.X_OK) and not _is_ours(file)]


def _refuse(folder: str, env: "Mapping[str, str]") -> None:
    file = os.path.join(folder, NAME)
    if os.path.lexists(file) and not _is_ours(file):
        raise BadUsage(f"devcontainer: {file} is another program", "to replace it all the same, add --force")
    installed = others(env)
    if not installed:
        return
    path = _path(env)
    after = folder not in path or path.index(os.path.dirname(installed[0])) < path.index(folder)
    how = "comes before it on your PATH" if after else "would no longer be found"
    raise BadUsage(f"devcontainer: {installed[0]} is installed and {how}", "to go on all the same, add --force")


def _is_ours(file: str) -> bool:
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            return _MARK in opened.read(4096)
    except OSError:
        return False


def _path(env: "Mapping[str, str]") -> "list[str]":
    return [os.path.abspath(folder) for folder in env.get("PATH", "").split(os.pathsep) if folder]


def _write(file: str) -> None:
    """Whole or not at all: another process may be starting it."""
    temporary = f"{file}.{os.getpid()}"
    try:
        with open(temporary, "x", encoding="utf-8") as opened:
            opened.write(text())
        os.chmod(temporary, 0o755)
        os.replace(temporary, file)
    except OSError:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise
