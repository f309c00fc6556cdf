"""On which host the environments are, for clients that do not say: what is remembered, and what is here already."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import pathlib
from collections.abc import Callable, Sequence

from devenv.api.context import ClientContext
from devenv.engine.endpoint import Endpoint
from devenv.errors import ConfigError, DevenvError, Refused
from devenv.hosts.book import LOCAL, Book
from devenv.hosts.choose import VARIABLE
from devenv.hosts.places import Places
from devenv.supervisor.engines import Engines
from devenv.supervisor.workbench import Workbench

log = logging.getLogger("devenv.supervisor")


class Whereabouts:
    """`held` are the environments of this supervisor. Nothing is connected here."""

    def __init__(self, state: pathlib.Path, engines: Engines, held: Callable[[], Sequence[Workbench]]) -> None:
        self.places = Places(state)
        self._engines = engines
        self._held = held

    def placed(self, root: str, ctx: ClientContext) -> ClientContext:
        """The client, which names no host itself, with the one that the environment of its project is on."""
        place = self.places.get(root)
        if place is not None:
            name = place.name(self._engines.chooser.book(ctx.env)) if place.asked != LOCAL else LOCAL
        elif any(b.container and not b.endpoint.remote and b.target.local_folder == root for b in self._held()):
            name = LOCAL  # what is here stays here, whatever the default for new ones is
        else:
            return ctx
        return _at(name, ctx)

    def settle(self, bench: Workbench, ctx: ClientContext) -> None:
        """The environment is brought up where the client has said: there it is from now on."""
        book = self._engines.chooser.book(ctx.env)
        self.places.put(bench.target.local_folder, self._engines.endpoint(ctx), book)

    def leave(self, bench: Workbench) -> None:
        """It was taken down: where the next one of this folder is to be is open again."""
        folder = bench.target.local_folder
        if not any(b.container and b is not bench and b.target.local_folder == folder for b in self._held()):
            self.places.drop(folder)

    def elsewhere(self, ctx: ClientContext) -> list[ClientContext]:
        """The client once for each host on which an environment is remembered."""
        try:
            book = self._engines.chooser.book(ctx.env)
        except ConfigError as error:
            log.warning("the hosts are not known: %s", error)
            book = Book(pathlib.Path())
        return [_at(name, ctx) for name in dict.fromkeys(place.name(book) for place in self.places.all())]

    def when_back(self, ctx: ClientContext, tell: Callable[[], None]) -> None:
        """Once, when the client's host is connected; nothing where no connection is kept."""
        with contextlib.suppress(DevenvError):  # what is wrong with its name has been told
            connection = self._engines.connection(self._engines.endpoint(ctx))
            if connection is not None:
                connection.when_back(tell)


def refusal(bench: Workbench, asked: Endpoint) -> Refused:
    """Why a client that names another place gets nothing; both by the names that people gave them."""
    name, here = bench.target.name, bench.endpoint
    if not here.name and not asked.name:
        return Refused(
            f"{name} is on the engine {here.shown}; {asked.source} names {asked.shown}",
            "set DOCKER_HOST to that engine, or take the environment down there first",
        )
    there = here.name or (here.shown if here.remote else LOCAL)
    wanted = asked.name or (asked.shown if asked.remote else LOCAL)
    return Refused(
        f"{name} is on {there}, and not on {wanted} ({asked.source})",
        f"work with it there (drop --host and {VARIABLE}), or take it down first: devenv down --host {there}",
        details={"host": there},
    )


def _at(name: str, ctx: ClientContext) -> ClientContext:
    return dataclasses.replace(ctx, env={**ctx.env, VARIABLE: name})
