"""What the agent says of processes: a run's, with all that it started; some by number; those of one program."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from .client import AgentError, Client

CHILD = "import os, time; os.environ.get('RANK'); time.sleep(300)"


def test_a_run_with_what_it_started(agent: Client) -> None:
    script = f'RANK=3 {sys.executable} -c "{CHILD}" & sleep 300'
    record = agent.start(["sh", "-c", script], name="train")
    channel = agent.attach(record["id"])
    try:
        found = {}

        def all_there() -> bool:
            listed = agent.request("processes", id=record["id"])
            found.update({item["argv"][0]: item for item in listed["processes"] if item["argv"]})
            return len(found) >= 3 and found.get(sys.executable, {}).get("env") == {"RANK": "3"}

        for _ in range(200):
            if all_there():
                break
            agent.settle(0.02)
        python, shell = found[sys.executable], found["sh"]
        assert (python["ppid"], shell["pid"]) == (shell["pid"], record["pid"])
        assert (python["python"], found["sleep"]["python"]) == (True, False)
        assert (python["uid"], python["gid"], python["inside"]) == (os.getuid(), os.getgid(), True)
        assert python["state"] in "RSD"
    finally:
        agent.request("runs.end", id=record["id"], force=True)
    channel.wait()
    assert agent.request("processes", id=record["id"])["processes"] == []


def test_by_number_and_by_program(one: Client) -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD, "mark"]) as process:
        try:
            (found,) = one.request("processes", pids=[process.pid])["processes"]
            assert found["argv"][-1] == "mark"
            assert one.request("processes", pids=[process.pid], below=True)["processes"][0]["pid"] == process.pid
            same = one.request("processes", program=sys.executable)["processes"]
            assert process.pid in [item["pid"] for item in same]
            listed = one.request("processes", pids=[process.pid, 1 << 30])
            assert [item["pid"] for item in listed["processes"]] == [process.pid]
            assert (listed["uid"], listed["machine"]) == (os.getuid(), os.uname().machine)
            assert isinstance(listed["yama"], int)
        finally:
            process.kill()


def test_what_is_no_number_is_refused(one: Client) -> None:
    with pytest.raises(AgentError):
        one.request("processes", pids=["x"])
    with pytest.raises(AgentError):
        one.request("processes", id="nothing")
