"""A keeper of an earlier release, met by today's agent: runs are weeks old when the agent is new.

`keeper_v1/agent.bundle` is the agent as released with protocol version 1, packed as the link sends it. It is never
edited; `freeze.py` makes the next one at a release that changes what a keeper says.
"""

from __future__ import annotations

import os
import pathlib

import pytest

from .client import Client

BUNDLES = sorted(pathlib.Path(__file__).parent.glob("keeper_v*/agent.bundle"))


def test_there_is_one() -> None:
    assert BUNDLES


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.parent.name)
@pytest.mark.parametrize("tty", [None, (24, 80)], ids=["pipes", "terminal"])
def test_an_old_keeper_and_a_new_agent(
    python: str, state: pathlib.Path, bundle: pathlib.Path, tty: tuple[int, int] | None
) -> None:
    old = Client(python, state, packed=bundle.read_bytes())
    first = old.start(["sh", "-c", "echo before; read x; echo got $x; read y; exit 5"], tty=tty, meta={"a": 1})
    second = old.start(["sleep", "1000"])
    old.attach(first["id"]).expect(b"before")
    old.kill()
    with Client(python, state) as new:
        assert {record["id"]: record["state"] for record in new.request("runs.list")} == {
            first["id"]: "running",
            second["id"]: "running",
        }
        channel = new.attach(first["id"])
        channel.expect(b"before")
        channel.send(b"one\n")
        channel.expect(b"got one")
        new.until(lambda: any(event["record"]["attached"] == 1 for event in new.events), "the attached client")
        channel.send(b"two\n")
        assert channel.wait()["record"]["exit_code"] == 5
        assert new.request("runs.end", id=second["id"], force=True)["signal"] == 9
        assert b"got one" in new.output(first["id"])


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.parent.name)
def test_an_old_keeper_that_was_killed(
    newest: str, state: pathlib.Path, bundle: pathlib.Path, victims: list[int]
) -> None:
    old = Client(newest, state, packed=bundle.read_bytes())
    record = old.start(["sh", "-c", "echo x; exec sleep 1000"])
    victims.append(record["pid"])
    old.attach(record["id"]).expect(b"x")
    old.kill()
    os.kill(record["keeper_pid"], 9)
    with Client(newest, state) as new:
        new.until(lambda: new.record(record["id"])["state"] == "lost", "lost")
        assert new.output(record["id"]) == b"x\n"
