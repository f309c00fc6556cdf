"""The agent's source, packed for the stream: read once per process, never written in the container.

Only `devenv/agent/*.py` goes in. The bundle also knows which standard modules the agent cannot start without,
so that the interpreter probe asks for exactly these.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import zlib


@functools.cache
def sources(package: str = "devenv.agent") -> dict[str, str]:
    """{module name without the package: source}; `__init__` is the package itself."""
    folder = importlib.resources.files(package)
    return {
        entry.name.removesuffix(".py"): entry.read_text(encoding="utf-8")
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".py")
    }


@functools.cache
def payload(package: str = "devenv.agent") -> bytes:
    """Big-endian length (4 bytes) and the zlib-compressed JSON of `sources()`: what the boot line reads."""
    packed = zlib.compress(json.dumps(sources(package)).encode("ascii"), 6)
    return len(packed).to_bytes(4, "big") + packed


@functools.cache
def required_modules(package: str = "devenv.agent") -> tuple[str, ...]:
    """Standard modules that the agent, or another package for the container, imports unconditionally, sorted.

    An import inside `try`, `if` or a function is optional: the agent has an answer for its absence. So the lines that
    start with an import are the ones: every link waits for this, and a parser would take 50 ms.
    """
    found = {"json", "os", "sys", "types", "zlib"}
    for source in sources(package).values():
        for line in source.splitlines():
            if line.startswith("import "):
                found.update(part.split()[0] for part in line[7:].partition("#")[0].split(","))
            elif line.startswith("from ") and not line.startswith("from ."):
                found.add(line.split()[1])
    found.discard("__future__")
    return tuple(sorted(found))
