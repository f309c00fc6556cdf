"""The names that a Python file imports, without running it. Text in, names out."""

from __future__ import annotations

import ast
import re

_LINE = re.compile(rb"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]+(.+)|import[ \t]+(.+))", re.MULTILINE)


def imports_of(source: bytes) -> frozenset[str]:
    """Dotted names; `from a import b` gives `a` and `a.b` (b may be a module), a relative one keeps its dots.

    A file that does not parse (half written, or for a newer Python) is read line by line instead.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _by_line(source)
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            found.add(base)
            found.update(_join(base, alias.name) for alias in node.names if alias.name != "*")
    return frozenset(found)


def _join(base: str, name: str) -> str:
    return base + name if base.endswith(".") else f"{base}.{name}"


def _by_line(source: bytes) -> frozenset[str]:
    found: set[str] = set()
    for match in _LINE.finditer(source):
        base, names, plain = (group.decode("utf-8", "replace") if group else "" for group in match.groups())
        words = [word.split()[0] for word in re.split(r"[,()\\#]", names or plain) if word.split()]
        if base:
            found.add(base)
            found.update(_join(base, word) for word in words if word.isidentifier())
        else:
            found.update(words)
    return frozenset(found)
