"""Lines as a terminal leaves them."""

from __future__ import annotations

from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.model.ansi import PLAIN, Ink, overwritten, sgr


def text(line: str) -> str:
    return "".join(part for part, _ in overwritten(line)[0])


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain", "plain"),
        ("50%\r100%", "100%"),
        ("longer\rab", "abnger"),
        ("longer\r\x1b[Kab", "ab"),
        ("abc\b\bX", "aXc"),
        ("a\tb", "a       b"),
        ("ab\x1b[5Cc", "ab     c"),
        ("abc\x1b[2Dx", "axc"),
        ("abc\x1b[1Gx", "xbc"),
        ("abc\x1b[2Kd", "   d"),
        ("abcd\r\x1b[2P", "cd"),
        ("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b", "ab"),
        ("a\x00b\x07c\x7f\x9b31m", "abc31m"),
        ("\x1b[?25lhidden\x1b[?25h", "hidden"),
        ("cut \x1b[3", "cut "),
        ("宽\rab", "ab"),
        ("e\u0301x", "e\u0301x"),
        ("family \U0001f468\u200d\U0001f469", "family \U0001f468\U0001f469"),
        ("right\u202eto left", "rightto left"),
    ],
)
def test_what_is_left_of_a_line(line: str, shown: str) -> None:
    assert text(line) == shown


@pytest.mark.parametrize(
    ("codes", "ink"),
    [
        ("", PLAIN),
        ("31", Ink(fg=1)),
        ("1;92", Ink(fg=10, bold=True)),
        ("38;5;208", Ink(fg=208)),
        ("48;2;1;2;3", Ink(bg=(1, 2, 3))),
        ("38:2:1:2:3", Ink(fg=(1, 2, 3))),
        ("38;5", PLAIN),
        ("38;2;999;0;0", Ink(fg=(255, 0, 0))),
        ("1;31;0", PLAIN),
        ("4;24;9", Ink(strike=True)),
        ("107;39", Ink(bg=15)),
        ("777", PLAIN),
    ],
)
def test_colours(codes: str, ink: Ink) -> None:
    assert sgr(codes, PLAIN) == ink


def test_ink_stays_in_force_and_is_merged() -> None:
    pieces, ink = overwritten("a\x1b[31mb\x1b[31mc\rX")
    assert pieces == [("X", Ink(fg=1)), ("bc", Ink(fg=1))] or pieces == [("Xbc", Ink(fg=1))]
    assert ink == Ink(fg=1)


@given(st.text())
def test_nothing_that_steers_gets_through(line: str) -> None:
    steering = {character for character in text(line) if category(character) == "Cc"}
    assert steering | ({*"\u200d\u202a\u202b\u202d\u202e\u2066\u2067\u2068"} & {*text(line)}) == set()
