"""The reference implementation, `@devcontainers/cli`, as tests run it beside ours. Mark such tests `node`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.kit import rig

DIAGNOSTICS = "ociAuthDiagnostics"
"""What it adds to every result, whatever it is about."""


def run(
    *words: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout: float = 120.0
) -> subprocess.CompletedProcess[bytes]:
    """The reference with these words, to its end, whatever its exit code."""
    return subprocess.run(
        [str(rig.node_program("devcontainer")), *map(str, words)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=timeout,
    )


def result(*words: str | Path, **options: Any) -> dict[str, Any]:
    """The JSON object on its stdout; it must have succeeded."""
    done = run(*words, **options)
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found
