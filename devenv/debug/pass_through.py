"""The program that stands in front of debugpy's adapter in the container (`devenv.debug.proxy`), as it is delivered,
started, greeted and asked. Pure, but for reading its own files."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from devenv.delivery.trees import named

_START = ("-E", "-s", "-S")  # nothing of the user's is imported into it


def payload() -> tuple[pathlib.Path, str]:
    """Its folder on the host, and the name that it gets in the container, which Python can import."""
    return named(pathlib.Path(__file__).parent / "proxy", "dap_proxy_")


def adapter_file(endpoints: str) -> str:
    """Where debugpy's adapter tells its port, beside the file in which the pass-through tells its own."""
    return f"{endpoints}.adapter"


def status_file(endpoints: str) -> str:
    return f"{endpoints}.status"


def wrap(python: str, folder: str, endpoints: str, program: Sequence[str], *, children: bool) -> tuple[str, ...]:
    """The words that start `program` with the pass-through beside it. The program keeps its process: it is executed."""
    switches = () if children else ("--no-children",)
    files = ("--adapter", adapter_file(endpoints), "--endpoints", endpoints)
    return (python, *_START, f"{folder}/start.py", "wrap", *files, *switches, "--", *program)


def serve(python: str, folder: str, adapter: str, endpoints: str, pid: int | str, *, children: bool) -> tuple[str, ...]:
    """The words for a program that has its debugger already; they end at once and leave the pass-through there."""
    switches = () if children else ("--no-children",)
    files = ("--adapter", adapter, "--endpoints", endpoints)
    return (python, *_START, f"{folder}/start.py", "serve", *files, *switches, "--pid", str(pid))


def greeting(*, port: int, door: int, local: str, remote: str, defaults: Mapping[str, Any]) -> bytes:
    """What is said ahead of each connection: see `devenv.debug.proxy.arguments.Greeting`."""
    said = {"port": port, "door": door, "local": local, "remote": remote, "defaults": dict(defaults)}
    return b"DEVENV " + json.dumps(said, separators=(",", ":")).encode("ascii") + b"\n"
