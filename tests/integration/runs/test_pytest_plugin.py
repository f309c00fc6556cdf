"""The plugin inside real pytest runs, started as the keeper starts them: a pipe's number in the environment."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from devenv.runs.tests import TestReport, plugin_payload
from devenv.runs.workspace import WorkspacePaths
from tests.integration.debug.interpreters import interpreter

SUITE = """
import os, subprocess, sys, warnings
import pytest

def test_good(): pass

def test_bad():
    value = 41
    assert value == 42, "the answer"

@pytest.mark.skip(reason="no GPU")
def test_skipped(): pass

@pytest.mark.xfail(reason="known")
def test_expected(): assert False

@pytest.mark.xfail
def test_unexpected(): pass

@pytest.fixture
def broken(): raise RuntimeError("no data")

def test_setup(broken): pass

@pytest.fixture
def messy():
    yield
    raise RuntimeError("left behind")

def test_teardown(messy): pass

def test_writes_everywhere():
    print("to stdout"); os.write(1, b"raw\\n"); os.write(2, b"raw\\n")
    warnings.warn("careful")

def test_child_has_no_pipe():
    assert "DEVENV_EVENTS_FD" not in os.environ
    subprocess.check_call([sys.executable, "-c", "pass"])

def test_forks():
    pid = os.fork()
    if pid == 0:
        try:
            raise SystemExit(0)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)

@pytest.mark.parametrize("word", ["\\u00e4", "a b", "x" * 300])
def test_names(word): pass
"""

EXPECTED = {
    "test_good": "passed",
    "test_bad": "failed",
    "test_skipped": "skipped",
    "test_expected": "xfailed",
    "test_unexpected": "xpassed",
    "test_setup": "error",
    "test_teardown": "error",
    "test_writes_everywhere": "passed",
    "test_child_has_no_pipe": "passed",
    "test_forks": "passed",
}


def run_pytest(
    project: pathlib.Path, args: Sequence[str] = (), python: str = sys.executable, **env: str
) -> tuple[list[dict[str, Any]], bytes, int]:
    """The plugin's lines, their bytes, and pytest's exit code."""
    folder, _ = plugin_payload()
    reading, writing = os.pipe()
    with subprocess.Popen(
        [python, "-m", "pytest", "-p", "devenv_pytest", "-q", *args],
        cwd=project,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "DEVENV_EVENTS_FD": str(writing),
            **env,
        },
        pass_fds=[writing],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            data = pipe.read()
        assert process.stdout is not None
        said = process.stdout.read()
    lines = [json.loads(line) for line in data.splitlines()]
    assert lines or process.returncode, said.decode()
    return lines, data, process.returncode


def project_with(tmp_path: pathlib.Path, **files: str) -> pathlib.Path:
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    return tmp_path


def reported(project: pathlib.Path, data: bytes) -> TestReport:
    """The report, with the project taken for the container's side of a host folder /host/project."""
    report = TestReport(WorkspacePaths("/host/project", str(project)), "r1")
    for first in range(0, len(data), 7):  # as a stream comes: in pieces of any size
        report.feed(data[first : first + 7])
    return report


OLD = [("3.6", "5.4.3"), ("3.7", "6.2.5"), ("3.8", "7.4.4"), ("3.9", "8.3.5")]


@pytest.mark.parametrize(("minor", "version"), OLD, ids=lambda word: str(word))
def test_old_pythons_and_pytests(minor: str, version: str, tmp_path: pathlib.Path) -> None:
    python = interpreter(minor)
    packages = tmp_path / "packages"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", str(packages)]
    done = subprocess.run([*pip, f"pytest=={version}"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"pytest {version} for Python {minor} cannot be installed: {done.stderr.strip()[-200:]}")
    project = project_with(tmp_path / "project", test_suite=SUITE)
    folder, _ = plugin_payload()
    lines, data, code = run_pytest(project, python=python, PYTHONPATH=f"{packages}:{folder}")
    report = reported(project, data)
    outcomes = {test.id.split("::")[1]: test.outcome for test in report.view().tests}
    assert {name: outcome for name, outcome in outcomes.items() if not name.startswith("test_names")} == EXPECTED
    assert (code, report.status) == (1, 1)
    assert report.warnings >= 1
    assert lines[0]["pytest"] == version


@pytest.mark.parametrize("args", [(), ("-n", "2"), ("-s",), ("--capture=sys",)], ids=" ".join)
def test_every_outcome_is_told(tmp_path: pathlib.Path, args: tuple[str, ...]) -> None:
    project = project_with(tmp_path, test_suite=SUITE)
    lines, data, code = run_pytest(project, args)
    assert code == 1
    report = reported(project, data)
    outcomes = {test.id.split("::")[1]: test.outcome for test in report.view().tests}
    names = {name: outcome for name, outcome in outcomes.items() if not name.startswith("test_names")}
    assert names == EXPECTED
    assert report.collected == len(EXPECTED) + 3 == len(outcomes)
    assert report.status == 1
    assert report.warnings >= 1
    assert [line["e"] for line in lines].count("collected") == 2
    bad = next(test for test in report.view().tests if test.id.endswith("test_bad"))
    assert bad.message.startswith("AssertionError: the answer")
    assert (bad.file, bad.line) == (
        "/host/project/test_suite.py",
        SUITE.splitlines().index('    assert value == 42, "the answer"') + 1,
    )
    assert next(t for t in report.view().tests if t.id.endswith("test_skipped")).message == "no GPU"
    assert next(t for t in report.view().tests if t.id.endswith("test_setup")).message == "RuntimeError: no data"


def test_a_failure_in_a_library_points_to_the_project(tmp_path: pathlib.Path) -> None:
    text = "import json\n\ndef test_reads():\n    json.loads('{')\n"
    project = project_with(tmp_path, test_library=text)
    _, data, _ = run_pytest(project)
    (test,) = reported(project, data).view().tests
    assert (test.file, test.line) == ("/host/project/test_library.py", 4)
    assert "JSONDecodeError" in test.message


def test_a_file_that_cannot_be_collected(tmp_path: pathlib.Path) -> None:
    project = project_with(tmp_path, test_broken="import nothing_of_that_name\n", test_good="def test_a(): pass\n")
    _, data, code = run_pytest(project)
    report = reported(project, data)
    assert code == report.status == 2
    (broken,) = [test for test in report.view().tests if test.outcome == "error"]
    assert broken.id == "test_broken.py"
    assert "nothing_of_that_name" in broken.message
    assert broken.file == "/host/project/test_broken.py"


def test_a_process_that_dies_in_a_test(tmp_path: pathlib.Path) -> None:
    text = "import os, signal\ndef test_a(): pass\ndef test_dies(): os.kill(os.getpid(), signal.SIGKILL)\n"
    project = project_with(tmp_path, test_dies=text)
    _, data, code = run_pytest(project)
    report = reported(project, data)
    report.end({"state": "signaled", "signal": -code, "exit_code": None, "started": 1.0, "ended": 3.0})
    outcomes = {test.id.split("::")[1]: (test.outcome, test.message) for test in report.view().tests}
    assert outcomes["test_a"][0] == "passed"
    assert outcomes["test_dies"] == ("error", "the test process ended during this test (signal 9)")
    assert report.view().state == "idle"


def test_ids_asked_for_run_first(tmp_path: pathlib.Path) -> None:
    text = "".join(f"def test_{letter}(): pass\n" for letter in "abcd")
    project = project_with(tmp_path, test_order=text, test_z="def test_z(): pass\n")
    first = json.dumps(["test_order.py::test_d", "test_order.py::test_b", "test_order.py::gone", "test_z.py"])
    for args in ((), ("-n", "1")):
        lines, _, _ = run_pytest(project, args, DEVENV_TEST_FIRST=first)
        order = [line["id"][-1] for line in lines if line["e"] == "begin"]
        assert order == ["d", "b", "z", "a", "c"]


@pytest.mark.parametrize("number", ["", "77", "1", "word"])
def test_without_a_usable_pipe_tests_run_as_ever(tmp_path: pathlib.Path, number: str) -> None:
    folder, _ = plugin_payload()
    project = project_with(tmp_path, test_one="def test_a(): pass\n")
    with (tmp_path / "out").open("wb") as out:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "devenv_pytest", "-q"],
            cwd=project,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "DEVENV_EVENTS_FD": number},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    assert done.returncode == 0
    assert "{" not in (tmp_path / "out").read_text()


def test_a_reader_that_goes_away_fails_no_test(tmp_path: pathlib.Path) -> None:
    folder, _ = plugin_payload()
    project = project_with(tmp_path, test_one="def test_a(): pass\ndef test_b(): pass\n")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "devenv_pytest", "-q"],
        cwd=project,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "DEVENV_EVENTS_FD": str(writing)},
        pass_fds=[writing],
        capture_output=True,
    )
    os.close(writing)
    assert done.returncode == 0, done.stdout.decode()
