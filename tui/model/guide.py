"""What the screen says when there is nothing to show yet: one sentence of what is, one of what to do."""

from __future__ import annotations

from devenv.api.views import EnvStatus
from tui.model.spans import Line, Lines, Span, Tone, clean
from tui.model.state import Link, State


def _do(key: str, text: str) -> Line:
    return (Span(f"{key:>3} ", Tone.KEY), Span(text, Tone.PLAIN))


def guide(state: State) -> Lines:
    """The lines in the middle of an empty output pane."""
    if state.snapshot is None:
        if state.link is Link.LOST:
            return ((Span("The supervisor does not answer.", Tone.STRONG),), (Span(clean(state.link_hint), Tone.DIM),))
        if state.link is Link.ASKING:
            return ((Span("This folder has several configurations", Tone.STRONG),), (), _do("C", "choose one"))
        return ((Span("Connecting…", Tone.DIM),),)
    env = state.snapshot.environment
    lines: list[Line] = []
    match env.status:
        case EnvStatus.ABSENT:
            lines = [(Span("No container yet", Tone.STRONG),), ()]
            if env.config_file:
                lines += [(Span(clean(env.config_file), Tone.DIM),), (), _do("u", "bring it up")]
            else:
                lines += [
                    (Span("This folder has no devcontainer.json.", Tone.DIM),),
                    (),
                    _do("u", "write one from what the project shows, and bring it up"),
                ]
        case EnvStatus.STOPPED:
            lines = [(Span("The container is stopped", Tone.STRONG),), (), _do("s", "start it again")]
            lines += [_do("U", "rebuild it from the configuration")]
        case EnvStatus.BROKEN:
            lines = [(Span("The container does not start", Tone.STRONG),), (), _do("5", "read the build log")]
            lines += [_do("U", "rebuild it")]
        case EnvStatus.RUNNING:
            lines = [(Span("Ready", Tone.STRONG),), (), _do("⏎", "run what is chosen at the left")]
            lines += [_do("d", "run it under the debugger"), _do("t", "run the tests"), _do("?", "all keys")]
        case _:
            lines = [(Span(env.status.sentence, Tone.DIM),)]
    return tuple(lines)
