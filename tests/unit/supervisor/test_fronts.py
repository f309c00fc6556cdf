"""What a closed window means for an environment, and what watchers settle among each other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from devenv.api.context import ClientContext
from devenv.api.messages import LeaveArgs, OpeningArgs
from devenv.errors import EngineError, LiveRuns
from devenv.supervisor.verbs.fronts import FrontVerbs, needed

CTX = ClientContext("/", 0o022, {}, 0)


def bench(**more: Any) -> Any:
    """As much of a workbench as leaving uses."""
    runs = more.pop("live", [])

    async def refresh_runs() -> None: ...

    values: dict[str, Any] = {
        "adopted": False,
        "fronts": ["me"],
        "runs": SimpleNamespace(live=lambda: runs),
        "operation": None,
        "pending": [],
        "guests": 0,
        "forwarder": SimpleNamespace(idle=True),
        "running": True,
        "target": SimpleNamespace(name="digits"),
        "refresh_runs": refresh_runs,
    }
    return SimpleNamespace(**{**values, **more})


WORK = SimpleNamespace(running=True, verb="rebuild")


@pytest.mark.parametrize(
    ("state", "why"),
    [
        pytest.param({}, "", id="nobody needs it"),
        pytest.param({"fronts": []}, "", id="our watch is gone already"),
        pytest.param({"fronts": ["me", "me"]}, "", id="two watches of our own"),
        pytest.param({"fronts": ["me", "you"]}, "another window", id="another window"),
        pytest.param({"fronts": [""]}, "another window", id="a watcher without a name"),
        pytest.param({"live": [{"name": "train", "kind": "run"}]}, "train still runs", id="a run"),
        pytest.param(
            {"live": [{"name": "a", "kind": "run"}, {"name": "b", "kind": "test"}]}, "a, b still run ", id="two runs"
        ),
        pytest.param({"live": [{"name": "jupyter", "kind": "service"}]}, "", id="a service alone holds nothing up"),
        pytest.param({"operation": WORK}, "`devenv rebuild` is at work", id="work"),
        pytest.param({"operation": WORK, "pending": ["postCreateCommand"]}, "postCreateCommand still runs", id="hooks"),
        pytest.param({"operation": SimpleNamespace(running=False, verb="up")}, "", id="work that has ended"),
        pytest.param({"guests": 1}, "a command or a shell", id="a shell"),
        pytest.param({"forwarder": SimpleNamespace(idle=False)}, "connected to one of its ports", id="a connection"),
        pytest.param({"adopted": True}, "another tool made its container", id="somebody else's container"),
    ],
)
def test_what_keeps_an_environment_up(state: dict[str, Any], why: str) -> None:
    said = needed(bench(**state), "me")
    assert (why in said) if why else said == ""


class World:
    """The registry and the verb `stop`, as leaving uses them."""

    def __init__(self, action: str | None, error: Exception | None = None, **state: Any) -> None:
        self.bench = bench(**state)
        self.stopped = 0
        self.error = error
        self.action = action
        both: Any = self
        self.verbs = FrontVerbs(both, both)

    async def find(self, *_: Any) -> Any:
        return self.bench

    def merged(self, _: Any) -> Any:
        return SimpleNamespace(shutdown_action=self.action)

    async def stop(self, *_: Any) -> Any:
        if self.error is not None:
            raise self.error
        self.stopped += 1

    async def leave(self) -> dict[str, Any]:
        nobody: Any = None
        answer: dict[str, Any] = await self.verbs.leave(LeaveArgs(front="me"), CTX, nobody)
        return answer


@pytest.mark.parametrize("action", ["stopContainer", "stopCompose"])
async def test_a_written_stop(action: str) -> None:
    world = World(action)
    answer = await world.leave()
    assert (answer["stopped"], world.stopped) == (True, 1)
    assert answer["sentence"] == f"digits is stopped, as its shutdownAction asks ({action}); `devenv start` continues"


@pytest.mark.parametrize("action", [None, "none"])
async def test_no_word_or_none_leaves_it_running_in_silence(action: str | None) -> None:
    world = World(action)
    assert (await world.leave(), world.stopped) == ({"stopped": False, "sentence": ""}, 0)


async def test_what_is_used_goes_on_and_that_is_said() -> None:
    world = World("stopContainer", live=[{"name": "train", "kind": "run"}])
    answer = await world.leave()
    assert (answer["stopped"], world.stopped) == (False, 0)
    assert answer["sentence"].startswith("digits goes on, although shutdownAction is stopContainer: train still runs")


async def test_a_stopped_one_is_left_alone() -> None:
    assert (await World("stopContainer", running=False).leave())["sentence"] == ""


@pytest.mark.parametrize(
    ("error", "said"),
    [(LiveRuns("1 live run: train"), "goes on: 1 live run"), (EngineError("no answer"), "could not be stopped")],
)
async def test_a_stop_that_fails_is_said(error: Exception, said: str) -> None:
    answer = await World("stopContainer", error).leave()
    assert not answer["stopped"] and said in answer["sentence"]


async def test_an_opening_is_claimed() -> None:
    asked: list[tuple[int, float]] = []

    def claim(port: int, since: float) -> bool:
        asked.append((port, since))
        return len(asked) == 1

    world = World(None, forwarder=SimpleNamespace(claim_opening=claim))
    nobody: Any = None
    granted = [await world.verbs.opening(OpeningArgs(port=8000, since=1.5), CTX, nobody) for _ in range(2)]
    assert granted == [{"granted": True}, {"granted": False}] and asked == [(8000, 1.5)] * 2
