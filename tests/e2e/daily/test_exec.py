"""`devenv exec` and `devenv shell`: as close to a local command as it gets."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import tarfile

import pytest

from tests.e2e.daily.site import Site
from tests.kit.tmux import Tmux
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users]


@pytest.mark.parametrize("code", [0, 1, 64, 77, 255])
def test_exit_codes_pass(daily: Site, code: int) -> None:
    assert daily.exec("sh", "-c", f"exit {code}").rc == code


def test_a_program_that_never_reads_its_input_keeps_its_exit_code(daily: Site) -> None:
    for _ in range(20):
        assert daily.exec("sh", "-c", "exit 3", stdin=b"x" * 1_000_000).rc == 3


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV"])
def test_a_signal_is_128_and_its_number(daily: Site, name: str) -> None:
    assert daily.exec("sh", "-c", f"kill -{name} $$").rc == 128 + signal.Signals[f"SIG{name}"]


def test_a_program_that_is_not_there(daily: Site) -> None:
    daily.exec("no-such-program").failed(127).says("no-such-program")


def test_a_program_that_may_not_be_executed(daily: Site) -> None:
    daily.exec("./streams.py").failed(126).says("streams.py")


def test_the_streams_stay_apart(daily: Site) -> None:
    outcome = daily.exec("sh", "-c", "echo one; echo two >&2").ok()
    assert (outcome.out, outcome.err) == ("one\n", "two\n")


def test_a_tree_goes_through_tar(daily: Site) -> None:
    content = os.urandom(300_000)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("tree/random")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    # tar ends by the end of its input: without half-close it would wait for ever, or the answer would be lost.
    daily.exec("sh", "-c", "mkdir -p /tmp/in && tar x -C /tmp/in && echo unpacked", stdin=packed.getvalue()).ok()
    back = daily.exec("tar", "c", "-C", "/tmp/in", "tree").ok()
    with tarfile.open(fileobj=io.BytesIO(back.stdout)) as archive:
        member = archive.extractfile("tree/random")
        assert member is not None and member.read() == content


def test_a_hundred_megabytes_come_back_equal(daily: Site) -> None:
    data = os.urandom(1 << 20) * 100
    outcome = daily.exec("cat", stdin=data).ok()
    assert hashlib.sha256(outcome.stdout).digest() == hashlib.sha256(data).digest()


def test_a_reader_that_leaves_early_ends_the_writer(daily: Site) -> None:
    words = 'devenv exec -- sh -c "echo first; exec yes 7003" | head -n 1'
    assert daily.shell.run("bash", "-c", words).ok().out == "first\n"
    eventually(lambda: not daily.inside("yes 7003"), "the end of the writer inside")


def test_exec_ends_with_its_client(daily: Site) -> None:
    with daily.background("exec", "--", "sleep", "7004") as client:
        eventually(lambda: daily.inside("sleep 7004"), "the program inside")
        client.signal(signal.SIGKILL)
        client.wait()
    eventually(lambda: not daily.inside("sleep 7004"), "its end with the client")


def test_ctrl_c_reaches_a_program_in_pipes(daily: Site) -> None:
    with daily.background("exec", "--", "python3", "-u", "talk.py", stdin=True) as client:
        client.expect("hello, pipe")
        client.signal(signal.SIGINT)
        assert client.wait() == 9
        client.expect("interrupted")


def test_variables_folders_and_umask_follow_the_client(daily: Site) -> None:
    daily.path("below").mkdir(exist_ok=True)
    os.chown(daily.path("below"), daily.uid, daily.shell.user.gid)
    below = daily.shell.at(daily.path("below"))
    outcome = below.run("sh", "-c", "umask 027; devenv exec -e A='b c' -- sh -c 'pwd; echo $A; umask'").ok()
    folder, value, mask = outcome.out.splitlines()
    assert folder.endswith("/daily/below")
    assert (value, mask) == ("b c", "0027")


def test_a_shell_is_a_real_terminal(daily: Site) -> None:
    with Tmux(daily.shell, "devenv", "shell", columns=100, rows=30) as tmux:
        tmux.type("stty size; echo term=$TERM; tput colors\n")
        tmux.wait_for("30 100")
        tmux.wait_for("term=xterm-256color")
        tmux.wait_for("256")
        tmux.resize(90, 20)
        tmux.type("clear; stty size\n")
        tmux.wait_for("20 90")
        tmux.type("clear; sleep 7005\n")
        eventually(lambda: daily.inside("sleep 7005"), "the program inside")
        tmux.keys("C-c")
        tmux.type("echo code=$?\n")
        tmux.wait_for("code=130")
        tmux.type("printf '\\033[31mred\\033[0m\\n'\n")
        eventually(lambda: "\x1b[31mred" in tmux.screen(colours=True), "red text")
        tmux.type("exit 42\n")
        assert tmux.exit_code() == 42


def test_a_shell_ends_with_its_window(daily: Site) -> None:
    with Tmux(daily.shell, "devenv", "shell") as tmux:
        tmux.type("sleep 7006\n")
        eventually(lambda: daily.inside("sleep 7006"), "the program inside")
    eventually(lambda: not daily.inside("sleep 7006"), "its end with the window")


def test_exec_on_a_terminal_has_one(daily: Site) -> None:
    with daily.shell.terminal("devenv", "exec", "--", "python3", "talk.py", rows=33, columns=99) as terminal:
        terminal.expect("hello, terminal")
        terminal.expect("window 33x99")
        terminal.resize(20, 70)
        terminal.expect("window 20x70")
        terminal.send("\x03")
        terminal.expect("interrupted")
        assert terminal.wait() == 9
