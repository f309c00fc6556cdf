"""Sentences for the person who watches a run: what still runs in the environment, and where a server is reached.

Only for clients whose stderr a person reads (`ClientContext.asides`); a script's output stays the program's own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from devenv.api.context import ClientContext
from devenv.api.sentences import pending
from devenv.api.views import PortView
from devenv.forward.openings import sentence
from devenv.supervisor.connection import Connection
from devenv.supervisor.workbench import Workbench


def tell_pending(bench: Workbench, ctx: ClientContext, connection: Connection) -> None:
    """Once, as a program is started: it may need what a lifecycle command is about to install."""
    if ctx.asides and bench.pending:
        connection.note(f"devenv: {pending(bench.pending)}")


@contextlib.contextmanager
def ports_told(bench: Workbench, ctx: ClientContext, connection: Connection) -> Iterator[None]:
    """Tells of servers that begin to listen meanwhile, on ports that the project names."""
    if not ctx.asides:
        yield
        return

    def tell(view: PortView) -> None:
        connection.note(f"devenv: {sentence(view)}")

    forget = bench.forwarder.on_opening(tell)
    try:
        yield
    finally:
        forget()
