"""A person's secrets for an environment: read from a file of theirs, given to processes, never told or stored.

They travel in the bodies of requests to the engine and the agent, never in arguments. What a lifecycle command prints
is masked before anybody sees it.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterable, Mapping

from devcontainer.jsonc import JsoncError, parse
from devenv.errors import ConfigError, Problem

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)


def read(path: str) -> dict[str, str]:
    """A JSON object of names and texts, as the reference's `--secrets-file`. Raises `ConfigError`, without values."""
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError([Problem(path, 0, 0, "", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(path, 0, 0, "", "is not UTF-8 text")]) from error
    try:
        document = parse(text, path)
    except JsoncError as error:
        raise ConfigError([Problem(path, error.line, error.column, "", "is not a JSON object of secrets")]) from error
    value = document.value
    if not isinstance(value, dict):
        raise ConfigError([Problem(path, 1, 1, "", "must hold one object: names and their values")])
    problems = []
    for name, secret in value.items():
        if not isinstance(secret, str) or not _NAME.match(name):
            line, column = document.key_position((name,))
            what = "must be a text" if _NAME.match(name) else "is not a name for a variable"
            problems.append(Problem(path, line, column, name, what))
    if problems:
        raise ConfigError(problems)
    return {name: secret for name, secret in value.items() if isinstance(secret, str)}


def wanted(declared: Mapping[str, object], given: Iterable[str]) -> list[str]:
    """Sentences about secrets that the project recommends (`secrets` of devcontainer.json) and nobody gave."""
    missing = [name for name in declared if name not in set(given)]
    found = []
    for name in missing:
        entry = declared[name]
        about = entry if isinstance(entry, Mapping) else {}
        words = [str(about[key]) for key in ("description", "documentationUrl") if about.get(key)]
        found.append(f"the project would like the secret {name}" + (f": {'; '.join(words)}" if words else ""))
    return found
