"""The output pane: follows, scrolls back, takes input, and pulls only what is seen."""

from __future__ import annotations

import pytest

from devenv.api import fake_scenes
from devenv.api.fake import FakeClient
from devenv.api.fake_spool import FakeSpool
from devenv.api.views import OutputChunk
from devenv.errors import LinkError
from tui.model.state import Pane
from tui.model.window import LIMIT

from .conftest import NARROW, Open, Table


def printing(data: bytes, **spool: int) -> FakeClient:
    """A client whose shown run printed `data`."""
    client = fake_scenes.busy()
    client.spools["r8"] = FakeSpool(data, **spool)
    return client


def lines(count: int) -> bytes:
    return b"".join(b"line %07d\n" % n for n in range(count))


def reads(client: FakeClient, monkeypatch: pytest.MonkeyPatch) -> list[OutputChunk]:
    """Every chunk that is read from now on."""
    seen: list[OutputChunk] = []
    real = client.read_output

    async def spying(run: str, **how: int | None) -> OutputChunk:
        chunk = await real(run, **how)
        seen.append(chunk)
        return chunk

    monkeypatch.setattr(client, "read_output", spying)
    return seen


async def test_follows_what_is_printed(opened: Open) -> None:
    client = printing(lines(5000))
    async with opened(client) as table:
        await table.sees("line 0004999")
        client.emit("r8", b"and one more\n")
        await table.sees("and one more")


async def test_scrolling_back_stays_where_it_is_while_more_is_printed(opened: Open) -> None:
    client = printing(lines(200))
    async with opened(client) as table:
        await table.press("2")
        await table.sees("line 0000199")
        await table.press("pageup")
        assert "line 0000199" not in table.text() and "to the end" in table.text()
        client.emit("r8", lines(50))
        await table.settle()
        assert "line 0000140" in table.text()
        await table.press("G")
        await table.sees("line 0000049")
        assert "follows" in table.text()


async def test_any_part_of_a_large_output_is_reached_with_little_read(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = printing(lines(800_000))
    chunks = reads(client, monkeypatch)
    async with opened(client) as table:
        await table.press("2")
        await table.sees("line 0799999")
        await table.press("g")
        await table.sees("line 0000000")
        for _ in range(3):
            await table.press("pagedown")
        await table.sees("line 0000150")
        await table.press("G")
        await table.sees("line 0799999")
        for _ in range(60):
            await table.press("pageup")
        await table.sees("line 0797")
        assert sum(len(chunk.data) for chunk in chunks) < 2_000_000 < client.spools["r8"].size
        assert len(table.app.output().text_window.data) <= LIMIT


async def test_nothing_is_read_while_it_is_not_seen(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    client = printing(lines(100))
    async with opened(client, NARROW) as table:
        await table.press("2")
        await table.sees("line 0000099")
        await table.press("3")
        chunks = reads(client, monkeypatch)
        client.emit("r8", b"unseen\n")
        await table.pilot.pause(0.5)
        assert chunks == []
        await table.press("2")
        await table.sees("unseen")


async def test_a_run_that_ended_is_read_to_its_end_and_then_left_alone(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = printing(b"")
    async with opened(client) as table:
        await table.sees("No output yet")
        client.emit("r8", b"last words\n")
        client.finish("r8")
        await table.sees("last words")
        chunks = reads(client, monkeypatch)
        await table.pilot.pause(0.6)
        assert chunks == []


async def test_a_gap_is_shown_from_both_sides(opened: Open) -> None:
    client = printing(lines(200), head=1300, dropped=5_000_000)
    async with opened(client) as table:
        await table.press("2", "g")
        await table.sees("line 0000000")
        await table.press("pagedown", *["down"] * 12)
        await table.sees("4.8 MiB of output dropped here")
        assert "line 0000099" in table.text()
        await table.press("pagedown", "pagedown")
        await table.sees("line 0000160")
        await table.press("pageup", "pageup")
        await table.sees("line 0000080")
        await table.press("G")
        await table.sees("line 0000199")


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"\xff\xfe broken \xc3\n", "\ufffd\ufffd broken \ufffd"),
        (b"a" * 40_000_000, "aaaaaaaa"),
        (b"\r 10%|#   |" * 300_000 + b"\r 99%|####|", " 99%|####|"),
        (b"\x1b]52;c;ZXZpbA==\x07\x1b[2J\x1b]0;title\x07seen\n", "seen"),
        ("宽字符 and e\u0301\n".encode(), "宽字符 and e\u0301"),
        (b"one\r\ntwo\r\n", "two"),
    ],
    ids=["invalid", "40 MB line", "progress bar", "escapes", "wide", "crlf"],
)
async def test_bad_output_is_shown_and_harmless(opened: Open, data: bytes, shown: str) -> None:
    client = printing(data)
    async with opened(client) as table:
        await table.sees(shown)
        await table.press("2", "pageup", "pageup", "z", "right", "z", "g", "G")
        assert "\x1b" not in table.text()


async def typing(table: Table) -> None:
    await table.press("i")
    assert table.app.state.input_mode and table.app.state.focus is Pane.OUTPUT


async def test_typing_goes_to_the_run_until_it_is_left(opened: Open) -> None:
    async with opened() as table:
        await typing(table)
        assert "TYPING" in table.text()
        await table.press(*"qx1", "ctrl+c", "up", "tab", "enter", "escape", "ctrl+p", "question_mark")
        await table.until(lambda: b"".join(call[1] for call in table.asked("send_input")) == SENT)
        assert table.asked("end_run") == [] and table.app.is_running
        await table.press("ctrl+right_square_bracket")
        assert not table.app.state.input_mode
        await table.press("x")
        await table.until(lambda: table.asked("end_run"))


SENT = b"qx1\x03\x1b[A\t\r\x1b\x10?"


async def test_typing_ends_with_the_run(opened: Open) -> None:
    async with opened() as table:
        await typing(table)
        table.client.finish("r8")
        await table.until(lambda: not table.app.state.input_mode)


async def test_input_that_fails_is_said_and_ends_typing(opened: Open) -> None:
    async with opened() as table:
        await typing(table)
        table.client.fail_next("send_input", LinkError("The link is gone.", "Try again."))
        await table.press("a")
        await table.until(lambda: not table.app.state.input_mode)
        assert "The link is gone." in table.toasts()


async def test_the_visible_output_is_copied(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    client = printing(lines(300))
    async with opened(client) as table:
        copied: list[str] = []
        monkeypatch.setattr(table.app, "copy_to_clipboard", copied.append)
        await table.press("2")
        await table.sees("line 0000299")
        await table.press("y")
        await table.until(lambda: copied)
        assert copied[0].endswith("line 0000299") and "line 0000000" not in copied[0]


async def test_a_read_that_fails_is_tried_again(opened: Open) -> None:
    client = printing(b"")
    client.fail_next("read_output", LinkError("The agent does not answer.", ""))
    async with opened(client) as table:
        client.emit("r8", b"here again\n")
        await table.sees("The agent does not answer.")
        await table.sees("here again")


async def test_the_wheel_scrolls(opened: Open) -> None:
    client = printing(lines(300))
    async with opened(client) as table:
        await table.sees("line 0000299")
        pane = table.app.output()
        await table.pilot._post_mouse_events([_wheel_up()], widget=pane, offset=(5, 5))
        await table.settle()
        assert "line 0000299" not in table.text()


def _wheel_up() -> type:
    from textual.events import MouseScrollUp

    return MouseScrollUp
