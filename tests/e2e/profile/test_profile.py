"""`devenv profile` with the real tools: live, started, ended early, compared, and looked at in a browser."""

from __future__ import annotations

import gzip
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daily.site import Site
from tests.kit.chromium import Browser
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users, pytest.mark.timeout(120)]


def recorded(site: Site, *words: str, rc: int = 0) -> dict[str, Any]:
    """The result of one recording."""
    done = site.devenv("profile", "--json", *words)
    assert done.rc == rc, done.describe()
    end = done.json_lines()[-1]
    assert "profile" in end, done.describe()
    found: dict[str, Any] = end["profile"]
    return found


def shares(found: dict[str, Any]) -> dict[str, float]:
    """What each of the project's functions caused."""
    return {row["frame"]["name"]: row["total"] for row in found["project"]}


def test_a_live_run_goes_on_and_ctrl_c_keeps_what_was_seen(idle: Site) -> None:
    idle.json("run", "-d", "train.py", "300")
    with idle.background("profile", "--for", "5m", "--json") as recording:
        recording.expect("Ctrl-C ends that")
        eventually(lambda: idle.inside("py-spy record"), "the recorder")
        eventually(lambda: _cpu(idle, "py-spy") > 0.05, "some samples")
        os.kill(recording.process.pid, signal.SIGINT)
        assert recording.process.wait(30) == 0
        end = json.loads(recording.out.splitlines()[-1])
    view = end["profile"]["profile"]
    assert (view["kind"], view["whole"], view["name"]) == ("cpu", False, "train.py")
    assert {"forward", "backward", "train"} <= set(shares(end["profile"]))
    assert idle.runs()["train.py"]["state"] == "running"


def _cpu(site: Site, program: str) -> float:
    """Processor seconds of a program in the container."""
    (pid,) = site.inside(f"{program} record")
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_script_passes_its_end_on_and_lines_have_their_text(idle: Site) -> None:
    done = idle.devenv("profile", "train.py", "--line", "1.5", "20000", "2000").failed(4)
    assert "trained 1.5 20000 2000" in done.out
    assert "▸ return sum(i * i for i in range(size))" in done.out
    assert f"{idle.path('train.py')}:4" in done.out


def test_two_are_compared_listed_shown_and_looked_at(idle: Site) -> None:
    first = recorded(idle, "train.py", "1.5", "60000", "10", rc=4)
    second = recorded(idle, "train.py", "1.5", "10", "60000", rc=4)
    assert shares(first)["forward"] > 0.7 > 0.3 > shares(second).get("forward", 0.0)
    names = [found["profile"]["id"] for found in (first, second)]
    compared = idle.json("profile", "--compare", *names)
    grown = {row["frame"]["name"]: row["own"][1] - row["own"][0] for row in compared["rows"]}
    assert compared["unit"] == "seconds"
    assert grown["backward"] > 0 > grown["forward.<locals>.<genexpr>"]
    assert {view["id"] for view in idle.json("profile", "--list")["profiles"]} >= set(names)
    shown = idle.devenv("profile", "--show", names[0]).ok().says("forward", "flame.html")
    assert first["profile"]["page"] in shown.out
    speedscope = json.loads(Path(first["profile"]["speedscope"]).read_bytes())
    assert speedscope["$schema"].startswith("https://www.speedscope.app/")


@pytest.mark.browser
def test_the_pages_work_in_a_browser(idle: Site, tmp_path: Path) -> None:
    first = recorded(idle, "train.py", "1", "60000", "10", rc=4)
    second = recorded(idle, "train.py", "1", "60000", "4000", rc=4)
    compared = idle.json("profile", "--compare", first["profile"]["id"], second["profile"]["id"])
    with Browser() as browser:
        page = browser.open(f"file://{first['profile']['page']}")
        labels = "[...document.querySelectorAll('.f')].map((e) => e.textContent)"
        assert {"all", "train", "forward"} <= set(page.evaluate(labels))
        page.evaluate("[...document.querySelectorAll('.f')].find((e) => e.textContent === 'forward').click()")
        wide = "[...document.querySelectorAll('.f')].find((e) => e.textContent === 'forward').offsetWidth"
        assert page.evaluate(f"{wide} === document.querySelector('#graph').clientWidth")
        page.press("Escape", 27)
        page.evaluate("document.querySelector('#search').value = 'genexpr'")
        page.evaluate("document.querySelector('#search').dispatchEvent(new Event('input'))")
        assert "%" in page.evaluate("document.querySelector('#found').textContent")
        assert page.screenshot(tmp_path / "flame.png").stat().st_size > 10_000
        page.go(f"file://{compared['page']}")
        assert page.evaluate("document.querySelectorAll('.up').length") >= 1
        problems = [
            event for event in browser.events if event["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")
        ]
        assert problems == []


@pytest.mark.parametrize(("words", "rc"), [((), 3), (("--die",), 137)])
def test_memory_of_a_script_also_of_one_that_is_killed(idle: Site, words: tuple[str, ...], rc: int) -> None:
    found = recorded(idle, "memory.py", "--memory", *words, rc=rc)
    assert found["profile"]["unit"] == "bytes"
    assert 28e6 < found["profile"]["total"] < 60e6
    assert shares(found)["load"] > 0.7


def test_every_call_of_a_script_as_a_trace(idle: Site) -> None:
    found = recorded(idle, "train.py", "--trace", "0.05", "200", "10", rc=4)
    assert shares(found)["forward"] > 0.3
    trace = json.loads(gzip.decompress(Path(found["profile"]["trace"]).read_bytes()))
    assert any(str(event.get("name", "")).startswith("forward (") for event in trace["traceEvents"])


def test_what_a_tool_cannot_do_is_said(idle: Site) -> None:
    idle.devenv("profile", "train.py", "--gpu", "1").failed(78).says("has no torch", "--cpu")
    idle.devenv("profile", "--memory", "wait.sh").failed(64).says("not a Python program")
    idle.devenv("profile", "--show", "nothing").failed(66).says("no profile 'nothing'")
    idle.devenv("profile", "--memory", "--cpu", "train.py").failed(64).says("one kind at a time")
    idle.json("run", "-d", "train.py", "300")
    idle.devenv("profile", "--memory").failed(64).says(
        "cannot join a program that runs", "devenv profile --memory SCRIPT"
    )
    idle.devenv("profile", "--show", "last").ok()


def test_a_program_that_waits_is_told_apart_from_one_that_works(idle: Site) -> None:
    idle.json("run", "-d", "sleep.py")
    idle.devenv("profile", "--for", "1s").says("waiting counts too with --idle", "devenv stack")
    found = recorded(idle, "--for", "1s", "--idle")
    assert found["profile"]["total"] > 0.5
    assert shares(found)["nap"] > 0.9


def test_a_front_end_gets_stack_and_profile_of_a_run(idle: Site) -> None:
    run = idle.json("run", "-d", "train.py", "300")["run"]["id"]
    code = (
        "import asyncio, sys\n"
        "from devenv.api.client import SupervisorClient\n"
        "async def main():\n"
        "    client = SupervisorClient(sys.argv[1])\n"
        "    print(await client.stack(sys.argv[2]))\n"
        "    result = await client.profile(sys.argv[2], 1.0)\n"
        "    print(result.profile.page, *sorted(row.frame.name for row in result.project))\n"
        "asyncio.run(main())\n"
    )
    python = idle.shell.path[0] / "python"
    done = idle.shell.run(str(python), "-c", code, str(idle.folder), run, timeout=30).ok()
    done.says(r"MainThread of train.py", r"▸ train +", r"/flame.html .*backward.* forward.* train")


def test_a_program_that_ends_at_once_ends_as_it_would(idle: Site) -> None:
    idle.write("brief.py", "raise SystemExit(9)\n")
    idle.devenv("profile", "brief.py").failed(9).says("devenv: ")


def test_what_ended_while_nobody_watched_is_taken_later(idle: Site) -> None:
    run = idle.json("profile", "--memory", "-d", "memory.py")["run"]["id"]
    idle.kill_supervisor()

    def taken() -> bool:
        return run in [view["run"] for view in idle.json("profile", "--list")["profiles"]]

    eventually(taken, "the recording")
    assert shares(idle.json("profile", "--show", run))["load"] > 0.7
