"""`devenv debug --attach`: the debugger comes into a program that was started without it, leaves, comes again; the
program ends as it would have."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.daily.site import Site
from tests.e2e.ide.place import attached, door, line_of, own_name, place
from tests.kit.command import Shell
from tests.kit.engine import Docker
from tests.kit.fixtures import Images
from tests.kit.project import Content
from tests.kit.users import User
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users]

PROGRAMS: dict[str, Content] = {
    # Computes without a pause, in one thread, and has not imported threading.
    "steady.py": """\
import sys

enough = False
tick = 0


def turn(number):
    number += 1
    return number


while not enough:
    tick = turn(tick)
print("enough", "threading" in sys.modules and sys.modules["threading"].main_thread().name)
sys.exit(5)
""",
    # The main thread stands in C for ever; another one works.
    "blocked.py": """\
import sys
import threading
import time

done = threading.Lock()
done.acquire()
tick = 0


def work():
    global tick
    while done.locked():
        tick += 1
        time.sleep(0.001)


threading.Thread(target=work, daemon=True).start()
done.acquire()
print("enough")
sys.exit(5)
""",
    # Alone, in C, for ever; what wakes it is a line on its stdin.
    "asleep.py": """\
import os
import sys

tick = 0
os.read(0, 1)
tick += 1
print("enough")
sys.exit(5)
""",
    "tensors.py": """\
import sys

import torch

enough = False
tick = 0
weights = torch.eye(200)
while not enough:
    weights = weights @ weights / weights.norm()
    tick += 1
print("enough")
sys.exit(5)
""",
    "closed.py": """\
import ctypes
import time

ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
tick = 0
while True:
    tick += 1
    time.sleep(0.01)
""",
}


@contextlib.contextmanager
def running(site: Site, program: str, *options: str) -> Iterator[str]:
    """The program as a run without a debugger; its id."""
    outcome = site.devenv("run", "-d", *options, program).ok()
    found = re.search(r" runs: (\S+)", outcome.out)
    assert found, outcome.describe()
    try:
        yield found[1]
    finally:
        site.devenv("kill", "--force", found[1])


def visit(site: Site, program: str, text: str = "tick", say: str = "") -> int:
    """Comes as launch.json says, stops at the line with `text`, says something there, leaves; the value of `tick`."""
    source = site.path(program)
    with attached(site, {source: [line_of(source, text)]}) as (client, placed):
        thread = client.stopped("breakpoint")["threadId"]
        assert placed[str(source)][0]["verified"]
        frame = client.frames(thread)[0]
        assert frame["source"]["path"] == str(source)
        tick = int(client.evaluate("int(__import__('__main__').tick)", frame["id"]))
        client.breakpoints(source, [])
        if say:
            client.evaluate(say, frame["id"])
        client.disconnect()
    return tick


def ended(site: Site, run: str) -> tuple[int | None, str]:
    """(exit code, everything that it printed), once it has ended."""

    def view() -> dict[str, object]:
        found: dict[str, object] = next(view for view in site.json("runs", "--all")["runs"] if view["id"] == run)
        assert found["ended"], found
        return found

    code = eventually(view, f"the end of {run}")["exit_code"]
    assert code is None or isinstance(code, int)
    return code, site.devenv("logs", run).ok().out


ENOUGH = "setattr(__import__('__main__'), 'enough', True)"


def journey(site: Site, *options: str, way: str = "pending") -> None:
    """A program that computes is attached to, debugged, left, and attached to again."""
    with running(site, "steady.py", *options) as run:
        said = site.json("debug", "--attach", "steady.py")
        assert f"debugger ready at 127.0.0.1:{door(site)}" in said["text"]
        assert said["attached"]["way"] == way
        first = visit(site, "steady.py", "number += 1")
        site.devenv("debug", "--attach", run).ok().says("as before")
        assert visit(site, "steady.py", "tick = turn", ENOUGH) > first
        assert ended(site, run) == (5, "enough MainThread\n")


@pytest.fixture(scope="module")
def attic(alice: User, shell: Callable[..., Shell], images: Images) -> Iterator[Site]:
    with place(shell, alice, own_name("attic"), images.python_user, PROGRAMS) as site:
        yield site


def test_a_program_that_computes(attic: Site) -> None:
    journey(attic)


def test_a_program_whose_main_thread_hangs_in_c(attic: Site) -> None:
    with running(attic, "blocked.py") as run:
        attic.devenv("debug", "--attach", run).ok().says("the program goes on")
        visit(attic, "blocked.py", "tick += 1", "__import__('__main__').done.release()")
        assert ended(attic, run) == (5, "enough\n")


def test_a_program_that_does_nothing_but_wait(attic: Site) -> None:
    with attic.background("run", "asleep.py", stdin=True) as program:
        eventually(lambda: "asleep.py" in attic.runs(), "the run")
        answer = attic.json("debug", "--attach", "asleep.py")
        assert answer["attached"]["way"] in ("thread", "remote-exec")
        source = attic.path("asleep.py")
        with attached(attic, {source: [line_of(source, "tick += 1")]}) as (client, _):
            program.send("x")
            client.stopped("breakpoint")
            client.disconnect()
        assert program.wait() == 5
        assert program.out == b"enough\n"


def test_a_killed_supervisor_finds_the_debugger_again(attic: Site) -> None:
    with running(attic, "steady.py"):
        attic.devenv("debug", "--attach", "steady.py").ok()
        before = visit(attic, "steady.py", "number += 1")
        attic.kill_supervisor()
        assert visit_again(attic) > before


def visit_again(site: Site) -> int:
    door(site)
    return visit(site, "steady.py", "number += 1")


def test_a_killed_adapter_is_replaced(attic: Site) -> None:
    with running(attic, "steady.py") as run:
        attic.devenv("debug", "--attach", run).ok()
        attic.exec("pkill", "-9", "-f", "debugpy/adapter").ok()
        attic.devenv("debug", "--attach", run).ok().says("the program goes on")
        visit(attic, "steady.py", "tick = turn", ENOUGH)
        assert ended(attic, run) == (5, "enough MainThread\n")


def test_what_is_refused_goes_on(attic: Site) -> None:
    with running(attic, "steady.py") as run:
        pid = attic.json("stack", run)["processes"][0]["pid"]
        attic.exec("kill", "-STOP", str(pid)).ok()
        attic.devenv("debug", "--attach", run).failed(78).says("stopped", "kill -CONT")
        attic.exec("kill", "-CONT", str(pid)).ok()
        attic.devenv("debug", "--attach", "1").failed().says("is none")
        attic.devenv("debug", "--attach", "999999").failed(66)
        attic.docker("pause", attic.container())
        attic.devenv("debug", "--attach", run).failed(67).says("paused")
        attic.docker("unpause", attic.container())
        attic.devenv("debug", "--attach", run).ok()
    attic.devenv("debug", "--attach", run).failed(66).says("ended")


def test_a_program_that_has_closed_itself(attic: Site) -> None:
    with running(attic, "closed.py") as run:
        attic.devenv("debug", "--attach", run).failed(77).says("SYS_PTRACE", "--privileged")
        attic.devenv("debug", "--attach", "--privileged", run).ok()
        assert visit(attic, "closed.py", "tick += 1") > 0
        adapters = attic.exec(
            "sh", "-c", "grep -h CapEff $(grep -ls debugpy.adapter /proc/[0-9]*/cmdline | sed s/cmdline/status/)"
        )
        assert {line.split()[1] for line in adapters.out.splitlines()} == {"0" * 16}


def test_everything_is_cut_off_in_the_middle(attic: Site) -> None:
    """Whatever is killed while a debugger comes in, the program goes on, and the next debugger comes in."""
    with running(attic, "steady.py") as run:
        for seconds in (0.2, 0.5):
            with attic.background("debug", "--attach", run):
                time.sleep(seconds)  # no waiting: somewhere in the middle
                attic.kill_supervisor()
                for pid in attic.agents():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            assert attic.runs()["steady.py"]["state"] == "running"
        attic.devenv("debug", "--attach", run).ok()
        visit(attic, "steady.py", "tick = turn", ENOUGH)
        assert ended(attic, run) == (5, "enough MainThread\n")


def test_the_newest_python_by_its_own_way_and_where_that_is_turned_off(
    alice: User, shell: Callable[..., Shell], engine: Docker
) -> None:
    image = "devenv-rig/python:3.14"
    if not engine.exists(image):
        pytest.skip(f"{image} is missing: tests/rig/images.sh old")
    with place(shell, alice, own_name("attic314"), image, {"steady.py": PROGRAMS["steady.py"]}) as site:
        journey(site, way="remote-exec")
        journey(site, "--env", "PYTHON_DISABLE_REMOTE_DEBUG=1", way="pending")


@pytest.mark.parametrize("version", ["3.9", "3.13"])
def test_interpreters(version: str, alice: User, shell: Callable[..., Shell], engine: Docker) -> None:
    image = f"devenv-rig/python:{version}"
    if not engine.exists(image):
        pytest.skip(f"{image} is missing: tests/rig/images.sh old, which needs pyenv for some versions")
    name = own_name(f"attic{version.replace('.', '')}")
    with place(shell, alice, name, image, {"steady.py": PROGRAMS["steady.py"]}) as site:
        journey(site)


def test_another_user_in_a_container_without_capabilities(
    alice: User, shell: Callable[..., Shell], images: Images
) -> None:
    files = {"steady.py": PROGRAMS["steady.py"]}
    bare = {"runArgs": ["--cap-drop=ALL"], "updateRemoteUserUID": False}
    with place(shell, alice, own_name("bare"), images.python_user, files, **bare) as site:
        journey(site)
        site.docker(
            "exec", "-d", "-u", "0", site.container(), "python3", f"{site.view()['workspace_folder']}/steady.py"
        )
        pid = eventually(lambda: site.exec("pgrep", "-f", "steady.py").ok().out.split()[0], "the other's process")
        site.devenv("debug", "--attach", pid).ok()
        assert visit(site, "steady.py", "number += 1") > 0


def test_tracing_is_forbidden(alice: User, shell: Callable[..., Shell], images: Images) -> None:
    files: dict[str, Content] = {
        "steady.py": PROGRAMS["steady.py"],
        "seccomp.json": json.dumps(
            {
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [{"names": ["ptrace"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}],
            }
        ),
    }
    options = ["--security-opt=seccomp=${localWorkspaceFolder}/seccomp.json"]
    with (
        place(shell, alice, own_name("sealed"), images.python_user, files, runArgs=options) as site,
        running(site, "steady.py") as run,
    ):
        site.devenv("debug", "--attach", run).failed(78).says("was not touched", "seccomp")
        assert site.runs()["steady.py"]["state"] == "running"


def test_a_loop_of_tensors(alice: User, shell: Callable[..., Shell], images: Images) -> None:
    with (
        place(shell, alice, own_name("tensors"), images.torch, {"tensors.py": PROGRAMS["tensors.py"]}) as site,
        running(site, "tensors.py") as run,
    ):
        eventually(lambda: "torch" in site.devenv("stack", "--all", run).ok().out or True, "the loop")
        site.devenv("debug", "--attach", run).ok()
        visit(site, "tensors.py", "tick += 1", ENOUGH)
        assert ended(site, run) == (5, "enough\n")
