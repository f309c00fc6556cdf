"""The probe keeps the image's PATH entries that a login shell's start-up files throw away."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from devenv.environment.inside import probe

MARK = "0123456789ab"


def probed(tmp_path: Path, container_path: str, profile_path: str) -> str:
    """PATH as the probe reports it, with a login shell whose profile sets PATH to `profile_path`."""
    shell = tmp_path / "shell"
    shell.write_text(f'#!/bin/sh\nPATH={profile_path}\nexport PATH\neval "$2"\n')
    shell.chmod(0o755)
    argv, extra = probe.command("loginInteractiveShell", MARK, str(tmp_path))
    env = {"PATH": container_path, "SHELL": str(shell), **extra}
    done = subprocess.run(argv, env=env, capture_output=True, check=False)
    answer = probe.parse(done.stdout, MARK)
    assert answer.env is not None, done
    assert not [name for name in answer.env if name.startswith("DEVENV_PROBE")]
    return answer.env["PATH"]


SBIN = "/usr/sbin:" if os.getuid() == 0 else ""


@pytest.mark.parametrize(
    ("container", "profile", "expected"),
    [
        pytest.param("/usr/bin:/bin", "/usr/bin:/bin", "/usr/bin:/bin", id="nothing thrown away"),
        pytest.param("/opt/venv/bin:/usr/bin:/bin", "/usr/bin:/bin", "/opt/venv/bin:/usr/bin:/bin", id="first"),
        pytest.param("/usr/bin:/opt/x:/bin", "/usr/bin:/games:/bin", "/usr/bin:/opt/x:/games:/bin", id="after its own"),
        pytest.param(
            "/usr/bin:/bin:/opt/a:/opt/b", "/usr/bin:/bin", "/usr/bin:/bin:/opt/a:/opt/b", id="last, in order"
        ),
        pytest.param("/usr/sbin:/usr/bin:/bin", "/usr/bin:/bin", f"{SBIN}/usr/bin:/bin", id="sbin is for root"),
        pytest.param("/opt/a*:/usr/bin:/bin", "/usr/bin:/bin", "/opt/a*:/usr/bin:/bin", id="no globbing"),
        pytest.param("/usr/bin:/bin", "/home/me/bin:/usr/bin:/bin", "/home/me/bin:/usr/bin:/bin", id="the shell's own"),
    ],
)
def test_path(tmp_path: Path, container: str, profile: str, expected: str) -> None:
    assert probed(tmp_path, container, profile) == expected
