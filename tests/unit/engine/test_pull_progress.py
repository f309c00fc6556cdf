"""Layers add up to one bar that never goes back."""

from __future__ import annotations

from devenv.engine.pull_progress import PullProgress
from tests.unit.engine.recorder import Recorder


def message(layer: str, status: str, current: int = 0, total: int = 0) -> dict[str, object]:
    return {"id": layer, "status": status, "progressDetail": {"current": current, "total": total} if total else {}}


def test_a_pull_from_begin_to_end() -> None:
    progress = Recorder()
    pull = PullProgress("python:3.11", progress)
    for one in (
        {"status": "Pulling from library/python"},
        message("a", "Already exists"),
        message("b", "Pulling fs layer"),
        message("b", "Downloading", 50, 100),
        message("b", "Downloading", 100, 100),
        message("b", "Extracting", 10, 100),
        message("b", "Pull complete"),
    ):
        pull.feed(one)
    pull.end(ok=True)
    shares = [fraction or 0.0 for _, fraction, _ in progress.updates]
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert progress.updates[-1][2] == "2 of 2 layers"
    assert progress.steps == [("pull:python:3.11", "Pulling python:3.11")]
    assert progress.ended == [("pull:python:3.11", True, "")]
