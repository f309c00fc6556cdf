"""Which interpreter runs the agent, and that the boot line starts it."""

from __future__ import annotations

import ast
import json
import os
import pathlib
import subprocess
import sys
import zlib
from typing import cast

import pytest

from devenv.engine.port import Engine, ExecResult
from devenv.errors import ContainerGone, ExitCode, NoPython
from devenv.link import bundle
from devenv.link.bootstrap import BOOT, DEFAULT_PYTHONS, boot_argv, check_code, find_python
from devenv.link.fakes import LocalEngine


async def find(engine: LocalEngine, *pythons: str, modules: tuple[str, ...] = ("json",)) -> str:
    return await find_python(cast(Engine, engine), "local", user="", pythons=pythons, modules=modules)


@pytest.fixture
def old_python(tmp_path: pathlib.Path) -> str:
    path = tmp_path / "python2"
    path.write_text("#!/bin/sh\necho 'version 2.7, needs 3.6' >&2\nexit 1\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("shell", [True, False], ids=["by its shell", "without a shell"])
async def test_the_first_that_fits(shell: bool, old_python: str) -> None:
    engine = LocalEngine()
    engine.missing = frozenset(() if shell else ("sh",))
    assert await find(engine, "no-such-python", old_python, sys.executable, "python3") == sys.executable


@pytest.mark.parametrize("shell", [True, False], ids=["by its shell", "without a shell"])
async def test_none_fits_and_it_says_what_was_tried(shell: bool, old_python: str) -> None:
    engine = LocalEngine()
    engine.missing = frozenset(() if shell else ("sh",))
    with pytest.raises(NoPython) as caught:
        await find(engine, "no-such-python", old_python)
    assert caught.value.code is ExitCode.LINK
    assert caught.value.details["tried"] == ["no-such-python: not there", f"{old_python}: version 2.7, needs 3.6"]


async def test_an_interpreter_without_a_needed_module_does_not_fit() -> None:
    with pytest.raises(NoPython) as caught:
        await find(LocalEngine(), sys.executable, modules=("json", "no_such_module"))
    assert "no_such_module" in caught.value.details["tried"][0]


async def test_a_container_that_is_gone_is_not_a_missing_python() -> None:
    class Gone(LocalEngine):
        async def exec_capture(self, *arguments: object, **more: object) -> ExecResult:  # type: ignore[override]
            raise ContainerGone("it was removed")

    with pytest.raises(ContainerGone):
        await find(Gone(), *DEFAULT_PYTHONS)


def test_the_check_is_valid_for_every_python() -> None:
    ast.parse(check_code(("json", "os")), feature_version=(3, 6))
    done = subprocess.run([sys.executable, "-I", "-S", "-c", check_code(bundle.required_modules())], check=False)
    assert done.returncode == 0


def test_the_boot_line_is_python_3_6() -> None:
    ast.parse(BOOT, feature_version=(3, 6))
    for source in bundle.sources().values():
        ast.parse(source, feature_version=(3, 6))


def test_the_required_modules_are_the_unconditional_imports() -> None:
    found = {"json", "os", "sys", "types", "zlib"}  # of the boot line
    for source in bundle.sources().values():
        for statement in ast.parse(source).body:
            if isinstance(statement, ast.Import):
                found.update(alias.name for alias in statement.names)
            elif isinstance(statement, ast.ImportFrom) and not statement.level and statement.module:
                found.add(statement.module)
    assert set(bundle.required_modules()) == found - {"__future__"}


def test_the_bundle_holds_the_agent() -> None:
    payload = bundle.payload()
    assert int.from_bytes(payload[:4], "big") == len(payload) - 4
    assert json.loads(zlib.decompress(payload[4:])) == bundle.sources()
    assert {"__init__", "main"} <= bundle.sources().keys()
    assert "json" in bundle.required_modules()


def test_the_boot_line_runs_a_package_from_stdin_and_reads_not_a_byte_more() -> None:
    sources = {
        "__init__": "",
        "main": "import os\nfrom . import part\ndef main():\n    os.write(1, part.WORD + os.read(0, 100))\n    1 / 0\n",
        "part": "WORD = b'got '\n",
    }
    packed = zlib.compress(json.dumps(sources).encode())
    done = subprocess.run(
        boot_argv(sys.executable),
        input=len(packed).to_bytes(4, "big") + packed + b"the first frame",
        capture_output=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.stdout == b"got the first frame"
    assert b"<devenv_agent.main>" in done.stderr
