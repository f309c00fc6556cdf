"""A program of this machine under a real debugpy, behind the pass-through."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import devenv.debug.proxy
from tests.kit.dap import DapClient
from tests.kit.waiting import eventually

START = pathlib.Path(devenv.debug.proxy.__file__).parent / "start.py"

LOOP = """import pathlib, time

def double(x):
    y = x * 2
    return y

x = 0
while not pathlib.Path("stop").exists():
    x = double(x) % 1000 + 1
    time.sleep(0.002)
print("went on to the end")
"""


@dataclasses.dataclass
class Debuggee:
    process: subprocess.Popen[str]
    folder: pathlib.Path
    endpoints: pathlib.Path

    @property
    def port(self) -> int:
        def told() -> int:
            return int(json.loads(self.endpoints.read_text())["client"]["port"]) if self.endpoints.exists() else 0

        return int(eventually(told, "the proxy's port", 20))

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(pathlib.Path(f"{self.endpoints}.status").read_text())
        return found

    @contextlib.contextmanager
    def client(self, **greeting: Any) -> Iterator[DapClient]:
        """`greeting`: what the host would say of the environment first; nothing when it is empty."""
        with DapClient(self.port) as client:
            if greeting:
                client._socket.sendall(b"DEVENV " + json.dumps(greeting).encode() + b"\n")
            yield client

    def end(self) -> str:
        (self.folder / "stop").touch()
        out, _ = self.process.communicate(timeout=30)
        assert self.process.returncode == 0
        return out


Start = Callable[..., Debuggee]


def begin(client: DapClient, breakpoints: dict[str, list[int]] | None = None, **arguments: Any) -> list[Any]:
    """initialize, attach with these arguments and no others, breakpoints, configurationDone."""
    client.initialize()
    attach = client.send("attach", arguments)
    client.event("initialized")
    placed = [found for path, lines in (breakpoints or {}).items() for found in client.breakpoints(path, lines)]
    client.request("configurationDone")
    client.answer(attach, "attach")
    return placed
