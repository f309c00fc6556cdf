"""After the terminal UI was left: what becomes of the environment, said on the plain terminal."""

from __future__ import annotations

import asyncio
import sys
from typing import TextIO

from devenv.api.port import Client
from devenv.api.views import EnvStatus
from devenv.errors import DevenvError
from tui.model.state import State

STOPS = ("stopContainer", "stopCompose")


def asks_for_stop(state: State) -> bool:
    """Whether the configuration writes that a closed window stops the environment; without that word it goes on."""
    env = state.snapshot.environment if state.snapshot is not None else None
    return env is not None and env.shutdown_action in STOPS and env.status is EnvStatus.RUNNING


def farewell(client: Client, state: State, out: TextIO | None = None) -> None:
    """Ctrl-C gives up waiting, not the stop."""
    if state.snapshot is None or not asks_for_stop(state):
        return
    out = out or sys.stderr
    out.write(f"leaving {state.snapshot.environment.name}…\n")
    out.flush()
    try:
        said = asyncio.run(client.leave())
    except DevenvError as error:
        said = f"it goes on: {error.message}"
    except KeyboardInterrupt:
        said = ""
    if said:
        out.write(f"{said}\n")
        out.flush()
