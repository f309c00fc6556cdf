"""Notes about the environment, and where its container differs from the configuration, with both values."""

from __future__ import annotations

from devenv.api.views import EnvironmentView

from tui.model.spans import Line, Lines, Span, Tone, clean, wrap


def note_lines(env: EnvironmentView, cells: int) -> Lines:
    lines: list[Line] = []
    for note in env.notes:
        first, *rest = wrap(note, cells - 2)
        lines += [(Span("! ", Tone.WARN), Span(first)), *((Span(f"  {part}"),) for part in rest), ()]
    for drift in env.drift:
        how = "applied at the next up" if drift.live else "needs a rebuild (U)"
        lines.append((Span("≠ ", Tone.WARN), Span(clean(drift.property), Tone.STRONG), Span(f"  {how}", Tone.DIM)))
        for label, value in (("wanted", drift.wanted), ("is", drift.actual)):
            first, *rest = wrap(value, cells - 10)
            lines += [(Span(f"  {label:<8}", Tone.FAINT), Span(first)), *((Span(" " * 10 + part),) for part in rest)]
        lines.append(())
    if env.tier_reason:
        lines += [(Span(part, Tone.DIM),) for part in wrap(f"{env.tier} link: {env.tier_reason}", cells)]
    return tuple(lines)
