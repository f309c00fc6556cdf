"""The engine from outside: plain `docker` commands, and what tests leave behind on it."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.kit.waiting import eventually

# Every container, volume and network that a test makes by hand carries it: the sweep removes by label only.
TEST_LABEL = "devenv.test"

OWN_VOLUME = re.compile(r"^devenv-|[0-9a-v]{52}$")
"""Devenv's, and those that a configuration calls after `${devcontainerId}`."""


class DockerFailed(AssertionError):
    def __init__(self, arguments: tuple[str, ...], rc: int, err: str) -> None:
        super().__init__(f"docker {' '.join(arguments)}: exit code {rc}\n{err}")


class Docker:
    """The `docker` command against one engine (`host`: its socket; None: the default one)."""

    def __init__(self, host: str | None = None) -> None:
        self.host = host

    def __call__(self, *arguments: str, stdin: bytes | None = None, timeout: float = 120.0) -> str:
        """Runs to the end and returns stdout without the last newline; raises `DockerFailed`."""
        where = ["--host", self.host] if self.host else []
        done = subprocess.run(
            ["docker", *where, *arguments],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode:
            raise DockerFailed(arguments, done.returncode, done.stderr.decode(errors="replace"))
        return done.stdout.decode(errors="replace").rstrip("\n")

    def inspect(self, name: str) -> dict[str, Any]:
        (found,) = json.loads(self("inspect", name))
        assert isinstance(found, dict)
        return found

    def exists(self, name: str) -> bool:
        try:
            self("inspect", name)
        except DockerFailed:
            return False
        return True

    def containers(self, *filters: str) -> list[str]:
        """Ids of all containers, running or not, that pass the filters (`label=key=value`)."""
        words = [word for text in filters for word in ("--filter", text)]
        return self("ps", "--all", "--quiet", "--no-trunc", *words).split()

    def of_folder(self, folder: Path) -> list[str]:
        """Ids of the containers of a project, by the label that all dev container tools set."""
        return self.containers(f"label=devcontainer.local_folder={folder}")

    @contextlib.contextmanager
    def container(self, image: str, *options: str, command: tuple[str, ...] = ("sleep", "infinity")) -> Iterator[str]:
        """A running container, removed with its anonymous volumes afterwards; yields its id."""
        name = f"rig-{uuid.uuid4().hex[:12]}"
        try:
            yield self("run", "--detach", "--name", name, "--label", TEST_LABEL, *options, image, *command)
        finally:
            # Also when it was created and could not be started.
            self("rm", "--force", "--volumes", name)

    def remove_project(self, folder: Path) -> None:
        """Removes the containers of a project and the named volumes that were made for it alone."""
        for identity in self.of_folder(folder):
            with contextlib.suppress(DockerFailed):  # somebody else may be removing it
                mounts = self.inspect(identity)["Mounts"]
                self("rm", "--force", "--volumes", identity)
                for mount in mounts:
                    if mount["Type"] == "volume" and OWN_VOLUME.search(str(mount.get("Name", ""))):
                        self("volume", "rm", "--force", mount["Name"])


@functools.cache
def answers() -> bool:
    """Whether an engine answers on the default socket; asked once per test process."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=30).returncode == 0


class PrivateEngine:
    """An engine of a test's own, to be killed and restarted: other tests' containers are not touched.

    It lives in a network namespace of its own and sets up nothing there (`--bridge none`, no iptables), so its
    containers have no network.
    Needs root. Use `private_engine()`.

    `options` are further ones of dockerd, `path` is a folder before those of PATH, and `prelude` are shell commands
    that run first, in a mount namespace which only this engine sees.
    """

    def __init__(
        self, folder: Path, *, live_restore: bool, options: Sequence[str] = (), path: str = "", prelude: str = ""
    ) -> None:
        self.folder = folder
        self.socket = folder / "docker.sock"
        self.docker = Docker(f"unix://{self.socket}")
        self.log = folder / "dockerd.log"
        self._live_restore = live_restore
        self._options = options
        self._path = path
        self._prelude = prelude
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        """Value for DOCKER_HOST."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        # A killed daemon leaves its pid file and socket behind; the next one refuses to start over them.
        for left in (self.socket, self.folder / "docker.pid"):
            left.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    # Without a bridge, a daemon removes docker0 where it starts: that is the other engine's.
                    "unshare",
                    "--net",
                    *(["--mount", "sh", "-ec", f'{self._prelude}\nexec "$@"', "sh"] if self._prelude else []),
                    "dockerd",
                    f"--host={self.host}",
                    f"--data-root={self.folder / 'data'}",
                    f"--exec-root={self.folder / 'exec'}",
                    f"--pidfile={self.folder / 'docker.pid'}",
                    f"--live-restore={'true' if self._live_restore else 'false'}",
                    "--bridge=none",
                    "--iptables=false",
                    "--ip6tables=false",
                    "--group=docker",
                    *self._options,
                ],
                env={**os.environ, "PATH": f"{self._path}:{os.environ['PATH']}"} if self._path else None,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        eventually(self._up, f"the private engine (log: {self.log})", 60)

    def kill(self) -> None:
        """kill -9 of the daemon; its containers' processes go on."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """An orderly end; without live-restore it takes its containers along."""
        self._end(signal.SIGTERM)

    def load(self, image: str) -> None:
        """Copies an image from the default engine."""
        into = ["docker", "--host", self.host, "load", "--quiet"]
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
            subprocess.run(into, stdin=saved.stdout, check=True, capture_output=True)

    def _up(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"dockerd ended: {self.log.read_text()[-2000:]}")
        try:
            self.docker("version")
        except DockerFailed:
            return False
        return True

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=60)
            self._process = None

    def remove(self) -> None:
        """Ends what is left: containers, daemon, its containerd, mounts, files."""
        if self._process is None:
            with contextlib.suppress(Exception):  # clean-up: whatever state the test left, go on removing
                self.start()
        if self._process is not None:
            with contextlib.suppress(DockerFailed):
                names = self.docker.containers()
                if names:
                    self.docker("rm", "--force", "--volumes", *names)
            self.stop()
        containerd = self.folder / "exec" / "containerd" / "containerd.pid"
        if containerd.exists():
            with contextlib.suppress(ProcessLookupError, ValueError):
                os.kill(int(containerd.read_text()), signal.SIGTERM)
        for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            point = line.split()[1]
            if point.startswith(f"{self.folder}/"):
                subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def private_engine(
    *,
    live_restore: bool,
    images: tuple[str, ...] = (),
    options: Sequence[str] = (),
    path: str = "",
    prelude: str = "",
) -> Iterator[PrivateEngine]:
    """A started engine with copies of `images`; the rest as in `PrivateEngine`."""
    # A socket path has at most 107 bytes: pytest's own folders are too deep.
    folder = Path(tempfile.mkdtemp(prefix="rig-engine-", dir="/var/tmp"))
    folder.chmod(0o755)
    engine = PrivateEngine(folder, live_restore=live_restore, options=options, path=path, prelude=prelude)
    try:
        engine.start()
        for image in images:
            engine.load(image)
        yield engine
    finally:
        engine.remove()
