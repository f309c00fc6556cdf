"""All about the environment: its facts, notes, and where its container differs from the configuration."""

from __future__ import annotations

from devenv.api.views import EnvironmentView
from tui.model.spans import Line, Lines, Span, Tone, clean, wrap


def detail_lines(env: EnvironmentView, cells: int) -> Lines:
    """Notes and drift first, because they ask for something; then facts."""
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
    facts = [
        ("state", env.status.sentence),
        ("folder", env.local_folder),
        ("configuration", env.config_file or "none; `devenv init` writes one"),
        ("image", env.image),
        ("container", f"{env.container} {env.container_id[:12]}".strip()),
        ("workspace", env.workspace_folder),
        ("user", env.remote_user),
        ("python", f"{env.python_version}  {env.python}".strip()),
        ("engine", env.engine),
        ("link", f"{env.tier}: {env.tier_reason}" if env.tier_reason else env.tier),
        ("made by", "another tool; adopted" if env.adopted else ""),
        ("owner", env.owner),
    ]
    for label, value in facts:
        if value:
            first, *rest = wrap(value, cells - 15)
            lines.append((Span(f"{label:<14} ", Tone.FAINT), Span(first)))
            lines += [(Span(" " * 15 + part),) for part in rest]
    return tuple(lines)
