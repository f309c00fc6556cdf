"""A project with its environment, as the tests of the daily loop use it: verbs, files, processes of both sides."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.kit.command import Shell
from tests.kit.engine import Docker
from tests.kit.outcome import Outcome
from tests.kit.waiting import eventually


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    """One user in one project folder."""

    shell: Shell
    docker: Docker

    @property
    def folder(self) -> Path:
        return self.shell.cwd

    @property
    def uid(self) -> int:
        return self.shell.user.uid

    def devenv(self, *words: str, stdin: bytes | str | None = None, timeout: float = 90.0) -> Outcome:
        return self.shell.run("devenv", *words, stdin=stdin, timeout=timeout)

    def exec(self, *words: str, stdin: bytes | str | None = None) -> Outcome:
        return self.devenv("exec", "--", *words, stdin=stdin)

    def json(self, verb: str, *words: str) -> Any:
        # Before the rest: what comes after a program's name is the program's.
        return self.devenv(verb, "--json", *words).ok().json()

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.json("status")
        return found

    def view(self) -> dict[str, Any]:
        found: dict[str, Any] = self.status()["environment"]
        return found

    def runs(self) -> dict[str, dict[str, Any]]:
        """The newest run of each name, services too."""
        return {view["name"]: view for view in reversed(self.json("runs", "--all")["runs"])}

    def containers(self) -> list[str]:
        return self.docker.of_folder(self.folder)

    def container(self) -> str:
        (only,) = self.containers()
        return only

    def path(self, name: str) -> Path:
        return self.folder / name

    def write(self, name: str, text: str) -> Path:
        """A file as the user's editor would write it."""
        path = self.folder / name
        path.write_text(text)
        os.chown(path, self.uid, self.shell.user.gid)
        return path

    @contextlib.contextmanager
    def background(self, *words: str, stdin: bool = False) -> Iterator[Background]:
        """`devenv WORDS` with its output in two files; killed when the block is left and it still runs."""
        out, err = self.folder.parent / f"{self.folder.name}.out", self.folder.parent / f"{self.folder.name}.err"
        with out.open("wb") as to_out, err.open("wb") as to_err:
            source = subprocess.PIPE if stdin else subprocess.DEVNULL
            process = self.shell.start("devenv", *words, stdin=source, stdout=to_out, stderr=to_err)
        try:
            yield Background(process, out, err)
        finally:
            if process.stdin:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
            if process.poll() is None:
                process.kill()
            process.wait()

    def supervisor(self) -> int:
        pid = self.json("supervisor")["pid"]
        assert isinstance(pid, int)
        return pid

    def kill_supervisor(self) -> int:
        """kill -9, and gone; its pid."""
        pid = self.supervisor()
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not _alive(pid), "the end of the supervisor")
        return pid

    def processes(self) -> dict[int, str]:
        """Processes of the container, by their pids on this host (Podman: in the container)."""
        return {pid: command for pid, _, command in self._listing()}

    def inside(self, text: str) -> list[int]:
        """Pids of the container's processes with `text` in their command line."""
        return [pid for pid, command in self.processes().items() if text in command]

    def agents(self) -> list[int]:
        """The agents: children of a process outside the container, so not the keepers that left them."""
        listing = self._listing()
        pids = {pid for pid, _, _ in listing}
        return [pid for pid, parent, command in listing if " -I -S -u -c " in command and parent not in pids]

    def _listing(self) -> list[tuple[int, int, str]]:
        """Pid, parent's pid and command; all three as seen from one namespace, whichever the engine takes."""
        lines = self.docker("top", self.container(), "-eo", "pid,ppid,args").splitlines()[1:]
        return [(int(pid), int(parent), command) for pid, parent, command in (line.split(None, 2) for line in lines)]


@dataclasses.dataclass(frozen=True, slots=True)
class Background:
    """A running command; what it wrote so far can be looked at."""

    process: subprocess.Popen[bytes]
    out_file: Path
    err_file: Path

    @property
    def out(self) -> bytes:
        return self.out_file.read_bytes()

    @property
    def err(self) -> str:
        return self.err_file.read_text(errors="replace")

    def expect(self, text: str, timeout: float = 30.0) -> None:
        """Waits until `text` stands on stdout."""

        def shown() -> bool:
            assert text.encode() in self.out, f"stdout: {self.out[-2000:]!r}\nstderr: {self.err}"
            return True

        eventually(shown, f"{text!r} from {self.process.args!r}", timeout)

    def send(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def end_of_input(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, timeout: float = 60.0) -> int:
        """The exit code; negative: the signal."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running\nstdout: {self.out[-2000:]!r}\nstderr: {self.err}") from None


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
