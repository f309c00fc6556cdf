"""The built wheel, installed by pipx as a person would: the command, the data files, the terminal UI's first screen."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devenv.version import VERSION
from tests.kit import rig

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of commands that pipx has made."""
    root = tmp_path_factory.mktemp("pipx")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", root / "dist", rig.ROOT)
    (wheel,) = (root / "dist").glob("*.whl")
    env = {"PIPX_HOME": str(root / "home"), "PIPX_BIN_DIR": str(root / "bin"), "PIPX_MAN_DIR": str(root / "man")}
    run(sys.executable, "-m", "pipx", "install", "--quiet", wheel, **env)
    yield root / "bin"
    run(sys.executable, "-m", "pipx", "uninstall", "devenv", **env)


def run(*argv: str | Path, **env: str) -> str:
    done = subprocess.run(list(map(str, argv)), env={**os.environ, **env}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_command_runs(installed: Path) -> None:
    assert run(installed / "devenv", "version").strip() == f"devenv {VERSION}"
    assert "Long-lived dev containers" in run(installed / "devenv", "help")


def test_data_files_are_in_the_wheel(installed: Path) -> None:
    assert '"$schema"' in run(installed / "devenv", "schema")
    python = (installed / "devenv").resolve().parent / "python"
    code = (
        "from devenv.link import bundle; assert len(bundle.payload()) > 10_000\n"
        "from devenv.runs.tests import plugin_payload; folder, _ = plugin_payload(); assert any(folder.iterdir())\n"
        "import tui.app\n"
        "import importlib.resources as r; assert list((r.files('tui') / 'styles').iterdir())"
    )
    run(python, "-I", "-c", code)


def test_help_loads_neither_the_ui_nor_the_docker_sdk(installed: Path) -> None:
    python = (installed / "devenv").resolve().parent / "python"
    code = (
        "import sys; from devenv.cli.main import dispatch; dispatch(['--help'])\n"
        "print([name for name in ('textual', 'docker', 'msgspec', 'asyncio') if name in sys.modules])"
    )
    assert run(python, "-I", "-c", code).strip().endswith("[]")
