"""What a client under contract is given to work on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from devenv.api.port import Client


@dataclass
class World:
    """A client of an environment that is up and idle, with two ways to make it do what the contract is about."""

    client: Client
    runnable: str  # a run configuration whose run lives until it is ended
    print_bytes: Callable[[str, bytes], Awaitable[None]]  # makes that run print; returns once it is readable
