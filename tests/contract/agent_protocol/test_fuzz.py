"""Whatever arrives, the agent answers or ends: it never hangs and never leaves a trace of a crash."""

from __future__ import annotations

import json
import pathlib
import select
import tempfile
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .client import HEADER, PING, Client, Gone

OPS = [
    "hello", "spawn", "signal", "resize", "connect", "ports.list", "ports.watch", "stats", "unpack", "which", "stat",
    "runs.start", "runs.list", "runs.get", "runs.remove", "runs.attach", "runs.read", "runs.signal", "runs.end",
    "runs.resize", "processes", "reverse.listen", "reverse.take", "reverse.stop", "nonsense",
]  # fmt: skip
KEYS = [
    "channel", "argv", "env", "cwd", "tty", "umask", "signal", "rows", "columns", "port", "host", "pass_fd", "run",
    "offset", "length", "tail_bytes", "input", "names", "paths", "path", "interval", "timeout", "force", "pids",
    "below", "program", "connection",
]  # fmt: skip
VALUES: Any = (
    st.none()
    | st.booleans()
    | st.integers(-5, 70000)
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["/", "/tmp", "20260101-000000-abcd", "127.0.0.1", "..", "\0"])
    | st.lists(st.text(max_size=5) | st.none(), max_size=3)
    | st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(), max_size=3)
)
REQUESTS = st.builds(
    lambda id, op, params: (1, 0, json.dumps({**params, "id": id, "op": op}).encode()),
    st.integers() | st.text(max_size=3) | st.none(),
    st.sampled_from(OPS),
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8),
)
CHANNEL_FRAMES = st.tuples(st.sampled_from([4, 5, 6, 7, 9]), st.sampled_from([1, 3, 5]), st.binary(max_size=20))
ANY_FRAMES = st.tuples(st.integers(0, 12), st.integers(0, 9), st.binary(max_size=40))


def converse(python: str, data: bytes, *, sane: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name, Client(python, pathlib.Path(name)) as client:
        client._one = lambda kind, id, payload: client.pongs.append(payload) if kind == 9 else None  # type: ignore[method-assign]
        try:
            client.write(data)
            client.frame(PING, 0, b"stillher")
            client.until(lambda: b"stillher" in client.pongs, "PONG")
        except Gone as gone:
            assert "Traceback" not in str(gone)
            assert not sane
        assert client.process.stderr is not None
        if select.select([client.process.stderr], [], [], 0)[0]:
            assert b"Traceback" not in client.process.stderr.read()


SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SETTINGS
@given(st.lists(REQUESTS, max_size=30))
def test_requests_of_any_shape_are_answered(newest: str, items: list[tuple[int, int, bytes]]) -> None:
    converse(newest, b"".join(HEADER.pack(len(data), channel, kind) + data for kind, channel, data in items), sane=True)


@SETTINGS
@given(st.lists(REQUESTS | CHANNEL_FRAMES | ANY_FRAMES, max_size=30))
def test_any_frames_are_answered_or_end_it(newest: str, items: list[tuple[int, int, bytes]]) -> None:
    converse(
        newest, b"".join(HEADER.pack(len(data), channel, kind) + data for kind, channel, data in items), sane=False
    )


@SETTINGS
@given(st.binary(max_size=300))
def test_any_bytes_are_answered_or_end_it(newest: str, data: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name, Client(newest, pathlib.Path(name)) as client:
        try:
            client.write(data)
            assert client.process.stdin is not None
            client.process.stdin.close()
        except Gone:
            pass
        assert client.process.wait(30) in (0, 2)
