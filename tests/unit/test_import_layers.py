"""The rooms and who may call whom, proved from the import graph (ARCHITECTURE.md, the dependency rule)."""

from __future__ import annotations

import ast
import pathlib
import sys
from collections.abc import Iterator

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ("devcontainer", "devenv", "tui")
CONTRACTS = ("specification", "no-front-end", "front-end", "agent")


def sources(*packages: str) -> Iterator[pathlib.Path]:
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


def imported(file: pathlib.Path, *, types_too: bool = False) -> set[str]:
    """Absolute names of the modules that a file imports anywhere, inside functions included."""
    found: set[str] = set()
    skipped: set[ast.AST] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING") and not types_too:
            skipped.update(inner for statement in node.body for inner in ast.walk(statement))
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
    return found


def users_of(library: str, *, types_too: bool = True) -> list[str]:
    return [
        str(file.relative_to(ROOT))
        for file in sources(*PACKAGES)
        if any(name.partition(".")[0] == library for name in imported(file, types_too=types_too))
    ]


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_contract_is_kept(contract: str, capsys: pytest.CaptureFixture[str]) -> None:
    status = lint_imports(
        config_filename=str(ROOT / "pyproject.toml"), limit_to_contracts=(contract,), no_cache=True, is_debug_mode=False
    )
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


@pytest.mark.parametrize("package", ["devenv/agent", "devenv/debug/proxy"])
def test_what_is_sent_looks_at_no_room_above_it(package: str) -> None:
    """It is sent as a package of another name, so even a relative import upwards would fail in the container."""
    for file in sources(package):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.level <= 1, f"{file.relative_to(ROOT)}:{node.lineno}"


@pytest.mark.parametrize(
    ("library", "files"),
    [
        # Credentials of registries are read as Docker reads them; nothing of the engine goes through that file.
        ("docker", {"devenv/engine/sdk.py", "devenv/oci/credentials.py"}),
        ("watchdog", {"devenv/runs/watch.py", "devenv/sync/elsewhere.py"}),
    ],
)
def test_only_these_files_import(library: str, files: set[str]) -> None:
    assert set(users_of(library)) <= files


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        pytest.param("devenv/agent", set(), id="the agent needs the standard library only"),
        pytest.param("devcontainer", {"devcontainer"}, id="the specification needs the standard library only"),
        pytest.param("devenv/debug/proxy", set(), id="the pass-through needs the standard library only"),
        pytest.param("devenv/sync/side", set(), id="what runs on both sides needs the standard library only"),
        pytest.param(
            "devenv/debug/entry/inside",
            {"debugpy", "pydevd", "_pydevd_bundle", "_pydevd_sys_monitoring", "pytest", "devenv_entry"},
            id="what comes into a program's processes has only the debugger",
        ),
        pytest.param("devenv/profile/inside", {"memray", "torch", "viztracer"}, id="the recorder has only its tools"),
        pytest.param(
            "devenv/runs/pytest_plugin", {"pytest", "_pytest"}, id="the plugin runs in the user's interpreter"
        ),
    ],
)
def test_no_third_party_imports(package: str, allowed: set[str]) -> None:
    for file in sources(package):
        foreign = {name.partition(".")[0] for name in imported(file)} - set(sys.stdlib_module_names) - allowed
        assert foreign == set(), f"{file.relative_to(ROOT)} imports {sorted(foreign)}"


def test_the_terminal_ui_library_stays_in_its_room() -> None:
    assert [user for user in users_of("textual") if not user.startswith("tui/")] == []


@pytest.mark.parametrize("package", ["devcontainer", "devenv/sync/core"])
def test_the_pure_libraries_start_no_process_and_open_no_connection(package: str) -> None:
    forbidden = {"subprocess", "socket", "urllib", "http", "asyncio", "time", "datetime", "os", "random", "threading"}
    for file in sources(package):
        used = {name.partition(".")[0] for name in imported(file)} & forbidden
        assert used == set(), f"{file.relative_to(ROOT)} imports {sorted(used)}"
