"""Profiles as the tools write them: read, tabled, compared, kept, and made a page. `recorded/` is real output."""

from __future__ import annotations

import json
import pathlib
import re
from typing import Any

import msgspec
import pytest

from devenv.api.profiling import ProfileView
from devenv.cli.options import BadUsage
from devenv.cli.profiles import comparison, listed, table_of
from devenv.cli.verbs.profile import VERB, seconds, split
from devenv.errors import NotFound, ProfileError, UsageError
from devenv.profile import results
from devenv.profile.compare import both, changes, scaled
from devenv.profile.flame import page
from devenv.profile.frames import Frame, Sources
from devenv.profile.inside import record
from devenv.profile.samples import Samples, read_raw, read_speedscope, read_stacks, since_fork, tidy, write_speedscope
from devenv.profile.store import KEPT, Store, new_id
from devenv.profile.table import by_line, functions
from devenv.runs.workspace import WorkspacePaths

RECORDED = pathlib.Path(__file__).parent / "recorded"
SOURCES = Sources(WorkspacePaths("/home/ann/proj", "/workspaces/proj"))

MAIN = Frame("main", "/workspaces/proj/train.py", 10)
STEP = Frame("step", "/workspaces/proj/train.py", 20)
STEP_ON = Frame("step", "/workspaces/proj/train.py", 21)
LIB = Frame("matmul", "/usr/lib/python3/dist-packages/torch/x.py", 5)


def samples(weights: dict[tuple[Frame, ...], float], unit: str = "seconds") -> Samples:
    return Samples(unit, weights, len(weights))


def view(**changes: Any) -> ProfileView:
    facts: dict[str, Any] = {
        "id": "20260101-120000-abcd", "kind": "cpu", "name": "train.py", "run": "20260101-115900-0001",
        "started": 0.0, "seconds": 2.0, "unit": "seconds", "total": 4.0, "count": 400,
    }  # fmt: skip
    return ProfileView(**{**facts, **changes})


# reading


def test_a_recording_of_one_process() -> None:
    found = read_speedscope((RECORDED / "burn.speedscope.json").read_bytes())
    rows = functions(found)
    assert (found.unit, found.processes, found.count) == ("seconds", 1, 147)
    assert found.total == pytest.approx(1.47)
    assert {row.name for row in rows[:2]} == {"burn", "burn.<locals>.<genexpr>"}
    burn = next(row for row in rows if row.name == "burn")
    assert burn.total > 0.9 * found.total > burn.own


def test_a_recording_of_several_processes_has_a_root_for_each() -> None:
    found = read_speedscope((RECORDED / "processes.speedscope.json").read_bytes(), {9136: "rank 0"})
    roots = {stack[0].name for stack in found.weights}
    assert found.processes == 2
    assert "rank 0 (9136)" in roots
    assert not any(frame.name.startswith("process 9") for stack in found.weights for frame in stack)


def test_a_long_recording_is_counted_stacks() -> None:
    data = (RECORDED / "processes.raw.txt").read_bytes()
    found = read_raw(b"py-spy> Sampling process 100\n\n" + data + b"py-spy> Wrote 5\n", 100, {21298: "rank 0"})
    assert found.processes == 3
    assert found.total == pytest.approx(found.count / 100)
    stacks = {stack[0].name: stack for stack in found.weights if stack[-1].name == "backward.<locals>.<listcomp>"}
    assert {stack[0].name for stack in found.weights} == {
        "rank 0 (21298)", "resource tracker (21347)", "child process (21348)",
    }  # fmt: skip
    assert stacks["rank 0 (21298)"][1:3] == (
        Frame("<module>", "/workspaces/proj/multi.py", 14), Frame("work", "/workspaces/proj/multi.py", 7),
    )  # fmt: skip


def test_a_process_before_its_first_child_is_the_same_one() -> None:
    text = (
        'f (/a.py:1) 5\nprocess 7:"python3 a.py";f (/a.py:1) 1\nprocess 7:"python3 a.py";process 9:"x";f (/a.py:1) 2\n'
    )
    found = read_raw(text.encode(), 1)
    assert {stack[0].name: weight for stack, weight in found.weights.items()} == {"a.py (7)": 6.0, "x (9)": 2.0}


def test_counted_stacks_with_odd_names() -> None:
    text = "operator;(int) (/x;y/a b.py:3);f (lib.so);0x7f12 (/lib/c.so) 7\n\nnot a stack\n"
    (stack,) = read_raw(text.encode(), 10).weights.items()
    assert stack == (
        (Frame("operator;(int)", "/x;y/a b.py", 3), Frame("f", "lib.so", 0), Frame("(no symbol)", "/lib/c.so", 0)), 0.7,
    )  # fmt: skip


@pytest.mark.parametrize("said", [b"", b"{", b"[]", b'{"shared":{"frames":[]},"profiles":[{"name":"x"}]}', b"null"])
def test_what_is_no_profile_is_said(said: bytes) -> None:
    for read in (read_speedscope, read_stacks):
        with pytest.raises(ProfileError, match="cannot be read"):
            read(said)


def test_indices_outside_of_the_file_are_no_crash() -> None:
    value = {
        "shared": {"frames": []},
        "profiles": [{"type": "sampled", "name": "x", "unit": "seconds", "samples": [[7]], "weights": [1]}],
    }
    with pytest.raises(ProfileError):
        read_speedscope(json.dumps(value).encode())


def test_what_is_written_is_read_again() -> None:
    found = samples({(MAIN, STEP): 1.5, (MAIN,): 0.5})
    again = read_speedscope(write_speedscope(found, "x"))
    assert (again.weights, again.unit) == (found.weights, "seconds")


def test_importing_and_forking_are_left_out() -> None:
    importing = Frame("_find_and_load", "<frozen importlib._bootstrap>", 1)
    bootstrap = Frame("BaseProcess._bootstrap", "/usr/lib/python3.11/multiprocessing/process.py", 314)
    process = Frame('process 12:"python t.py"', "", 0)
    assert tidy([process, MAIN, importing, STEP]) == [MAIN, STEP]
    assert tidy([MAIN, importing]) == [MAIN, importing]
    assert since_fork([MAIN, bootstrap, STEP]) == [bootstrap, STEP]


def test_calls_as_viztracer_tells_them() -> None:
    stacks: record.Stacks = {}
    assert record.read_trace(json.loads((RECORDED / "calls.trace.json").read_text()), stacks) == 1
    by_name = {stack[-1][0]: entry for stack, entry in stacks.items()}
    assert by_name["load.<locals>.<listcomp>"][1] == 1
    assert by_name["load.<locals>.<listcomp>"][0] == pytest.approx(0.0265, abs=0.01)
    inner = next(stack for stack in stacks if stack[-1][0] == "cache.<locals>.<dictcomp>")
    assert [frame[0] for frame in inner[-3:]] == ["<module>", "cache", "cache.<locals>.<dictcomp>"]
    assert inner[-1][1:] == ("/workspaces/proj/mem.py", 5)


def test_operations_as_torch_tells_them() -> None:
    stacks: record.Stacks = {}
    record.read_trace(json.loads((RECORDED / "torch-step.trace.json").read_text()), stacks)
    addmm = next(stack for stack in stacks if stack[-1][0] == "aten::addmm")
    assert addmm[-1][1] == "<cpu_op>"
    assert any(name == "step" and line == 3 for name, _, line in addmm)
    assert sum(entry[0] for entry in stacks.values()) == pytest.approx(0.0064, abs=0.001)
    assert not any(" at 0x" in frame[0] for stack in stacks for frame in stack)


def test_kernels_have_a_root_of_their_own() -> None:
    stacks: record.Stacks = {}
    events = [
        {"ph": "X", "cat": "kernel", "name": "gemm", "pid": 0, "tid": 7, "ts": 1.0, "dur": 5.0},
        {"ph": "X", "cat": "cpu_op", "name": "aten::mm", "pid": 12, "tid": 12, "ts": 0.0, "dur": 2.0},
    ]
    assert record.read_trace({"traceEvents": events}, stacks) == 1
    assert {tuple(frame[0] for frame in stack) for stack in stacks} == {("GPU 0", "gemm"), ("aten::mm",)}


# tables and comparison


def test_recursion_counts_once() -> None:
    row = functions(samples({(MAIN, MAIN, STEP): 2.0, (MAIN,): 1.0}))[1]
    assert (row.name, row.own, row.total) == ("main", 1.0, 3.0)


def test_a_function_points_at_its_heaviest_line_and_lines_stand_alone() -> None:
    found = samples({(MAIN, STEP): 1.0, (MAIN, STEP_ON): 3.0})
    assert [(row.name, row.line, row.own) for row in functions(found)] == [("step", 21, 4.0), ("main", 10, 0.0)]
    assert [(row.line, row.own) for row in by_line(found)] == [(21, 3.0), (20, 1.0), (10, 0.0)]


def test_what_grew_and_what_shrank() -> None:
    before = samples({(MAIN, STEP): 1.0, (MAIN, LIB): 3.0})
    after = samples({(MAIN, STEP_ON): 4.0, (MAIN,): 0.5})
    found = changes(before, after)
    assert [(change.name, change.own) for change in found] == [
        ("step", (1.0, 4.0)), ("matmul", (3.0, 0.0)), ("main", (0.0, 0.5)),
    ]  # fmt: skip
    assert {stack[-1].name: pair for stack, pair in both(before, after).items()} == {
        "step": (1.0, 4.0), "matmul": (3.0, 0.0), "main": (0.0, 0.5),
    }  # fmt: skip


def test_processes_are_no_difference() -> None:
    first, second = Frame("train.py (12)", "", 0), Frame("train.py (99)", "", 0)
    found = both(samples({(first, MAIN): 1.0}), samples({(second, MAIN): 2.0}))
    assert list(found.values()) == [(1.0, 2.0)]


def test_samples_of_what_runs_are_compared_for_each_second() -> None:
    short, long = samples({(MAIN,): 2.0}), samples({(MAIN,): 20.0})
    unit, before, after = results.comparable(view(seconds=2.0), view(seconds=20.0), [short, long])
    assert (unit, before.total, after.total) == ("rate", 1.0, 1.0)
    whole = view(whole=True, seconds=2.0)
    assert results.comparable(whole, whole, [short, long]) == ("seconds", short, long)
    assert scaled(short, 0.0, whole=False) is short


def test_time_is_not_compared_with_memory() -> None:
    with pytest.raises(UsageError, match="bytes"):
        changes(samples({}), samples({}, "bytes"))


# the page


def test_a_page_cannot_be_broken_out_of() -> None:
    evil = Frame("</script><script>alert(1)</script>", "/workspaces/proj/<b>.py", 1)
    text = page("<t>", [("run", "</script>")], "seconds", {(evil,): (0.0, 1.0)}, SOURCES)
    assert text.count("<script") == 2
    assert "<title>&lt;t&gt;</title>" in text
    data = json.loads(re.findall(r'<script id="data" type="application/json">(.*?)</script>', text, re.S)[0])
    (child,) = data["root"]["c"]
    assert (child["n"], child["o"], child["f"]) == (evil.name, 1, "/home/ann/proj/<b>.py")


def test_a_page_of_very_many_stacks_stays_small() -> None:
    weights = {(MAIN, Frame(f"f{n}", "/x.py", n)): (0.0, 1.0 if n < 100 else 0.001) for n in range(60_000)}
    assert len(page("t", [], "seconds", weights, SOURCES)) < 5_000_000


# keeping


def test_profiles_are_kept_found_and_limited(tmp_path: pathlib.Path) -> None:
    store = Store(tmp_path / "profiles")
    with pytest.raises(NotFound, match="nothing was recorded"):
        store.find("last")
    found = samples({(MAIN, STEP): 1.0})
    for n in range(KEPT + 2):
        made = view(id=f"20260101-1200{n:02}-{n:04x}", run=f"20260101-110000-{n:04x}", name=f"train{n % 2}.py")
        kept = store.add(made, {"speedscope": write_speedscope(found, "x"), "page": b"<html>"})
    assert len(store.all()) == KEPT
    assert store.find("last") == store.find("0033") == store.find(kept.id) == kept
    assert store.find("train0.py").id.endswith("-0032")
    assert store.samples(kept).weights == found.weights
    assert store.folder.stat().st_mode & 0o077 == 0
    with pytest.raises(NotFound, match="nope"):
        store.find("nope")


def test_a_damaged_profile_harms_no_other(tmp_path: pathlib.Path) -> None:
    store = Store(tmp_path)
    kept = store.add(view(), {"speedscope": b"{"})
    (tmp_path / "20260101-130000-abce").mkdir()
    (tmp_path / "20260101-130000-abce" / "profile.json").write_text("{")
    (tmp_path / "notes").touch()
    assert store.all() == [kept]
    with pytest.raises(ProfileError):
        store.samples(kept)
    pathlib.Path(kept.speedscope).unlink()
    with pytest.raises(ProfileError, match="is gone"):
        store.samples(kept)


def test_a_disk_without_room_leaves_nothing(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: pathlib.Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pathlib.Path, "write_bytes", full)
    with pytest.raises(ProfileError, match="No space left"):
        Store(tmp_path).add(view(), {"page": b"x"})
    assert list(tmp_path.iterdir()) == []


def test_ids_are_ids() -> None:
    assert re.fullmatch(r"19700101-000000-[0-9a-f]{4}", new_id(0.0))


def test_a_line_of_source_comes_from_the_project_only(tmp_path: pathlib.Path) -> None:
    project, secret = tmp_path / "p", tmp_path / "secret.py"
    project.mkdir()
    secret.write_text("key = 1\n")
    (project / "a.py").write_text("first\n  second\n")
    (project / "link.py").symlink_to(secret)
    root = str(project)
    assert results.line_of(root, f"{root}/a.py", 2) == "second"
    for name, line in (("link.py", 1), ("a.py", 9), ("b", 1)):
        assert results.line_of(root, f"{root}/{name}", line) == ""


# the command line


@pytest.mark.parametrize(("text", "expected"), [("30s", 30.0), ("1.5m", 90.0), ("1h", 3600.0), ("7", 7.0), ("end", 0)])
def test_times(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "s", "0s", "5d", "-3s", "soon", "99999h", "nan", "inf"])
def test_what_is_no_time_is_said(text: str) -> None:
    with pytest.raises(BadUsage, match="--for"):
        seconds(text)


@pytest.mark.parametrize(
    ("words", "target", "args", "ours"),
    [
        ("train --for 30s --memory", "train", [], {"for": "30s", "memory": True}),
        ("--memory train.py --epochs 3 --cpu", "train.py", ["--epochs", "3", "--cpu"], {"memory": True}),
        ("train.py --trace -- --cpu x", "train.py", ["--cpu", "x"], {"trace": True}),
        ("t.py --for=9 --json --rate 50 x --line", "t.py", ["x", "--line"], {"for": "9", "json": True, "rate": 50}),
        ("-m pkg.train --gpu", "-m", ["pkg.train", "--gpu"], {"module": "pkg.train"}),
        ("", "", [], {}),
    ],
)  # fmt: skip
def test_our_options_may_follow_the_target(words: str, target: str, args: list[str], ours: dict[str, object]) -> None:
    found, own, values = split(VERB.parse(words.split()))
    assert (found, own) == (target, args)
    assert {name: value for name, value in values.items() if name != "args"} == ours


def test_the_text_of_a_profile() -> None:
    weights = {(MAIN, STEP): 1.0, (MAIN, LIB): 3.0}
    rows = {"lines": False, "top": 20, "root": "/home/ann/proj"}
    result = {
        "profile": msgspec.to_builtins(view(page="/s/flame.html", speedscope="/s/p.json", processes=2)),
        "rows": msgspec.to_builtins(results.rows(samples(weights), SOURCES, **rows)),
        "project": msgspec.to_builtins(results.project_rows(samples(weights), SOURCES, **rows)),
    }
    assert table_of(result).splitlines() == [
        "cpu profile of train.py (20260101-120000-abcd): 4.00 s of work, 400 samples in 2 processes, in 2.0 s",
        "SELF    TOTAL     FUNCTION  WHERE",
        " 75.0%   75.0%    matmul    torch/x.py:5",
        " 25.0%   25.0%  ▸ step      /home/ann/proj/train.py:20",
        "of the project, by all that it causes:",
        "SELF    TOTAL     FUNCTION  WHERE",
        "  0.0%  100.0%  ▸ main      /home/ann/proj/train.py:10",
        "flame graph  /s/flame.html",
        "speedscope   /s/p.json",
    ]


def test_the_text_of_a_list_and_of_a_comparison() -> None:
    assert "nothing was recorded" in listed([])
    assert listed([msgspec.to_builtins(view())]).splitlines()[1].startswith("20260101-120000-abcd  cpu   train.py")
    before, after = samples({(MAIN, STEP): 0.5}, "bytes"), samples({(MAIN, STEP): 4096.0}, "bytes")
    text = comparison(
        {
            "before": msgspec.to_builtins(view()),
            "after": msgspec.to_builtins(view()),
            "unit": "bytes",
            "total": (before.total, after.total),
            "rows": msgspec.to_builtins(results.changes(before, after, SOURCES, 5)),
            "page": "/s/c.html",
        }
    )
    assert "+4.0 KiB" in text.splitlines()[3]
    assert text.splitlines()[-1] == "graph of differences  /s/c.html"
