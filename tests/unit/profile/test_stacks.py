"""Stacks as py-spy tells them: read, folded, labelled and shown. `recorded/` holds what py-spy 0.4.3 really said."""

from __future__ import annotations

import pathlib
from typing import Any

import msgspec
import pytest

from devenv.api.stack_text import labels, ranges, text
from devenv.errors import ProfileError
from devenv.profile.dump import Thread, parse
from devenv.profile.frames import Frame, Sources, clean, short
from devenv.profile.labels import label, program
from devenv.profile.reach import Process
from devenv.profile.stacks import describe, fold
from devenv.runs.workspace import WorkspacePaths

RECORDED = pathlib.Path(__file__).parent / "recorded"
PATHS = WorkspacePaths("/home/ann/proj", "/workspaces/proj")


def process(pid: int, argv: str = "python3 train.py", ppid: int = 1, **changes: Any) -> Process:
    facts: dict[str, Any] = {
        "pid": pid, "ppid": ppid, "uid": 1000, "gid": 1000, "name": "python3", "state": "S", "threads": 3,
        "argv": argv.split(), "exe": "/usr/bin/python3.11", "python": True, "env": {}, "attach": 0, "inside": True,
    }  # fmt: skip
    return Process.of({**facts, **changes})


def thread(pid: int, *frames: Frame, name: str = "MainThread", id: int = 0) -> Thread:
    return Thread(pid, id or pid, name, False, False, frames)


def test_a_deadlock_as_recorded() -> None:
    threads = parse((RECORDED / "deadlock.dump.json").read_bytes())
    assert [(t.name, t.main, t.frames[0].name) for t in threads] == [
        ("two", False, "two"), ("one", False, "one"), ("MainThread", True, "Connection._recv"),
    ]  # fmt: skip
    stacks = fold(threads, Sources(PATHS))
    assert [stack.threads[0].name for stack in stacks] == ["MainThread", "two", "one"]
    where = [(f.host, f.line) for stack in stacks for f in stack.frames if f.name in ("one", "two")]
    assert where == [("/home/ann/proj/dl.py", 10), ("/home/ann/proj/dl.py", 6)]


@pytest.mark.parametrize("said", [b"", b"null", b"[1]", b'[{"pid": 1}]', b"Error: no", b'{"a": 1}'])
def test_what_is_no_dump_is_said(said: bytes) -> None:
    with pytest.raises(ProfileError):
        parse(said)


def test_equal_stacks_are_one() -> None:
    here, there = (
        Frame("all_reduce", "/x/site-packages/torch/dist.py", 5),
        Frame("step", "/workspaces/proj/train.py", 41),
    )
    found = [thread(pid, here, there) for pid in (31, 32, 33)] + [thread(30, there)]
    stacks = fold([*found, thread(31, here, name="Thread-1", id=99)], Sources(PATHS))
    assert [[t.pid for t in stack.threads] for stack in stacks] == [[31, 32, 33], [30], [31]]
    assert [frame.own for frame in stacks[0].frames] == [False, True]


@pytest.mark.parametrize(
    ("file", "host", "own", "name"),
    [
        ("/workspaces/proj/a.py", "/home/ann/proj/a.py", True, "/workspaces/proj/a.py"),
        ("a.py", "/home/ann/proj/sub/a.py", True, "/workspaces/proj/sub/a.py"),
        ("/workspaces/proj/.venv/lib/python3.11/site-packages/x/y.py", None, False, "x/y.py"),
        ("/usr/lib/python3.11/threading.py", "", False, "threading.py"),
        ("/workspaces/proj/../../etc/passwd", "", False, "/workspaces/proj/../../etc/passwd"),
        ("<frozen importlib>", "", False, "<frozen importlib>"),
    ],
)
def test_which_files_are_the_projects(file: str, host: str | None, own: bool, name: str) -> None:
    view = Sources(PATHS, "/workspaces/proj/sub").view(Frame("f", file, 1))
    assert (view.own, view.short) == (own, name)
    assert host is None or view.host == host


def test_code_without_symbols_is_the_same_everywhere() -> None:
    frame = '{{"name": "0x7f{0}", "filename": "/lib/libc.so.6", "line": 0}}'
    said = '[{{"pid": {0}, "os_thread_id": {0}, "frames": [' + frame + "]}}]"
    threads = [*parse(said.format(31).encode()), *parse(said.format(32).encode())]
    (stack,) = fold(threads, Sources(PATHS))
    assert (stack.frames[0].name, [t.name for t in stack.threads]) == ("(no symbol)", ["MainThread", "MainThread"])


def test_a_name_cannot_drive_the_terminal() -> None:
    assert clean("a\x1b]0;x\x07b\u202ec") == "a\ufffd]0;x\ufffdb\ufffdc"
    assert short("/opt/x.py") == "/opt/x.py"


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ("python3 -u train.py --epochs 3", "train.py"),
        ("python -X dev -m pkg.train", "pkg.train"),
        ("/opt/bin/python3.11 /w/sub/train.py", "train.py"),
        ("python3 -c pass", "python3 -c"),
        ("bash run.sh", "bash"),
        ("python3", "python3"),
    ],
)
def test_the_program_of_a_command_line(argv: str, expected: str) -> None:
    assert program(process(1, argv, python=argv.startswith(("python", "/opt")))) == expected


def test_what_a_process_is() -> None:
    loop = Frame("_worker_loop", "/x/site-packages/torch/utils/data/_utils/worker.py", 300)
    launcher = Frame("launch_agent", "/x/site-packages/torch/distributed/launcher/api.py", 264)
    ranked = {"env": {"RANK": "3"}}
    assert label(process(5, **ranked), [thread(5)]) == "rank 3"
    assert label(process(6, **ranked), [thread(6, loop)]) == "DataLoader worker of rank 3"
    assert label(process(4, **ranked), [thread(4, launcher)]) == "torchrun"
    assert label(process(4), []) == "train.py"


def test_processes_come_after_their_parents_with_their_problems() -> None:
    found = [process(9, ppid=7), process(7, ppid=1), process(8, ppid=7)]
    views = describe(found, {}, {8: ("may not", "do this")})
    assert [(view.pid, view.problem, view.hint) for view in views] == [
        (7, "", ""), (8, "may not", "do this"), (9, "", ""),
    ]  # fmt: skip


def test_numbers_and_labels_in_short() -> None:
    assert ranges([3, 1, 2, 7]) == "1-3, 7"
    assert labels(["rank 0", "rank 2", "rank 1", "train.py"]) == "rank 0-2, train.py"
    assert labels(["DataLoader worker of rank 1", "DataLoader worker of rank 0"]) == "DataLoader worker of rank 0-1"


def shown(everything: bool = False) -> str:
    library = [Frame(f"lib{n}", "/x/site-packages/torch/a.py", n) for n in range(1, 12)]
    starters = [
        Frame("BaseProcess._bootstrap", "/usr/lib/python3.11/multiprocessing/process.py", 314),
        Frame("Popen._launch", "/usr/lib/python3.11/multiprocessing/popen_fork.py", 71),
        Frame("main", "/workspaces/proj/train.py", 60),
    ]
    step = Frame("step", "/workspaces/proj/train.py", 41)
    threads = [thread(pid, *library, step, *starters) for pid in (31, 32)]
    found = [process(31, env={"RANK": "0"}), process(32, env={"RANK": "1"}, state="D")]
    view = {
        "name": "train", "run": "20261126-1", "time": 0.0,
        "processes": msgspec.to_builtins(describe(found, {t.pid: [t] for t in threads}, {})),
        "stacks": msgspec.to_builtins(fold(threads, Sources(PATHS))),
    }  # fmt: skip
    return text(view, everything)


def test_the_text_has_the_projects_frames_and_the_innermost_of_libraries() -> None:
    lines = shown().splitlines()
    assert lines[0].startswith("train (20261126-1): 2 processes, 2 Python threads, at ")
    assert "in a system call that cannot be interrupted" in lines[2]
    assert "2 x MainThread of child process of rank 0-1 (31-32), waiting" in lines
    assert [line.split()[0] for line in lines if "lib" in line] == [f"lib{n}" for n in range(1, 9)]
    assert "      … 3 frames of torch" in lines
    assert [line.split() for line in lines if "▸" in line] == [["▸", "step", "/home/ann/proj/train.py:41"]]


def test_everything_is_everything() -> None:
    assert sum(":" in line for line in shown(everything=True).splitlines()[5:]) == 15
