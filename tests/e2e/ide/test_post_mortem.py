"""Programs that run without a debugger until something goes wrong, and then wait for one with their frames alive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.daily.site import Site
from tests.e2e.ide.place import door, line_of, own_name, place
from tests.kit.command import Shell
from tests.kit.dap import DapClient
from tests.kit.fixtures import Images
from tests.kit.users import User
from tests.kit.waiting import eventually

TRAIN = """\
import sys

def step(batch):
    weights = [1.0] * batch
    return sum(weights) / (batch - 3)

print("traced", sys.gettrace() is not None, flush=True)
for batch in range(1, 5):
    step(batch)
"""
TESTS = """\
import pytest

def scale(value):
    factor = 0
    return value * factor

def test_passes():
    assert scale(0) == 0

@pytest.mark.xfail
def test_expected():
    assert scale(1) == 1

def test_skipped():
    pytest.skip("not now")

@pytest.mark.parametrize("value", [0, 3, 4])
def test_scale(value):
    assert scale(value) == value

def test_pytest_of_its_own(tmp_path):
    import subprocess, sys
    (tmp_path / "test_inner.py").write_text("def test_inner(): assert 0")
    assert subprocess.call([sys.executable, "-m", "pytest", "-q", str(tmp_path)]) == 1
"""

pytestmark = [pytest.mark.engine, pytest.mark.users]


@pytest.fixture(scope="module")
def lab(alice: User, shell: Callable[..., Shell], images: Images) -> Iterator[Site]:
    """The image has pytest."""
    with place(shell, alice, own_name("failing"), images.torch, {"train.py": TRAIN, "test_scale.py": TESTS}) as site:
        yield site


def failing(site: Site) -> dict[str, Any]:
    """The session that has come because something went wrong."""
    found = eventually(lambda: site.json("debug", "--list")["sessions"] or None, "the failure", 60)
    return dict(found[0])


def look(client: DapClient) -> tuple[int, dict[str, Any]]:
    client.attach()
    stop = client.stopped("exception")
    return stop["threadId"], client.frames(stop["threadId"])[0]


def test_a_script(lab: Site) -> None:
    started = lab.json("debug", "--post-mortem", "-d", "train.py")
    assert f"then it waits for one at 127.0.0.1:{door(lab)}" in started["text"]
    view = failing(lab)
    assert (view["name"], view["state"], view["run"]) == ("train.py", "waiting", started["run"]["id"])
    lab.kill_supervisor()
    assert failing(lab)["port"] == view["port"]  # a new supervisor finds it again
    with DapClient(door(lab)) as client:
        thread, frame = look(client)
        source = lab.path("train.py")
        assert (frame["source"]["path"], frame["line"]) == (str(source), line_of(source, "return sum"))
        assert client.evaluate("weights, batch", frame["id"]) == "([1.0, 1.0, 1.0], 3)"
        client.resume(thread)
    ended = lab.devenv("attach", started["run"]["id"], timeout=60)
    assert ended.rc == 1, ended.describe()
    ended.says("traced False", "ZeroDivisionError", "waits for a debugger at 127.0.0.1:")
    again = lab.json("rerun", "-d", started["run"]["id"])
    run = again["run"]["id"]
    words = f"waits for a debugger at 127.0.0.1:{door(lab)}"
    eventually(lambda: words in lab.devenv("logs", run).ok().err or None, "the failure again")
    failing(lab)
    lab.devenv("kill", run).ok()  # nobody needs to come
    eventually(lambda: lab.json("debug", "--list")["sessions"] == [] or None, "its end")


def test_pytest_stops_at_each_failure(lab: Site) -> None:
    started = lab.json("debug", "--post-mortem", "-d", "pytest", "test_scale.py")
    failing(lab)
    with DapClient(door(lab)) as client:
        thread, frame = look(client)
        assert (frame["name"], client.evaluate("value", frame["id"])) == ("test_scale", "3")
        client.resume(thread)
        frame = client.frames(client.stopped("exception")["threadId"])[0]
        assert client.evaluate("value", frame["id"]) == "4"
        client.disconnect()
    ended = lab.devenv("attach", started["run"]["id"], timeout=60)
    assert ended.rc == 1, ended.describe()
    ended.says(
        r"test_scale.py::test_scale\[3\]: a failure \(AssertionError\) waits for a debugger at",
        "2 failed, 3 passed, 1 skipped, 1 xfailed",
    )


def test_the_newest_python(alice: User, shell: Callable[..., Shell]) -> None:
    with place(shell, alice, own_name("newest"), "devenv-rig/python:3.14", {"train.py": TRAIN}) as site:
        started = site.json("debug", "--post-mortem", "-d", "train.py")
        with DapClient(failing(site)["port"]) as client:
            thread, frame = look(client)
            assert (frame["name"], client.evaluate("batch", frame["id"])) == ("step", "3")
            client.resume(thread)
        assert site.devenv("attach", started["run"]["id"], timeout=60).rc == 1


def test_what_cannot_be_told_is_refused(lab: Site) -> None:
    lab.devenv("debug", "--post-mortem", "--", "python3", "-I", "train.py").failed().says(
        "Python does not read its environment with -I", "--attach"
    )
