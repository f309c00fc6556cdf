"""What is refused before a process is touched, with the reason and the way out."""

from __future__ import annotations

import dataclasses
import errno

import pytest

from devenv.debug.attach.facts import SYS_PTRACE, Subject, Survey
from devenv.debug.attach.refusals import check, check_python, from_job, missing_right
from devenv.delivery.interpreter import Interpreter
from devenv.errors import DebugError, NotFound, Refused

WHO = "train.py (process 41)"
PYTHON = Interpreter("/usr/bin/python3.11", (3, 11, 2), "x86_64", (2, 36))
SUBJECT = Subject(
    pid=41,
    started=1000,
    uid=1000,
    gid=1000,
    state="R",
    tracer=0,
    name="python3",
    exe="/usr/bin/python3.11",
    capabilities=0,
    may_open=0,
    env={},
    interpreter=PYTHON,
    has_ctypes=True,
    has_remote_exec=False,
)
SURVEY = Survey(subject=SUBJECT, uid=1000, capabilities=0, yama=-1, has_ctypes=True)


def survey(**changes: object) -> Survey:
    """The common case with a process that differs in `changes`."""
    return dataclasses.replace(SURVEY, subject=dataclasses.replace(SUBJECT, **changes))  # type: ignore[arg-type]


def test_nothing_is_against_an_own_process() -> None:
    assert check(SURVEY, 41, WHO) is SUBJECT
    assert missing_right(SURVEY, SUBJECT, WHO) is None
    check_python(SURVEY, SUBJECT, WHO)


@pytest.mark.parametrize("found", [dataclasses.replace(SURVEY, subject=None), survey(state="Z"), survey(state="X")])
def test_a_process_that_has_ended(found: Survey) -> None:
    with pytest.raises(NotFound, match="has ended"):
        check(found, 41, WHO)


def test_a_stopped_process_is_not_entered() -> None:
    with pytest.raises(DebugError) as caught:
        check(survey(state="T"), 41, WHO)
    assert "stopped" in caught.value.message
    assert "kill -CONT 41" in caught.value.hint


@pytest.mark.parametrize("state", ["t", "S"])
def test_another_debugger_is_in_it(state: str) -> None:
    with pytest.raises(DebugError, match=r"another debugger .* process 77"):
        check(survey(state=state, tracer=77), 41, WHO)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"interpreter": None, "exe": "/usr/bin/sleep"}, "no Python program"),
        ({"interpreter": dataclasses.replace(PYTHON, version=(2, 7, 18))}, "runs Python 2.7.18"),
        ({"interpreter": dataclasses.replace(PYTHON, version=(3, 5, 9))}, "runs Python 3.5.9"),
        ({"interpreter": dataclasses.replace(PYTHON, implementation="pypy")}, "pypy"),
        ({"interpreter": dataclasses.replace(PYTHON, machine="riscv64")}, "riscv64"),
    ],
)
def test_programs_that_cannot_be_entered(changes: dict[str, object], said: str) -> None:
    found = survey(**changes)
    assert found.subject is not None
    with pytest.raises(DebugError, match=said):
        check_python(found, found.subject, WHO)


def test_one_python_with_ctypes_is_enough() -> None:
    without = survey(has_ctypes=False)
    assert without.subject is not None
    check_python(without, without.subject, WHO)
    with pytest.raises(DebugError, match="ctypes"):
        check_python(dataclasses.replace(without, has_ctypes=False), without.subject, WHO)


@pytest.mark.parametrize(
    ("yama", "own", "changes", "why"),
    [
        (1, 0, {}, "Yama, ptrace_scope 1"),
        (2, 0, {}, "Yama, ptrace_scope 2"),
        (-1, 0, {"uid": 0}, "belongs to user 0, we are user 1000"),
        (-1, 0, {"capabilities": SYS_PTRACE}, "capabilities that we do not have"),
        (0, 0, {}, "closed itself"),
    ],
)
def test_the_missing_right_is_named_and_how_it_is_given(
    yama: int, own: int, changes: dict[str, object], why: str
) -> None:
    found = dataclasses.replace(survey(may_open=errno.EACCES, **changes), yama=yama, capabilities=own)
    assert found.subject is not None
    refused = missing_right(found, found.subject, WHO)
    assert isinstance(refused, Refused)
    assert why in refused.message
    assert '"capAdd": ["SYS_PTRACE"]' in refused.hint
    assert "--privileged" in refused.hint
    assert refused.details["ask"] == "privileged"


def test_yama_3_is_offered_nothing() -> None:
    found = dataclasses.replace(survey(may_open=errno.EPERM), yama=3)
    assert found.subject is not None
    refused = missing_right(found, found.subject, WHO)
    assert isinstance(refused, Refused)
    assert "everybody" in refused.message
    assert not refused.details


@pytest.mark.parametrize(
    ("problem", "number", "kind", "said"),
    [
        ("ended", 0, NotFound, "has ended"),
        ("trial", 0, DebugError, "was not touched"),
        ("no-way", 0, DebugError, "cannot be entered: why"),
        ("foreign", 0, DebugError, "debugger of its own"),
        ("adapter", 0, DebugError, "does not start"),
        ("guest", 0, DebugError, "could not start"),
        ("silent", 0, DebugError, "interpreter's lock"),
        ("trace", errno.EPERM, Refused, "may not be entered"),
        ("trace", errno.EIO, DebugError, "could not be entered"),
        ("something new", 0, DebugError, "could not be entered"),
    ],
)
def test_what_went_wrong_inside_is_said(problem: str, number: int, kind: type[Exception], said: str) -> None:
    error = from_job(problem, "why", number, WHO)
    assert type(error) is kind
    assert said in error.message
    assert WHO in error.message + error.hint


def test_the_container_says_nonsense() -> None:
    for said in ({}, {"process": {}}, {"process": {"pid": "x"}, "uid": 0}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            Survey.of(said)


def test_a_survey_as_the_container_gives_it() -> None:
    found = Survey.of(
        {
            "process": {
                "pid": 41,
                "started": 5,
                "uid": 0,
                "gid": 0,
                "state": "S",
                "tracer": 0,
                "name": "python3",
                "exe": "/usr/bin/python3.9 (deleted)",
                "capabilities": 3,
                "open": 13,
                "env": {"PYTHONHOME": "/opt"},
                "about": {
                    "executable": "/usr/bin/python3.9",
                    "version": [3, 9, 2],
                    "machine": "aarch64",
                    "libc": "",
                    "implementation": "cpython",
                    "ctypes": True,
                    "remote_exec": False,
                },
            },
            "uid": 1000,
            "capabilities": 0,
            "yama": 1,
            "ctypes": False,
        }
    )
    assert found.subject is not None
    assert found.subject.replaced
    assert found.subject.interpreter == Interpreter("/usr/bin/python3.9", (3, 9, 2), "aarch64", None)
