"""Another machine: a privileged container with sshd and a Docker engine of its own (`tests/rig/remote/box.sh`).

What its engine keeps lies in a named volume, so that images are moved in once and later starts are quick. A volume
belongs to one machine at a time: there are as many as test processes need.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from tests.kit import rig
from tests.kit.engine import TEST_LABEL, Docker, DockerFailed
from tests.kit.users import User
from tests.kit.waiting import eventually

_SLOTS = 8


class RemoteHost:
    """Made by `remote_host`. Its people are `dev`, who may use the engine, and `outsider`, who may not."""

    def __init__(self, name: str, address: str, key: Path) -> None:
        self.name = name
        self.address = address
        self.key = key
        self._engine = Docker()

    def run(self, *argv: str, user: str = "root", timeout: float = 60.0) -> str:
        """A command there, its stdout."""
        return self._engine("exec", "--user", user, self.name, *argv, timeout=timeout)

    def shell(self, script: str) -> str:
        return self.run("sh", "-ec", script)

    def docker(self, *arguments: str) -> str:
        """The `docker` command there."""
        return self.run("docker", *arguments)

    # --- who may come in ---

    @property
    def host_key(self) -> str:
        """The public key of its ssh server: type and key."""
        return " ".join(self.run("cat", "/etc/ssh/ssh_host_ed25519_key.pub").split()[:2])

    def introduce(
        self,
        user: User,
        alias: str,
        *,
        login: str = "dev",
        address: str = "",
        port: int = 22,
        host_key: str | None = None,
    ) -> None:
        """Lets `ssh ALIAS` of this user lead here: key, configuration and known host. `host_key` "" leaves that out.
        `address` and `port` may be those of something in between."""
        folder = user.home / ".ssh"
        folder.mkdir(mode=0o700, exist_ok=True)
        own_key = folder / f"id-{self.name}"
        shutil.copy(self.key, own_key)
        place = address or self.address
        entry = (
            f"Host {alias}\n  HostName {place}\n  Port {port}\n  User {login}\n  IdentityFile {own_key}\n"
            f"  IdentitiesOnly yes\n  HostKeyAlias {alias}\n\n"
        )
        _append(folder / "config", entry)
        known = self.host_key if host_key is None else host_key
        if known:
            _append(folder / "known_hosts", f"{alias} {known}\n")
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, user.uid, user.gid)
            path.chmod(0o700 if path.is_dir() else 0o600)

    def server(self, port: int, *options: str) -> None:
        """A further ssh server on `port`, with options of its own (`-o`, `AllowStreamLocalForwarding=no`)."""
        self._engine("exec", "--detach", self.name, "/usr/sbin/sshd", "-D", "-p", str(port), *options)
        eventually(lambda: f":{port} " in self.run("ss", "-ltn"), f"an ssh server on port {port}", 10)

    # --- the network between (a delay: `tests.kit.slow_relay`) ---

    @contextlib.contextmanager
    def cut(self) -> Iterator[None]:
        """Nothing comes in or out: no answer, no refusal."""
        rules = ("INPUT -i eth0 -j DROP", "OUTPUT -o eth0 -j DROP")
        self.shell("\n".join(f"iptables -I {rule}" for rule in rules))
        try:
            yield
        finally:
            self.shell("\n".join(f"iptables -D {rule}" for rule in rules))

    def hang_up(self) -> None:
        """Ends every ssh connection of `dev`, as a server that is restarted by hand does."""
        self.shell("pkill -KILL -f 'ssh[d].*: dev'")

    def certificates(self, folder: Path, owner: User) -> Path:
        """A folder for DOCKER_CERT_PATH, of the engine's tcp port 2376."""
        folder.mkdir()
        for name in ("ca.pem", "cert.pem", "key.pem"):
            (folder / name).write_text(self.run("cat", f"/certs/{name}") + "\n")
            shutil.chown(folder / name, owner.uid, owner.gid)
        shutil.chown(folder, owner.uid, owner.gid)
        return folder

    # --- its engine ---

    def load(self, images: Sequence[str]) -> None:
        """Copies images from this machine's engine, those that are not there yet."""
        lacking = [name for name in images if self._id(name) != self._engine.inspect(name)["Id"]]
        if not lacking:
            return
        into = ["docker", "exec", "--interactive", self.name, "docker", "load", "--quiet"]
        with subprocess.Popen(["docker", "save", *lacking], stdout=subprocess.PIPE) as saved:
            subprocess.run(into, stdin=saved.stdout, check=True, capture_output=True)

    def clear(self) -> None:
        """No containers and no volumes of a test before."""
        self.shell("docker ps --all --quiet | xargs -r docker rm --force --volumes; docker volume prune --force")
        self.shell("docker volume ls --quiet | xargs -r docker volume rm --force")

    def _id(self, image: str) -> str:
        with contextlib.suppress(DockerFailed):
            return self.docker("image", "inspect", "--format", "{{.Id}}", image)
        return ""


def _append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


@contextlib.contextmanager
def remote_host(release: str, images: Sequence[str] = ()) -> Iterator[RemoteHost]:
    """A started machine with Docker `release` ("20" or "26") and copies of `images`. Needs root."""
    _build_images()
    engine = Docker()
    name = f"rig-{uuid.uuid4().hex[:12]}"
    with tempfile.TemporaryDirectory(prefix="rig-key-") as folder, _slot(release) as volume:
        key = Path(folder) / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        public = key.with_suffix(".pub").read_text().strip()
        options = ["--detach", "--rm", "--privileged", "--name", name, "--hostname", "gpu-box", "--label", TEST_LABEL]
        mount = ["--volume", f"{volume}:/var/lib/docker", "--env", f"AUTHORIZED_KEY={public}"]
        try:
            engine("run", *options, *mount, f"devenv-rig/remote:{release}")
            address = engine.inspect(name)["NetworkSettings"]["IPAddress"]
            host = RemoteHost(name, address, key)
            eventually(lambda: _answers(host), f"the engine of {name}", 30)
            host.clear()
            host.load(images)
            yield host
        finally:
            with contextlib.suppress(DockerFailed):
                engine("rm", "--force", "--volumes", name)


@functools.cache
def _build_images() -> None:
    """Made when they are asked for: the whole run has begun with it beforehand, beside its other tests."""
    with rig.lock("remote-images"):
        environment = {**os.environ, "DEVENV_SETUP_PYTHON": sys.executable}
        script = rig.ROOT / "tests" / "rig" / "images.sh"
        done = subprocess.run([script, "remote"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _answers(host: RemoteHost) -> bool:
    try:
        return bool(host.docker("version", "--format", "{{.Server.Version}}"))
    except DockerFailed:
        return False


@contextlib.contextmanager
def _slot(release: str) -> Iterator[str]:
    """A volume that no other test process uses meanwhile."""
    folder = rig.state()
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        for number in range(_SLOTS):
            file: IO[str] = stack.enter_context((folder / f"remote-{release}-{number}.lock").open("w"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield f"devenv-rig-remote-{release}-{number}"
            return
        raise AssertionError(f"{_SLOTS} machines run already")
