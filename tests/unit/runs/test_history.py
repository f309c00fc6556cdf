from __future__ import annotations

from typing import Any

import pytest

from devenv.api.views import RunState
from devenv.errors import NotFound
from devenv.runs.history import find, newest_first, rerun, to_view


def record(run: str, started: float, name: str = "train", state: str = "exited", **more: Any) -> dict[str, Any]:
    return {"v": 1, "id": run, "name": name, "kind": "run", "started": started, "state": state, **more}


A = record("20260101-080000-aaaa", 1.0)
B = record("20260101-090000-bbbb", 2.0, state="running")
C = record("20260102-090000-cccc", 3.0)
D = record("20260102-100000-dddd", 4.0, "eval", kind="debug")
ALL = [C, A, D, B]


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("last", D),
        ("20260101-080000-aaaa", A),
        ("20260101-08", A),
        ("cccc", C),
        ("train", B),  # the live one goes before the newer, ended one
        ("eval", D),
    ],
)
def test_finding(reference: str, found: dict[str, Any]) -> None:
    assert find(ALL, reference) is found


def test_limits() -> None:
    assert find(ALL, "last", live=True) is B
    assert find(ALL, "last", kinds=("debug",)) is D
    assert [item["id"] for item in newest_first(ALL)] == [item["id"] for item in (D, C, B, A)]


@pytest.mark.parametrize(
    ("reference", "records", "words"),
    [
        ("2026010", ALL, "say which"),
        ("trian", ALL, "did you mean train"),
        ("xyz", ALL, "devenv runs"),
        ("last", [], "devenv run SCRIPT"),
    ],
)
def test_not_finding(reference: str, records: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(NotFound) as error:
        find(records, reference)
    assert words in error.value.hint


def test_a_view_of_a_whole_record() -> None:
    view = to_view(
        record("r", 5.5, state="oom", argv=["python", "x"], cwd="/w", tty=True, gap=[3, 9], size=20, attached=2, new=1)
    )
    assert (view.state, view.argv, view.gap, view.size, view.tty) == (RunState.OOM, ["python", "x"], (3, 9), 20, True)


def test_a_view_of_another_versions_record() -> None:
    assert to_view({"id": "r"}).state is RunState.LOST
    assert to_view({"id": "r", "state": "hibernating", "argv": None, "gap": None}).state is RunState.LOST


def test_running_again() -> None:
    meta = {"target": "train", "args": ["-x", "1"], "client_cwd": "/home/ada", "debug": {"wait": True}}
    again = rerun(record("r", 1.0, kind="debug", tty=True, meta=meta))
    assert (again.target, again.args, again.client_cwd, again.tty, again.wait, again.kind) == (
        "train",
        ("-x", "1"),
        "/home/ada",
        True,
        True,
        "debug",
    )
    with pytest.raises(NotFound):
        rerun(record("r", 1.0))
