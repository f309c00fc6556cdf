"""Which ports are forwarded by themselves: a table of cases, and the times."""

from __future__ import annotations

import pytest

from devenv.forward.detection import (
    KEEP,
    MOST_NEW,
    SETTLE,
    Detection,
    Heard,
    by_port,
    dial_address,
    is_known_server,
    is_own,
    parse_listing,
)


def heard(port: int, command: str = "python app.py", address: str = "0.0.0.0") -> Heard:
    return Heard(port, 6 if ":" in address else 4, address, 1000, 7, tuple(command.split()))


def listing(*found: Heard) -> dict[int, list[Heard]]:
    return by_port(found)


def everything(port: int, line: str) -> bool:
    return True


@pytest.mark.parametrize(
    ("port", "command", "forwarded"),
    [
        (8000, "python app.py", True),
        (80, "", True),
        (40123, "python app.py", False),
        (40123, "/opt/conda/bin/python /opt/conda/bin/jupyter-lab --port 40123", True),
        (40123, "python -m http.server 40123", True),
        (40124, "python -m ipykernel_launcher -f /root/.local/share/jupyter/runtime/kernel-1.json", False),
        (40125, "/venv/lib/tensorboard_data_server/bin/server --logdir=runs", False),
        (61001, "python app.py", True),
        (6006, "/venv/bin/python /venv/bin/tensorboard --logdir runs", True),
        (9229, "node /root/.vscode-server/bin/abc/server.js", False),
        (5678, "python /run/devenv/payload/debugpy/adapter --port 5678", False),
        (8000, "python /run/devenv/payload/debugpy --listen 5678 serve.py", True),
    ],
)
def test_what_is_forwarded(port: int, command: str, forwarded: bool) -> None:
    detection = Detection(everything)
    detection.see(listing(heard(port, command)), 100.0)
    assert not detection.decide(100.0 + SETTLE - 0.1)
    assert detection.decide(100.0 + SETTLE).forward == ((port,) if forwarded else ())


def test_what_is_not_wanted_is_left_alone() -> None:
    detection = Detection(lambda port, line: port != 8000 and "secret" not in line)
    detection.see(listing(heard(8000), heard(8001, "secret server"), heard(8002)), 0.0)
    assert detection.decide(5.0).forward == (8002,)


def test_a_mapping_outlives_its_listener_for_a_while() -> None:
    detection = Detection(everything)
    detection.see(listing(heard(8000)), 0.0)
    assert detection.decide(SETTLE).forward == (8000,)
    detection.see(listing(), 10.0)
    assert detection.next_due(10.0) == KEEP
    assert not detection.decide(10.0 + KEEP - 1)
    assert detection.decide(10.0 + KEEP).drop == (8000,)
    assert detection.next_due(99.0) is None


def test_a_reloader_changes_nothing() -> None:
    detection = Detection(everything)
    detection.see(listing(heard(8000)), 0.0)
    assert detection.decide(SETTLE)
    for second in range(2, 60, 2):
        detection.see(listing(), float(second))
        assert not detection.decide(second + 0.5)
        detection.see(listing(heard(8000)), second + 1.0)
        assert not detection.decide(second + 1.5)


def test_a_port_that_was_open_for_an_instant_does_not_count() -> None:
    detection = Detection(everything)
    detection.see(listing(heard(8000)), 0.0)
    detection.see(listing(), 0.5)
    detection.see(listing(heard(8000)), 0.9)
    assert not detection.decide(1.1)
    assert detection.decide(2.0).forward == (8000,)


def test_a_lost_link_takes_no_mapping() -> None:
    detection = Detection(everything)
    detection.see(listing(heard(8000)), 0.0)
    detection.decide(SETTLE)
    detection.see(listing(), 2.0)
    detection.suspend()
    assert not detection.decide(500.0)
    detection.see(listing(), 500.0)  # the new link: it does not listen yet
    assert not detection.decide(501.0)
    detection.see(listing(heard(8000)), 502.0)
    assert not detection.decide(600.0)


def test_a_hundred_ports_at_once_do_not_flood() -> None:
    detection = Detection(everything)
    detection.see(listing(*(heard(port) for port in range(10000, 10100))), 0.0)
    decisions = detection.decide(SETTLE)
    assert len(decisions.forward) == MOST_NEW
    assert len(decisions.crowded) == 100 - MOST_NEW
    detection.see(listing(*(heard(port) for port in range(10000, 10100)), heard(8000)), 70.0)
    assert detection.decide(72.0).forward == (8000,)


def test_the_ports_of_kernels_and_tests_are_left_alone() -> None:
    detection = Detection(everything)
    kernels = [heard(port, "python -m ipykernel_launcher -f k.json", "127.0.0.1") for port in range(40000, 40005)]
    random = [heard(port, "python -m pytest") for port in range(50000, 50100)]
    detection.see(listing(*kernels, *random), 0.0)
    assert not detection.decide(2.0)


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        (["127.0.0.1"], "127.0.0.1"),
        (["0.0.0.0"], "127.0.0.1"),
        (["::1"], "::1"),
        (["::"], "localhost"),
        (["::ffff:127.0.0.1"], "127.0.0.1"),
        (["172.17.0.2"], "172.17.0.2"),
        (["::1", "127.0.0.1"], "127.0.0.1"),
        ([], "localhost"),
    ],
)
def test_where_to_connect(addresses: list[str], expected: str) -> None:
    assert dial_address([heard(8000, address=address) for address in addresses]) == expected


def test_the_engines_resolver_is_nobodys_server() -> None:
    assert by_port([heard(41000, "", "127.0.0.11"), heard(8000)]).keys() == {8000}


@pytest.mark.parametrize(
    "row",
    [
        None,
        "8000",
        {},
        {"port": 0, "family": 4, "address": "0.0.0.0"},
        {"port": 70000, "family": 4, "address": "0.0.0.0"},
        {"port": 8000, "family": 5, "address": "0.0.0.0"},
        {"port": 8000, "family": 4, "address": None},
        {"port": "8000", "family": 4, "address": "0.0.0.0"},
    ],
)
def test_nonsense_in_a_listing_is_left_out(row: object) -> None:
    good = {"port": 1, "family": 4, "address": "0.0.0.0", "uid": 0, "pid": None, "cmdline": None, "new": "field"}
    assert parse_listing([row, good]) == [Heard(1, 4, "0.0.0.0", 0)]
    assert parse_listing(row) == []


def test_known_servers_by_program_or_module() -> None:
    assert is_known_server(["/usr/bin/python3", "/venv/bin/uvicorn", "app:app"])
    assert not is_known_server(["python", "train.py", "--logger", "x", "y", "tensorboard"])
    assert is_own("python3 -I -S -u -c import devenv_agent.main")
