"""Which ranks are meant, which programs have some, and what the processes say of themselves."""

from __future__ import annotations

import json

import pytest

from devenv.debug.entry import members
from devenv.debug.entry import plan as entry
from devenv.debug.entry.members import Member
from devenv.debug.sessions import Session
from devenv.errors import UsageError
from devenv.runs.history import rerun
from devenv.runs.spec import Program, ProgramKind
from devenv.supervisor.verbs.debug import told


def command(*words: str) -> Program:
    return Program(ProgramKind.COMMAND, words[0], words[1:])


@pytest.mark.parametrize(
    ("text", "found"),
    [("all", None), ("0", (0,)), ("3,0", (0, 3)), ("0-2, 7", (0, 1, 2, 7)), ("1,1", (1,)), ("5-5", (5,))],
)
def test_ranks_as_a_person_writes_them(text: str, found: tuple[int, ...] | None) -> None:
    assert entry.parse_ranks(text) == found


@pytest.mark.parametrize("text", ["", "x", "1,", "-1", "3-1", "1.5", "0-256", "9999999", "0 1"])
def test_what_is_no_rank_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="--rank"):
        entry.parse_ranks(text)


@pytest.mark.parametrize(
    ("program", "launches"),
    [
        (command("torchrun", "--nproc-per-node", "2", "train.py"), True),
        (command("/opt/venv/bin/torchrun", "train.py"), True),
        (command("python", "-m", "torch.distributed.run", "train.py"), True),
        (Program(ProgramKind.MODULE, "torch.distributed.launch", ("train.py",), "python3"), True),
        (command("accelerate", "launch", "train.py"), True),
        (Program(ProgramKind.MODULE, "accelerate.commands.launch", ("train.py",), "python3"), True),
        (command("/bin/sh", "-c", "cd src && exec torchrun --standalone train.py"), True),
        (command("deepspeed", "train.py"), True),
        (command("accelerate", "config"), False),
        (command("python", "train.py", "--launcher", "x", "torchrun"), False),
        (Program(ProgramKind.SCRIPT, "train.py", ("torchrun",), "python3"), False),
        (command("/bin/sh", "-c", "make torchrun.log"), False),
    ],
)
def test_launchers_of_the_field_are_known(program: Program, launches: bool) -> None:
    assert entry.launches_ranks(program) is launches


def test_what_is_wanted_follows_from_the_program_unless_somebody_says_it() -> None:
    launcher, script = command("torchrun", "train.py"), Program(ProgramKind.SCRIPT, "train.py", (), "python3")
    assert entry.wanted(launcher, "", False) == entry.Wanted(entry.RANKS, None)
    assert entry.wanted(launcher, "none", False) is None
    assert entry.wanted(script, "", False) is None
    assert entry.wanted(script, "0,3", False) == entry.Wanted(entry.RANKS, (0, 3))
    assert entry.wanted(launcher, "", True) == entry.Wanted(entry.POST_MORTEM, None)
    assert entry.wanted(launcher, "1", True) == entry.Wanted(entry.POST_MORTEM, (1,))


@pytest.mark.parametrize("wanted", [None, entry.Wanted(entry.RANKS), entry.Wanted(entry.RANKS, (0, 3))])
@pytest.mark.parametrize("program", [command("torchrun", "train.py"), command("bash", "launch.sh")])
def test_a_run_that_is_started_again_is_debugged_as_before(program: Program, wanted: entry.Wanted | None) -> None:
    meta = {"target": "train", "debug": {"wait": True}}
    if wanted is not None:
        ranks = None if wanted.ranks is None else list(wanted.ranks)
        meta["debug"] = {"wait": True, "entry": {"mode": wanted.mode, "ranks": ranks}}
    again = rerun({"id": "r1", "kind": "debug", "meta": meta})
    text = entry.ranks_text(again.mode, again.ranks)
    assert entry.wanted(program, text, again.mode == entry.POST_MORTEM) == wanted


def line(**said: object) -> bytes:
    return json.dumps({"rank": 0, "pid": 7, "count": 2, "debugged": True, "why": "", **said}).encode() + b"\n"


def test_the_newest_process_of_each_rank_counts() -> None:
    data = line(rank=1, pid=8) + line(pid=7) + line(pid=9)
    assert members.parse(data) == [Member(0, 9, True, 2), Member(1, 8, True, 2)]


@pytest.mark.parametrize(
    "bad",
    [
        b"no json\n",
        b"[]\n",
        line(pid="7"),
        line(pid=-1),
        line(rank=True),
        line(rank=1.5),
        line(count=None),
        line(pid=1 << 40),
        line()[:-20],
    ],
)
def test_lines_that_are_none_of_ours_are_passed_over(bad: bytes) -> None:
    assert members.parse(bad + b"\n" + line(rank=3)) == [Member(3, 7, True, 2)]


def test_all_are_there_when_this_machine_has_no_more_or_those_that_were_asked_for() -> None:
    first, second = Member(0, 1, True, 2), Member(1, 2, True, 2)
    assert not members.complete([], None)
    assert not members.complete([first], None)
    assert members.complete([first, second], None)
    assert members.complete([first, second], (7,))  # it will not come here
    assert members.complete([first], (0,))
    assert not members.complete([Member(0, 1, True)], None)  # nobody said how many


def test_what_is_said_of_ranks() -> None:
    def session(port: int | None) -> Session:
        return Session("r/rank 0", "train rank 0", "e", True, 0.0, {}, host_port=port)

    zero, one = Member(0, 5, True, 2), Member(1, 6, False, 2)
    assert told([zero, one], {5: session(4000)}, None) == ["rank 0: debugger at port 4000; it waits"]
    assert told([zero, one], {5: session(None)}, [0, 3]) == [
        "rank 0: debugger at no port of its own (the host's own network); it waits",
        "no process came with rank 3",
    ]
    (text,) = told([], {}, None)
    assert "nothing was debugged" in text
