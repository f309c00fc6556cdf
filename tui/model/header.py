"""The header: what environment this is, how it is, what it uses."""

from __future__ import annotations

from devenv.api.views import EnvironmentView, EnvStatus, SyncView
from tui.model.configurations import short_name
from tui.model.files import badge
from tui.model.formatting import STATUS, bar, load_tone, size, spark, ticking
from tui.model.spans import Line, Lines, Span, Tone, clean, clip_line, spread, width
from tui.model.state import Link, State

BADGES_FROM = 40  # cells: less is for the name
SEPARATOR = Span("  ·  ", Tone.FAINT)


def header(state: State, cells: int) -> Lines:
    """Two lines (one fact each at least) for a header of `cells` cells."""
    if state.snapshot is None:
        name = (Span("◌ ", Tone.DIM), Span("devenv", Tone.STRONG))
        if state.link is Link.ASKING:
            key = (Span("  C", Tone.KEY), Span(" chooses one", Tone.DIM))
            return ((*name, Span("  several configurations", Tone.WARN), *key), ())
        text = "connecting to the supervisor…" if state.link is Link.CONNECTING else "no connection"
        return ((*name, Span(f"  {text}", Tone.DIM)), ())
    env = state.snapshot.environment
    used = usage(state, env)
    who = identity(state, env)
    return (
        spread(who, badges(env, cells - width(who) - 2, state.snapshot.sync) if cells >= BADGES_FROM else (), cells),
        spread(facts(env, cells - width(used) - 2), used, cells),
    )


def identity(state: State, env: EnvironmentView) -> Line:
    symbol, tone = STATUS[env.status]
    line: Line = (Span(f"{symbol} ", tone), Span(clean(env.name), Tone.STRONG), Span(f"  {env.status.value}", tone))
    if env.status is EnvStatus.RUNNING and env.started is not None:
        line += (Span(f" {ticking(state.now - env.started)}", Tone.DIM),)
    if state.operation is not None and state.working:
        since = ticking(state.now - state.operation.started)
        line += (SEPARATOR, Span(f"{state.operation.title.lower()} {since}", Tone.WARN), Span(" p", Tone.KEY))
    elif state.operation is not None and state.failed_behind:
        line += (SEPARATOR, Span(f"{state.operation.title.lower()} failed", Tone.BAD), Span(" p", Tone.KEY))
    return line


def badges(env: EnvironmentView, cells: int, sync: SyncView | None = None) -> Line:
    """What asks for attention, the most urgent first; what has no room is left out, but never the first one."""
    out: list[Span] = []
    fixed = sum(not drift.live for drift in env.drift)
    if fixed:
        out.append(Span(f"≠ {fixed} drift", Tone.WARN))
    if env.notes:
        out.append(Span(f"! {len(env.notes)} note{'s' * (len(env.notes) > 1)}", Tone.WARN))
    if env.usage.oom_kills:
        out.append(Span(f"{env.usage.oom_kills} out of memory", Tone.BAD))
    files = badge(sync)
    if files is not None:
        out.append(files)
    if env.adopted:
        out.append(Span("adopted", Tone.INFO))
    if env.owner:
        out.append(Span(f"of {clean(env.owner)}", Tone.WARN))
    if env.tier:
        out.append(Span(f"{env.tier} link", Tone.DIM))
    if fixed < len(env.drift):
        out.append(Span(f"≈ {len(env.drift) - fixed} in force", Tone.DIM))
    spaced: Line = ()
    for span in out:
        longer = (*spaced, Span("  "), span) if spaced else (span,)
        if not spaced or width(longer) <= cells:
            spaced = longer
    return spaced


def facts(env: EnvironmentView, cells: int) -> Line:
    """As many whole facts as fit, the most telling first."""
    away = f" {env.round_trip * 1000:.0f} ms" if env.round_trip is not None else ""
    facts = [
        ("on ", f"{env.host}{away}" if env.host else ""),
        ("config ", short_name(env) if env.others else ""),
        ("", env.image or env.local_folder),
        ("python ", env.python_version),
        ("user ", env.remote_user),
        ("", env.container),
        ("", "" if env.host else env.engine),
    ]
    line: Line = ()
    for label, value in facts:
        if value:
            fact: Line = (*((SEPARATOR,) if line else ()), Span(label, Tone.FAINT), Span(clean(value), Tone.DIM))
            if not line or width(line) + width(fact) <= cells:
                line += fact
    return line or (Span(clean(env.local_folder), Tone.DIM),)


def usage(state: State, env: EnvironmentView) -> Line:
    if env.status is not EnvStatus.RUNNING or not env.usage.cpus:
        return ()
    use = env.usage
    share = use.cpu_percent / 100 / use.cpus
    cells = 12 if state.wide else 4
    line: list[Span] = [Span("cpu ", Tone.FAINT)]
    if state.wide and len(state.cpu) > 1:
        line.append(Span(spark(state.cpu, use.cpus * 100, cells), load_tone(share)))
    else:
        line += _bar(share, cells)
    line.append(Span(f" {use.cpu_percent:.0f}%", Tone.PLAIN))
    line += [Span("  mem ", Tone.FAINT)]
    if use.memory_limit:
        line += _bar(use.memory / use.memory_limit, cells)
        line.append(Span(" "))
    line.append(Span(size(use.memory)))
    if use.memory_limit and state.wide:
        line.append(Span(f" / {size(use.memory_limit)}", Tone.DIM))
    return tuple(line)


def _bar(fraction: float, cells: int) -> list[Span]:
    full, empty = bar(fraction, cells)
    return [Span(full, load_tone(fraction)), Span(empty, Tone.FAINT)]


def _engine(state: State) -> str:
    host = state.snapshot.environment.host if state.snapshot is not None else ""
    return f"The engine on {clean(host)}" if host else "The container engine"


def banner(state: State, cells: int) -> Line:
    """One line over everything when something fundamental is missing; empty when all is well."""
    if state.link is Link.LOST:
        hint = state.link_hint or "Trying again."
        line: Line = (Span(f" ✘ Supervisor lost: {clean(state.link_message)} ", Tone.STRONG), Span(clean(hint)))
    elif state.status is EnvStatus.ENGINE_LOST:
        line = (
            Span(f" ✘ {_engine(state)} does not answer. ", Tone.STRONG),
            Span("The last known state is shown."),
        )
    else:
        return ()
    return clip_line(line, cells) if width(line) > cells else line
