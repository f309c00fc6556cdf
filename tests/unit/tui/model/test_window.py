"""Windows and viewports: pieces, scrolling, gaps, long lines, against a plain list of lines."""

from __future__ import annotations

from unicodedata import category

from hypothesis import given
from hypothesis import strategies as st

from devenv.api.fake_spool import FakeSpool
from devenv.api.views import OutputChunk
from tui.model.pull import after, before, follow
from tui.model.viewport import Anchor, Viewport
from tui.model.window import LIMIT, LONG, Window


def window(data: bytes, base: int = 0, size: int | None = None) -> Window:
    made = Window()
    end = base + len(data)
    made.replace(OutputChunk(start=base, end=end, size=end if size is None else size, data=data))
    return made


def view(made: Window, width: int = 20, height: int = 5) -> Viewport:
    made_view = Viewport(made)
    made_view.resize(width, height)
    return made_view


def texts(view: Viewport) -> list[str]:
    return [row.text for row in view.rows()]


NUMBERED = b"".join(b"%d\n" % n for n in range(100))


def test_follows_the_end() -> None:
    assert texts(view(window(NUMBERED))) == ["95", "96", "97", "98", "99"]


def test_structured_lines_between_the_output_are_not_drawn() -> None:
    begin, event, middle, end = b"test_a.py ", b'{"e": "begin"}\n' * 400, b".", b".\nthe end\n"
    data = begin + event + middle + event + end
    at = len(begin), len(begin + event), len(begin + event + middle), len(begin + event + middle + event)
    marks = [(100, 1), (100 + at[0], 3), (100 + at[1], 1), (100 + at[2], 3), (100 + at[3], 1)]
    looking = view(Window())
    whole = OutputChunk(start=100, end=100 + len(data), size=5000, data=data, marks=marks)
    assert looking.window.replace(whole)
    assert texts(looking) == ["test_a.py ..", "the end"]
    assert not looking.window.replace(whole), "the same again changes nothing"
    more = OutputChunk(start=whole.end, end=whole.end + len(event), size=5000, data=event, marks=[(whole.end, 3)])
    assert looking.window.append(more)
    assert looking.window.end == more.end
    assert [text for text in texts(looking) if text] == ["test_a.py ..", "the end"]


def test_scrolls_up_and_back_to_following() -> None:
    looking = view(window(NUMBERED))
    assert looking.scroll(-10) == 0 and texts(looking)[0] == "85" and not looking.following
    assert looking.scroll(3) == 0 and texts(looking)[0] == "88"
    assert looking.scroll(100) == 0 and looking.following


def test_rows_that_are_not_held_are_reported() -> None:
    looking = view(window(NUMBERED, base=1000, size=5000))
    assert looking.scroll(-200) == -105
    assert looking.scroll(200) == 105
    assert not looking.following, "the end of the output is not held"


def test_a_long_row_wraps_and_every_part_is_reached() -> None:
    looking = view(window(b"a" * 50 + b"\nb\n"), width=20, height=2)
    assert texts(looking) == ["a" * 10, "b"]
    looking.scroll(-1)
    assert texts(looking) == ["a" * 20, "a" * 10]
    looking.wrapping = False
    assert texts(looking)[0] == "a" * 50


def test_the_anchor_stays_while_earlier_output_is_pulled_in() -> None:
    held = window(NUMBERED[100:], base=100)
    looking = view(held)
    looking.scroll(-3)
    seen = texts(looking)
    held.prepend(OutputChunk(start=0, end=100, size=len(NUMBERED), data=NUMBERED[:100]))
    assert texts(looking) == seen and held.at_start


def test_a_window_never_holds_more_than_its_limit() -> None:
    held = window(b"x\n" * (LIMIT // 2), base=LIMIT)
    held.append(OutputChunk(start=held.end, end=held.end + 4, size=held.end + 4, data=b"new\n"))
    assert len(held.data) == LIMIT and held.data.endswith(b"new\n")
    held.prepend(OutputChunk(start=held.base - 4, end=held.base, size=held.size, data=b"old\n"))
    assert len(held.data) == LIMIT and held.data.startswith(b"old\n")


def test_a_chunk_that_does_not_join_on_replaces() -> None:
    held = window(b"one\n")
    held.append(OutputChunk(start=100, end=104, size=104, data=b"two\n"))
    assert (held.base, held.data) == (100, b"two\n")


def test_a_gap_stands_at_the_edge_of_both_sides() -> None:
    spool = FakeSpool(b"head\ntail\n", head=5, dropped=2048)
    first = Window()
    first.replace(spool.read(0, 100, None))
    assert texts(view(first)) == ["head", "··· 2.0 KiB of output dropped here ···"]
    request = after(first)
    first.append(spool.read(request.offset, request.length, None))
    assert texts(view(first)) == ["··· 2.0 KiB of output dropped here ···", "tail"]
    request = before(first)
    assert request.offset + request.length == 5


def test_colour_goes_on_over_lines_and_into_the_view() -> None:
    looking = view(window(b"\x1b[31mred\n" + b"still\n" * 10 + b"\x1b[0mplain\n"), height=2)
    rows = looking.rows()
    assert rows[0].parts[0][1].fg == 1 and rows[1].parts[0][1].fg is None


@given(st.binary(max_size=3000), st.integers(0, 5000), st.integers(2, 30), st.integers(1, 10))
def test_any_bytes_give_rows_that_fit(data: bytes, base: int, width: int, height: int) -> None:
    looking = view(window(data, base=base), width, height)
    for _ in range(5):
        rows = looking.rows()
        assert len(rows) <= height and all(row.cells <= width for row in rows)
        assert all(category(character) != "Cc" for row in rows for character in row.text)
        looking.scroll(-height)


@given(st.lists(st.text("ab é宽", max_size=12), min_size=1, max_size=60), st.integers(-70, 70))
def test_scrolling_is_the_same_as_slicing_the_lines(lines: list[str], delta: int) -> None:
    data = "".join(f"{line}\n" for line in lines).encode()
    looking = view(window(data), width=80, height=7)
    top = max(0, len(lines) - 7)
    looking.scroll(-5)
    top = max(0, top - 5)
    looking.scroll(delta)
    top = min(max(0, top + delta), max(0, len(lines) - 7))
    assert texts(looking) == lines[top : top + 7]


@given(st.integers(LONG + 1, LONG * 5), st.integers(0, 10_000), st.sampled_from(["a", "é", "宽", "\x1b[31mx"]))
def test_parts_of_a_long_line_join_to_the_line(length: int, base: int, unit: str) -> None:
    data = (unit * length).encode()[: LONG * 6]
    data = data.decode(errors="ignore").encode()
    held = window(data, base=base)
    pieces = held.pieces()
    assert b"".join(data[p.start - base : p.end - base] for p in pieces) == data
    assert all(p.end - p.start <= LONG + 64 for p in pieces) and len(pieces) > 1
    assert "\ufffd" not in "".join(held.text(piece) for piece in pieces)


def test_of_a_long_progress_line_only_the_newest_state_counts() -> None:
    data = b"".join(b"\r%6d/9999" % n for n in range(9999))
    assert texts(view(window(data), width=80)) == ["  9998/9999"]


def test_what_is_asked_for() -> None:
    empty = Window()
    looking = view(empty)
    assert follow(empty, looking, live=True, rushing=False).side == "tail"
    full = window(NUMBERED)
    assert follow(full, view(full), live=False, rushing=False) is None
    assert follow(full, view(full), live=True, rushing=False).offset == full.end
    assert follow(full, view(full), live=True, rushing=True).side == "tail"
    held = view(full)
    held.anchor = Anchor(0)
    assert follow(full, held, live=True, rushing=True).length == 0
    few = window(b"x\n", base=1000)
    assert follow(few, view(few), live=True, rushing=False).side == "before"
