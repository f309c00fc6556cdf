"""The themes, and the one mapping from meaning (`Tone`, `Ink`) to colour.

Restraint: one accent, four states, three greys. The `ansi` theme uses the terminal's own sixteen colours.
"""

from __future__ import annotations

from functools import lru_cache

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from textual.strip import Strip
from textual.theme import BUILTIN_THEMES, Theme

from tui.model.ansi import Ink
from tui.model.spans import Line, Tone

DARK = Theme(
    name="devenv-dark",
    primary="#7aa2f7",
    secondary="#9aa5ce",
    accent="#e0af68",
    foreground="#c8ccd8",
    background="#14161d",
    surface="#14161d",
    panel="#1f222c",
    success="#7fc98b",
    warning="#e0af68",
    error="#f0727f",
    dark=True,
    variables={
        "border": "#343948",
        "border-blurred": "#343948",
        "scrollbar": "#343948",
        "scrollbar-background": "#14161d",
    },
)
LIGHT = Theme(
    name="devenv-light",
    primary="#2f5fc4",
    secondary="#4f5a78",
    accent="#96600a",
    foreground="#24272f",
    background="#fafaf7",
    surface="#fafaf7",
    panel="#ecebe4",
    success="#23783a",
    warning="#96600a",
    error="#b92a3b",
    dark=False,
    variables={
        "border": "#c9c8bf",
        "border-blurred": "#c9c8bf",
        "scrollbar": "#c9c8bf",
        "scrollbar-background": "#fafaf7",
    },
)
ANSI = Theme(
    name="devenv-ansi",
    primary="ansi_blue",
    secondary="ansi_cyan",
    accent="ansi_yellow",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    success="ansi_green",
    warning="ansi_yellow",
    error="ansi_red",
    dark=True,
    ansi=True,
    luminosity_spread=0,
    text_alpha=1,
    variables={
        **BUILTIN_THEMES["ansi-dark"].variables,
        "border": "ansi_bright_black",
        "border-blurred": "ansi_bright_black",
        "scrollbar": "ansi_bright_black",
    },
)
THEMES = (DARK, LIGHT, ANSI)


def _terminal(background: str, foreground: str, colours: str) -> TerminalTheme:
    """What the sixteen colours that programs print look like: eight normal ones, then eight bright ones."""
    rgb = [(int(c[0:2], 16), int(c[2:4], 16), int(c[4:6], 16)) for c in (background, foreground, *colours.split())]
    return TerminalTheme(rgb[0], rgb[1], rgb[2:10], rgb[10:18])


TERMINAL_DARK = _terminal(
    "14161d",
    "c8ccd8",
    "343948 f0727f 7fc98b e0af68 7aa2f7 bb9af7 6fc3d3 c8ccd8 646b80 ff8f9a 9be3a6 f2c987 9dbcff d0b6ff 93dcea eef0f6",
)
TERMINAL_LIGHT = _terminal(
    "fafaf7",
    "24272f",
    "24272f b92a3b 23783a 96600a 2f5fc4 7a3fb8 0f7285 8b8f99 5c6170 d8404f 2f9a4c b87a1a 4a7ae0 9558d6 1c8ea4 3c3f48",
)


def _tones(
    strong: str, dim: str, faint: str, accent: str, ok: str, bad: str, warn: str, info: str
) -> dict[Tone, Style]:
    return {
        Tone.PLAIN: Style(),
        Tone.STRONG: Style(color=strong, bold=True),
        Tone.DIM: Style(color=dim),
        Tone.FAINT: Style(color=faint),
        Tone.ACCENT: Style(color=accent),
        Tone.OK: Style(color=ok),
        Tone.BAD: Style(color=bad),
        Tone.WARN: Style(color=warn),
        Tone.INFO: Style(color=info),
        Tone.KEY: Style(color=accent, bold=True),
    }


TONES: dict[str, dict[Tone, Style]] = {
    DARK.name: _tones("#eef0f6", "#8c93a8", "#646b80", "#e0af68", "#7fc98b", "#f0727f", "#e0af68", "#7aa2f7"),
    LIGHT.name: _tones("#0c0e12", "#5c6170", "#8b8f99", "#96600a", "#23783a", "#b92a3b", "#96600a", "#2f5fc4"),
    ANSI.name: _tones(
        "default", "bright_black", "bright_black", "yellow", "green", "red", "yellow", "blue"
    ),
}  # fmt: skip
CURSOR: dict[str, tuple[Style, Style]] = {  # of a list with the keyboard, and without it
    DARK.name: (Style(bgcolor="#2b3350"), Style(bgcolor="#1f222c")),
    LIGHT.name: (Style(bgcolor="#d4def5"), Style(bgcolor="#ecebe4")),
    ANSI.name: (Style(reverse=True), Style(underline=True)),
}
ALARM: dict[str, Style] = {
    DARK.name: Style(color="#14161d", bgcolor="#f0727f"),
    LIGHT.name: Style(color="#ffffff", bgcolor="#b92a3b"),
    ANSI.name: Style(color="default", reverse=True, bold=True),
}


def strip(line: Line, theme: str, base: Style, cells: int) -> Strip:
    """The line drawn in `cells` cells over `base`."""
    tones = TONES.get(theme, TONES[DARK.name])
    segments = [Segment(span.text, base + tones[span.tone]) for span in line if span.text]
    return Strip(segments).adjust_cell_length(cells, base)


@lru_cache(maxsize=4096)
def ink_style(ink: Ink, theme: str) -> Style:
    """The style of a program's own colours."""
    return Style(
        color=_colour(ink.fg, theme),
        bgcolor=_colour(ink.bg, theme),
        bold=ink.bold or None,
        dim=ink.dim or None,
        italic=ink.italic or None,
        underline=ink.underline or None,
        reverse=ink.reverse or None,
        strike=ink.strike or None,
    )


@lru_cache(maxsize=4096)
def ink_over(base: Style, ink: Ink, theme: str) -> Style:
    return base + ink_style(ink, theme)


def _colour(colour: int | tuple[int, int, int] | None, theme: str) -> Color | None:
    if colour is None:
        return None
    if isinstance(colour, tuple):
        return Color.from_rgb(*colour)
    if colour < 16 and theme != ANSI.name:
        return Color.from_rgb(*(TERMINAL_LIGHT if theme == LIGHT.name else TERMINAL_DARK).ansi_colors[colour])
    return Color.from_ansi(colour)
