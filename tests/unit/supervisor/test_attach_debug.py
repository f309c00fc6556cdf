"""Which process of a run a debugger is brought into."""

from __future__ import annotations

from typing import Any

import pytest

from devenv.errors import NotFound, Refused
from devenv.profile.frames import Sources
from devenv.profile.reach import Process
from devenv.runs.workspace import WorkspacePaths
from devenv.supervisor.observing import Subject
from devenv.supervisor.verbs.attach_debug import choose

RUN = {"id": "20260101-100000-abcd", "name": "train", "kind": "run"}


def process(pid: int, parent: int, *, python: bool = True, argv: tuple[str, ...] = ("python3", "train.py")) -> Process:
    return Process(
        pid=pid,
        ppid=parent,
        uid=1000,
        gid=1000,
        name="x",
        state="R",
        threads=1,
        argv=argv,
        exe="",
        python=python,
        env={},
        attach=0,
        inside=True,
    )


def subject(*processes: Process, record: dict[str, Any] | None = RUN) -> Subject:
    return Subject("train", record, list(processes), {}, Sources(WorkspacePaths("/host", "/work"), "/work"))


def test_the_program_itself_and_its_children_are_told() -> None:
    first, others = choose(subject(process(20, 10), process(21, 20), process(22, 20)))
    assert (first.pid, [other.pid for other in others]) == (20, [21, 22])


def test_a_shell_in_between_is_passed_over() -> None:
    first, others = choose(subject(process(20, 10, python=False), process(21, 20), process(22, 21)))
    assert (first.pid, [other.pid for other in others]) == (21, [22])


def test_pids_say_nothing_about_descent() -> None:
    assert choose(subject(process(7, 900), process(900, 10)))[0].pid == 900


def test_a_run_without_python() -> None:
    with pytest.raises(NotFound, match="no Python program"):
        choose(subject(process(20, 10, python=False), process(21, 20, python=False)))


def test_a_named_process_is_meant_itself() -> None:
    first, others = choose(subject(process(20, 10, python=False), process(21, 20), record=None))
    assert (first.pid, others) == (20, [])


def test_our_own_processes_are_left_alone() -> None:
    own = process(20, 10, argv=("/usr/bin/python3", "-I", "-S", "-u", "-c", "import json"))
    with pytest.raises(Refused, match="devenv's own"):
        choose(subject(own, record=None))
