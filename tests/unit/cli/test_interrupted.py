"""Ctrl-C in long work: what is said, and to whom."""

from __future__ import annotations

import pytest

from devenv.cli.main import RESUMED, VERBS, interrupted


@pytest.mark.parametrize("verb", RESUMED)
def test_long_work_says_how_to_go_on(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert verb in VERBS
    assert interrupted([verb, "--trust"]) == 130
    told = capsys.readouterr()
    assert told.err.splitlines() == ["devenv: interrupted", f"  {RESUMED[verb]}"] and not told.out


@pytest.mark.parametrize("argv", [[], ["exec", "--", "sleep", "9"], ["logs", "--follow"], ["up", "--json"]])
def test_nobody_else_is_told_anything(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert interrupted(argv) == 130
    told = capsys.readouterr()
    assert not told.err and not told.out
