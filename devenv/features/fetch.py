"""From the features of a configuration to steps with their files at hand: the pure resolution, and what it asks for.

Features are fetched several at a time. With a lockfile, or with digests, and a filled cache or vendored copies, no
network is touched; nothing is imported for it either.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import pathlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from devcontainer.features import lockfile as locks
from devcontainer.features.graph import InstallStep, Resolution, ResolutionError
from devcontainer.features.lockfile import IntegrityError, Lockfile
from devcontainer.features.order import CycleError
from devcontainer.features.reference import FeatureReference, FeatureReferenceError, LocalReference
from devcontainer.jsonc import JsonValue
from devcontainer.problem import Problem
from devenv.engine.port import Progress
from devenv.errors import ConfigError, DevenvError, DigestMismatch, FeatureError
from devenv.features import tree
from devenv.features.cache import FRESH, FeatureCache
from devenv.features.sources import Sources
from devenv.features.vendor import FOLDER, VendorFolder
from devenv.oci.interrupt import Interrupt
from devenv.oci.threads import NetworkThreads

if TYPE_CHECKING:
    from devenv.oci.client import Client
    from devenv.oci.network import Limits

T = TypeVar("T")
Lines = Callable[[str], tuple[int, int]]
_KEY = "features"


@dataclasses.dataclass(frozen=True, slots=True)
class Resolved:
    """`steps` in the order of installation; `source` of each is an archive or a folder (see `materialise`)."""

    steps: tuple[InstallStep, ...]
    notes: tuple[str, ...]  # of the way to them, to be read once; of the features see `devcontainer.features.review`
    lockfile: Lockfile  # what was used, to be written or compared
    resolution: Resolution = dataclasses.field(repr=False, compare=False)  # for a picture of the graph


async def resolve(
    features: Mapping[str, JsonValue],
    *,
    configuration: pathlib.Path,
    workspace: pathlib.Path,
    env: Mapping[str, str],
    cache: FeatureCache,
    progress: Progress,
    override_order: Sequence[str] = (),
    additional: Mapping[str, JsonValue] | None = None,
    lockfile: Lockfile | None = None,
    map_bare_ids: bool = True,
    files: bool = True,
    fresh: float = FRESH,
    limits: Limits | None = None,
    lines: Lines = lambda written: (0, 0),
) -> Resolved:
    """`features` and `override_order` as the configuration has them; `env` is the client's.

    `configuration` is the devcontainer.json (local features lie beside it), `workspace` the project's folder; both are
    absolute paths.
    `lines` is (line, column) where the configuration names a feature, or `features` itself for "": errors tell it.
    `files=False` fetches only what the order needs, so that no step has a `source`. `fresh` is how old an answer about
    a tag may be, in seconds: 0 asks again.

    Raises ConfigError with all that is wrong in names, order and manifests, RegistryError, FeatureError; of several
    that fail the first, with the others in its message. When cancelled, nothing half-written stays.
    """
    if not features and not additional:
        return Resolved((), (), Lockfile(), Resolution({}))
    notes: list[str] = []
    interrupt = Interrupt()

    def connect() -> Client:
        from devenv.oci.client import Client  # 100 ms that a filled cache does without

        return Client(env, note=notes.append, limits=limits, interrupt=interrupt)

    place = _Place(configuration, lines)
    with _pure_errors(place.problem("")):
        resolution = Resolution(
            features,
            override_order=override_order,
            additional=additional,
            folder=str(configuration.parent),
            map_bare_ids=map_bare_ids,
        )
    sources = Sources(
        configuration=configuration,
        workspace=workspace,
        cache=cache,
        vendor=VendorFolder(workspace / tree.FOLDER / FOLDER),
        connect=connect,
        env=env,
        lockfile=lockfile,
        fresh=fresh,
        note=notes.append,
    )
    progress.step(_KEY, "Resolving features")
    done = False
    try:
        async with NetworkThreads(interrupt) as threads:
            work = _Work(resolution, sources, threads, progress, place)
            await work.provide_all()
            steps = work.ordered()
            if files:
                steps = await work.with_files(steps)
            if sources.fetched_anything:
                await threads.run(cache.prune)
        done = True
    finally:
        sources.close()
        progress.done(_KEY, ok=done)
    omitted = [written for written in additional or {} if written not in features]
    return Resolved(
        steps,
        tuple(dict.fromkeys(notes)),
        locks.from_steps(steps, omit=omitted),
        resolution,
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    """Where the configuration names features."""

    configuration: pathlib.Path
    lines: Lines

    def problem(self, written: str) -> Problem:
        """A problem there, without words yet."""
        return Problem(str(self.configuration), *self.lines(written), _KEY, "")

    def prefix(self, written: str) -> str:
        """What a message about this feature begins with: nothing, where no line is known."""
        line, column = self.lines(written)
        return f"{self.configuration}:{line}:{column}: " if line else ""


class _Work:
    def __init__(
        self,
        resolution: Resolution,
        sources: Sources,
        threads: NetworkThreads,
        progress: Progress,
        place: _Place,
    ) -> None:
        self._resolution = resolution
        self._sources = sources
        self._threads = threads
        self._progress = progress
        self._place = place

    async def provide_all(self) -> None:
        """Round by round: each brings the names of the features that the last one depends on."""
        while True:
            with _pure_errors(self._place.problem("")):
                wanted = self._resolution.wanted()
            if not wanted:
                return
            self._progress.update(_KEY, detail=", ".join(one.written for one in wanted))
            found = await self._each([functools.partial(self._sources.manifest, one) for one in wanted], wanted)
            for reference, fetched in zip(wanted, found, strict=True):
                self._resolution.provide(reference, fetched)

    def ordered(self) -> tuple[InstallStep, ...]:
        with _pure_errors(self._place.problem("")):
            steps = self._resolution.install_order()
        wrong = [step for step in steps if step.manifest.errors]
        if wrong:
            fetched = any(not isinstance(step.reference, LocalReference) for step in wrong)
            hint = "a feature's own file is wrong; use another version of it" if fetched else ""
            raise ConfigError(list(dict.fromkeys(error for step in wrong for error in step.manifest.errors)), hint)
        return steps

    async def with_files(self, steps: Sequence[InstallStep]) -> tuple[InstallStep, ...]:
        bar = _Bar(self._progress)
        found = await self._each(
            [functools.partial(self._sources.files, step, bar.part(step.written)) for step in steps],
            [step.reference for step in steps],
        )
        return tuple(dataclasses.replace(step, source=str(path)) for step, path in zip(steps, found, strict=True))

    async def _each(self, calls: Sequence[Callable[[], T]], references: Sequence[FeatureReference]) -> list[T]:
        """All results, or one error for all that failed."""
        failed: dict[int, DevenvError] = {}

        async def one(place: int, call: Callable[[], T]) -> T | None:
            try:
                with _pure_errors(self._place.problem(self._asked(references[place]))):
                    return await self._threads.run(call)
            except OSError as error:
                written = references[place].written
                failed[place] = FeatureError(
                    f"{written}: {error.filename or 'the cache'}: {error.strerror or error}",
                    "is the disk full, or the folder not yours?",
                    details={"feature": written},
                )
            except DevenvError as error:
                failed[place] = self._named(error, references[place])
            return None

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(place, call)) for place, call in enumerate(calls)]
        if failed:
            raise _together([failed[place] for place in sorted(failed)])
        return [task.result() for task in tasks]  # type: ignore[misc]

    def _named(self, error: DevenvError, reference: FeatureReference) -> DevenvError:
        """With the line that asks for it. A feature that nobody wrote into the configuration is shown with the one
        that needs it."""
        if isinstance(error, ConfigError):
            return error
        chain = self._resolution.asked_by(reference)
        needed = f" (needed by {chain[-1]})" if chain else ""
        return _saying(error, f"{self._place.prefix(self._asked(reference))}{error.message}{needed}")

    def _asked(self, reference: FeatureReference) -> str:
        """What the configuration names, because of which a feature is wanted."""
        return next(iter(self._resolution.asked_by(reference)), reference.written)


class _Bar:
    """Several downloads as one: all bytes that came, of all that are known to come."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._parts: dict[int, tuple[int, int]] = {}

    def part(self, name: str) -> Callable[[int, int], None]:
        place = len(self._parts)
        self._parts[place] = (0, 0)

        def seen(done: int, total: int) -> None:
            with self._lock:
                self._parts[place] = (done, max(done, total))
                had = sum(part[0] for part in self._parts.values())
                whole = sum(part[1] for part in self._parts.values())
            self._progress.update(_KEY, fraction=had / whole, detail=name)

        return seen


@contextlib.contextmanager
def _pure_errors(place: Problem) -> Iterator[None]:
    """What the pure library raises, as errors of ours."""
    try:
        yield
    except IntegrityError as error:
        details = {"expected": error.locked, "found": error.found}
        raise DigestMismatch(error.message, error.hint, details=details) from error
    except (FeatureReferenceError, ResolutionError, CycleError) as error:
        raise ConfigError([place._replace(message=error.message, hint=error.hint)]) from error


def _together(errors: list[DevenvError]) -> DevenvError:
    first = errors[0]
    if len(errors) == 1:
        return first
    if all(isinstance(error, ConfigError) for error in errors):
        problems = [problem for error in errors if isinstance(error, ConfigError) for problem in error.problems]
        return ConfigError(list(dict.fromkeys(problems)), first.hint)
    return _saying(first, "\n".join(dict.fromkeys(error.message for error in errors)))


def _saying(error: DevenvError, message: str) -> DevenvError:
    return type(error)(message, error.hint, details=error.details)
