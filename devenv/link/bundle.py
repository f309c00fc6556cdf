"""The agent's source, packed for the stream: read once per process, never written in the container.

Only `devenv/agent/*.py` goes in. The bundle also knows which standard modules the agent cannot start without,
so that the interpreter probe asks for exactly these.
"""

from __future__ import annotations

import ast
import functools
import importlib.resources
import json
import zlib


@functools.cache
def sources() -> dict[str, str]:
    """{module name without the package: source}; `__init__` is the package itself."""
    folder = importlib.resources.files("devenv.agent")
    return {
        entry.name.removesuffix(".py"): entry.read_text(encoding="utf-8")
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".py")
    }


@functools.cache
def payload() -> bytes:
    """Big-endian length (4 bytes) and the zlib-compressed JSON of `sources()`: what the boot line reads."""
    packed = zlib.compress(json.dumps(sources()).encode("ascii"), 6)
    return len(packed).to_bytes(4, "big") + packed


@functools.cache
def required_modules() -> tuple[str, ...]:
    """Standard modules that the agent imports unconditionally, sorted.

    An import inside `try`, `if` or a function is optional: the agent has an answer for its absence.
    """
    found = {"json", "os", "sys", "types", "zlib"}
    for source in sources().values():
        for statement in ast.parse(source).body:
            if isinstance(statement, ast.Import):
                found.update(alias.name for alias in statement.names)
            elif isinstance(statement, ast.ImportFrom) and not statement.level and statement.module:
                found.add(statement.module)
    found.discard("__future__")
    return tuple(sorted(found))
