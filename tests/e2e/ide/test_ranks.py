"""Ranks that a launcher starts: each a debug session of its own, with torch's own launcher and its gloo backend."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.daily.site import Site
from tests.e2e.ide.place import line_of, own_name, place
from tests.kit.command import Shell
from tests.kit.dap import DapClient
from tests.kit.fixtures import Images
from tests.kit.users import User
from tests.kit.waiting import eventually

TRAIN = """\
import os
import torch
import torch.distributed as dist

def reduce(value):
    dist.all_reduce(value)
    return value

def main():
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    total = reduce(torch.ones(1) * (rank + 1))
    print(f"rank {rank} total {int(total)} of {os.environ['WORLD_SIZE']}", flush=True)
    dist.destroy_process_group()

if __name__ == "__main__":
    main()
"""
LAUNCH = ("torchrun", "--nproc-per-node", "2", "train.py")

pytestmark = [pytest.mark.engine, pytest.mark.users]


@pytest.fixture(scope="module")
def cluster(alice: User, shell: Callable[..., Shell], images: Images) -> Iterator[Site]:
    with place(shell, alice, own_name("ranks"), images.torch, {"train.py": TRAIN}) as site:
        yield site


@contextlib.contextmanager
def ranks(site: Site, *words: str) -> Iterator[dict[str, Any]]:
    """Their sessions by name, and the run."""
    started = site.json("debug", "-d", *words)
    run = started["run"]["id"]
    try:
        views = site.json("debug", "--list")["sessions"]
        yield {"run": run, "text": started["text"], **{view["name"]: view for view in views}}
    finally:
        site.devenv("kill", "--force", run)


def attach(client: DapClient, site: Site, text: str) -> None:
    source = site.path("train.py")
    client.attach({source: [line_of(source, text)]})


def test_every_rank_is_a_session_with_a_port_and_a_compound_joins_them(cluster: Site) -> None:
    with ranks(cluster, *LAUNCH) as found:
        first, second = found["torchrun rank 0"], found["torchrun rank 1"]
        assert (first["state"], second["state"], first["chosen"]) == ("waiting", "waiting", True)
        assert f"rank 1: debugger at port {second['port']}; it waits" in found["text"]
        written = json.loads(cluster.path(".vscode/launch.json").read_text())
        (compound,) = written["compounds"]
        by_name = {item["name"]: item for item in written["configurations"]}
        assert {by_name[name]["connect"]["port"] for name in compound["configurations"]} >= {
            first["port"],
            second["port"],
        }
        with DapClient(first["port"]) as one, DapClient(second["port"]) as two:
            for client in (one, two):
                attach(client, cluster, "total = reduce")
            threads = {client: client.stopped("breakpoint", 60)["threadId"] for client in (one, two)}
            for rank, (client, thread) in enumerate(threads.items()):
                frame = client.frames(thread)[0]
                assert frame["source"]["path"] == str(cluster.path("train.py"))
                assert client.evaluate("rank", frame["id"]) == str(rank)
            for client, thread in threads.items():
                client.resume(thread)
            for client in threads:
                client.event("terminated", timeout=60)
        assert cluster.devenv("attach", found["run"], timeout=60).ok().out.count("total 3 of 2") == 2
    eventually(lambda: cluster.json("debug", "--list")["sessions"] == [] or None, "the sessions to end")


def test_the_ranks_that_were_named_and_no_other(cluster: Site) -> None:
    with ranks(cluster, "--rank", "1", "-m", "torch.distributed.run", *LAUNCH[1:]) as found:
        (name,) = set(found) - {"run", "text"}
        assert name.endswith("rank 1")
        with DapClient(found[name]["port"]) as client:
            attach(client, cluster, "return value")
            thread = client.stopped("breakpoint", 60)["threadId"]
            assert client.evaluate("int(value)", client.frames(thread)[0]["id"]) == "3"
            client.resume(thread)
            client.event("terminated", timeout=60)
        cluster.devenv("attach", found["run"], timeout=60).ok().says("rank 0 total 3 of 2")


def test_a_rank_that_nobody_named_is_said(cluster: Site) -> None:
    ended = cluster.devenv("debug", "--rank", "7", *LAUNCH, timeout=60).ok()
    ended.says("rank 0 total 3 of 2", "no process came with rank 7")
    cluster.devenv("debug", "--rank", "x", *LAUNCH).failed(64).says("--rank x: x is no rank")


def test_a_launcher_that_does_not_say_how_many_it_starts(cluster: Site) -> None:
    cluster.path("own.py").write_text(
        "import os, subprocess, sys\n"
        "for rank in '01':\n"
        "    subprocess.Popen([sys.executable, 'one.py'], env=dict(os.environ, RANK=rank, LOCAL_RANK=rank))\n"
        "input()\n"
    )
    cluster.path("one.py").write_text("print('one')\n")
    with ranks(cluster, "--rank", "all", "own.py") as found:
        assert set(found) == {"run", "text", "own.py rank 0", "own.py rank 1"}
        assert f"rank 1: debugger at port {found['own.py rank 1']['port']}; it waits" in found["text"]


def test_a_failing_rank_waits_with_its_frames_and_the_others_run(cluster: Site) -> None:
    cluster.path("failing.py").write_text(
        TRAIN.replace("    total =", "    assert rank != 1, 'the loss is gone'\n    total =")
    )
    with ranks(cluster, "--post-mortem", *LAUNCH[:-1], "failing.py") as found:
        assert set(found) == {"run", "text"} and "no debugger until an exception" in found["text"]
        view = eventually(lambda: next(iter(cluster.json("debug", "--list")["sessions"]), None), "the failure", 60)
        assert (view["name"], view["state"]) == ("torchrun rank 1", "waiting")
        with DapClient(view["port"]) as client:
            client.attach()
            stop = client.stopped("exception")
            frame = client.frames(stop["threadId"])[0]
            assert (frame["name"], client.evaluate("rank", frame["id"])) == ("main", "1")
            client.resume(stop["threadId"])
        ended = cluster.devenv("attach", found["run"], timeout=60)
        assert ended.rc == 1, ended.describe()
        ended.says("AssertionError: the loss is gone", "rank 1: an exception that nobody caught")
