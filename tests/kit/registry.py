"""A real registry on this machine: Debian's `docker-registry` on a free loopback port, in a folder of the test."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.kit.waiting import eventually

PROGRAM = "docker-registry"
USER, PASSWORD = "alice", "open-sesame"
_HTPASSWD = f"{USER}:$2b$04$nTLuTP4znCwaDRO0eTPRAeUWULvf5uIt6gm90Z2IKbWEf.jwUchsS\n"  # bcrypt, the only kind it reads


class OciRegistry:
    """`host` is what stands in a reference: `localhost:PORT`, which the reference command line, too, asks by HTTP.

    `stop` and `start` take it off the network and bring it back at the same port with the same content.
    """

    def __init__(self, folder: Path, *, password: bool = False) -> None:
        self.folder = folder
        self.port = 0
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        config = self.folder / "config.yml"
        config.write_text(json.dumps(self._configuration()))  # JSON is YAML
        log = self.folder / "log"
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [PROGRAM, "serve", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ},
            )
        self.port = eventually(lambda: _listening(log), f"{PROGRAM} listens (see {log})")

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)  # it keeps nothing in memory
            process.wait(10)

    def _configuration(self) -> dict[str, object]:
        config: dict[str, object] = {
            "version": "0.1",
            "log": {"level": "info", "formatter": "json", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")}, "delete": {"enabled": True}},
            "http": {"addr": f"127.0.0.1:{self.port}", "secret": "of-the-test"},
        }
        if self._password:
            users = self.folder / "htpasswd"
            users.write_text(_HTPASSWD)
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(users)}}
        return config


def _listening(log: Path) -> int:
    """The port that it says it has; 0 until then."""
    for line in log.read_bytes().splitlines():
        with contextlib.suppress(ValueError, AttributeError):
            message = str(json.loads(line).get("msg", ""))
            if message.startswith("listening on "):
                return int(message.rpartition(":")[2])
    return 0


def missing() -> str | None:
    return None if shutil.which(PROGRAM) else f"{PROGRAM} is missing: run tests/rig/clients.sh"


@contextlib.contextmanager
def running(folder: Path, *, password: bool = False) -> Iterator[OciRegistry]:
    registry = OciRegistry(folder, password=password)
    registry.start()
    try:
        yield registry
    finally:
        registry.stop()
