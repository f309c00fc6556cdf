"""A disk that is full stalls nobody: output is dropped, counted and said, and the end is still recorded."""

from __future__ import annotations

import os
import pathlib
import subprocess
from collections.abc import Iterator

import pytest

from .client import Client
from .conftest import end_all


@pytest.fixture
def small(newest: str, state: pathlib.Path) -> Iterator[pathlib.Path]:
    """One MiB of disk."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = state / "small"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {done.stderr.strip()}")
    yield folder
    end_all(newest, folder)  # while their folders can still be reached
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_output_is_dropped_and_said(newest: str, small: pathlib.Path) -> None:
    with Client(newest, small) as client:
        record = client.start(
            ["sh", "-c", "read x; head -c 5000000 /dev/zero | tr '\\0' x; echo; read x; echo the end; exit 5"]
        )
        channel = client.attach(record["id"])
        channel.send(b"\n")
        client.until(lambda: "dropped" in client.record(record["id"])["reason"], "word of the trouble")
        channel.expect(b"x\n")  # live viewers have it from memory
        channel.send(b"\n")
        final = channel.wait()["record"]
        assert (final["state"], final["exit_code"], final["size"]) == ("exited", 5, 5_000_009)
        assert final["dropped"] > 4_000_000
        assert "output was dropped: No space left on device" in final["reason"]
        assert channel.out.startswith(b"xxx")
        assert len(client.output(record["id"])) == final["size"] - final["dropped"]
        assert client.record(record["id"]) == final


def test_a_run_that_cannot_even_begin_says_so(newest: str, small: pathlib.Path) -> None:
    from .client import AgentError

    with Client(newest, small) as client:
        (small / "ballast").write_bytes(bytes(900_000))
        with (small / "more").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
            while True:
                file.write(bytes(4096))
        with pytest.raises(AgentError, match="No space left"):
            client.start(["true"])
        (small / "ballast").unlink()
        record = client.start(["true"])
        assert client.ended(record["id"])["exit_code"] == 0
