"""What is killed or taken away in the middle of work, and what that costs."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.daily.conftest import Founder
from tests.e2e.daily.site import Site
from tests.kit.fixtures import Images
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users]

WHOLE = "".join(
    [*(f"line {n}\n" for n in range(20000)), "half\n", *(f"line {n}\n" for n in range(20000, 40000)), "all\n"]
).encode()
MARKS = "".join(f"mark {n}\n" for n in range(0, 40000, 1000))


@pytest.fixture(params=["direct", "stream"])
def tiered(request: pytest.FixtureRequest, daily: Site) -> Iterator[Site]:
    """The common environment over one tier of the link."""
    wanted = request.param
    daily.devenv("up", "--tier", wanted).ok()
    assert daily.view()["tier"] == wanted
    yield daily


def test_the_supervisor_is_killed_during_an_attached_run(daily: Site) -> None:
    with daily.background("run", "--name", "orphan", "count.py", "/tmp/orphan") as run:
        run.expect("half")
        before = daily.kill_supervisor()
        assert run.wait() == 74
        assert "devenv attach" in run.err
    with daily.background("attach", "orphan") as joined:
        joined.expect("half")
        assert daily.supervisor() != before
        daily.exec("touch", "/tmp/orphan").ok()
        assert joined.wait() == 0
        assert joined.out == WHOLE
    logs = daily.devenv("logs", "orphan").ok()
    assert (logs.stdout, logs.err) == (WHOLE, MARKS)


def test_the_agent_is_killed_during_an_attached_run(tiered: Site) -> None:
    name = f"agentless-{tiered.view()['tier']}"
    with tiered.background("run", "--name", name, "count.py", f"/tmp/{name}") as run:
        run.expect("half")
        agents = tiered.agents()
        assert agents
        for pid in agents:
            os.kill(pid, signal.SIGKILL)
        tiered.exec("touch", f"/tmp/{name}").ok()
        assert run.wait() == 0, run.err
        assert run.out == WHOLE
        assert run.err == MARKS


def test_input_goes_on_after_the_agent_was_killed(daily: Site) -> None:
    with daily.background("run", "talk.py", stdin=True) as run:
        run.expect("hello, pipe")
        run.send("one\n")
        run.expect("heard one")
        for pid in daily.agents():
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: daily.runs()["talk.py"]["attached"] == 1, "the client joined again")
        run.send("two\n")
        run.expect("heard two")
        run.signal(signal.SIGINT)
        assert run.wait() == 9


def test_nothing_is_lost_when_the_agent_dies_in_the_middle_of_output(daily: Site) -> None:
    with daily.background("run", "flood.py", "60") as run:
        eventually(lambda: len(run.out) > 1 << 20, "the first megabyte")
        for pid in daily.agents():
            os.kill(pid, signal.SIGKILL)
        assert run.wait() == 0, run.err
        out = run.out
        assert len(out) == 60 << 20
        # Not `==` in an assertion: it would show 60 MB.
        same = out == b"0123456789abcdef" * 65536 * 60
        assert same


def at_once(*works: Callable[[], object]) -> None:
    """All of them at the same time; the first failure is raised."""
    failures: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@pytest.fixture(scope="module")
def spare(found: Founder, images: Images) -> Site:
    """An environment to be maltreated."""
    return found("spare", images.python_user, up=False)


def test_two_ups_at_once_give_one_container(spare: Site) -> None:
    at_once(*(lambda: spare.devenv("up").ok() for _ in range(3)))
    assert len(spare.containers()) == 1


def test_two_first_commands_at_once_give_one_supervisor(daily: Site) -> None:
    daily.kill_supervisor()
    pids: set[int] = set()
    at_once(*(lambda: pids.add(daily.supervisor()) for _ in range(4)))
    assert len(pids) == 1


def test_stop_refuses_while_runs_live_and_force_ends_them(spare: Site) -> None:
    spare.devenv("up").ok()
    spare.write("clean.py", "import time\ntry:\n    print('on'); time.sleep(7000)\nfinally:\n    print('cleaned up')\n")
    spare.devenv("run", "--detach", "clean.py").ok()
    eventually(lambda: b"on" in spare.devenv("logs", "clean.py").stdout, "the run")
    spare.devenv("stop").failed(68).says("clean.py", "devenv stop --force")
    spare.devenv("rebuild").failed(68)
    spare.devenv("down").failed(68)
    ended = spare.json("stop", "--force")["ended"]
    assert [view["name"] for view in ended] == ["clean.py"]
    assert spare.view()["status"] == "stopped"
    assert spare.runs()["clean.py"]["state"] in ("exited", "signaled")
    spare.devenv("start").ok()
    spare.devenv("logs", "clean.py").ok().says("cleaned up")
    assert spare.runs()["clean.py"]["state"] in ("exited", "signaled")


def test_a_container_that_ends_from_outside_loses_its_runs_and_says_so(spare: Site) -> None:
    spare.devenv("up").ok()
    spare.devenv("run", "--detach", "wait.py").ok()
    spare.docker("kill", spare.container())
    eventually(lambda: spare.view()["status"] == "stopped", "the end to be seen")
    lost = spare.runs()["wait.py"]
    assert lost["state"] == "lost"
    assert "container stopped at" in lost["reason"]
    spare.devenv("up").ok()
    assert spare.runs()["wait.py"]["state"] == "lost"


def test_a_container_that_is_removed_from_outside(spare: Site) -> None:
    spare.devenv("up").ok()
    first = spare.container()
    with spare.background("exec", "--", "sleep", "7010") as client:
        eventually(lambda: spare.inside("sleep 7010"), "the program inside")
        spare.docker("rm", "--force", first)
        assert client.wait() not in (0, -signal.SIGKILL)
    spare.exec("true").failed(67).says("devenv up")
    assert spare.view()["status"] == "absent"
    spare.devenv("up").ok()
    assert spare.container() != first
    spare.exec("true").ok()


def test_a_paused_container(spare: Site) -> None:
    spare.devenv("up").ok()
    spare.docker("pause", spare.container())
    try:
        eventually(lambda: spare.view()["status"] == "paused", "the pause to be seen")
        spare.exec("true").failed(67).says("paused", "unpause")
    finally:
        with contextlib.suppress(AssertionError):
            spare.docker("unpause", spare.container())
    eventually(lambda: spare.view()["status"] == "running", "the end of the pause to be seen")
    spare.exec("true").ok()


def test_up_lets_a_paused_container_go_on(spare: Site) -> None:
    spare.devenv("up").ok()
    spare.docker("pause", spare.container())
    eventually(lambda: spare.view()["status"] == "paused", "the pause to be seen")
    spare.devenv("up").ok().says("paused")
    spare.exec("true").ok()


def test_a_virtual_environment_made_later_is_found_by_up_and_by_start(spare: Site) -> None:
    spare.devenv("up").ok()
    inside = f"/workspaces/{spare.folder.name}/.venv/bin/python"
    make = ("python3", "-m", "venv", "--without-pip", "--symlinks", ".venv")
    try:
        spare.exec(*make).ok()
        assert spare.json("up")["environment"]["python"] == inside
        assert spare.exec("sh", "-c", "command -v python").ok().out == f"{inside}\n"
        spare.exec("rm", "-r", ".venv").ok()
        spare.devenv("stop").ok()
        assert spare.json("start")["environment"]["python"] == "/usr/bin/python3"
        spare.exec(*make).ok()
        spare.docker("restart", "--time", "0", spare.container())
        eventually(lambda: spare.view()["python"] == inside, "the restart to be seen")
    finally:
        spare.exec("rm", "-r", ".venv")


def test_a_rebuild_makes_a_new_container_and_keeps_the_runs(spare: Site) -> None:
    spare.devenv("up").ok()
    spare.devenv("run", "--name", "kept", "streams.py").ok()
    before = spare.container()
    spare.devenv("rebuild", "--force").ok()
    assert spare.container() != before
    spare.devenv("logs", "kept").ok().says("^to out$")


def test_what_only_the_container_holds_is_said_before_it_goes(spare: Site) -> None:
    spare.devenv("up").ok()
    spare.exec("sh", "-c", "mkdir ~/models && echo weights > ~/models/big").ok()
    spare.devenv("down").failed(77).says("models", "--force")
    spare.devenv("down", "--force").ok()
    assert spare.containers() == []
    volumes = spare.docker("volume", "ls", "--quiet").split()
    key = spare.view()["key"]
    assert f"devenv-{key}-state" in volumes
    spare.devenv("down", "--volumes").ok()
    assert f"devenv-{key}-state" not in spare.docker("volume", "ls", "--quiet").split()
