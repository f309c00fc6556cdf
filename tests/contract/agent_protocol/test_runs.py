"""Runs: started, seen, spoken to, ended; and everything that may be killed meanwhile."""

from __future__ import annotations

import base64
import os
import pathlib
import signal
import sys
import time
from typing import Any

import pytest

from .client import CREDIT, AgentError, Client
from .conftest import alive, wait_gone

PRINT = "import sys, os, time\n"


def folder(client: Client, id: str) -> pathlib.Path:
    return pathlib.Path(client.info["state_dir"], "runs", id)


def test_a_run_from_start_to_end(agent: Client) -> None:
    record = agent.start(["sh", "-c", "echo out; echo err >&2; exit 3"], name="train", kind="debug", meta={"a": [1]})
    assert record["state"] == "running" and record["ended"] is None
    channel = agent.attach(record["id"])
    final = channel.wait()["record"]
    assert (channel.out, channel.err, channel.ended) == (b"out\n", b"err\n", {1, 2})
    assert (final["state"], final["exit_code"], final["signal"]) == ("exited", 3, None)
    assert final["reason"] == "exited with code 3"
    assert (final["name"], final["kind"], final["meta"], final["tty"]) == ("train", "debug", {"a": [1]}, False)
    assert final["size"] == 8 and final["dropped"] == 0 and final["gap"] is None
    assert final["ended"] >= final["started"]
    assert [item["id"] for item in agent.request("runs.list")] == [record["id"]]
    late = agent.attach(record["id"])
    assert late.wait()["record"] == final
    assert (late.out, late.err) == (b"out\n", b"err\n")
    agent.request("runs.remove", id=record["id"])
    assert agent.request("runs.list") == []


def test_events_tell_start_and_end(one: Client) -> None:
    record = one.start(["sh", "-c", "read x"])
    one.attach(record["id"]).send(b"go\n")
    one.ended(record["id"])
    states = [event["record"]["state"] for event in one.events if event["event"] == "run"]
    assert states[0] == "running" and states[-1] == "exited"


def test_why_it_could_not_start(agent: Client) -> None:
    for more, code in [
        ({"argv": ["no-such-program"]}, "not-found"),
        ({"cwd": "/no/such/folder"}, "no-cwd"),
        ({"argv": ["/"]}, "not-executable"),
    ]:
        with pytest.raises(AgentError) as caught:
            agent.start(more.pop("argv", ["true"]), **more)
        assert caught.value.code == code
    assert agent.request("runs.list") == []


def test_signals_and_reasons(agent: Client) -> None:
    record = agent.start(["sh", "-c", "kill -SEGV $$"])
    final = agent.ended(record["id"])
    assert (final["state"], final["signal"], final["reason"]) == ("signaled", 11, "ended by signal 11 (SIGSEGV)")
    record = agent.start(["sleep", "100"])
    agent.request("runs.signal", id=record["id"], signal=signal.SIGTERM)
    assert agent.ended(record["id"])["signal"] == 15
    with pytest.raises(AgentError) as caught:
        agent.request("runs.signal", id=record["id"], signal=signal.SIGTERM)
    assert caught.value.code == "run-ended"


def test_end_escalates(agent: Client) -> None:
    def end(script: str, **more: Any) -> dict[str, Any]:
        record = agent.start(["sh", "-c", script], grace=[0.3, 0.3])
        agent.attach(record["id"]).expect(b"ready")
        return agent.request("runs.end", id=record["id"], **more)

    loop = "echo ready; while :; do sleep 0.05; done"
    assert end("trap 'exit 1' INT; " + loop)["exit_code"] == 1
    assert end("trap '' INT; trap 'exit 2' TERM; " + loop)["exit_code"] == 2
    stubborn = end("trap '' INT TERM; " + loop)
    assert stubborn["signal"] == 9
    assert stubborn["reason"].startswith("ended by signal 9 (SIGKILL), killed on request")
    forced = end("trap '' INT TERM; " + loop, force=True)
    assert forced["signal"] == 9
    assert agent.request("runs.end", id=forced["id"]) == forced


def test_control_c_and_the_window_of_a_terminal(agent: Client) -> None:
    code = (
        "import os, time\n"
        "print(os.get_terminal_size(0), flush=True)\n"
        "try:\n input()\n print(os.get_terminal_size(0), flush=True)\n time.sleep(100)\n"
        "except KeyboardInterrupt:\n raise SystemExit(9)"
    )
    record = agent.start([sys.executable, "-c", code], tty=(30, 90))
    channel = agent.attach(record["id"])
    channel.expect(b"columns=90, lines=30")
    other = agent.attach(record["id"], rows=50, columns=120)
    other.send(b"\n")
    channel.expect(b"columns=120, lines=50")
    channel.send(b"\x03")
    assert channel.wait()["record"]["exit_code"] == 9
    assert other.wait()["record"]["exit_code"] == 9
    assert channel.out == other.out
    assert channel.ended == {1}


def test_several_clients(agent: Client) -> None:
    record = agent.start(["sh", "-c", "read a; read b; echo $a-$b"])
    first, second = agent.attach(record["id"]), agent.attach(record["id"])
    watcher = agent.attach(record["id"], input=False)
    agent.until(lambda: any(event["record"]["attached"] == 2 for event in agent.events), "two attached clients")
    first.send(b"one\n")
    second.send(b"two\n")
    first.close()
    final = watcher.wait()["record"]
    assert second.wait()["record"] == final and final["attached"] == 0
    assert watcher.out in (b"one-two\n", b"two-one\n")


def test_input_half_close_and_no_input(agent: Client) -> None:
    record = agent.start(["sh", "-c", "wc -c; cat"])
    channel = agent.attach(record["id"])
    channel.send(bytes(3 * CREDIT))
    channel.eof()
    channel.wait()
    assert channel.out.strip() == str(3 * CREDIT).encode()
    record = agent.start(["cat"], stdin="null")
    assert agent.ended(record["id"])["exit_code"] == 0


def test_the_event_pipe(agent: Client) -> None:
    code = (
        "import os\nfd = int(os.environ['DEVENV_EVENTS_FD'])\nos.write(fd, b'{\"a\":1}\\n')\nprint('out', flush=True)\n"
        "os.write(fd, b'{\"b\":2}\\n')"
    )
    record = agent.start([sys.executable, "-c", code], events=True)
    channel = agent.attach(record["id"])
    channel.wait()
    assert channel.out == b"out\n"
    assert bytes(channel.data[3]) == b'{"a":1}\n{"b":2}\n'
    part = agent.request("runs.read", id=record["id"], offset=0)
    raw = base64.b64decode(part["data"])
    ends = [*(mark[0] for mark in part["marks"][1:]), len(raw)]
    pieces = [(stream, raw[start:end]) for (start, stream), end in zip(part["marks"], ends, strict=True)]
    assert b"".join(piece for stream, piece in pieces if stream == 3) == b'{"a":1}\n{"b":2}\n'


def test_reading_by_offset_and_tail(one: Client) -> None:
    record = one.start(["seq", "1", "100000"])
    one.ended(record["id"])
    whole = b"".join(b"%d\n" % number for number in range(1, 100001))
    assert one.output(record["id"]) == whole
    tail = one.request("runs.read", id=record["id"], tail_bytes=100)
    assert base64.b64decode(tail["data"]) == whole[-100:]
    assert (tail["start"], tail["end"], tail["size"]) == (len(whole) - 100, len(whole), len(whole))
    middle = one.request("runs.read", id=record["id"], offset=1000, length=50)
    assert base64.b64decode(middle["data"]) == whole[1000:1050]
    beyond = one.request("runs.read", id=record["id"], offset=1 << 40)
    assert beyond["data"] == ""
    channel = one.attach(record["id"], tail_bytes=10)
    channel.wait()
    assert channel.out == whole[-10:]
    channel = one.attach(record["id"], offset=5000)
    channel.wait()
    assert channel.out == whole[5000:]


def test_any_bytes(agent: Client) -> None:
    code = "import os\nos.write(1, bytes(range(256)) * 100)"
    for tty in (None, (24, 80)):
        script = f"stty -opost 2>/dev/null; exec {sys.executable} -c '{code}'"
        record = agent.start(["sh", "-c", script], tty=tty)
        channel = agent.attach(record["id"])
        channel.wait()
        assert channel.out == bytes(range(256)) * 100


def test_a_hundred_megabytes_without_a_newline(one: Client) -> None:
    record = one.start(["head", "-c", "100000000", "/dev/zero"])
    channel = one.attach(record["id"])
    final = channel.wait()["record"]
    assert final["size"] == 100_000_000 and final["dropped"] == 0
    assert len(channel.out) == 100_000_000 and not channel.out.strip(b"\0")


def test_the_cap_keeps_the_head_and_the_newest(one: Client) -> None:
    cap = 1 << 20
    total = 6_888_896  # bytes of `seq 1 1000000`
    record = one.start(["seq", "1", "1000000"], cap_bytes=cap)
    final = one.ended(record["id"])
    whole = b"".join(b"%d\n" % number for number in range(1, 1_000_001))
    assert len(whole) == total == final["size"]
    start, end = final["gap"]
    assert final["dropped"] == end - start > 0
    assert start >= cap // 4 and total - end >= cap // 2
    assert one.output(record["id"]) == whole[:start] + whole[end:]
    kept = sum(path.stat().st_size for path in folder(one, record["id"]).glob("seg-*"))
    assert kept <= cap
    channel = one.attach(record["id"])
    channel.wait()
    assert channel.out == whole[:start] + whole[end:]


def test_a_slow_client_stalls_neither_the_program_nor_others(agent: Client) -> None:
    record = agent.start(["sh", "-c", "sleep 0.2; head -c 8000000 /dev/zero; echo end"])
    slow = agent.channel()
    slow.generous = False
    agent.request("runs.attach", channel=slow.id, id=record["id"], input=False)
    fast = agent.attach(record["id"])
    assert fast.wait()["record"]["exit_code"] == 0
    assert len(fast.out) == 8_000_004
    assert slow.result is None and len(slow.out) == CREDIT
    slow.generous = True
    slow.grant(CREDIT)
    slow.wait()
    assert slow.out == fast.out


def test_what_it_left_behind_is_ended(agent: Client, victims: list[int]) -> None:
    """Workers that left the session, ignore the polite signals, or were orphaned by a double fork."""
    script = (
        "sleep 1000 & echo $!; setsid sleep 1000 & echo $!; "
        "(setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.1; done' &);"
        "sleep 0.5; exit 4"
    )
    record = agent.start(["sh", "-c", script])
    final = agent.ended(record["id"])
    pids = [int(word) for word in agent.output(record["id"]).split()]
    victims.extend(pids)
    assert len(pids) == 3
    assert not any(alive(pid) for pid in pids)
    assert final["exit_code"] == 4
    assert "left-over process" in final["reason"]


def test_removing_a_live_run_is_refused(one: Client) -> None:
    record = one.start(["sleep", "100"])
    with pytest.raises(AgentError) as caught:
        one.request("runs.remove", id=record["id"])
    assert caught.value.code == "run-alive"


LINES = "i=0; while [ $i -lt 400 ]; do echo line $i; i=$((i+1)); sleep 0.005; done; read answer; echo $answer; exit 6"


def test_killing_the_agent_loses_nothing(python: str, state: pathlib.Path) -> None:
    before = Client(python, state)
    record = before.start(["sh", "-c", LINES])
    before.attach(record["id"]).expect(b"line 50\n")
    before.kill()
    with Client(python, state) as after:
        channel = after.attach(record["id"])
        channel.expect(b"line 399\n")
        channel.send(b"hello\n")
        final = channel.wait()["record"]
        assert final["exit_code"] == 6
        expected = b"".join(b"line %d\n" % number for number in range(400)) + b"hello\n"
        assert channel.out == expected
        assert after.output(record["id"]) == expected


def test_a_new_agent_hears_of_runs_it_did_not_start(python: str, state: pathlib.Path) -> None:
    before = Client(python, state)
    record = before.start(["sh", "-c", "read x"])
    before.kill()
    with Client(python, state) as after:
        after.until(lambda: any(event["event"] == "run" for event in after.events), "the run's event")
        after.request("runs.end", id=record["id"], force=True)
        after.until(lambda: after.events[-1]["record"]["state"] == "signaled", "its end")


@pytest.mark.parametrize("tty", [None, (24, 80)], ids=["pipes", "terminal"])
def test_killing_the_keeper_makes_the_run_lost(agent: Client, tty: tuple[int, int] | None, victims: list[int]) -> None:
    record = agent.start(["sh", "-c", "trap '' HUP; echo before; exec sleep 1000"], tty=tty)
    victims.append(record["pid"])
    channel = agent.attach(record["id"])
    channel.expect(b"before")
    os.kill(record["keeper_pid"], signal.SIGKILL)
    final = channel.wait()["record"]
    assert final["state"] == "lost"
    assert (final["pid"], final["exit_code"], final["attached"]) == (record["pid"], None, 0)
    assert "keeper" in final["reason"]
    assert channel.out.strip() == b"before"
    assert agent.record(record["id"]) == final
    agent.until(lambda: agent.events[-1]["record"]["state"] == "lost", "the event")
    assert alive(record["pid"])
    assert agent.request("runs.end", id=record["id"])["state"] == "lost"
    wait_gone(record["pid"])


def test_lost_while_no_agent_was_there(newest: str, state: pathlib.Path, victims: list[int]) -> None:
    with Client(newest, state) as client:
        record = client.start(["sh", "-c", "echo x; sleep 1000"])
        victims.append(record["pid"])
        client.attach(record["id"]).expect(b"x")
    os.kill(record["keeper_pid"], signal.SIGKILL)
    wait_gone(record["keeper_pid"])
    with Client(newest, state) as client:
        (found,) = client.request("runs.list")
        assert found["state"] == "lost" and found["size"] == 2
        assert client.output(record["id"]) == b"x\n"


def test_a_pid_that_someone_else_has_now_does_not_make_it_alive(newest: str, state: pathlib.Path) -> None:
    """After a restart of the container, pids start again: only the lock counts."""
    with Client(newest, state) as client:
        record = client.start(["true"])
        client.ended(record["id"])
        path = folder(client, record["id"]) / "record.json"
        text = path.read_text()
        ours = str(os.getpid())
        text = text.replace('"state": "exited"', '"state": "running"').replace(
            f'"pid": {record["pid"]}', f'"pid": {ours}'
        )
        text = text.replace(f'"keeper_pid": {record["keeper_pid"]}', f'"keeper_pid": {ours}').replace(
            record["boot"], "other-1"
        )
        path.write_text(text)
        found = client.record(record["id"])
        assert found["state"] == "lost"
        assert found["reason"] == "lost: the container stopped while it ran"
        assert found["ended"] <= time.time()


def test_the_keeper_holds_nothing_of_the_agent(one: Client) -> None:
    record = one.start(["sleep", "1000"])
    keeper = pathlib.Path("/proc", str(record["keeper_pid"]))
    links = {os.readlink(path) for path in (keeper / "fd").iterdir()}
    ours = {os.readlink(path) for path in pathlib.Path("/proc", str(one.process.pid), "fd").iterdir()}
    assert not (links & ours) - {os.devnull, "anon_inode:[eventpoll]"}
    assert os.readlink(keeper / "cwd") == "/"
    assert os.getsid(record["keeper_pid"]) not in (os.getsid(one.process.pid), record["keeper_pid"] + 1)
    assert os.getsid(record["pid"]) == record["pid"]
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder(one, record["id"]).iterdir()}
    assert modes["ctl.sock"] == modes["record.json"] == modes["lock"] == 0o600
    assert folder(one, record["id"]).stat().st_mode & 0o777 == 0o700


def test_a_folder_with_a_very_long_name(newest: str, state: pathlib.Path) -> None:
    """A socket's path has at most 107 bytes; the state folder may be deeper."""
    deep = state / ("x" * 120)
    deep.mkdir()
    with Client(newest, deep) as client:
        record = client.start(["sh", "-c", "read x; echo $x"])
        channel = client.attach(record["id"])
        channel.send(b"deep\n")
        assert channel.wait()["record"]["exit_code"] == 0
        assert channel.out == b"deep\n"


def test_many_runs_at_once(one: Client) -> None:
    ids = [one.start(["sh", "-c", f"seq 1 500; exit {number}"])["id"] for number in range(12)]
    assert len(set(ids)) == 12
    for number, id in enumerate(ids):
        assert one.ended(id)["exit_code"] == number
        assert one.output(id).endswith(b"\n500\n")
    assert [record["id"] for record in one.request("runs.list")] == sorted(ids)


def test_secrets_of_the_environment_are_not_in_the_record(one: Client) -> None:
    record = one.start(["true"], env={"PATH": os.environ["PATH"], "TOKEN": "a-secret-value"})
    one.ended(record["id"])
    files = [path for path in folder(one, record["id"]).iterdir() if path.is_file()]
    assert files
    for path in files:
        assert b"a-secret-value" not in path.read_bytes()


def test_keepers_stay_cheap(one: Client) -> None:
    """Ten thousand short lines must not cost ten thousand writes: the index stays far smaller than the output."""
    code = (
        "import os, time\nfor n in range(20000):\n os.write(1, b'a line of output\\n')\n"
        " if n % 100 == 0: time.sleep(0.01)"
    )
    record = one.start([sys.executable, "-c", code])
    final = one.ended(record["id"])
    assert final["size"] == 340_000
    index = sum(path.stat().st_size for path in folder(one, record["id"]).glob("*.idx"))
    assert index < 1000
