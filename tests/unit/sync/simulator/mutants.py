"""The engine, broken on purpose: each of these is a mistake that somebody could make, and the simulator must see it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from devenv.sync import session
from devenv.sync.core.agreed import agreed
from devenv.sync.core.changes import applied_where_it_fits
from devenv.sync.core.entries import Kind, Tree, children_of, folder, is_folder, tracked_part
from devenv.sync.core.guards import Replica, Side
from devenv.sync.core.merge import Mode
from devenv.sync.core.merge import merge as merging
from devenv.sync.endpoint import LocalEndpoint
from devenv.sync.remote import RemoteEndpoint
from devenv.sync.side import apply, renaming
from devenv.sync.side.apply import Applier
from devenv.sync.side.place import Place
from devenv.sync.side.scan import Scanner
from devenv.sync.side.stage import Part, Stage
from devenv.sync.store import Ancestor

MUTANTS: dict[str, Callable[[], list[Any]]] = {}  # what to put, and where
_engine: Any = apply  # whose `os` is the simulator's


def _mutant(make: Callable[[], list[Any]]) -> None:
    MUTANTS[make.__name__] = make


@contextlib.contextmanager
def mutated(name: str) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for patch in MUTANTS[name]():
            stack.enter_context(patch)
        yield


def _put(owner: Any, name: str, value: Any) -> Any:
    return mock.patch.object(owner, name, value)


def _look(self: Applier, directory: int, name: str, path: str, before: Any) -> Any:
    try:
        return _engine.os.lstat(name, dir_fd=directory)
    except FileNotFoundError:
        raise apply.Meanwhile from None


@_mutant
def nobody_looks_before_or_after_a_move() -> list[Any]:
    return [_put(Applier, "_expected", _look), _put(Applier, "_is", staticmethod(lambda *_: True))]


@_mutant
def nobody_looks_after_a_move() -> list[Any]:
    return [_put(Applier, "_is", staticmethod(lambda *_: True))]


@_mutant
def what_was_exchanged_stays_so() -> list[Any]:
    def replace(self: Applier, directory: int, name: str, path: str, before: Any, made: str) -> None:
        self._expected(directory, name, path, before)
        renaming.exchange(self._stage, made, directory, name)

    return [_put(Applier, "_replace", replace)]


@_mutant
def files_are_overwritten() -> list[Any]:
    def replace(self: Applier, directory: int, name: str, path: str, before: Any, made: str) -> None:
        self._expected(directory, name, path, before)
        _engine.os.rename(made, name, src_dir_fd=self._stage, dst_dir_fd=directory)

    return [_put(Applier, "_replace", replace)]


@_mutant
def files_that_appear_are_overwritten() -> list[Any]:
    def move(old_folder: int, old: str, new_folder: int, new: str) -> None:
        _engine.os.rename(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder)

    return [_put(renaming, "move", move)]


@_mutant
def nothing_goes_to_the_trash() -> list[Any]:
    return [_put(Applier, "_away", lambda self, directory, name, *_: _engine.os.unlink(name, dir_fd=directory))]


@_mutant
def what_a_crash_left_is_swept_away() -> list[Any]:
    return [
        _put(Place, "_recover", lambda self: None),
        _put(Applier, "recover", lambda self: [self._unlink(name) for name in _engine.os.listdir(self._stage)]),
    ]


@_mutant
def names_in_the_stage_are_taken_for_free() -> list[Any]:
    def unused(self: Applier, what: str) -> str:
        self._count += 1
        name = f"{what}-{os.getpid()}-{self._count}"
        self._unlink(name)
        return name

    return [_put(Applier, "_unused", unused), _put(Place, "_recover", lambda self: None)]


@_mutant
def it_is_agreed_before_it_is_done() -> list[Any]:
    real = session.Session._make

    async def make(self: session.Session, side: Side, todo: Any, name: str) -> Any:
        aim = tracked_part(applied_where_it_fits(self._trees[side], todo))
        replicas = [self._replicas[each] for each in Side]
        await self._save(Ancestor(aim, *replicas))
        return await real(self, side, todo, name)

    return [_put(session.Session, "_make", make)]


@_mutant
def what_failed_counts_as_done() -> list[Any]:
    real = session.Session._make

    async def make(self: session.Session, side: Side, todo: Any, name: str) -> Any:
        await real(self, side, todo, name)
        return [""] * len(todo)

    return [_put(session.Session, "_make", make)]


@_mutant
def without_an_ancestor_the_host_is_right() -> list[Any]:
    real = merging

    def merge(ancestor: Tree, host: Tree, container: Tree, *more: Any) -> Any:
        return real(tracked_part(container) if ancestor is None else ancestor, host, container, *more)

    return [_put(session, "merge", merge)]


@_mutant
def what_cannot_be_read_is_not_there() -> list[Any]:
    real = LocalEndpoint.scan

    async def scan(self: LocalEndpoint, *args: Any, **named: Any) -> Tree:
        return _without_problems(await real(self, *args, **named))

    return [_put(LocalEndpoint, "scan", scan)]


def _without_problems(tree: Tree) -> Tree:
    if not is_folder(tree):
        return tree
    kept = {name: child for name, child in children_of(tree).items() if child.kind is not Kind.PROBLEM}
    return folder({name: part for name, child in kept.items() if (part := _without_problems(child)) is not None})


@_mutant
def any_folder_is_the_right_one() -> list[Any]:
    return [
        _put(session, "check_sides", lambda ancestor, sides: None),
        _put(session, "is_new", lambda now, before: False),
    ]


@_mutant
def words_are_given_after_the_look() -> list[Any]:
    async def introduced(self: session.Session, old: Ancestor) -> Ancestor:
        return old

    async def remember(
        self: session.Session, old: Ancestor, host: Tree, container: Tree, now: dict[Side, Replica]
    ) -> None:
        for side, end in self._sides.items():
            if not now[side].word:
                now[side] = self._replicas[side] = await end.replica(new=True)
        tree = agreed(old.tree, host, container, self._quiet)
        if (new := Ancestor(tree, now[Side.HOST], now[Side.CONTAINER])) != old:
            await self._save(new)

    return [_put(session.Session, "_introduced", introduced), _put(session.Session, "_remember", remember)]


@_mutant
def nobody_is_asked_about_deletions() -> list[Any]:
    return [_put(session, "check_steps", lambda ancestor, found: None)]


@_mutant
def times_are_always_trusted() -> list[Any]:
    real = Scanner.__init__

    def begin(self: Scanner, *args: Any, **named: Any) -> None:
        real(self, *args, **named)
        self._granularity = -(1 << 60)

    return [_put(Scanner, "__init__", begin)]


@_mutant
def what_arrives_is_not_verified() -> list[Any]:
    def done(self: Part) -> bool:
        self._file.close()
        name = self._digest.hex()
        _engine.os.rename(self._name, name, src_dir_fd=self._stage.folder, dst_dir_fd=self._stage.folder)
        self._stage.verified.add(self._digest)
        return True

    def keep(self: Stage, digest: bytes, data: bytes) -> bool:
        part = Part(self, digest, 0)
        part.write(data)
        return part.done()

    return [_put(Part, "done", done), _put(Stage, "keep", keep)]


@_mutant
def nothing_is_made_durable() -> list[Any]:
    return [_put(Applier, "_durable", lambda self, made: None)]


@_mutant
def names_are_not_made_durable() -> list[Any]:
    return [_put(Applier, "_settled", lambda self, directory: None)]


@_mutant
def new_folders_are_not_looked_into() -> list[Any]:
    real = Place.scan

    def scan(self: Place, *args: Any) -> Any:
        self.scanner.fresh = set()
        return real(self, *args)

    return [_put(Place, "scan", scan)]


@_mutant
def beyond_the_wire_any_folder_is_the_known_one() -> list[Any]:
    return [_put(RemoteEndpoint, "_must_be", lambda self, known: None)]


@_mutant
def both_ways_are_open() -> list[Any]:
    def merge(ancestor: Tree, host: Tree, container: Tree, mode: Mode, *more: Any) -> Any:
        return merging(ancestor, host, container, Mode.TWO_WAY_SAFE, *more)

    return [_put(session, "merge", merge)]


@_mutant
def nobody_waits_until_it_is_calm() -> list[Any]:
    real = session.Session.cycle

    async def cycle(self: session.Session, *args: Any, calm: bool = True, **named: Any) -> Any:
        return await real(self, *args, **named)

    return [_put(session.Session, "cycle", cycle)]
