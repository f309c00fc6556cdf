"""The command that keeps a container up, run by the shell of this machine."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcontainer import keepalive


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    running: list[subprocess.Popen[str]] = []
    yield running
    for process in running:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def start(
    started: list[subprocess.Popen[str]], argv: list[str], env: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=env, process_group=0)
    started.append(process)
    return process


def sleeper(process: subprocess.Popen[str]) -> int:
    """The pid of the waiting child, once it is there."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while True:
        for pid in children.read_text().split():
            try:
                if Path(f"/proc/{pid}/comm").read_text() == "sleep\n":
                    return int(pid)
            except OSError:
                continue


def test_it_says_that_it_started_and_ends_at_once_on_term(started: list[subprocess.Popen[str]]) -> None:
    process = start(started, keepalive.argv())
    assert process.stdout is not None
    assert process.stdout.readline() == "Container started\n"
    child = sleeper(process)
    process.terminate()
    assert process.wait(timeout=10) == 0
    signal_sent = subprocess.run(["kill", str(child)], capture_output=True, check=False)
    assert signal_sent.returncode == 0, "in a container the sleep ends with PID 1"


def test_a_killed_sleep_is_replaced(started: list[subprocess.Popen[str]]) -> None:
    process = start(started, keepalive.argv())
    first = sleeper(process)
    subprocess.run(["kill", "-KILL", str(first)], check=True)
    while (second := sleeper(process)) == first:
        pass
    assert process.poll() is None
    process.terminate()
    process.wait(timeout=10)
    subprocess.run(["kill", str(second)], check=False, capture_output=True)


def test_without_a_sleep_program_it_ends_instead_of_spinning(
    started: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = start(started, keepalive.argv(), env={"PATH": str(tmp_path)})
    assert process.wait(timeout=10) == 0


def test_entrypoints_of_features_run_first_and_in_order(started: list[subprocess.Popen[str]]) -> None:
    process = start(
        started, keepalive.argv(["echo one", "echo two"], False, ["/bin/sh"], ["-c", 'echo "$0 $1"', "a b", "c"])
    )
    assert process.communicate(timeout=10)[0] == "Container started\none\ntwo\na b c\n"
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("override", "kept"),
    [
        pytest.param(None, [], id="the default for image and Dockerfile replaces the image's command"),
        pytest.param(True, [], id="asked for"),
        pytest.param(False, ["/entry", "cmd"], id="the image's own command follows"),
    ],
)
def test_override_command(override: bool | None, kept: list[str]) -> None:
    """spec, *overrideCommand*."""
    argv = keepalive.argv([], override, ["/entry"], ["cmd"])
    assert argv[:2] == ["/bin/sh", "-c"]
    assert argv[3:] == ["-", *kept]


def test_it_is_posix_sh() -> None:
    checked = subprocess.run(["/bin/sh", "-n", "-c", keepalive.script(["x"])], capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, b"")
    assert signal.SIGTERM == 15
