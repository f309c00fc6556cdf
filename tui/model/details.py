"""All about the environment: its facts, notes, and where its container differs from the configuration."""

from __future__ import annotations

import os

from devenv.api.sentences import pending
from devenv.api.views import EnvironmentView
from tui.model.spans import Line, Lines, Span, Tone, clean, wrap

_CLOSING = {
    "none": "it goes on (shutdownAction is none)",
    "stopContainer": "it is stopped, unless something runs in it (shutdownAction is stopContainer)",
    "stopCompose": "its services are stopped, unless something runs in it (shutdownAction is stopCompose)",
}


def detail_lines(env: EnvironmentView, cells: int) -> Lines:
    """Notes and drift first, because they ask for something; then facts."""
    lines: list[Line] = []
    for note in env.notes:
        first, *rest = wrap(note, cells - 2)
        lines += [(Span("! ", Tone.WARN), Span(first)), *((Span(f"  {part}"),) for part in rest), ()]
    if env.pending:
        first, *rest = wrap(pending(env.pending), cells - 2)
        lines += [(Span("◑ ", Tone.WARN), Span(first)), *((Span(f"  {part}"),) for part in rest), ()]
    for drift in sorted(env.drift, key=lambda drift: drift.live):
        how = "in force for new processes" if drift.live else "needs a rebuild (U)"
        mark = Span("≈ ", Tone.DIM) if drift.live else Span("≠ ", Tone.WARN)
        lines.append((mark, Span(clean(drift.property), Tone.STRONG), Span(f"  {how}", Tone.DIM)))
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
        ("host", env.host),
        ("engine", env.engine),
        ("link", f"{env.tier}: {env.tier_reason}" if env.tier_reason else env.tier),
        ("made by", "another tool; adopted" if env.adopted else ""),
        ("owner", env.owner),
        ("also here", ", ".join(os.path.relpath(file, env.local_folder) for file in env.others)),
        ("at closing", _CLOSING.get(env.shutdown_action, "")),
    ]
    for label, value in facts:
        if value:
            first, *rest = wrap(value, cells - 15)
            lines.append((Span(f"{label:<14} ", Tone.FAINT), Span(first)))
            lines += [(Span(" " * 15 + part),) for part in rest]
    return tuple(lines)
