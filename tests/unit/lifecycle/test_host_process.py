"""A command on this machine: what it says, what it leaves behind, how it is ended. Real processes."""

from __future__ import annotations

import asyncio
import os
import pathlib

import pytest

from devenv.lifecycle import host_process
from tests.kit.waiting import eventually


class Said:
    """What a command wrote, by stream. `line` is there as soon as the first line is."""

    def __init__(self) -> None:
        self.streams: dict[str, bytes] = {"stdout": b"", "stderr": b""}
        self.line = asyncio.Event()

    def take(self, data: bytes, stream: str) -> None:
        self.streams[stream] += data
        if b"\n" in data:
            self.line.set()


async def run(folder: pathlib.Path, script: str, said: Said) -> int:
    env = {"PATH": os.environ["PATH"], "GREETING": "hello"}
    return await host_process.run(["/bin/sh", "-c", script], folder=str(folder), env=env, umask=0o027, take=said.take)


async def test_output_code_folder_environment_and_umask(tmp_path: pathlib.Path) -> None:
    said = Said()
    assert await run(tmp_path, "echo $GREETING; pwd; umask; echo oops >&2; exit 7", said) == 7
    assert said.streams == {"stdout": f"hello\n{tmp_path}\n0027\n".encode(), "stderr": b"oops\n"}


async def test_one_that_cannot_begin_is_an_error(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError):
        await host_process.run(
            ["/no/such/program"], folder=str(tmp_path), env={}, umask=0o022, take=lambda data, stream: None
        )


async def test_what_it_leaves_in_the_background_is_not_waited_for_and_lives(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_process, "_LINGER", 0.05)
    said = Said()
    assert await run(tmp_path, "sleep 600 & echo $!", said) == 0
    pid = int(said.streams["stdout"])
    assert alive(pid)
    os.kill(pid, 9)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("sleep 600 & echo $!; wait", id="a child of its own"),
        pytest.param("trap '' TERM; sleep 600 & echo $!; while :; do wait; done", id="deaf to TERM"),
        pytest.param("(trap '' TERM; echo $(sh -c 'echo $PPID'); while :; do sleep 1; done) & wait", id="a deaf child"),
    ],
)
async def test_cancelled_all_of_it_ends(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setattr(host_process, "_GRACE", 0.2)
    said = Said()
    task = asyncio.ensure_future(run(tmp_path, script, said))
    await said.line.wait()
    pid = int(said.streams["stdout"])
    assert alive(pid)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    eventually(lambda: not alive(pid), "the child is gone")


def alive(pid: int) -> bool:
    try:
        status = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
