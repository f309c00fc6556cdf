"""Which folders and files of a project a test watch looks at: rules as in .gitignore, read once, asked often.

From weak to strong: our defaults, `.git/info/exclude`, each folder's `.gitignore` (an inner one over an outer one),
`test.ignore` of devenv.yaml. A stronger `!pattern` takes back a weaker rule. Folders are pruned before anything in
them is looked at, so a data set costs nothing.
"""

from __future__ import annotations

import pathlib
import posixpath
from collections.abc import Sequence

import pathspec

from devenv.runs.project_file import read_regular

SOURCE_SUFFIXES = (".py", ".pyi", ".pyx", ".pxd", ".toml", ".cfg", ".ini")
DATA_SUFFIXES = (".json", ".yaml", ".yml")
SUFFIXES = SOURCE_SUFFIXES + DATA_SUFFIXES

# Never of interest.
TOOL_FOLDERS = (
    ".git",
    ".hg",
    ".svn",
    "__pycache__",
    ".venv",
    "venv",
    ".tox",
    ".nox",
    "node_modules",
    "site-packages",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    ".ipynb_checkpoints",
    ".eggs",
    "*.egg-info",
    ".idea",
    ".vscode",
    ".cache",
)
# Where programs put data and results; one that is a Python package (`__init__.py`) is source all the same.
DATA_FOLDERS = (
    "runs",
    "checkpoints",
    "data",
    "datasets",
    "wandb",
    "mlruns",
    "outputs",
    "output",
    "results",
    "lightning_logs",
    "logs",
    "artifacts",
    "build",
    "dist",
    "tensorboard",
    ".dvc",
)


def _spec(lines: Sequence[str]) -> pathspec.GitIgnoreSpec:
    return pathspec.GitIgnoreSpec.from_lines(lines)


def _lines_of(path: str) -> list[str]:
    data = read_regular(path, 1 << 20)
    return [] if data is None else data.decode("utf-8", "replace").splitlines()


class Rules:
    """The rules of one project. Paths are relative to its root, with slashes; one thread at a time."""

    def __init__(self, root: str, ignore: Sequence[str] = ()) -> None:
        self.root = root
        self._own = _spec(list(ignore))
        self._tools = _spec([f"{name}/" for name in TOOL_FOLDERS])
        self._data = _spec([f"{name}/" for name in DATA_FOLDERS])
        self._exclude = _spec(_lines_of(posixpath.join(root, ".git/info/exclude")))
        self._of_folder: dict[str, pathspec.GitIgnoreSpec | None] = {}

    def forget(self) -> None:
        """A .gitignore changed: read them again."""
        self._of_folder.clear()

    def _gitignore(self, folder: str) -> pathspec.GitIgnoreSpec | None:
        if folder not in self._of_folder:
            lines = _lines_of(posixpath.join(self.root, folder, ".gitignore"))
            self._of_folder[folder] = _spec(lines) if lines else None
        return self._of_folder[folder]

    def _ruled(self, path: str) -> bool | None:
        """What the user's rules say of a path (a folder's ends with a slash): ignored, kept, or nothing."""
        said = self._own.check_file(path).include
        if said is not None:
            return said
        folder = posixpath.dirname(path.rstrip("/"))
        while True:
            spec = self._gitignore(folder)
            if spec is not None:
                said = spec.check_file(
                    posixpath.relpath(path, folder or ".") + ("/" if path.endswith("/") else "")
                ).include
                if said is not None:
                    return said
            if not folder:
                return self._exclude.check_file(path).include
            folder = posixpath.dirname(folder)

    def keeps_folder(self, path: str) -> bool:
        """Whether to look into a folder. Ask for the folders above it first."""
        said = self._ruled(path + "/")
        if said is not None:
            return not said
        if self._tools.match_file(path + "/"):
            return False
        if self._data.match_file(posixpath.basename(path) + "/"):
            return pathlib.Path(self.root, path, "__init__.py").is_file()
        return True

    def keeps_file(self, path: str) -> bool:
        """Whether a change of this file matters. Its folder is one that is kept."""
        return path.endswith(SUFFIXES) and not self._ruled(path)
