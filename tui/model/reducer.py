"""State + event -> state. The one place where the screen's state changes."""

from __future__ import annotations

from dataclasses import replace

from devenv.api.views import OperationView, ProgressView
from tui.model.openings import openings
from tui.model.state import (
    SIDE,
    Arrived,
    Asked,
    Began,
    Chosen,
    Dismissed,
    Event,
    Finished,
    Focused,
    Folded,
    Link,
    Lost,
    Operation,
    Pane,
    Pointed,
    Progressed,
    Resized,
    State,
    Step,
    Switched,
    Ticked,
    Turned,
    Typing,
)

HISTORY = 60  # values of CPU and memory kept
LOG_LINES = 500
TITLES = {"up": "Bringing up", "rebuild": "Rebuilding", "start": "Starting", "hooks": "Lifecycle commands"}
BEHIND = "hooks"


def reduce(state: State, event: Event) -> State:
    """The state after the event. Pure."""
    match event:
        case Arrived():
            return _arrived(state, event)
        case Lost(message, hint):
            return replace(state, link=Link.LOST, link_message=message, link_hint=hint, input_mode=False)
        case Asked():
            return replace(state, link=Link.ASKING, link_message="", link_hint="", input_mode=False)
        case Switched():
            kept = {"now": state.now, "columns": state.columns, "lines": state.lines, "tab": state.tab}
            return State(**kept, side=state.side, focus=state.focus)  # type: ignore[arg-type]
        case Ticked(now):
            return _sampled(replace(state, now=now))
        case Resized(columns, lines):
            return replace(state, columns=columns, lines=lines)
        case Chosen(run, started):
            return replace(state, selected=run, awaited=run if started else None, input_mode=False)
        case Turned(pane):
            return replace(
                state,
                tab=pane,
                side=pane if pane in SIDE else state.side,
                input_mode=state.input_mode and pane is Pane.OUTPUT,
            )
        case Focused(pane):
            return replace(state, focus=pane, input_mode=state.input_mode and pane is Pane.OUTPUT)
        case Pointed("config", key):
            return replace(state, config=key.removeprefix("config:"))
        case Pointed("test", key):
            return replace(state, test=key)
        case Pointed(_, key):
            return replace(state, port=key)
        case Folded(file):
            return replace(state, opened=state.opened ^ {file})
        case Typing(on):
            shown = state.run(state.selected)
            return replace(state, input_mode=on and shown is not None and shown.state.live)
        case Began(title, now):
            return replace(state, operation=Operation(title, now))
        case Progressed(item, now):
            return replace(state, operation=_progressed(state.operation, item, now))
        case Finished():
            return replace(state, operation=_finished(state.operation, event))
        case Dismissed():
            return replace(state, operation=state.operation if state.busy else None)


def _arrived(state: State, event: Arrived) -> State:
    snapshot = event.snapshot
    state = replace(state, link=Link.LIVE, link_message="", link_hint="", snapshot=snapshot, now=event.now)
    state = replace(state, operation=_foreign(state.operation, snapshot.operation, event.now))
    state = replace(state, openings=(state.openings or frozenset()) | openings(snapshot))
    known = {run.id for run in snapshot.runs}
    if state.awaited in known:
        state = replace(state, awaited=None)
    if state.selected not in known and state.awaited is None:
        live = next((run for run in state.runs if run.state.live), None)
        chosen = live or next(iter(state.runs), None)
        state = replace(state, selected=chosen.id if chosen else None)
    run = state.run(state.selected)
    if state.input_mode and (run is None or not run.state.live):
        state = replace(state, input_mode=False)
    return state


def _foreign(operation: Operation | None, view: OperationView | None, now: float) -> Operation | None:
    """Work that another client asked for. Work of this front end reports by itself."""
    ours = operation is not None and not operation.foreign
    if operation is not None and operation.running and ours:
        return operation
    if view is None or not view.running:
        if operation is not None and operation.running:
            error, hint = (view.error, view.hint) if view is not None else ("", "")
            return _finished(operation, Finished(now, error, hint))
        return operation
    if operation is None or ours or operation.started != view.started:
        behind = view.verb == BEHIND
        if ours and operation is not None and not behind and view.started < (operation.ended or now):
            return operation  # the last word on our own work, from before its end
        operation = Operation(TITLES.get(view.verb, view.verb), view.started, foreign=True, behind=behind)
    for step in view.steps:
        if all(known.key != step.key or known.ended is None for known in operation.steps):
            operation = _progressed(operation, step, now) or operation
    return replace(operation, log=tuple(view.log))


def _sampled(state: State) -> State:
    if not state.up or state.snapshot is None:
        return replace(state, cpu=(), memory=())
    usage = state.snapshot.environment.usage
    return replace(
        state,
        cpu=(*state.cpu, usage.cpu_percent)[-HISTORY:],
        memory=(*state.memory, float(usage.memory))[-HISTORY:],
    )


def _progressed(operation: Operation | None, item: ProgressView | str, now: float) -> Operation | None:
    if operation is None:
        return None
    if isinstance(item, str):
        return replace(operation, log=(*operation.log, *item.splitlines())[-LOG_LINES:])
    steps = {step.key: step for step in operation.steps}
    old = steps.get(item.key)
    steps[item.key] = Step(
        key=item.key,
        title=item.title or (old.title if old else item.key),
        detail=item.detail,
        fraction=item.fraction,
        started=old.started if old else now,
        ended=now if item.done else None,
        ok=item.ok,
    )
    return replace(operation, steps=tuple(steps.values()))


def _finished(operation: Operation | None, event: Finished) -> Operation | None:
    if operation is None:
        return None
    failed = bool(event.error)
    steps = tuple(
        replace(step, ended=event.now, ok=step.ok and not failed) if step.ended is None else step
        for step in operation.steps
    )
    return replace(operation, steps=steps, ended=event.now, error=event.error, hint=event.hint)
