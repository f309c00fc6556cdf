"""The probe's output, its cache, and what is made of it; the script itself in this machine's own shells."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
from collections.abc import Callable

import pytest

from devenv.engine.port import ExecResult
from devenv.environment.inside import probe
from tests.unit.environment.conftest import IMAGE, Site

MARK = "0123456789ab"
PRINTED = f"devenv:{MARK}"


def test_parse() -> None:
    text = f"77\n/bin/zsh\nWelcome!\n{PRINTED}A=b=c\0PWD=/x\0N=l1\nl2\0{PRINTED}/usr/bin/python3\n3.11.2\nx86_64\n"
    answer = probe.parse(text.encode(), MARK)
    assert answer.env == {"A": "b=c", "N": "l1\nl2"}
    assert (answer.pid, answer.shell) == (77, "/bin/zsh")
    assert (answer.python, answer.python_version, answer.machine) == ("/usr/bin/python3", "3.11.2", "x86_64")


@pytest.mark.parametrize(
    "text",
    ["", "77\n/bin/sh\n", f"77\n/bin/sh\n{PRINTED}A=b\0", f"77\n/bin/sh\n{PRINTED}{PRINTED}", "garbage\xff"],
    ids=["nothing", "no marker", "cut off", "empty", "garbage"],
)
def test_parse_of_what_is_not_an_environment(text: str) -> None:
    assert probe.parse(text.encode("latin-1"), MARK).env is None


def test_bytes_that_are_no_text_survive() -> None:
    answer = probe.parse(b"1\n/bin/sh\n" + PRINTED.encode() + b"A=\xff\0B=1\0" + PRINTED.encode(), MARK)
    assert answer.env is not None and answer.env["A"].encode("utf-8", "surrogateescape") == b"\xff"
    assert answer.python is None


def run_here(mode: str, env: dict[str, str], folder: str) -> probe.Answer:
    argv, more = probe.command(mode, MARK, folder)
    done = subprocess.run(argv, env={**env, **more}, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    return probe.parse(done.stdout, MARK)


SHELLS = [
    name for name in ("/bin/sh", "/bin/dash", "/bin/bash", "/bin/zsh", "/usr/bin/fish") if os.access(name, os.X_OK)
]


@pytest.mark.parametrize("mode", ["none", "loginShell", "interactiveShell", "loginInteractiveShell"])
@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_in_real_shells(tmp_path: pathlib.Path, shell: str, mode: str) -> None:
    (tmp_path / ".profile").write_text("export FROM_PROFILE=yes\necho noise\n")
    python = os.path.dirname(shutil.which("python3") or "")
    env = {"HOME": str(tmp_path), "SHELL": shell, "PATH": f"{python}:/usr/bin:/bin", "A": "b"}
    answer = run_here(mode, env, str(tmp_path))
    assert answer.env is not None, "no environment"
    assert answer.env["A"] == "b" and answer.shell == shell and answer.pid > 0
    assert not [name for name in answer.env if name.startswith("DEVENV_PROBE")]
    if shell == "/bin/bash" and mode == "loginShell":
        assert answer.env["FROM_PROFILE"] == "yes"


def fake_python(folder: pathlib.Path, name: str, says: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho {folder}/{name}\necho {says}\necho x86_64\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("places", "env", "expected"),
    [
        (["bin/python3"], {}, "bin/python3"),
        (["bin/python3", "bin/python"], {}, "bin/python"),
        (["bin/python", "project/.venv/bin/python"], {}, "project/.venv/bin/python"),
        (["bin/python", "conda/bin/python", "project/.venv/bin/python"], {"CONDA_PREFIX": "conda"}, "conda/bin/python"),
        (["bin/python", "v/bin/python", "project/.venv/bin/python"], {"VIRTUAL_ENV": "v"}, "v/bin/python"),
        ([], {}, None),
    ],
    ids=["python3 only", "python first", "the project's venv", "conda wins over it", "an active venv wins", "none"],
)
def test_which_python(tmp_path: pathlib.Path, places: list[str], env: dict[str, str], expected: str | None) -> None:
    for place in places:
        folder = tmp_path / place
        fake_python(folder.parent, folder.name, "3.9.1")
        if "venv" in place:
            (folder.parent.parent / "pyvenv.cfg").write_text("")
    (tmp_path / "project").mkdir(exist_ok=True)
    (tmp_path / "bin").mkdir(exist_ok=True)
    for tool in ("cat", "id", "sh"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or "")
    variables = {k: str(tmp_path / v) for k, v in env.items()}
    answer = run_here("none", {"PATH": str(tmp_path / "bin"), **variables}, str(tmp_path / "project"))
    assert answer.python == (str(tmp_path / expected) if expected else None)
    assert answer.venv == (str(tmp_path / "project/.venv") if expected and expected.startswith("project") else "")


def test_remote_env_sets_and_unsets() -> None:
    assert probe.with_remote_env({"A": "1", "B": "2"}, {"A": None, "C": "3"}) == {"B": "2", "C": "3"}


def test_activate() -> None:
    made = probe.activate({"PATH": "/bin", "PYTHONHOME": "/x"}, "/w/.venv")
    assert made == {"PATH": "/w/.venv/bin:/bin", "VIRTUAL_ENV": "/w/.venv"}


async def test_the_cache_holds_only_what_the_shell_added(site: Site, shell: Callable[..., ExecResult]) -> None:
    site.engine.on_exec = shell
    site.configure(
        {"image": IMAGE, "containerEnv": {"SECRET": "${localEnv:TOKEN}"}, "remoteEnv": {"R": "${localEnv:TOKEN}"}}
    )
    result = await site.up()
    rooms = site.rooms()
    target = await site.target()
    first = await rooms.probe(target, result.container, engine=site.engine)
    execs = [call for call in site.engine.calls if call[0] == "exec"]
    second = await rooms.probe(target, result.container, engine=site.engine)
    assert [call for call in site.engine.calls if call[0] == "exec"] == execs
    assert first == second and first.env["R"] == "s3cret" and first.python == "/usr/bin/python3"
    kept = (site.state / "envs" / target.key / "probe.json").read_text()
    assert "s3cret" not in kept
    await site.engine.stop(result.container.id)
    await site.engine.start(result.container.id)
    restarted = await site.engine.inspect(result.container.id)
    assert restarted is not None
    await rooms.probe(target, restarted, engine=site.engine)  # another start: asked again
    assert len([call for call in site.engine.calls if call[0] == "exec"]) == len(execs) + 1


def test_the_cache_notices_changed_start_up_files(tmp_path: pathlib.Path) -> None:
    cache = probe.ProbeCache(tmp_path)
    answer = probe.Answer("/bin/sh", {"A": "1"}, "/usr/bin/python3", "3.11.2", "x86_64")
    cache.save("k", None, {}, answer)
    assert cache.load("other", None, {}) is None
    assert cache.load("k", {"/etc/profile": [1, 2]}, {}) == answer  # the first look at the files
    assert cache.load("k", {"/etc/profile": [1, 2]}, {}) == answer
    assert cache.load("k", None, {}) == answer
    assert cache.load("k", {"/etc/profile": [1, 3]}, {}) is None
    cache.forget()
    assert cache.load("k", None, {}) is None


def test_the_cache_gives_the_containers_own_values_back(tmp_path: pathlib.Path) -> None:
    cache = probe.ProbeCache(tmp_path)
    base = {"SECRET": "s3cret", "GONE": "x", "PATH": "/bin"}
    cache.save("k", None, base, probe.Answer("/bin/sh", {"SECRET": "s3cret", "PATH": "/opt:/bin", "NEW": "n"}))
    assert "s3cret" not in (tmp_path / "probe.json").read_text()
    found = cache.load("k", None, base)
    assert found is not None and found.env == {"SECRET": "s3cret", "PATH": "/opt:/bin", "NEW": "n"}
