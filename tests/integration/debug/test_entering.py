"""Code put into running processes of every interpreter at hand: they never die of it, and never notice it."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from devenv.debug.attach.inside import elf, survey, tracing, trial, ways
from tests.integration.debug.interpreters import interpreter
from tests.kit.waiting import eventually

MINORS = ("3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")

# Every kind of wait with a time limit, and a thread that allocates all the time; each wait must last as long as it
# should. The main thread waits or computes. Ends by itself when a line comes.
PROGRAM = """
import json, os, queue, select, sys, threading, time

over, bad = [], []


def measured(name, wait, least):
    began = time.monotonic()
    if wait():
        bad.append((name, "not empty"))
    if time.monotonic() - began < least * 0.97:
        bad.append((name, time.monotonic() - began))


def waits():
    read, _ = os.pipe()
    poll, epoll, box = select.poll(), select.epoll(), queue.Queue()
    poll.register(read, 1)
    epoll.register(read, 1)
    while not over:
        measured("sleep", lambda: time.sleep(0.01), 0.01)
        measured("select", lambda: select.select([read], [], [], 0.01)[0], 0.01)
        measured("poll", lambda: poll.poll(10), 0.01)
        measured("epoll", lambda: epoll.poll(0.01), 0.01)
        try:
            box.get(timeout=0.01)
            bad.append("queue")
        except queue.Empty:
            pass


def allocates():
    while not over:
        kept = [bytes(size % 5000) for size in range(1000)]
        assert json.loads(json.dumps(list(range(300)))) == list(range(300)) and kept


def listens():
    sys.stdin.readline()
    over.append(True)


works = {"waits": waits, "allocates": allocates}
main = works.pop(sys.argv[1])
threads = [threading.Thread(target=work) for work in [*works.values(), listens, waits]]
for thread in threads:
    thread.start()
print("ready", flush=True)
main()
for thread in threads:
    thread.join()
print(bad[:5])
sys.exit(43)
"""


@contextlib.contextmanager
def started(python: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([python, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


@pytest.mark.parametrize("main", ["waits", "allocates"])
@pytest.mark.parametrize("minor", MINORS)
def test_a_process_that_is_entered_many_times(minor: str, main: str, tmp_path: pathlib.Path) -> None:
    script, marks = tmp_path / "program.py", tmp_path / "marks"
    script.write_text(PROGRAM)
    marks.touch()
    code = f"exec(\"with open({str(marks)!r}, 'a') as file: file.write('x')\", {{}})".encode()
    with started(interpreter(minor), str(script), main) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        entry = ways.Entry(process.pid)
        entered = 0
        for _ in range(25):
            with contextlib.suppress(ways.ListFull):
                ways.pending(entry, code)
                entered += 1
            entered += ways.new_thread(entry, code)
            time.sleep(0.002)
        assert entered > 25
        eventually(lambda: marks.stat().st_size == entered, f"{entered} marks")
        out, _ = process.communicate("\n", timeout=30)
        assert (process.returncode, out) == (43, "[]\n")


@pytest.mark.parametrize("minor", MINORS)
def test_the_trial(minor: str) -> None:
    assert trial.run(interpreter(minor), {}, None) == ""


def test_the_trial_of_what_is_no_python() -> None:
    assert trial.run("/bin/true", {}, None) == "it does not start"


def test_a_program_that_is_no_python() -> None:
    with started("/bin/sleep", "60") as process, pytest.raises(ways.NoWay, match="no Python"):
        ways.Entry(process.pid)


def test_a_process_that_is_stopped_stays_stopped() -> None:
    with started(sys.executable, "-c", "import time; time.sleep(60)") as process:
        eventually(lambda: ways.waiting_threads(process.pid), "its sleep")
        entry = ways.Entry(process.pid)
        process.send_signal(signal.SIGSTOP)
        eventually(lambda: _state(process.pid) == "T", "its stop")
        with pytest.raises(tracing.TraceError, match="stopped"):
            ways.pending(entry, b"pass")
        # Let go, it is scheduled once to go into the stop that nobody took from it.
        eventually(lambda: _state(process.pid) == "T", "its stop again")
        time.sleep(0.2)
        assert _state(process.pid) == "T"
        process.send_signal(signal.SIGCONT)
        eventually(lambda: _state(process.pid) == "S", "its sleep")


def test_a_process_with_another_tracer() -> None:
    with started(sys.executable, "-c", "import time; time.sleep(60)") as process:
        eventually(lambda: ways.waiting_threads(process.pid), "its sleep")
        entry = ways.Entry(process.pid)
        holder = os.fork()
        if holder == 0:
            with tracing.Thread(process.pid, process.pid):
                time.sleep(60)
            os._exit(0)
        try:
            eventually(lambda: survey.look(process.pid)["tracer"] == holder, "the other tracer")  # type: ignore[index]
            with pytest.raises(tracing.TraceError):
                ways.pending(entry, b"pass")
        finally:
            os.kill(holder, signal.SIGKILL)
            os.waitpid(holder, 0)
        eventually(lambda: _state(process.pid) == "S", "that it goes on")


def test_a_process_that_ends_meanwhile() -> None:
    with started(sys.executable, "-c", "import time; time.sleep(60)") as process:
        eventually(lambda: ways.waiting_threads(process.pid), "its sleep")
        entry = ways.Entry(process.pid)
        process.kill()
        process.wait()
        with pytest.raises(tracing.TraceError):
            ways.pending(entry, b"pass")


def test_symbols_are_where_the_process_has_them() -> None:
    import ctypes

    found = ways.Entry(os.getpid())
    for name, address in found.python.items():
        assert address == ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
    assert elf.Symbols(os.getpid()).find(["no_such_function"], found.module) == {}


def _state(pid: int) -> str:
    looked = survey.look(pid)
    return str(looked["state"]) if looked else ""
