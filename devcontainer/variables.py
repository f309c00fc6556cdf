"""`${…}` in configuration values, as the reference resolves them (Dev Container spec, *Variables*).

Two times of resolution: what the host knows, before the container exists; `${containerEnv:…}`, once it does. A name
that is not known stays as written. Keys of objects are never touched. A default ends at the next colon: of
`${localEnv:X:http://h}` it is `http`, and an environment variable that is set but empty counts as set.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections.abc import Mapping, Sequence

from devcontainer.jsonc import JsonValue

# JavaScript's dot stops at four line ends, Python's at one.
_VARIABLE = re.compile("\\$\\{([^\n\r\u2028\u2029]*?)\\}")


class VariableError(ValueError):
    """A variable that cannot be resolved: `${localEnv}` without the name of an environment variable."""

    def __init__(self, variable: str) -> None:
        super().__init__(f"'{variable}' cannot be resolved because no environment variable name is given")
        self.variable = variable


@dataclasses.dataclass(frozen=True)
class Substitution:
    """What is known at one time. None means: not known yet, leave the variable as written.

    `local_workspace_folder` is the host path as given, symlinks kept. `container_workspace_folder` may itself use
    the host's variables. `container_env` is what `inspect` tells of the container, not what a shell there has.
    """

    local_env: Mapping[str, str] | None = dataclasses.field(default=None, repr=False)
    local_workspace_folder: str | None = None
    container_workspace_folder: str | None = None
    devcontainer_id: str | None = None
    container_env: Mapping[str, str] | None = dataclasses.field(default=None, repr=False)

    def apply(self, value: JsonValue) -> JsonValue:
        """The value with every text in it resolved. Raises VariableError."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.apply(item) for item in value]
        if isinstance(value, dict):
            return {key: self.apply(item) for key, item in value.items()}
        return value

    def apply_entry(self, entry: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """`apply` for an object, for example one entry of the metadata label."""
        return {key: self.apply(item) for key, item in entry.items()}

    def text(self, text: str) -> str:
        """One text resolved. Results are not resolved again. Raises VariableError."""
        return _VARIABLE.sub(lambda match: self._resolve(match[0], match[1]), text)

    def _resolve(self, written: str, inside: str) -> str:
        name, *arguments = inside.split(":")
        known: str | None = None
        if name in ("localEnv", "env"):
            known = _environment(self.local_env, written, arguments)
        elif name == "containerEnv":
            known = _environment(self.container_env, written, arguments)
        elif name == "localWorkspaceFolder":
            known = self.local_workspace_folder
        elif name == "localWorkspaceFolderBasename":
            known = _basename(self.local_workspace_folder)
        elif name == "containerWorkspaceFolder":
            known = self._container_folder()
        elif name == "containerWorkspaceFolderBasename":
            known = _basename(self._container_folder())
        elif name == "devcontainerId":
            known = self.devcontainer_id
        return written if known is None else known

    def _container_folder(self) -> str | None:
        if self.container_workspace_folder is None:
            return None
        return dataclasses.replace(self, container_workspace_folder=None).text(self.container_workspace_folder)


def names_used(value: JsonValue, kind: str) -> set[str]:
    """The names that occur as `${kind:NAME…}` anywhere in a value, for example to send only those of a client."""
    if isinstance(value, str):
        parts = (match[1].split(":") for match in _VARIABLE.finditer(value))
        return {part[1] for part in parts if part[0] == kind and len(part) > 1}
    if isinstance(value, list):
        return set().union(*(names_used(item, kind) for item in value)) if value else set()
    if isinstance(value, dict):
        return set().union(*(names_used(item, kind) for item in value.values())) if value else set()
    return set()


def _environment(env: Mapping[str, str] | None, written: str, arguments: Sequence[str]) -> str | None:
    if env is None:
        return None
    if not arguments:
        raise VariableError(written)
    if arguments[0] in env:
        return env[arguments[0]]
    return arguments[1] if len(arguments) > 1 else ""


def _basename(path: str | None) -> str | None:
    return None if path is None else posixpath.basename(path.rstrip("/"))
