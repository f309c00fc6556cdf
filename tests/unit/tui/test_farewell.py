"""What is asked and said when the terminal UI is left."""

from __future__ import annotations

import io

import pytest

from devenv.api import fake_scenes
from devenv.api.fake import FakeClient
from devenv.api.views import EnvStatus
from devenv.errors import LinkError
from tui.farewell import farewell
from tui.model.reducer import reduce
from tui.model.state import Arrived, State


def left(client: FakeClient, **environment: object) -> str:
    client.change_environment(**environment)
    out = io.StringIO()
    farewell(client, reduce(State(), Arrived(client.snapshot, fake_scenes.NOW)), out)
    return out.getvalue()


@pytest.mark.parametrize("action", ["stopContainer", "stopCompose"])
def test_a_written_stop_is_asked_for_and_told(action: str) -> None:
    client = fake_scenes.ready()
    client.farewell = "digits-pytorch is stopped"
    assert left(client, shutdown_action=action) == "leaving digits-pytorch…\ndigits-pytorch is stopped\n"
    assert client.calls == [("leave",)]


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"shutdown_action": ""}, id="not said"),
        pytest.param({"shutdown_action": "none"}, id="none"),
        pytest.param({"shutdown_action": "stopContainer", "status": EnvStatus.STOPPED}, id="stopped already"),
    ],
)
def test_without_that_word_it_goes_on_in_silence(environment: dict[str, object]) -> None:
    client = fake_scenes.ready()
    assert left(client, **environment) == "" and client.calls == []


def test_nothing_was_seen_yet() -> None:
    client = fake_scenes.ready()
    farewell(client, State(), io.StringIO())
    assert client.calls == []


def test_a_failure_is_told() -> None:
    client = fake_scenes.ready()
    client.fail_next("leave", LinkError("the supervisor does not answer", "try again"))
    assert "it goes on: the supervisor does not answer" in left(client, shutdown_action="stopContainer")
