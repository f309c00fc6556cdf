"""Formatting, spans, ports, tests, keys and the browser's page: what is said, and what is never said."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from devenv.api import fake_scenes, views
from devenv.api.views import EnvStatus, PortView, RunState, ServiceView, Snapshot
from tui.browser import Browser, visible
from tui.model import ports, tests
from tui.model.details import detail_lines
from tui.model.formatting import STATUS, duration, run_outcome, run_symbol, size, spark
from tui.model.header import banner, header
from tui.model.keys import encode
from tui.model.reducer import reduce
from tui.model.spans import Span, clean, clip, clip_line, plain, spread, width, wrap
from tui.model.state import Arrived, State


def state(snapshot: Snapshot | None = None) -> State:
    return reduce(State(), Arrived(snapshot or fake_scenes.busy().snapshot, fake_scenes.NOW))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0s"),
        (0.44, "0.4s"),
        (9.94, "9.9s"),
        (9.96, "9s"),
        (59.9, "59s"),
        (185, "3m05s"),
        (7620, "2h07m"),
        (356_400, "4d03h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (12 * 2**20, "12 MiB"), (2**50, "1024 TiB")]
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


def test_every_state_has_a_symbol() -> None:
    assert set(STATUS) == set(EnvStatus)
    run = fake_scenes.runs()[0]
    import msgspec

    for each in RunState:
        view = msgspec.structs.replace(run, state=each)
        assert run_symbol(view).text and run_outcome(view).text


def test_sparks_stay_in_their_cells() -> None:
    assert spark((0, 50, 100, 400), 100, 6) == "  ▁▄██"
    assert len(spark(tuple(range(100)), 0, 8)) == 8


@given(st.text(max_size=60), st.integers(1, 40))
def test_a_clipped_text_fits(text: str, cells: int) -> None:
    text = clean(text)
    assert cell_len(clip(text, cells)) <= cells
    assert width(clip_line((Span(text), Span(text)), cells)) <= cells


@given(st.text(max_size=40), st.text(max_size=20), st.integers(10, 80))
def test_a_spread_line_has_the_width_that_was_asked(left: str, right: str, cells: int) -> None:
    line = spread((Span(clean(left)),), (Span(clean(right)),), cells)
    assert width(line) <= max(cells, 0)


@given(st.text(max_size=200), st.integers(4, 50))
def test_wrapped_lines_fit(text: str, cells: int) -> None:
    assert all(cell_len(line) <= cells for line in wrap(text, cells))


def test_wrapping_keeps_indentation() -> None:
    assert wrap("    one two three", 12) == ["    one two", "three"]


def test_names_from_a_container_cannot_steer_the_terminal() -> None:
    evil = "\x1b]52;c;x\x07\x1b[2Jname\r\n"
    port = PortView(port=1, host_port=1, label=evil, process=evil, note=evil, listening=True)
    test = views.TestView(id=f"a.py::{evil}", outcome="failed", message=evil, file=evil)
    snapshot = fake_scenes.busy()
    snapshot.change(ports=[port])
    snapshot.show_tests([test], None)
    now = state(snapshot.snapshot)
    rows = [*ports.port_rows(now), *tests.test_rows(now)]
    text = plain(row.left for row in rows) + plain(ports.detail(now, "port:1", 40))
    text += plain(tests.detail(now, f"test:{test.id}", 40))
    assert "\x1b" not in text and "\r" not in text and "\x07" not in text


def test_a_port_of_another_service_is_a_row_of_its_own() -> None:
    own = PortView(port=5432, host_port=5432, listening=True, process="postgres")
    snapshot = fake_scenes.busy()
    snapshot.change(ports=[PortView(port=5432, host_port=25432, container_host="db", label="rows"), own])
    now = state(snapshot.snapshot)
    assert [row.key for row in ports.port_rows(now)][-2:] == ["port:5432", "port:db:5432"]
    assert "nothing" not in plain(ports.detail(now, "port:db:5432", 60))
    assert [ports.addresses(now, key)[0] for key in ("port:5432", "port:db:5432")] == [
        "http://127.0.0.1:5432/",
        "http://127.0.0.1:25432/",
    ]


def test_a_token_is_never_in_what_is_shown() -> None:
    now = state()
    for row in ports.port_rows(now):
        shown = plain([row.left, row.right, *ports.detail(now, row.key, 60)])
        assert "5f0c1d" not in shown
    assert ports.addresses(now, "service:jupyter")[1].endswith("token=5f0c1d")
    assert ports.addresses(now, "port:9000") == ("", "")
    assert ports.addresses(now, "port:5678") == ("http://127.0.0.1:5678/", "http://127.0.0.1:5678/")


def test_a_service_without_a_url_uses_its_port() -> None:
    client = fake_scenes.busy()
    client.change(services=[ServiceView(name="api", kind="command", state="running", port=8000)])
    assert ports.addresses(state(client.snapshot), "service:api")[0] == "http://127.0.0.1:8000/"


def test_failed_tests_come_first_and_are_open() -> None:
    rows = tests.test_rows(state())
    assert rows[0].key == "file:tests/test_data.py"
    assert [row.key.rpartition("::")[2] for row in rows[1:3]] == ["test_shapes_of_a_batch", "test_augments[rotate]"]
    assert rows[5].key == "file:tests/test_export.py" and rows[6].key.startswith("file:")


@pytest.mark.parametrize(
    ("key", "character", "data"),
    [
        ("a", "a", b"a"),
        ("é", "é", "é".encode()),
        ("enter", "\r", b"\r"),
        ("ctrl+c", "\x03", b"\x03"),
        ("ctrl+z", None, b"\x1a"),
        ("up", None, b"\x1b[A"),
        ("f13", None, b""),
        ("backspace", "\x7f", b"\x7f"),
    ],
)
def test_keys_as_bytes(key: str, character: str | None, data: bytes) -> None:
    assert encode(key, character, tty=True) == data


def test_enter_on_pipes_is_a_newline() -> None:
    assert encode("enter", "\r", tty=False) == b"\n"


def test_a_token_reaches_the_browser_through_a_private_page() -> None:
    opened: list[str] = []
    browser = Browser({"DISPLAY": ":0"}, lambda address: opened.append(address) is None)
    assert browser.open("http://127.0.0.1:8888/lab?token=s3cret&a=1")
    page = Path(opened[0].removeprefix("file://"))
    assert "s3cret" not in opened[0] and "token=s3cret&amp;a=1" in page.read_text()
    assert page.stat().st_mode & 0o777 == 0o600 and page.parent.stat().st_mode & 0o777 == 0o700
    browser.close()
    assert not page.exists()
    assert browser.open("http://127.0.0.1:6006/") and opened[1] == "http://127.0.0.1:6006/"


def test_without_a_display_nothing_is_opened() -> None:
    assert not Browser({}, lambda address: True).open("http://127.0.0.1:1/")
    assert visible({}, "darwin") and visible({"WAYLAND_DISPLAY": "w"}, "linux") and not visible({}, "linux")


def test_drift_that_is_in_force_asks_for_no_rebuild() -> None:
    env = fake_scenes.finishing().snapshot.environment
    shown = plain(detail_lines(env, 60))
    assert shown.index("needs a rebuild") < shown.index("in force for new processes")
    assert shown.count("needs a rebuild") == 1
    now = state(fake_scenes.finishing().snapshot)
    assert "≠ 1 drift" in plain(header(now, 200)) and "≈ 1 in force" in plain(header(now, 200))


def test_another_machine_is_in_the_header_and_named_when_it_is_lost() -> None:
    scene = fake_scenes.finishing().snapshot
    there = msgspec.structs.replace(scene.environment, host="gpu-box", round_trip=0.0421)
    assert "on gpu-box 42 ms" in plain(header(state(msgspec.structs.replace(scene, environment=there)), 80))
    assert "on " not in plain(header(state(scene), 80)), "this machine needs no name"
    lost = msgspec.structs.replace(there, status=EnvStatus.ENGINE_LOST)
    assert "The engine on gpu-box does not answer" in plain(
        (banner(state(msgspec.structs.replace(scene, environment=lost)), 200),)
    )


@pytest.mark.parametrize(
    ("action", "words"), [("", ""), ("none", "it goes on"), ("stopContainer", "it is stopped, unless"), ("odd", "")]
)
def test_what_closing_means(action: str, words: str) -> None:
    client = fake_scenes.ready()
    client.change_environment(shutdown_action=action)
    shown = plain(detail_lines(client.snapshot.environment, 60))
    assert ("at closing" in shown) == bool(words) and words in shown
