"""Numbers and states in the form that people read. Pure functions; every width is in cells."""

from __future__ import annotations

import re

from devenv.api.views import EnvStatus, RunState, RunView
from tui.model.spans import Span, Tone

STATUS: dict[EnvStatus, tuple[str, Tone]] = {
    EnvStatus.ABSENT: ("○", Tone.DIM),
    EnvStatus.CREATING: ("◔", Tone.WARN),
    EnvStatus.BUILDING: ("◔", Tone.WARN),
    EnvStatus.STARTING: ("◑", Tone.WARN),
    EnvStatus.RUNNING: ("●", Tone.OK),
    EnvStatus.STOPPED: ("■", Tone.DIM),
    EnvStatus.PAUSED: ("‖", Tone.WARN),
    EnvStatus.BROKEN: ("✘", Tone.BAD),
    EnvStatus.ENGINE_LOST: ("✘", Tone.BAD),
}

OUTCOME: dict[str, tuple[str, Tone]] = {
    "running": ("◌", Tone.INFO),
    "passed": ("✔", Tone.OK),
    "failed": ("✘", Tone.BAD),
    "error": ("✘", Tone.BAD),
    "skipped": ("↷", Tone.DIM),
    "xfailed": ("↷", Tone.DIM),
    "xpassed": ("✔", Tone.WARN),
}

SERVICE: dict[str, tuple[str, Tone]] = {
    "running": ("●", Tone.OK),
    "starting": ("◑", Tone.WARN),
    "stopped": ("○", Tone.DIM),
    "failed": ("✘", Tone.BAD),
    "missing": ("↷", Tone.DIM),
}

_BLOCKS = " ▁▂▃▄▅▆▇█"


def duration(seconds: float) -> str:
    """0.4s · 12s · 3m05s · 2h07m · 4d03h"""
    if seconds < 0:
        seconds = 0
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def ticking(seconds: float) -> str:
    """A duration that counts whole seconds, for what still goes on."""
    return duration(seconds) if seconds >= 10 else f"{max(0, int(seconds))}s"


def size(count: int) -> str:
    """Bytes with a binary unit: 512 B · 1.5 KiB · 12 MiB · 3.2 GiB"""
    value = float(count)
    if value < 1024:
        return f"{count} B"
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        value /= 1024
        if value < 1000 or unit == "TiB":
            break
    return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"


def bar(fraction: float, cells: int) -> tuple[str, str]:
    """A bar of `cells` cells as (filled part, empty part)."""
    full = round(min(max(fraction, 0.0), 1.0) * cells)
    return "━" * full, "━" * (cells - full)


def spark(values: tuple[float, ...], top: float, cells: int) -> str:
    """The newest `cells` values as block characters, `top` being a full block."""
    shown = values[-cells:]
    steps = len(_BLOCKS) - 1
    blocks = [_BLOCKS[max(1, min(steps, round(v / top * steps)))] if top > 0 else _BLOCKS[1] for v in shown]
    return "".join(blocks).rjust(cells)


def load_tone(fraction: float) -> Tone:
    if fraction >= 0.9:
        return Tone.BAD
    return Tone.WARN if fraction >= 0.7 else Tone.OK


def run_symbol(run: RunView) -> Span:
    match run.state:
        case RunState.STARTING:
            return Span("◑", Tone.WARN)
        case RunState.RUNNING:
            return Span("▶", Tone.INFO)
        case RunState.EXITED if run.exit_code == 0:
            return Span("✔", Tone.OK)
        case RunState.SIGNALED:
            return Span("■", Tone.WARN)
        case RunState.LOST:
            return Span("?", Tone.WARN)
        case _:
            return Span("✘", Tone.BAD)


def run_outcome(run: RunView) -> Span:
    """How the run stands, in a word or three."""
    match run.state:
        case RunState.EXITED if run.exit_code == 0:
            return Span("done", Tone.OK)
        case RunState.EXITED:
            return Span(f"exit {run.exit_code}", Tone.BAD)
        case RunState.SIGNALED:
            return Span(f"{signal_name(run.signal)}", Tone.WARN)
        case RunState.OOM:
            return Span("out of memory", Tone.BAD)
        case RunState.LOST:
            return Span("lost", Tone.WARN)
        case RunState.FAILED:
            return Span("failed", Tone.BAD)
        case RunState.STARTING:
            return Span("starting", Tone.WARN)
        case RunState.RUNNING:
            return Span("running", Tone.INFO)


# What the outcome says already: only what comes behind it is news.
_KNOWN = re.compile(r"^(finished|exited with code -?\d+|ended by signal \d+( \(\w+\))?)([,;] |$)")


def run_reason(run: RunView) -> str:
    """Why the run stands as it does, as far as `run_outcome` does not say it; often empty."""
    return _KNOWN.sub("", run.reason)


_SIGNALS = {
    1: "HUP",
    2: "INT",
    3: "QUIT",
    6: "ABRT",
    9: "KILL",
    11: "SEGV",
    13: "PIPE",
    15: "TERM",
}  # as Linux has them


def signal_name(number: int | None) -> str:
    return "signal" if number is None else f"SIG{_SIGNALS[number]}" if number in _SIGNALS else f"signal {number}"


def run_seconds(run: RunView, now: float) -> str:
    return ticking(now - run.started) if run.ended is None else duration(run.ended - run.started)
