"""Which Compose files a configuration means, and where Compose is to be called. Looks at a disk, calls nothing.

`dockerComposeFile: []` means what Compose itself would take: COMPOSE_FILE, then that of `.env`, then the usual names.
"""

# Paths become labels of containers: text to be compared byte for byte, which pathlib would normalise.
# ruff: noqa: PTH113, PTH118, PTH120

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

_USUAL = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_NAME = "COMPOSE_PROJECT_NAME"


@dataclasses.dataclass(frozen=True, slots=True)
class ComposeFiles:
    """`files` in order, absolute. `cwd` is where Compose is called. `env_file` is passed on if it named the files."""

    files: tuple[str, ...]
    cwd: str
    env_file: str = ""
    environment_name: str = ""  # COMPOSE_PROJECT_NAME of the client's environment
    dot_env_name: str = ""  # the same of the workspace's .env

    @property
    def words(self) -> list[str]:
        """Options for every call of Compose on these files."""
        made: list[str] = []
        for file in self.files:
            made += ["-f", file]
        return [*made, "--env-file", self.env_file] if self.env_file else made

    @property
    def watched(self) -> list[str]:
        """Files whose change may mean another project."""
        folders = {os.path.dirname(file) for file in self.files}
        return [*self.files, *sorted({os.path.join(folder, ".env") for folder in (*folders, self.cwd)})]

    def missing(self) -> list[str]:
        return [file for file in self.files if not os.path.isfile(file)]


def find(written: Sequence[str], config_folder: str, workspace: str, env: Mapping[str, str]) -> ComposeFiles:
    """`written` is `dockerComposeFile`, relative to the configuration; empty: what Compose would take by itself."""
    dot_env = _dot_env(os.path.join(workspace, ".env"))
    names = (env.get(_NAME, ""), dot_env.get(_NAME, ""))
    if written:
        files = tuple(os.path.normpath(os.path.join(config_folder, file)) for file in written)
        return ComposeFiles(files, workspace, "", *names)
    separator = env.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
    env_file = ""
    named = env.get("COMPOSE_FILE", "")
    if not named and dot_env.get("COMPOSE_FILE"):
        named = dot_env["COMPOSE_FILE"]
        env_file = os.path.join(workspace, ".env")
    if named:
        files = tuple(os.path.normpath(os.path.join(workspace, file)) for file in named.split(separator) if file)
        return ComposeFiles(files, workspace, env_file, *names)
    return ComposeFiles(tuple(_usual(workspace)), workspace, "", *names)


def written_name(files: Sequence[str]) -> str:
    """The top-level `name:` that the files have, unresolved; the last one counts."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Tags of Compose (`!reset`, `!override`) are passed over."""

    Loader.add_multi_constructor("!", lambda loader, suffix, node: None)
    found = ""
    for file in files:
        try:
            value: Any = yaml.load(pathlib.Path(file).read_text(encoding="utf-8"), Loader=Loader)
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            continue  # Compose itself says what is wrong with it
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            found = value["name"]
    return found


def _usual(folder: str) -> list[str]:
    for name in _USUAL:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            stem, dot, suffix = path.rpartition(".")
            override = f"{stem}.override{dot}{suffix}"
            return [path, override] if os.path.isfile(override) else [path]
    return [os.path.join(folder, "docker-compose.yml")]


def _dot_env(path: str) -> dict[str, str]:
    """NAME=VALUE lines; only what is asked for here needs to be right: no interpolation."""
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            found[name.strip()] = value.strip().strip("\"'")
    return found
