"""The thin client's own encoder and the detach keys."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devenv.cli.wire import _escape, encode

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_the_encoder_writes_json(value: object) -> None:
    assert json.loads(encode(value)) == value


@pytest.mark.parametrize(
    ("typed", "pending", "expected"),
    [
        (b"abc", False, (b"abc", False, False)),
        (b"a\x1d", False, (b"a", True, False)),
        (b"d", True, (b"", False, True)),
        (b"\x1dd", False, (b"", False, True)),
        (b"\x1d\x1d", False, (b"\x1d", False, False)),
        (b"x\x1dyz", False, (b"x\x1dyz", False, False)),
        (b"y", True, (b"\x1dy", False, False)),
    ],
)
def test_the_detach_keys(typed: bytes, pending: bool, expected: tuple[bytes, bool, bool]) -> None:
    assert _escape(typed, pending) == expected


def test_the_warm_path_loads_next_to_nothing() -> None:
    """Every module here is paid for by each `devenv exec`: json, re, socket and their kind must stay away."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "import devenv.cli.main, devenv.cli.wire, devenv.cli.ends, devenv.cli.verbs.exec\n"
        "print('\\n'.join(sorted(set(sys.modules) - before)))"
    )
    loaded = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
    heavy = {"json", "re", "socket", "enum", "dataclasses", "typing", "argparse", "asyncio", "pathlib", "subprocess"}
    assert not heavy & set(loaded.split()), loaded
    assert not [name for name in loaded.split() if name.startswith(("docker", "textual", "msgspec", "yaml"))]


@pytest.mark.parametrize("words", [["--help"], ["help", "up"], ["up", "--help"], ["version"]])
def test_help_loads_no_front_end_and_no_engine(words: list[str]) -> None:
    code = (
        "import sys; before = set(sys.modules); from devenv.cli.main import dispatch\n"
        f"code = dispatch({words!r})\n"
        "sys.stderr.write(' '.join(sorted(set(sys.modules) - before))); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    heavy = {"tui", "textual", "docker", "msgspec", "yaml", "asyncio", "typing", "subprocess"}
    assert not heavy & {name.partition(".")[0] for name in done.stderr.split()}, done.stderr
