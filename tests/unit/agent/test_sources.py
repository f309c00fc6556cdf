"""The agent's source as a whole: what it may say and import."""

from __future__ import annotations

import ast
import sys

import pytest

from devenv.link import bundle

SOURCES = bundle.sources()
# Absent from Debian's python3-minimal, or slow to import.
NEVER = {
    "typing",
    "asyncio",
    "subprocess",
    "tarfile",
    "termios",
    "tty",
    "pty",
    "shutil",
    "tempfile",
    "threading",
    "logging",
}
OPTIONAL = {"json", "ctypes"}


@pytest.mark.parametrize("name", SOURCES)
def test_syntax_of_python_3_6(name: str) -> None:
    ast.parse(SOURCES[name], feature_version=(3, 6))
    assert "from __future__ import annotations" not in SOURCES[name]
    assert SOURCES[name].isascii()


@pytest.mark.parametrize("name", SOURCES)
def test_imports(name: str) -> None:
    tree = ast.parse(SOURCES[name])
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    optional = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.Try) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom):
            assert node.level == 1 or node.module in sys.stdlib_module_names
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for module in names:
            assert module in sys.stdlib_module_names and module not in NEVER
            assert module not in OPTIONAL or id(node) in optional


def test_it_is_small() -> None:
    assert len(bundle.payload()) < 64 * 1024
    assert all(len(source.splitlines()) < 700 for source in SOURCES.values())
