"""The rows of the test results: by file, what failed first; and what is said about one test."""

from __future__ import annotations

from collections.abc import Iterable

from devenv.api.views import TestsView, TestView
from tui.model.formatting import OUTCOME, duration
from tui.model.spans import Line, Lines, Row, Span, Tone, clean, wrap
from tui.model.state import State

BAD = ("failed", "error")


def summary(tests: TestsView) -> Line:
    """Counts of outcomes, time and what goes on."""
    done = tests.passed + tests.failed + tests.skipped
    line: list[Span] = [Span(f"✔ {tests.passed}", Tone.OK if tests.passed else Tone.DIM)]
    line.append(Span(f"  ✘ {tests.failed}", Tone.BAD if tests.failed else Tone.DIM))
    if tests.skipped:
        line.append(Span(f"  ↷ {tests.skipped}", Tone.DIM))
    if tests.state in ("collecting", "running"):
        line.append(Span(f"  {done}/{tests.collected}" if tests.collected else "  collecting…", Tone.INFO))
    elif tests.seconds:
        line.append(Span(f"  in {duration(tests.seconds)}", Tone.DIM))
    if tests.watching:
        line.append(Span("  ◉ watching", Tone.ACCENT))
    return tuple(line)


def file_of(test: TestView) -> str:
    return test.id.partition("::")[0]


def test_rows(state: State) -> tuple[Row, ...]:
    """Files (`file:<path>`) with their tests (`test:<node id>`). A file with failures stands first and open."""
    if state.snapshot is None:
        return ()
    tests = state.snapshot.tests
    if not tests.tests:
        return _empty(state, tests)
    files: dict[str, list[TestView]] = {}
    for test in tests.tests:
        files.setdefault(file_of(test), []).append(test)
    rows: list[Row] = []
    for file, inside in sorted(files.items(), key=lambda item: (_best(item[1]), item[0])):
        opened = is_open(state, file, inside)
        rows.append(_file_row(file, inside, opened))
        if opened:
            ordered = sorted(inside, key=lambda test: _rank(test))
            rows += [_test_row(test) for test in ordered]
    return tuple(rows)


def is_open(state: State, file: str, inside: Iterable[TestView]) -> bool:
    by_default = any(test.outcome in BAD or test.outcome == "running" for test in inside)
    return by_default != (file in state.opened)


def _empty(state: State, tests: TestsView) -> tuple[Row, ...]:
    if tests.state in ("collecting", "running"):
        return (Row("", (Span("Collecting tests…", Tone.DIM),)),)
    if not state.up:
        return (Row("", (Span("Tests run once the environment is up.", Tone.DIM),)),)
    return (
        Row("", (Span("No results yet.", Tone.DIM),)),
        Row("", (Span("t", Tone.KEY), Span(" runs all tests", Tone.DIM))),
        Row("", (Span("w", Tone.KEY), Span(" runs them again whenever a file is saved", Tone.DIM))),
    )


def _rank(test: TestView) -> int:
    return 0 if test.outcome in BAD else 1 if test.outcome == "running" else 2


def _best(tests: Iterable[TestView]) -> int:
    return min(_rank(test) for test in tests)


def _file_row(file: str, inside: list[TestView], opened: bool) -> Row:
    bad = sum(test.outcome in BAD for test in inside)
    passed = sum(test.outcome == "passed" for test in inside)
    tone = Tone.BAD if bad else Tone.OK if passed else Tone.DIM
    counts: Line = (Span(f"{passed}/{len(inside)}", tone),)
    return Row(f"file:{file}", (Span("▾ " if opened else "▸ ", Tone.DIM), Span(clean(file), Tone.STRONG)), counts)


def _test_row(test: TestView) -> Row:
    symbol, tone = OUTCOME.get(test.outcome, ("?", Tone.DIM))
    name = clean(test.id.partition("::")[2] or test.id)
    left: Line = (Span(f"  {symbol} ", tone), Span(name, Tone.PLAIN if test.outcome in BAD else Tone.DIM))
    return Row(f"test:{test.id}", left, (Span(duration(test.seconds), Tone.FAINT),) if test.seconds >= 0.05 else ())


def find(state: State, key: str) -> TestView | None:
    """The test that a row stands for."""
    if state.snapshot is None or not key.startswith("test:"):
        return None
    return next((test for test in state.snapshot.tests.tests if test.id == key[5:]), None)


def failed_ids(state: State) -> list[str]:
    return [test.id for test in state.snapshot.tests.tests if test.outcome in BAD] if state.snapshot else []


def detail(state: State, key: str, cells: int) -> Lines:
    """What is known of the chosen test: place, outcome, message. Empty when there is nothing to say."""
    test = find(state, key)
    if test is None:
        return ()
    symbol, tone = OUTCOME.get(test.outcome, ("?", Tone.DIM))
    lines: list[Line] = [(Span(f"{symbol} {test.outcome}", tone), Span(f"  {duration(test.seconds)}", Tone.DIM))]
    if test.file:
        place = f"{clean(test.file)}:{test.line}" if test.line else clean(test.file)
        lines += [(Span(part, Tone.INFO),) for part in wrap(place, cells)]
    if test.message:
        lines.append(())
        for paragraph in test.message.splitlines():
            tone = Tone.BAD if paragraph.startswith("E ") else Tone.PLAIN
            lines += [(Span(part, tone),) for part in wrap(paragraph, cells)]
    return tuple(lines)
