"""Attaching to interpreters that were stripped: it works, or is refused in a clear sentence and the program goes on."""

from __future__ import annotations

import asyncio
import pathlib
import shutil
import subprocess
import sysconfig

import pytest

from devenv.debug.cache import DebugpyCache
from devenv.errors import DebugError
from tests.integration.debug.test_attaching import ENOUGH, Place, started, visit
from tests.kit.waiting import eventually

PROGRAM = """\
import pathlib, sys, time

enough = False
tick = 0
while not enough and not pathlib.Path("stop").exists():
    tick += 1
    pathlib.Path("tick").write_text(str(tick))
    time.sleep(0.002)
print("the end")
sys.exit(43)
"""
MAIN = "int Py_BytesMain(int, char **);\nint main(int count, char **words) { return Py_BytesMain(count, words); }\n"


@pytest.fixture
def place(tmp_path: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    (tmp_path / "program.py").write_text(PROGRAM.replace('Path("', f'Path("{tmp_path}/'))
    return Place(tmp_path / "state", DebugpyCache(tmp_path_factory.mktemp("cache")))


def stripped(program: pathlib.Path, to: pathlib.Path) -> str:
    if shutil.which("strip") is None:
        pytest.skip("strip is not on this machine (Debian: binutils)")
    subprocess.run(["strip", "--strip-all", "-o", str(to), str(program.resolve())], check=True)
    return str(to)


def linked_statically(folder: pathlib.Path) -> pathlib.Path:
    """This Python without a loader, and without its functions' names outside of the symbol table."""
    known = sysconfig.get_config_vars()
    library = pathlib.Path(known["LIBPL"], f"libpython{known['LDVERSION']}.a")
    if shutil.which("gcc") is None or not library.exists():
        pytest.skip(f"gcc or {library} is not on this machine")
    (folder / "main.c").write_text(MAIN)
    words = [
        "gcc",
        "-static",
        "main.c",
        str(library),
        *known["LIBS"].split(),
        *known["SYSLIBS"].split(),
        "-o",
        "python",
    ]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "python"


def ticks(folder: pathlib.Path) -> int:
    return int((folder / "tick").read_text() or 0)


async def test_an_interpreter_without_a_symbol_table(place: Place, tmp_path: pathlib.Path) -> None:
    python = stripped(pathlib.Path("/usr/bin/python3"), tmp_path / "python3")
    script = tmp_path / "program.py"
    with started(python, str(script)) as process:
        eventually(lambda: ticks(tmp_path), "the program's start")
        attached = await place.attach(process)
        assert attached.port is not None
        line = PROGRAM.splitlines().index("    tick += 1") + 1
        await asyncio.to_thread(visit, attached.port, script, line, ENOUGH)
        out, err = await asyncio.to_thread(process.communicate, None, 30)
        assert (process.returncode, out, err) == (43, "the end\n", "")


async def test_an_interpreter_that_is_one_file_without_a_name_in_it(place: Place, tmp_path: pathlib.Path) -> None:
    python = stripped(linked_statically(tmp_path), tmp_path / "python3")
    with started(python, str(tmp_path / "program.py")) as process:
        eventually(lambda: ticks(tmp_path), "the program's start")
        with pytest.raises(DebugError, match=r"was not touched: .* no file in it exports Python's C functions"):
            await place.attach(process)
        before = ticks(tmp_path)
        eventually(lambda: ticks(tmp_path) > before, "the program to go on")
        (tmp_path / "stop").touch()
        out, err = await asyncio.to_thread(process.communicate, None, 30)
        assert (process.returncode, out, err) == (43, "the end\n", "")
