"""Where benchmarks take place: an ordinary user with the installed wheel, projects, and their containers."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from devenv.api.paths import state_folder
from tests.kit import installed, rig
from tests.kit.command import Shell
from tests.kit.engine import Docker, DockerFailed
from tests.kit.fixtures import remove_belongings
from tests.kit.project import Content, devcontainer, write_project
from tests.kit.users import end_processes, make_user, remove_user, sweep_users

IMAGE = "devenv-rig/python-user:latest"


class Place:
    """One project of the user, with `devenv` on PATH."""

    def __init__(self, shell: Shell, docker: Docker) -> None:
        self.shell = shell
        self.docker = docker

    @property
    def folder(self) -> Path:
        return self.shell.cwd

    def devenv(self, *words: str, timeout: float = 120.0) -> str:
        return self.shell.run("devenv", *words, timeout=timeout).ok().out

    def json(self, verb: str, *words: str) -> Any:
        return json.loads(self.devenv(verb, "--json", *words))

    def container(self) -> str:
        (found,) = self.docker.of_folder(self.folder)
        return found

    def pairs(
        self, rounds: int, *commands: Sequence[str], warm: int = 2, before: Mapping[int, Sequence[Sequence[str]]] = {}
    ) -> list[list[float]]:
        """Seconds of each command, taken in turns (see pairs.py). `before`: untimed, by the command's index."""
        program = Path(__file__).with_name("pairs.py").read_text()
        order = {
            "rounds": rounds,
            "warm": warm,
            "commands": [{"argv": list(argv), "before": before.get(at, [])} for at, argv in enumerate(commands)],
        }
        python = self.shell.path[0] / "python"
        said = self.shell.run(python, "-I", "-S", "-c", program, json.dumps(order), timeout=1800).ok().out
        times: list[list[float]] = json.loads(said)
        return times

    @property
    def stop_supervisor(self) -> list[str]:
        """A command that ends the supervisor and returns when it is gone (its lock is free)."""
        lock = f"{state_folder(self.shell.user.uid)}/supervisor.lock"
        return ["sh", "-c", f"devenv supervisor stop && flock {lock} true"]


class Ground:
    """The user of one run of the benchmarks. Use `ground()`."""

    def __init__(self, shell: Shell, docker: Docker) -> None:
        self.shell = shell
        self.docker = docker
        self._made: list[Path] = []

    def place(self, name: str, files: Mapping[str, Content] | None = None, **properties: Any) -> Place:
        """A new project; its container goes when the run ends."""
        user = self.shell.user
        root = user.home / "work" / f"{name}-{uuid.uuid4().hex[:6]}"
        root.parent.mkdir(exist_ok=True)
        shutil.chown(root.parent, user.uid, user.gid)
        self._made.append(root)
        write_project(root, {**devcontainer(IMAGE, **properties), **(files or {})}, owner=user)
        return Place(self.shell.at(root), self.docker)

    def close(self) -> None:
        for root in self._made:
            with contextlib.suppress(DockerFailed):
                self.docker.remove_project(root)


@contextlib.contextmanager
def ground() -> Iterator[Ground]:
    for marker in ("engine", "users", "node"):
        reason = rig.missing(marker)
        if reason:
            raise SystemExit(reason)
    with rig.lock("users"):
        sweep_users()
        user = make_user("bench")
    docker = Docker()
    made = Ground(Shell(user, user.home, (installed.bin_folder(),)), docker)
    try:
        yield made
    finally:
        made.close()
        end_processes(user.uid)
        remove_belongings(docker, user)
        with rig.lock("users"):
            remove_user(user.name)


def cpu_seconds(*pids: int) -> float:
    """CPU time of these processes so far, user and system, their children apart."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def quiet(load: float = 1.0, patience: float = 0.0) -> float:
    """The load average of the last minute, after at most `patience` seconds of waiting for it to fall to `load`."""
    deadline = time.monotonic() + patience
    while (now := os.getloadavg()[0]) > load and time.monotonic() < deadline:
        time.sleep(1)
    return now
