"""A test run that ends early: what the test that was running then is said to have done."""

from __future__ import annotations

import json

import pytest

from devenv.runs.tests import TestReport
from devenv.runs.workspace import WorkspacePaths

ENDED = {"state": "signaled", "signal": 15, "exit_code": None, "started": 1.0, "ended": 3.0}


def interrupted(*, stopping: bool) -> TestReport:
    """One test has passed, the next one was running when the process ended."""
    report = TestReport(WorkspacePaths("/host", "/box"))
    where = {"file": "/box/t.py", "line": 1}
    said = [
        {"e": "start", "rootdir": "/box"},
        {"e": "collected", "more": False, "n": 2, "ids": ["t.py::a", "t.py::b"]},
        {"e": "begin", "id": "t.py::a", **where},
        {"e": "test", "id": "t.py::a", "outcome": "passed", "seconds": 0.1, "message": "", **where},
        {"e": "begin", "id": "t.py::b", **where},
    ]
    report.feed("".join(json.dumps(line) + "\n" for line in said).encode())
    report.stopping = stopping
    report.end(ENDED)
    return report


def test_a_process_that_dies_takes_the_running_test_with_it() -> None:
    report = interrupted(stopping=False)
    assert report.failed_ids == ["t.py::b"]
    (failed,) = [test for test in report.view().tests if test.id == "t.py::b"]
    assert "signal 15" in failed.message


def test_a_run_that_was_asked_to_end_blames_no_test() -> None:
    report = interrupted(stopping=True)
    assert report.failed_ids == []
    assert report.passed_ids == ["t.py::a"]
    assert report.view().seconds == pytest.approx(2.0)
