"""The rows of run configurations and of the history of runs, and the title of the output."""

from __future__ import annotations

import time

from devenv.api.views import EnvStatus, RunConfigView, RunView
from tui.model.formatting import run_outcome, run_reason, run_seconds, run_symbol, size
from tui.model.spans import Line, Row, Span, Tone, clean
from tui.model.state import State

KINDS = {"debug": Span(" ⚑", Tone.ACCENT), "service": Span(" ◆", Tone.DIM)}


def config_rows(state: State) -> tuple[Row, ...]:
    """One row per run configuration. Keys are `config:<name>`."""
    if state.snapshot is None:
        return ()
    rows = [_config(state, config) for config in state.snapshot.configs]
    if rows:
        return tuple(rows)
    if not state.up:
        return (Row("", (Span("Runs appear once it is up.", Tone.DIM),)),)
    return (
        Row("", (Span("Nothing to run was found.", Tone.DIM),)),
        Row("", (Span("Press ", Tone.DIM), Span("o", Tone.KEY), Span(" to run any script, or", Tone.DIM))),
        Row("", (Span("name runs in devenv.yaml.", Tone.DIM),)),
    )


def _config(state: State, config: RunConfigView) -> Row:
    run = state.run(config.run)
    mark = Span("▸", Tone.FAINT)
    right: Line = ()
    if run is not None and run.state.live:
        mark, right = run_symbol(run), (Span(run_seconds(run, state.now), Tone.INFO),)
    name = Span(clean(config.name), Tone.PLAIN if config.found else Tone.STRONG)
    return Row(f"config:{config.name}", (mark, Span(" "), name, Span(f"  {clean(config.command)}", Tone.DIM)), right)


def history_rows(state: State) -> tuple[Row, ...]:
    """One row per run, newest first. Keys are `run:<id>`."""
    rows = [_run(state, run) for run in state.runs]
    if rows or state.snapshot is None:
        return tuple(rows)
    if state.up:
        return (Row("", (Span("No runs yet. ", Tone.DIM), Span("⏎", Tone.KEY), Span(" starts one.", Tone.DIM))),)
    key, text = ("s", " starts the container.") if state.status is EnvStatus.STOPPED else ("u", " brings it up.")
    return (Row("", (Span("No runs yet. ", Tone.DIM), Span(key, Tone.KEY), Span(text, Tone.DIM))),)


def _run(state: State, run: RunView) -> Row:
    shown = Tone.STRONG if run.id == state.selected else Tone.PLAIN
    left: Line = (run_symbol(run), Span(" "), Span(clean(run.name), shown))
    if run.kind in KINDS:
        left += (KINDS[run.kind],)
    outcome = run_outcome(run)
    if not run.state.live and outcome.text != "done":
        left += (Span(f"  {outcome.text}", outcome.tone),)
    when = time.strftime("%H:%M", time.localtime(run.started))
    tone = Tone.INFO if run.state.live else Tone.DIM
    return Row(f"run:{run.id}", left, (Span(run_seconds(run, state.now), tone), Span(f"  {when}", Tone.FAINT)))


def output_title(state: State, *, following: bool, place: float, wrapping: bool) -> tuple[Line, Line]:
    """What stands over the output: the run at the left, the way of looking at the right."""
    run = state.run(state.selected)
    if run is None:
        return (Span("Output", Tone.STRONG),), ()
    outcome = run_outcome(run)
    left: list[Span] = [run_symbol(run), Span(" "), Span(clean(run.name), Tone.STRONG)]
    left += [KINDS[run.kind]] if run.kind in KINDS else []
    left += [Span(f"  {outcome.text}", outcome.tone), Span(f"  {run_seconds(run, state.now)}", Tone.DIM)]
    if reason := run_reason(run):
        left.append(Span(f"  {clean(reason)}", Tone.WARN))
    if run.dropped:
        left.append(Span(f"  {size(run.dropped)} dropped", Tone.WARN))
    debug = state.snapshot.debug if state.snapshot else None
    if debug is not None and debug.run == run.id and run.state.live:
        word = "attached" if debug.attached else "waits for a debugger" if debug.waiting else "debugger"
        left.append(Span(f"  ⚑ {word} at {debug.host}:{debug.port}", Tone.ACCENT))
    right: list[Span] = []
    if state.input_mode:
        right.append(Span("TYPING  Ctrl-] leaves", Tone.ACCENT))
    elif following or (place >= 1 and not run.state.live):
        right.append(Span("follows" if run.state.live else "end", Tone.DIM))
    else:
        right.append(Span(f"{place:.0%}  G to the end", Tone.WARN))
    if not wrapping:
        right.append(Span("  clipped", Tone.DIM))
    return tuple(left), tuple(right)


def command_line(run: RunView) -> str:
    return clean(" ".join(run.argv))
