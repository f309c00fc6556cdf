"""`devenv stack` on real processes: a deadlock over several of them, other users' ones, and all that stands nowhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.daily.site import Site
from tests.e2e.ide.place import own_name, place
from tests.e2e.profile.programs import PROGRAMS, RANKS
from tests.kit.command import Shell
from tests.kit.fixtures import Images
from tests.kit.users import User
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users, pytest.mark.timeout(120)]


# Not dumpable: nobody may look into it without a capability.
CLOSED = "import ctypes, time\nctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\ndef closed():\n    time.sleep(300)\nclosed()"


def hang(site: Site) -> dict[str, Any]:
    """A training whose three ranks are in a deadlock by now."""
    run: dict[str, Any] = site.json("run", "-d", "deadlock.py")["run"]

    def hung() -> dict[str, Any]:
        found: dict[str, Any] = site.json("stack", "deadlock.py")
        inner = [(stack["frames"][0]["name"], len(stack["threads"])) for stack in found["stacks"]]
        assert inner.count(("hold", 3)) == 2, inner
        assert len(found["processes"]) == 7
        return found

    return {**eventually(hung, "the deadlock"), "id": run["id"]}


def where(stack: dict[str, Any]) -> list[str]:
    return [f"{frame['host']}:{frame['line']}" for frame in stack["frames"] if frame["own"]]


def test_a_hung_training_shows_where_every_thread_stands(idle: Site) -> None:
    found = hang(idle)
    assert found["run"] == found["id"]
    assert all(process["problem"] == "" for process in found["processes"])
    script = idle.path("deadlock.py")
    holding = [stack for stack in found["stacks"] if stack["frames"][0]["name"] == "hold"]
    main, reducer = sorted(holding, key=lambda stack: -len(stack["frames"]))
    assert where(main)[:3] == [f"{script}:6", f"{script}:12", f"{script}:22"]
    assert where(reducer) == [f"{script}:6"]
    assert {thread["name"] for thread in reducer["threads"]} == {"reducer"}
    idle.devenv("stack").ok().says("3 x reducer of child process", rf"▸ step +{script}:12$")
    local = idle.json("stack", "--locals")
    numbers = [dict(f["values"]).get("number") for s in local["stacks"] for f in s["frames"] if f["name"] == "rank"]
    assert {"0", "1", "2"} <= set(numbers)
    idle.devenv("stack", "--locals").ok().says(r"^        number = 2$")
    assert idle.runs()["deadlock.py"]["state"] == "running"


def test_processes_of_others_and_numbers_of_this_machine(idle: Site) -> None:
    container = idle.container()
    as_user = "import os, time\nos.setuid({uid})\ndef {name}():\n    time.sleep(300)\n{name}()"
    programs = {
        "of_root": ("0", as_user.format(uid=0, name="of_root")),
        "of_another": ("0", as_user.format(uid=4321, name="of_another")),
        "closed": ("dev", CLOSED),
    }
    for user, code in programs.values():
        idle.docker("exec", "-d", "-u", user, container, "python3", "-c", code)
    try:
        for name in programs:
            (pid,) = eventually(lambda name=name: idle.inside(f"{name}()"), f"the process {name}")
            found = eventually(lambda pid=pid: idle.json("stack", str(pid)), f"the stack of {name}", 10)
            assert [frame["name"] for frame in found["stacks"][0]["frames"]] == [name, "<module>"]
            assert found["processes"][0]["pid"] != pid
            if name != "of_another":
                idle.devenv("profile", str(pid), "--for", "1s", "--idle").ok().says(name, "flame.html")
    finally:
        idle.docker("exec", "-u", "0", container, "sh", "-c", "kill -9 $(pidof python3) || true")


def test_another_tools_container_has_no_privileged_way(place_of_another: Site) -> None:
    site = place_of_another
    site.json("run", "-d", "train.py", "300")
    eventually(lambda: site.devenv("stack").ok().says(r"MainThread of train.py", rf"▸ .*{site.path('train.py')}"), "it")
    container = site.container()
    site.docker("exec", "-d", "-u", "dev", container, "python3", "-c", CLOSED)
    (pid,) = eventually(lambda: site.inside("closed()"), "the process")
    done = eventually(lambda: site.devenv("stack", str(pid)).failed(78), "the refusal")
    done.says("cannot be looked into", "not dumpable", "SYS_PTRACE")


@pytest.fixture
def place_of_another(alice: User, shell: Callable[..., Shell], images: Images) -> Iterator[Site]:
    """A container without devenv's mounted folder, so that py-spy is sent over the link."""
    with place(shell, alice, own_name("profile-other"), images.python_user, PROGRAMS, up=False) as site:
        labels = {
            "devcontainer.local_folder": str(site.folder),
            "devcontainer.config_file": str(site.path(".devcontainer/devcontainer.json")),
        }
        words = [word for name, value in labels.items() for word in ("--label", f"{name}={value}")]
        mount = f"{site.folder}:/workspaces/{site.folder.name}"
        name = site.docker("run", "-d", *words, "-v", mount, images.python_user, "sleep", "infinity").strip()
        try:
            site.devenv("up", timeout=60).ok()
            yield site
        finally:
            site.docker("rm", "-f", name)


def test_what_stands_nowhere_is_said(idle: Site) -> None:
    idle.devenv("stack").failed(66).says("no run is alive", "devenv run")
    idle.devenv("stack", "999999").failed(66).says("no process 999999 in the container")
    idle.devenv("stack", "nothing").failed(66).says("nothing")
    idle.devenv("run", "train.py", "0").failed(4)
    idle.devenv("stack", "train.py").failed(66).says("train.py .* has ended")
    idle.json("run", "-d", "wait.sh")
    idle.devenv("stack", "wait.sh").failed(66).says("no Python program", "devenv logs")
    idle.devenv("profile", "wait.sh").failed(66).says("no Python program")


def test_a_paused_container_is_said(idle: Site) -> None:
    idle.json("run", "-d", "train.py", "300")
    idle.docker("pause", idle.container())
    try:
        eventually(lambda: idle.devenv("stack").failed(67).says("is paused", "docker unpause"), "the pause")
    finally:
        idle.docker("unpause", idle.container())
    eventually(lambda: idle.devenv("stack").ok(), "the stack after the pause")


def test_root_in_an_older_image(alice: User, shell: Callable[..., Shell], images: Images) -> None:
    with place(shell, alice, own_name("profile-root"), images.python39, PROGRAMS, remoteUser="root") as site:
        found = hang(site)
        assert {process["uid"] for process in found["processes"]} == {0}
        began = time.time()
        kept = site.devenv("profile", "--json", "--for", "1s", "--idle").ok().json_lines()[-1]["profile"]["profile"]
        assert kept["processes"] == 7
        assert kept["started"] >= began
        site.devenv("down", "--force").ok()
        assert [view["id"] for view in site.json("profile", "--list")["profiles"]] == [kept["id"]]
        site.devenv("down", "--force", "--volumes").ok()
        assert site.json("profile", "--list")["profiles"] == []


def test_ranks_and_their_workers_by_their_names(alice: User, shell: Callable[..., Shell], images: Images) -> None:
    """Rank 0 does not come to the collective that the other one waits in."""
    with place(shell, alice, own_name("profile-ranks"), images.torch, {"ranks.py": RANKS}) as site:
        site.json("run", "-d", "-m", "torch.distributed.run", "--nproc-per-node", "2", "ranks.py")

        def hung() -> dict[str, list[str]]:
            found = site.json("stack")
            labels = {process["pid"]: process["label"] for process in found["processes"]}
            there = {labels[t["pid"]]: where(s) for s in found["stacks"] for t in s["threads"] if t["id"] == t["pid"]}
            assert len(there.get("rank 0", ())) == 2 and len(there.get("rank 1", ())) == 3, there
            return there

        there = eventually(hung, "both ranks", 60)
        script = site.path("ranks.py")
        assert there["rank 0"] == [f"{script}:12", f"{script}:15"]
        assert there["rank 1"] == [f"{script}:5", f"{script}:13", f"{script}:15"]
        assert set(there) == {
            "torchrun",
            "rank 0",
            "rank 1",
            "DataLoader worker of rank 0",
            "DataLoader worker of rank 1",
        }
        site.devenv("stack", "--native").ok().says("c10d::Work::wait")
