"""Podman services of the rig's own, from outside: root's (see `tests/rig/podman.sh`) and one of an ordinary user."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.kit.engine import Docker, DockerFailed
from tests.kit.users import User, end_processes
from tests.kit.waiting import eventually

SCRIPT = Path(__file__).resolve().parent.parent / "rig" / "podman.sh"


@dataclasses.dataclass(frozen=True, slots=True)
class Podman:
    """One service; `folder` holds its storage, socket, configuration and the number of its process."""

    folder: Path
    socket: Path

    @property
    def host(self) -> str:
        """Value for DOCKER_HOST."""
        return f"unix://{self.socket}"

    @property
    def docker(self) -> Docker:
        """The `docker` command against it."""
        return Docker(self.host)

    def words(self, *arguments: str) -> list[str]:
        """A command in the namespaces of the service, where its networks and what lies below /run are."""
        return [
            "nsenter",
            f"--target={(self.folder / 'podman.pid').read_text().strip()}",
            "--mount",
            "--net",
            *arguments,
        ]

    def podman(self, *arguments: str) -> list[str]:
        """Words of a `podman` command on the same storage."""
        storage = ["--root", str(self.folder / "root"), "--runroot", "/run/containers/storage"]
        return self.words("env", f"CONTAINERS_CONF={self.folder / 'containers.conf'}", "podman", *storage, *arguments)

    @contextlib.contextmanager
    def second(self) -> Iterator[SecondService]:
        """Another service on the same storage, which a test may kill: Podman's containers belong to none."""
        with tempfile.TemporaryDirectory(prefix="rig-podman-", dir="/var/tmp") as folder:
            Path(folder).chmod(0o755)
            service = SecondService(self, Path(folder) / "podman.sock")
            service.start()
            try:
                yield service
            finally:
                service.kill()


class SecondService:
    def __init__(self, first: Podman, socket: Path) -> None:
        self.host = f"unix://{socket}"
        self._first = first
        self._socket = socket
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            self._first.podman("system", "service", "--time=0", self.host),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        eventually(self._up, "the second Podman service", 30)
        shutil.chown(self._socket, group="docker")
        self._socket.chmod(0o660)

    def kill(self) -> None:
        """kill -9; containers go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(timeout=30)
            self._process = None

    def _up(self) -> bool:
        return _answers(self.host)


# The user's run folder and a /dev/net/tun that he may open: what a login and udev give him on most machines.
_ROOTLESS = """
umask 022
mkdir -p /run/user
mount -t tmpfs -o mode=755 tmpfs /run/user
mkdir -m 700 "/run/user/$1"
chown "$1:$2" "/run/user/$1"
mknod -m 666 "$3" c 10 200
mount --bind "$3" /dev/net/tun
mount --make-rshared /
uid=$1 gid=$2
shift 3
exec setpriv --reuid "$uid" --regid "$gid" --init-groups --inh-caps=-all "$@"
"""


class RootlessPodman:
    """A service that an ordinary user runs, in a mount namespace of its own. Use `rootless_podman()`."""

    def __init__(self, user: User, folder: Path) -> None:
        self.user = user
        self.folder = folder
        self.socket = folder / "podman.sock"
        self.docker = Docker(self.host)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        """Value for DOCKER_HOST."""
        return f"unix://{self.socket}"

    def start(self, containers: str = "") -> None:
        """`containers`: further lines of the section [containers] of his containers.conf."""
        self._end()
        config = self.user.home / ".config/containers"
        config.mkdir(parents=True, exist_ok=True)
        (config / "containers.conf").write_text(
            f'[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n{containers}\n'
            '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        )
        (config / "storage.conf").write_text('[storage]\ndriver = "overlay"\n')
        for left in (self.socket, self.folder / "tun"):
            left.unlink(missing_ok=True)
        uid, gid = str(self.user.uid), str(self.user.gid)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("unshare", "--mount", "--propagation", "slave", "sh", "-ec", _ROOTLESS, "sh"),
                    *(uid, gid, str(self.folder / "tun"), "podman", "system", "service", "--time=0", self.host),
                ],
                cwd=self.user.home,
                env={**self.user.environment(), "XDG_RUNTIME_DIR": f"/run/user/{uid}"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        eventually(self._up, f"a rootless Podman (log: {self.folder / 'log'})", 30)

    def load(self, image: str) -> None:
        """Copies an image from the default engine."""
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
            into = ["docker", "--host", self.host, "load", "--quiet"]
            subprocess.run(into, stdin=saved.stdout, check=True, capture_output=True)

    def remove(self) -> None:
        """Containers, service, storage."""
        self._end()
        shutil.rmtree(self.user.home / ".local/share/containers", ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self) -> None:
        if self._process is not None:
            with contextlib.suppress(DockerFailed):
                if names := self.docker.containers():
                    self.docker("rm", "--force", "--volumes", *names)
            # With the process that holds its namespaces, so that the next service begins as after a login.
            end_processes(self.user.uid)
            self._process.wait(timeout=30)
            self._process = None

    def _up(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"podman ended: {(self.folder / 'log').read_text()[-2000:]}")
        return _answers(self.host)


@contextlib.contextmanager
def rootless_podman(user: User, images: tuple[str, ...]) -> Iterator[RootlessPodman]:
    """A started service of the user's with copies of `images`."""
    folder = Path(tempfile.mkdtemp(prefix="rig-podman-", dir="/var/tmp"))
    folder.chmod(0o755)
    shutil.chown(folder, user.uid, user.gid)
    service = RootlessPodman(user, folder)
    try:
        service.start()
        for image in images:
            service.load(image)
        yield service
    finally:
        service.remove()


def _answers(host: str) -> bool:
    if not Path(host.removeprefix("unix://")).exists():
        return False
    try:
        Docker(host)("version")
    except DockerFailed:
        return False
    return True


def missing() -> str | None:
    """Why tests with Podman cannot run here."""
    lacking = [
        program for program in ("podman", "catatonit", "newuidmap", "slirp4netns") if shutil.which(program) is None
    ]
    if lacking:
        return f"parts of Podman are missing ({', '.join(lacking)}): run tests/rig/podman.sh install"
    if os.getuid() != 0:
        return "a Podman service of the tests' own needs root: run tests/rig/podman.sh start as root"
    return None


def start(state: Path) -> Podman:
    """The running service; started when it does not answer. The caller holds the rig's lock "podman"."""
    done = subprocess.run(
        [str(SCRIPT), "start"],
        env={**os.environ, "DEVENV_RIG_STATE": str(state)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    if done.returncode:
        raise RuntimeError(f"{SCRIPT.name} start: exit code {done.returncode}\n{done.stderr}")
    folder = state / "podman"
    return Podman(folder, folder / "podman.sock")
