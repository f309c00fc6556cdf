"""Spawned programs: bytes, ends, terminals, signals, and what happens when the client goes."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import sys
import time

import pytest

from .client import CREDIT, AgentError, Client
from .conftest import wait_gone


def test_environment_folder_and_umask_are_exactly_as_asked(agent: Client, tmp_path: pathlib.Path) -> None:
    code = (
        "import os, json\n"
        "env = {key.hex(): value.hex() for key, value in os.environb.items()}\n"
        "print(json.dumps([env, os.getcwd(), os.umask(0)]))"
    )
    env = {"A": "1", "EMPTY": "", "É": "ü\udcff\n"}
    channel = agent.spawn([sys.executable, "-I", "-S", "-c", code], env=env, cwd=str(tmp_path), umask=0o037)
    assert channel.wait() == {"exit": 0}
    got, cwd, umask = json.loads(channel.out)
    wanted = {key.encode().hex(): value.encode("utf-8", "surrogateescape").hex() for key, value in env.items()}
    # The interpreter may add LC_CTYPE to its own environment (PEP 538); the agent adds nothing.
    assert {key: value for key, value in got.items() if bytes.fromhex(key) != b"LC_CTYPE"} == wanted
    assert (cwd, umask) == (str(tmp_path), 0o037)


@pytest.mark.parametrize(
    "script, result",
    [
        ("exit 0", {"exit": 0}),
        ("exit 255", {"exit": 255}),
        ("kill -9 $$", {"signal": 9}),
        ("kill -TERM $$", {"signal": 15}),
    ],
)
def test_how_it_ended(agent: Client, script: str, result: dict[str, int]) -> None:
    assert agent.spawn(["sh", "-c", script]).wait() == result
    assert agent.spawn(["sh", "-c", script], tty=(24, 80)).wait() == result


def test_why_it_could_not_start(agent: Client, tmp_path: pathlib.Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("echo")
    orphan = tmp_path / "orphan"
    orphan.write_text("#!/no/such/interpreter\n")
    orphan.chmod(0o755)
    silent = tmp_path / "silent"
    silent.write_text("echo $0 $1")
    silent.chmod(0o755)
    for argv, cwd, code in [
        (["no-such-program"], "/", "not-found"),
        (["/no/such/program"], "/", "not-found"),
        ([str(plain)], "/", "not-executable"),
        ([str(tmp_path)], "/", "not-executable"),
        ([str(orphan)], "/", "not-executable"),
        (["true"], "/no/such/folder", "no-cwd"),
        (["true"], str(plain), "no-cwd"),
    ]:
        with pytest.raises(AgentError) as caught:
            agent.spawn(argv, cwd=cwd)
        assert caught.value.code == code, argv
        assert caught.value.errno
    shell = agent.spawn([str(silent), "x"])
    assert shell.wait() == {"exit": 0}
    assert shell.out == f"{silent} x\n".encode()
    local = agent.spawn(["./silent", "x"], cwd=str(tmp_path))
    assert local.wait() == {"exit": 0}


def test_half_close_and_binary(agent: Client) -> None:
    data = os.urandom(1 << 22)
    channel = agent.spawn(["sh", "-c", "cat; echo done >&2"])
    channel.send(data)
    channel.eof()
    assert channel.wait() == {"exit": 0}
    assert channel.out == data
    assert channel.err == b"done\n"
    assert channel.ended == {1, 2}


def test_a_program_that_does_not_read_does_not_hold_up_others(agent: Client) -> None:
    deaf = agent.spawn(["sleep", "100"])
    deaf.send(bytes(CREDIT // 2))
    other = agent.spawn(["cat"])
    other.send(b"hello")
    other.eof()
    assert other.wait() == {"exit": 0}
    deaf.close()
    assert deaf.wait() == {"closed": True}


def test_a_client_that_does_not_read_stops_only_its_own_channel(agent: Client) -> None:
    slow = agent.channel()
    slow.generous = False
    agent.request(
        "spawn",
        channel=slow.id,
        argv=["head", "-c", "5000000", "/dev/zero"],
        env={"PATH": os.environ["PATH"]},
        cwd="/",
        tty=None,
    )
    agent.until(lambda: slow.may_receive == 0, "all of the credit")
    other = agent.spawn(["echo", "hello"])
    assert other.wait() == {"exit": 0}
    agent.settle(0.1)
    assert len(slow.out) == CREDIT and slow.result is None
    slow.generous = True
    slow.grant(CREDIT)
    assert slow.wait() == {"exit": 0}
    assert slow.out == bytes(5_000_000)


def test_input_after_the_reader_has_gone_is_thrown_away(agent: Client) -> None:
    channel = agent.spawn(["sh", "-c", "exec 0<&-; echo closed; sleep 0.3"])
    channel.expect(b"closed")
    channel.send(bytes(3 * CREDIT))
    channel.eof()
    assert channel.wait() == {"exit": 0}


@pytest.mark.parametrize("tty", [None, (24, 80)], ids=["pipes", "terminal"])
def test_what_it_left_behind_does_not_hold_the_end(
    agent: Client, tty: tuple[int, int] | None, victims: list[int]
) -> None:
    """The shell is gone at once; its child has the pipes for a long time."""
    channel = agent.spawn(["sh", "-c", "trap '' HUP; sleep 1000 & echo $!; exit 7"], tty=tty)
    assert channel.wait() == {"exit": 7}
    victims.append(int(channel.out))


def test_what_it_left_behind_and_that_prints_for_ever_neither(agent: Client, victims: list[int]) -> None:
    channel = agent.spawn(["sh", "-c", "trap '' PIPE; (while :; do echo x; sleep 0.02; done) & echo $! >&2; exit 7"])
    assert channel.wait() == {"exit": 7}
    victims.append(int(channel.err))


def test_what_was_in_the_pipe_is_never_lost_however_slow_the_client(agent: Client, victims: list[int]) -> None:
    channel = agent.channel()
    channel.generous = False
    script = f"head -c {CREDIT} /dev/zero; sleep 1000 & echo $! >&2; head -c 60000 /dev/zero; printf end"
    agent.request(
        "spawn", channel=channel.id, argv=["sh", "-c", script], env={"PATH": os.environ["PATH"]}, cwd="/", tty=None
    )
    agent.until(lambda: channel.may_receive == 0, "all of the credit")
    agent.settle(3)  # longer than any patience of the agent
    assert channel.result is None
    channel.grant(1 << 20)
    assert channel.wait() == {"exit": 0}
    assert channel.out == bytes(CREDIT + 60000) + b"end"
    victims.append(int(channel.err))


def test_terminal_size_keyboard_and_resize(agent: Client) -> None:
    channel = agent.spawn(["sh", "-c", "stty size; read line; stty size; echo $line"], tty=(31, 97))
    channel.expect(b"31 97\r\n")
    channel.resize(42, 111)
    channel.send("h\u00e9\n".encode())
    assert channel.wait() == {"exit": 0}
    assert "42 111\r\nh\u00e9\r\n".encode() in channel.out
    assert channel.ended == {1}


def test_control_c_reaches_the_program(agent: Client) -> None:
    code = (
        "import time\ntry:\n print('ready', flush=True); time.sleep(100)\n"
        "except KeyboardInterrupt:\n print('interrupted'); raise SystemExit(9)"
    )
    channel = agent.spawn([sys.executable, "-c", code], tty=(24, 80))
    channel.expect(b"ready")
    channel.send(b"\x03")
    assert channel.wait() == {"exit": 9}
    assert b"interrupted" in channel.out


@pytest.mark.parametrize("tty", [None, (24, 80)], ids=["pipes", "terminal"])
def test_a_signal_reaches_the_group(agent: Client, tty: tuple[int, int] | None) -> None:
    channel = agent.spawn(
        ["sh", "-c", "trap 'echo got; exit 4' USR1; echo ready; while :; do sleep 0.05; done"], tty=tty
    )
    channel.expect(b"ready")
    channel.signal(signal.SIGUSR1)
    result = channel.wait()
    # The shell's child is in the group too: whichever the shell notices first, it was reached.
    assert result == {"exit": 4}
    assert b"got" in channel.out


def test_end_of_file_on_a_terminal(agent: Client) -> None:
    channel = agent.spawn(["cat"], tty=(24, 80))
    channel.send(b"line\n")
    channel.eof()
    assert channel.wait() == {"exit": 0}
    assert channel.out == b"line\r\nline\r\n"


def test_a_long_output_of_a_terminal_is_complete(agent: Client) -> None:
    channel = agent.spawn(["sh", "-c", "stty -opost; seq 1 200000"], tty=(24, 80))
    assert channel.wait() == {"exit": 0}
    assert channel.out == b"".join(b"%d\n" % number for number in range(1, 200001))


def test_closing_hangs_up_then_kills(agent: Client) -> None:
    polite = agent.spawn(["sh", "-c", "echo $$; exec sleep 1000"])
    polite_pid = int(polite.expect(b"\n"))
    stubborn = agent.spawn(["sh", "-c", "trap '' HUP TERM INT; echo $$; while :; do sleep 0.1; done"])
    stubborn_pid = int(stubborn.expect(b"\n"))
    polite.close()
    stubborn.close()
    wait_gone(polite_pid)
    wait_gone(stubborn_pid)
    assert agent.spawn(["true"]).wait() == {"exit": 0}


def test_a_terminal_is_hung_up_when_the_agent_is_killed(newest: str, state: pathlib.Path) -> None:
    client = Client(newest, state)
    channel = client.spawn(["sh", "-c", "echo $$; exec sleep 1000"], tty=(24, 80))
    pid = int(channel.expect(b"\n"))
    client.kill()
    wait_gone(pid)


def test_many_at_once(agent: Client) -> None:
    channels = [agent.spawn(["sh", "-c", f"seq 1 2000; exit {number % 7}"]) for number in range(60)]
    for number, channel in enumerate(channels):
        assert channel.wait() == {"exit": number % 7}
        assert channel.out.endswith(b"\n2000\n")


def test_fast_lines_are_gathered(one: Client) -> None:
    """Ten thousand small writes must not become ten thousand frames."""
    code = "import os, time\nfor n in range(10000):\n os.write(1, b'%d\\n' % n)\n if n % 100 == 0: time.sleep(0.005)"
    channel = one.spawn([sys.executable, "-c", code])
    assert channel.wait() == {"exit": 0}
    assert channel.out == b"".join(b"%d\n" % number for number in range(10000))
    assert len(channel.order) < 1500


def test_no_descriptor_is_left_behind(one: Client) -> None:
    def count() -> int:
        return len(os.listdir(f"/proc/{one.process.pid}/fd"))

    one.spawn(["true"]).wait()
    before = count()
    for number in range(60):
        channel = one.spawn(["cat"], tty=(24, 80) if number % 2 else None)
        if number % 3:
            channel.close()
        else:
            channel.eof()
        channel.wait()
        with pytest.raises(AgentError):
            one.spawn(["no-such-program"])
    one.request("which", names=[])
    end = time.monotonic() + 30
    while count() > before:
        assert time.monotonic() < end, os.listdir(f"/proc/{one.process.pid}/fd")
        time.sleep(0.05)
