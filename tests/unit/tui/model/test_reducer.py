"""State + event -> state."""

from __future__ import annotations

from functools import reduce as fold

import msgspec

from devenv.api import fake_scenes
from devenv.api.views import EnvStatus, ProgressView, RunState, Snapshot
from tui.model.reducer import reduce
from tui.model.state import (
    Arrived,
    Began,
    Chosen,
    Dismissed,
    Event,
    Finished,
    Focused,
    Folded,
    Link,
    Lost,
    Pane,
    Pointed,
    Progressed,
    Resized,
    State,
    Ticked,
    Turned,
    Typing,
)

NOW = fake_scenes.NOW


def after(*events: Event, state: State | None = None) -> State:
    return fold(reduce, events, state or State())


def busy() -> Snapshot:
    return fake_scenes.busy().snapshot


def test_the_newest_live_run_is_shown_first() -> None:
    assert after(Arrived(busy(), NOW)).selected == "r8"
    ended = [msgspec.structs.replace(run, state=RunState.EXITED) for run in busy().runs]
    assert after(Arrived(msgspec.structs.replace(busy(), runs=ended), NOW)).selected == "r8"
    assert after(Arrived(fake_scenes.ready().snapshot, NOW)).selected is None


def test_services_are_no_runs_but_count_as_alive() -> None:
    state = after(Arrived(busy(), NOW))
    assert {run.kind for run in state.runs} == {"run", "debug", "test"}
    assert {run.name for run in state.live_runs} == {"train", "evaluate", "jupyter", "tensorboard"}


def test_a_chosen_run_stays_chosen_while_it_exists() -> None:
    state = after(Arrived(busy(), NOW), Chosen("r2"), Arrived(busy(), NOW + 1))
    assert state.selected == "r2"
    without = msgspec.structs.replace(busy(), runs=[run for run in busy().runs if run.id != "r2"])
    assert after(Arrived(without, NOW), state=state).selected == "r8"


def test_a_run_that_was_just_started_is_awaited() -> None:
    state = after(Arrived(busy(), NOW), Chosen("new", started=True), Arrived(busy(), NOW))
    assert state.selected == "new"


def test_loss_and_return() -> None:
    state = after(Arrived(busy(), NOW), Lost("gone", "wait"))
    assert (state.link, state.link_message) == (Link.LOST, "gone") and state.snapshot is not None
    assert after(Arrived(busy(), NOW), state=state).link is Link.LIVE


def test_typing_needs_a_live_run_and_the_output() -> None:
    state = after(Arrived(busy(), NOW), Typing(True))
    assert state.input_mode
    assert not after(Typing(True)).input_mode
    assert not after(Chosen("r4"), Typing(True), state=state).input_mode
    for event in (Turned(Pane.TESTS), Focused(Pane.RUNS), Chosen("r7"), Lost("", ""), Typing(False)):
        assert not after(event, state=state).input_mode


def test_panes() -> None:
    state = after(Resized(80, 24), Turned(Pane.PORTS))
    assert not state.wide and state.shows(Pane.PORTS) and not state.shows(Pane.RUNS)
    state = after(Resized(200, 50), state=state)
    assert state.wide and state.shows(Pane.PORTS) and state.shows(Pane.RUNS) and not state.shows(Pane.TESTS)
    assert after(Turned(Pane.OUTPUT), state=state).side is Pane.PORTS


def test_cursors_and_folding() -> None:
    state = after(Pointed("config", "config:train"), Pointed("test", "file:a.py"), Pointed("port", "port:80"))
    assert (state.config, state.test, state.port) == ("train", "file:a.py", "port:80")
    assert after(Folded("a"), Folded("b"), Folded("a")).opened == {"b"}


def test_an_operation_collects_steps_and_lines() -> None:
    state = after(
        Began("Bringing up", 10),
        Progressed(ProgressView(key="a", title="First"), 11),
        Progressed("line\nline 2", 11.5),
        Progressed(ProgressView(key="a", fraction=0.5), 12),
        Progressed(ProgressView(key="b", title="Second"), 13),
        Progressed(ProgressView(key="a", done=True), 14),
    )
    operation = state.operation
    assert operation is not None and state.busy and operation.log == ("line", "line 2")
    assert [(s.title, s.started, s.ended) for s in operation.steps] == [("First", 11, 14), ("Second", 13, None)]
    state = after(Finished(15, "it broke", "mend it"), state=state)
    assert state.operation is not None and not state.busy
    assert [(step.ended, step.ok) for step in state.operation.steps] == [(14, True), (15, False)]
    assert after(Dismissed(), state=state).operation is None


def test_progress_without_an_operation_is_ignored() -> None:
    assert after(Progressed("late", 1), Finished(2)).operation is None


def test_usage_is_sampled_while_it_runs() -> None:
    state = after(Arrived(busy(), NOW), *[Ticked(NOW + n) for n in range(100)])
    assert len(state.cpu) == 60 and state.cpu[-1] == 612.0
    gone = msgspec.structs.replace(busy().environment, status=EnvStatus.STOPPED)
    state = after(Arrived(msgspec.structs.replace(busy(), environment=gone), NOW), Ticked(NOW), state=state)
    assert state.cpu == ()
