"""Runs inside the container's pytest: tells the host, line by line, what the tests do.

Loaded with `-p devenv_pytest`. Python 3.6 or later, pytest 5 or later; standard library and pytest only. It must never
change a test's outcome: whatever goes wrong with the pipe ends the telling, not the tests.

Lines are JSON objects with "e" (the event); unknown events and keys are to be ignored by the reader:
  start    {"v", "pytest", "python", "rootdir"}
  collected {"n", "ids", "more"}        several lines for many tests; "n" is the total, in the last line
  begin    {"id", "file", "line"}       file is absolute, line is 1-based
  test     {"id", "outcome", "seconds", "when", "message", "file", "line"}
  broken   {"id", "message", "file", "line"}   a file that could not be collected
  finish   {"status", "warnings", "seconds"}   status: pytest's exit status
"""

import json
import os
import stat
import sys
import time
from typing import Any, Dict, List, Optional, Tuple

import pytest

VERSION = 1
_MOST_TEXT = 4000
_IDS_PER_LINE = 200

# Taken out of the environment at once: a program that a test starts may have another file under this number.
_number = os.environ.pop("DEVENV_EVENTS_FD", "")


class _Lines:
    """Writes whole lines to the pipe, from the process that opened it only (a forked test must not speak for it)."""

    def __init__(self, descriptor: Optional[int]) -> None:
        self._descriptor = descriptor
        self._pid = os.getpid()
        self._broken_line = False

    def write(self, event: str, **fields: Any) -> None:
        if self._descriptor is None or os.getpid() != self._pid:
            return
        fields["e"] = event
        data = (json.dumps(fields) + "\n").encode("ascii")
        if self._broken_line:
            data = b"\n" + data
        self._broken_line = True  # until all is out: a timeout's signal may interrupt us here
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError:
            self._descriptor = None  # nobody reads any more
            return
        self._broken_line = False


def _descriptor(number: str) -> Optional[int]:
    """The descriptor if it is a pipe or socket that was meant for us, else None."""
    try:
        descriptor = int(number)
        mode = os.fstat(descriptor).st_mode
        if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
            return None
        os.set_inheritable(descriptor, False)
    except (ValueError, OSError):
        return None
    return descriptor


def _first_line(text: str) -> str:
    for line in text.splitlines():
        if line.strip():
            return line.strip()[:_MOST_TEXT]
    return ""


def _failure(report: Any, rootdir: str) -> Tuple[str, str, int]:
    """(message, file, line) of a report's longrepr: where it went wrong, as near to the project as can be told."""
    longrepr = report.longrepr
    if isinstance(longrepr, tuple) and len(longrepr) == 3:  # a skip: (file, line, reason)
        path, line, reason = longrepr
        return _first_line(str(reason).replace("Skipped: ", "", 1)), _absolute(str(path), rootdir), int(line or 0)
    crash = getattr(longrepr, "reprcrash", None)
    if crash is None:
        lines = [text for text in str(longrepr).splitlines() if text.strip()]
        named = [text for text in lines if text.startswith("E ")]
        return _first_line((named or lines or [""])[-1].lstrip("E ")), "", 0
    where = (_absolute(str(crash.path), rootdir), int(crash.lineno))
    if not _inside(where[0], rootdir):
        entries = getattr(getattr(longrepr, "reprtraceback", None), "reprentries", None) or []
        for entry in reversed(entries):
            place = getattr(entry, "reprfileloc", None)
            if place is not None and _inside(_absolute(str(place.path), rootdir), rootdir):
                where = (_absolute(str(place.path), rootdir), int(place.lineno))
                break
    return _first_line(str(crash.message)), where[0], where[1]


def _absolute(path: str, rootdir: str) -> str:
    return os.path.normpath(os.path.join(rootdir, path))


def _inside(path: str, rootdir: str) -> bool:
    return path.startswith(rootdir.rstrip(os.sep) + os.sep) and "site-packages" not in path


class Reporter:
    """Registered in the controlling process only; with xdist the workers' reports arrive there."""

    def __init__(self, lines: _Lines, config: Any) -> None:
        self._lines = lines
        self._rootdir = str(getattr(config, "rootdir", None) or os.getcwd())
        self._began = time.time()
        self._warnings = 0
        self._seconds: Dict[str, float] = {}
        self._announced = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: Any) -> None:
        self._lines.write(
            "start",
            v=VERSION,
            pytest=pytest.__version__,
            python="%d.%d.%d" % sys.version_info[:3],
            rootdir=self._rootdir,
        )

    def _collected(self, ids: List[str]) -> None:
        if self._announced:
            return  # every xdist worker collects the same
        self._announced = True
        for first in range(0, len(ids), _IDS_PER_LINE):
            self._lines.write("collected", ids=ids[first : first + _IDS_PER_LINE], more=True)
        self._lines.write("collected", n=len(ids), ids=[], more=False)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: Any) -> None:
        if getattr(session.config.option, "dist", "no") in (None, "no"):
            self._collected([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Any) -> None:
        self._collected(list(ids))

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            message, path, line = _failure(report, self._rootdir)
            self._lines.write("broken", id=report.nodeid, message=message, file=path, line=line)

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        path, line = location[0], location[1]
        self._lines.write("begin", id=nodeid, file=_absolute(path, self._rootdir), line=(line or 0) + 1)

    def pytest_runtest_logreport(self, report: Any) -> None:
        seconds = self._seconds.get(report.nodeid, 0.0) + float(getattr(report, "duration", 0.0))
        self._seconds[report.nodeid] = seconds
        outcome = self._outcome(report)
        if outcome is not None:
            message, path, line = "", "", 0
            if outcome not in ("passed", "xpassed"):
                message, path, line = _failure(report, self._rootdir)
            if hasattr(report, "wasxfail"):
                message = _first_line(str(report.wasxfail)) or message
            self._lines.write(
                "test",
                id=report.nodeid,
                outcome=outcome,
                seconds=round(seconds, 6),
                when=report.when,
                message=message,
                file=path,
                line=line,
            )
        if report.when == "teardown":
            self._seconds.pop(report.nodeid, None)

    @staticmethod
    def _outcome(report: Any) -> Optional[str]:
        """The test's outcome as far as this phase decides it, else None."""
        if report.outcome == "rerun":
            return None
        if report.when == "call":
            if hasattr(report, "wasxfail"):
                return "xfailed" if report.skipped else "xpassed"
            return str(report.outcome)
        if report.failed:
            return "error"
        if report.when == "setup" and report.skipped:
            return "xfailed" if hasattr(report, "wasxfail") else "skipped"
        return None

    def _count_warning(self) -> None:
        self._warnings += 1

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: Any, exitstatus: int) -> None:
        self._lines.write(
            "finish",
            status=int(exitstatus),
            warnings=self._warnings,
            seconds=round(time.time() - self._began, 6),
        )


class _ReporterOf6(Reporter):
    def pytest_warning_recorded(self, warning_message: Any, when: Any, nodeid: Any, location: Any) -> None:
        self._count_warning()


class _ReporterOf5(Reporter):
    def pytest_warning_captured(self, warning_message: Any, when: Any, item: Any) -> None:
        self._count_warning()


def _first_ids() -> List[str]:
    """Ids and files that shall run first (a JSON list); it stays in the environment, for xdist's workers."""
    try:
        ids = json.loads(os.environ.get("DEVENV_TEST_FIRST", "[]"))
    except ValueError:
        return []
    return ids if isinstance(ids, list) else []


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: List[Any]) -> None:
    ids = _first_ids()
    if ids:
        place = {nodeid: index for index, nodeid in enumerate(ids)}
        last = len(place)
        # Stable: the rest keeps its order.
        items.sort(key=lambda item: place.get(item.nodeid, place.get(item.nodeid.split("::")[0], last)))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: Any) -> None:
    if hasattr(config, "workerinput") or not _number:
        return
    lines = _Lines(_descriptor(_number))
    major = int(pytest.__version__.split(".")[0])
    reporter = (_ReporterOf6 if major >= 6 else _ReporterOf5)(lines, config)
    config.pluginmanager.register(reporter, "devenv-reporter")
