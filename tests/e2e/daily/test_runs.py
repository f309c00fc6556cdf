"""Runs as a person has them: streams, keys, detaching, joining again, ending."""

from __future__ import annotations

import hashlib
import json
import signal

import pytest

from tests.e2e.daily.site import Site
from tests.kit.tmux import Tmux
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users]


def test_a_script_keeps_its_streams_apart_and_its_exit_code(daily: Site) -> None:
    outcome = daily.devenv("run", "streams.py", "4", "--json", "-x").failed(4)
    assert (outcome.out, outcome.err) == ("to out 4 --json -x\n", "to err\n")


def test_named_runs(daily: Site) -> None:
    assert daily.devenv("run", "greet").failed(3).out == "to out 3\n"
    assert daily.devenv("run", "greet", "0").failed(3).out == "to out 3 0\n"
    daily.devenv("run", "list").ok().says("^streams.py$")
    assert daily.devenv("run", "shellish").failed(4).out == "from the shell\n"


def test_a_module(daily: Site) -> None:
    outcome = daily.devenv("run", "-m", "json.tool", "--help").ok()
    assert "json.tool" in outcome.out
    assert daily.devenv("rerun").ok().out == outcome.out


def test_a_script_below_the_working_folder(daily: Site) -> None:
    below = daily.path("sub")
    below.mkdir(exist_ok=True)
    below.chmod(0o777)
    (below / "where.py").write_text("import os; print(os.getcwd())\n")
    outcome = daily.shell.at(below).run("devenv", "run", "where.py").ok()
    assert outcome.out == "/workspaces/daily/sub\n"


def test_pipes_are_unbuffered_and_input_ends(daily: Site) -> None:
    with daily.background("run", "talk.py", stdin=True) as run:
        run.expect("hello, pipe")
        run.send("one\n")
        run.expect("heard one")
        run.end_of_input()
        assert run.wait() == 0
        assert run.out == b"hello, pipe\nheard one\ninput ended\n"


def test_ctrl_c_reaches_a_run_in_pipes(daily: Site) -> None:
    with daily.background("run", "talk.py", stdin=True) as run:
        run.expect("hello, pipe")
        run.signal(signal.SIGINT)
        assert run.wait() == 9
        run.expect("interrupted")


def test_a_run_on_a_terminal_has_its_window_and_keys(daily: Site) -> None:
    with daily.shell.terminal("devenv", "run", "talk.py", rows=31, columns=91) as terminal:
        terminal.expect("hello, terminal")
        terminal.expect("window 31x91")
        terminal.resize(20, 60)
        terminal.expect("window 20x60")
        terminal.send("word\r")
        terminal.expect("heard word")
        terminal.send("\x03")
        terminal.expect("interrupted")
        assert terminal.wait() == 9


def test_a_run_that_a_signal_ended(daily: Site) -> None:
    daily.write("die.py", "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n")
    daily.devenv("run", "die.py").failed(128 + signal.SIGTERM)
    assert daily.runs()["die.py"]["state"] == "signaled"


def test_detached_followed_joined_and_listed(daily: Site) -> None:
    started = daily.json("run", "--detach", "--name", "later", "count.py", "/tmp/later")["run"]
    assert started["state"] == "running"
    eventually(lambda: b"half" in daily.devenv("logs", "later").stdout, "the first half of the output")
    with daily.background("logs", "-f", "later") as follower, daily.background("attach", "later") as joined:
        follower.expect("half")
        joined.expect("half")
        assert daily.runs()["later"]["attached"] >= 1
        daily.exec("touch", "/tmp/later").ok()
        assert (follower.wait(), joined.wait()) == (0, 0)
        assert follower.out == joined.out
    logs = daily.devenv("logs", "later").ok()
    assert (
        logs.stdout
        == "".join(
            [*(f"line {n}\n" for n in range(20000)), "half\n", *(f"line {n}\n" for n in range(20000, 40000)), "all\n"]
        ).encode()
    )
    assert logs.stdout == follower.out
    assert logs.err == "".join(f"mark {n}\n" for n in range(0, 40000, 1000))
    last = daily.devenv("logs", "--tail", "4", "later").ok()
    # The newest bytes as they arrived: which of the two pipes was read last is the machine's affair.
    assert (last.out, last.err) in (("all\n", ""), ("", "000\n"))
    assert daily.runs()["later"]["exit_code"] == 0


def test_detach_by_keys_and_join_with_input_and_window(daily: Site) -> None:
    with daily.shell.terminal("devenv", "run", "--name", "keys", "talk.py", rows=30, columns=90) as terminal:
        terminal.expect("window 30x90")
        terminal.send("\x1dd")
        terminal.expect("detached")
        assert terminal.wait() == 0
    assert daily.runs()["keys"]["state"] == "running"
    with daily.shell.terminal("devenv", "attach", rows=25, columns=75) as terminal:
        terminal.expect("window 30x90")  # what was said before is said again
        terminal.expect("window 25x75")
        terminal.send("again\r")
        terminal.expect("heard again")
        terminal.send("bye\r")
        assert terminal.wait() == 5


def test_closing_the_window_detaches(daily: Site) -> None:
    with Tmux(daily.shell, "devenv", "run", "--name", "window", "talk.py") as tmux:
        tmux.wait_for("hello, terminal")
    eventually(lambda: daily.runs()["window"]["attached"] == 0, "the client's end")
    assert daily.runs()["window"]["state"] == "running"
    with Tmux(daily.shell, "devenv", "attach", "window", columns=99, rows=22) as tmux:
        tmux.wait_for("window 22x99")
        tmux.type("bye\n")
        assert tmux.exit_code() == 5


def test_a_killed_client_leaves_its_run(daily: Site) -> None:
    with daily.background("run", "--name", "left", "count.py", "/tmp/left") as run:
        run.expect("half")
        run.signal(signal.SIGKILL)
        run.wait()
    assert daily.runs()["left"]["state"] == "running"
    daily.exec("touch", "/tmp/left").ok()
    daily.devenv("attach", "left").ok().says("^all$")


def test_kill_ends_every_descendant(daily: Site) -> None:
    with daily.background("run", "family.py") as run:
        run.expect("family is there")
        assert len(daily.inside("sleep 700")) == 2
        daily.devenv("kill").ok().says("family.py")
        assert run.wait() == 130
    assert daily.inside("sleep 700") == []
    assert daily.inside("family.py") == []


def test_kill_with_a_signal_or_at_once(daily: Site) -> None:
    run = daily.json("run", "--detach", "talk.py")["run"]["id"]
    daily.devenv("kill", "--signal", "2", run).ok()
    eventually(lambda: daily.runs()["talk.py"]["exit_code"] == 9, "the program's own end")
    daily.write(
        "deaf.py", "import signal, time\nfor n in (2, 15): signal.signal(n, signal.SIG_IGN)\ntime.sleep(7000)\n"
    )
    run = daily.json("run", "--detach", "deaf.py")["run"]["id"]
    view = daily.json("kill", "--force", run)["run"]
    assert (view["state"], view["signal"]) == ("signaled", 9)


def test_rerun_starts_the_same_again(daily: Site) -> None:
    daily.devenv("run", "--name", "twice", "streams.py", "2").failed(2)
    outcome = daily.devenv("rerun", "twice").failed(2)
    assert outcome.out == "to out 2\n"
    views = [view for view in daily.json("runs")["runs"] if view["name"] == "twice"]
    assert len(views) == 2


def test_a_script_that_is_not_there_names_its_neighbours(daily: Site) -> None:
    daily.devenv("run", "stream.py").failed(66).says(r"stream\.py", r"streams\.py")
    daily.devenv("run", "gret").failed(66).says("greet")
    daily.devenv("logs", "no-such-run").failed(66)


def test_a_hundred_megabytes_without_a_newline(daily: Site) -> None:
    outcome = daily.devenv("run", "flood.py", "100").ok()
    expected = hashlib.sha256(b"0123456789abcdef" * 65536 * 100).digest()
    assert hashlib.sha256(outcome.stdout).digest() == expected
    kept = daily.devenv("logs", "flood.py").ok()
    assert hashlib.sha256(kept.stdout).digest() == expected
    assert daily.runs()["flood.py"]["size"] == 100 << 20


def test_bytes_that_are_no_utf_8_pass(daily: Site) -> None:
    data = b"caf\xe9 \xff\xfe\x00 end\n"
    assert daily.devenv("run", "bytes.py").ok().stdout == data
    assert daily.devenv("logs", "bytes.py").ok().stdout == data
    lines = daily.devenv("run", "--json", "bytes.py").ok().json_lines()
    assert "".join(line["text"] for line in lines if line["type"] == "output") == data.decode(errors="replace")


def test_the_redirections_of_a_shell(daily: Site) -> None:
    words = "devenv run streams.py 5 > ../both.out 2> ../both.err; echo $?"
    assert daily.shell.run("bash", "-c", words).ok().out == "5\n"
    assert (daily.folder.parent / "both.out").read_text() == "to out 5\n"
    assert (daily.folder.parent / "both.err").read_text() == "to err\n"


def test_json_lines_of_a_run(daily: Site) -> None:
    lines = daily.devenv("run", "--json", "streams.py", "2").failed(2).json_lines()
    for stream, text in (("stdout", "to out 2\n"), ("stderr", "to err\n")):
        assert "".join(line["text"] for line in lines if line.get("stream") == stream) == text
    assert lines[-1]["type"] == "result"
    assert (lines[-1]["exit"], lines[-1]["state"]) == (2, "exited")
    assert json.dumps(lines[-1]["run"])
