from __future__ import annotations

import pytest

from devenv.runs.own_writes import OWN_AFTER, PATIENT_AFTER, OwnWrites
from devenv.runs.snapshot import Change, ChangeKind

ADDED, MODIFIED, DELETED = ChangeKind.ADDED, ChangeKind.MODIFIED, ChangeKind.DELETED


@pytest.mark.parametrize(
    ("path", "kind", "edit", "why"),
    [
        ("net.py", MODIFIED, True, "a source file that was there"),
        ("net.py", DELETED, True, ""),
        ("pyproject.toml", MODIFIED, True, ""),
        ("tests/test_new.py", ADDED, True, "a new test"),
        ("generated.py", ADDED, False, "a new file that is no test"),
        ("out.json", ADDED, False, ""),
        ("golden.json", MODIFIED, False, "data"),
        ("params.yaml", DELETED, False, "data"),
    ],
)
def test_during_a_run(path: str, kind: ChangeKind, edit: bool, why: str) -> None:
    own = OwnWrites()
    own.began(["other.py"])
    assert (own.edits([Change(path, kind)]) != []) == edit, why
    own.ended(whole=True)
    assert own.edits([Change(path, kind)]) != [], "between runs everything is an edit"


def test_what_a_run_made_stays_its_own_until_it_changes_between_runs() -> None:
    own = OwnWrites()
    own.began([])
    assert own.edits([Change("generated.py", ADDED)]) == []
    own.ended(whole=True)
    own.began(["a.py"])
    assert own.edits([Change("generated.py", MODIFIED)]) == []
    own.ended(whole=True)
    assert own.edits([Change("generated.py", MODIFIED)]) != []
    own.began(["generated.py"])
    assert own.edits([Change("generated.py", MODIFIED)]) != []


def test_a_person_who_saves_again_and_again_is_never_passed_over() -> None:
    own = OwnWrites()
    for turn in range(20):
        own.began(["net.py"])
        assert own.edits([Change("net.py", MODIFIED)]) != []
        assert own.patient == (turn >= PATIENT_AFTER)
        own.ended(whole=False)


def test_a_test_that_rewrites_a_source_file_ends_the_loop() -> None:
    own = OwnWrites()
    runs = 0
    cause = ["net.py"]
    while cause:
        runs += 1
        assert runs < 20, "it would go on for ever"
        own.began(cause)
        cause = [change.path for change in own.edits([Change("net.py", MODIFIED)])]
        own.ended(whole=not cause or own.patient or runs > PATIENT_AFTER)
    assert runs <= PATIENT_AFTER + OWN_AFTER + 1
    assert own.produced == {"net.py"}


def test_an_edit_of_something_else_begins_the_count_anew() -> None:
    own = OwnWrites()
    for _ in range(10):
        for cause in ("a.py", "b.py"):
            own.began([cause])
            assert own.edits([Change(cause, MODIFIED)]) != []
            assert not own.patient
            own.ended(whole=True)
    assert own.produced == frozenset()
