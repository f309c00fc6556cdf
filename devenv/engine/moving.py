"""An image from one engine to another without a registry: only the layers that the other one lacks.

What an engine has is known by chains: a layer is there when it lies on the same layers in one of the engine's images.
Docker's loader looks for the chain before it opens a layer's file (tried with Engine 20.10 and 26.1), so that the
archive needs no file for it. The containerd image store and Podman want them all.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pathlib
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from typing import IO, cast

from devenv.engine.image_tar import Spool
from devenv.engine.port import Engine, EngineInfo, ImageSnapshot, Progress
from devenv.errors import EngineError, EngineMissing, ImageMissing, Interrupted

_AT_ONCE = 8  # questions to an engine
_TOLD_EVERY = 0.25  # seconds
_LATELY = 20  # marks that the speed is taken over
_LEFT_BEHIND = 5.0  # seconds for a thread to see that nobody wants its work any more

_MACHINES = {
    "x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "armv6l": "arm", "i686": "386", "i386": "386",
    "ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64",
}  # fmt: skip
"""`uname -m` as engines tell it, in the words of images."""


@dataclasses.dataclass(frozen=True, slots=True)
class Moved:
    image: ImageSnapshot  # as the target has it
    layers_sent: int
    layers_there: int
    bytes: int  # that went to the target


async def move(
    source: Engine, target: Engine, reference: str, progress: Progress, *, to: str, folder: pathlib.Path | None = None
) -> Moved:
    """The image that `source` calls `reference` on `target`, under that name. `to` is what people call the target;
    `folder` is where the archive is put on its way (the temporary folder), in a file without a name.

    An image that comes by digest has no name there: its id is the one in `Moved.image`. Raises `ImageMissing` when the
    source lacks it, `EngineError` when the target cannot run it or take it, `EngineMissing` when either goes away;
    nothing of it is on the target then.
    """
    reference = full_name(reference)
    image = await source.image(reference)
    if image is None:
        raise ImageMissing(f"there is no image {reference} to send to {to}", "`docker image ls` shows what is here")
    info = await target.info()
    refuse_other_machine(image, info, to)
    layers = layers_of(image)
    if (there := await target.image(image.id)) is not None:
        if not _is_digest(reference) and reference not in there.tags:
            await target.tag(image.id, reference)
        return Moved(await _checked(source, target, reference, image, to), 0, len(layers), 0)
    key = f"send:{reference}"
    progress.step(key, f"Sending {reference} to {to}")
    try:
        moved = await _send(source, target, image, reference, info, _Told(progress, key), to, folder)
    except BaseException:
        progress.done(key, ok=False)
        raise
    progress.done(key, detail=_summary(moved.layers_sent, len(layers), moved.bytes))
    return moved


def full_name(reference: str) -> str:
    """With the tag: engines save every image of a name that has none."""
    plain = "@" in reference or ":" in reference.rpartition("/")[2]
    return reference if plain else f"{reference}:latest"


def _is_digest(reference: str) -> bool:
    """Whether it names an image by what it is, which no archive gives a name."""
    return "@" in reference or reference.startswith("sha256:")


def layers_of(image: ImageSnapshot) -> tuple[str, ...]:
    """Diff ids, the lowest first."""
    return tuple(str(diff) for diff in (image.raw.get("RootFS") or {}).get("Layers") or ())


def fits(image: ImageSnapshot, info: EngineInfo) -> bool:
    """Whether the engine's machine is of the kind that the image is for, as far as both say."""
    machine = _machine(info)
    return not machine or not image.architecture or machine == image.architecture


def refuse_other_machine(image: ImageSnapshot, info: EngineInfo, to: str) -> None:
    if not fits(image, info):
        name = image.tags[0] if image.tags else image.id
        raise EngineError(
            f"image {name} is for {image.architecture}, and {to} is a machine of {_machine(info)}",
            "build it there, or pull one that is made for both",
        )


def _machine(info: EngineInfo) -> str:
    said = str(info.raw.get("Architecture") or "")
    return _MACHINES.get(said, said)


def is_classic(info: EngineInfo) -> bool:
    """Whether the engine keeps images as Docker did from the beginning: it takes an archive without the layers that it
    has, and an image's id is the digest of its configuration. Podman and the containerd image store do neither."""
    by_containerd = any("containerd" in str(value) for _, value in info.raw.get("DriverStatus") or ())
    return not info.is_podman and not by_containerd


async def present(source: Engine, target: Engine, layers: Sequence[str]) -> int:
    """How many of the layers, from the lowest, the target has in this order.

    Images that both have are asked of the source, which is near: an id is a digest of what the image is.
    """
    best = 0
    todo = list(await target.images())

    async def look() -> None:
        nonlocal best
        while todo and best < len(layers):
            identity = todo.pop()
            image = await source.image(identity) or await target.image(identity)
            known = layers_of(image) if image is not None else ()
            best = max(best, _shared(layers, known))

    tasks = [asyncio.ensure_future(look()) for _ in range(_AT_ONCE)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
    return best


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


async def _send(
    source: Engine,
    target: Engine,
    image: ImageSnapshot,
    reference: str,
    info: EngineInfo,
    told: _Told,
    to: str,
    folder: pathlib.Path | None,
) -> Moved:
    layers = layers_of(image)
    there = await present(source, target, layers) if is_classic(info) else 0
    while True:
        # A layer that comes twice is one file: it stays when its second place is not there yet.
        leave = set(layers[:there]) - set(layers[there:])
        try:
            size = await _through(source, target, image, reference, leave, told, to, folder)
        except _NotTaken as failure:
            if not leave:
                raise failure.error from failure
            told.note(f"{to} does not take {reference} without the layers that it has: sending all of it")
            there = 0
            continue
        sent = sum(diff not in leave for diff in layers)
        return Moved(await _checked(source, target, reference, image, to), sent, len(layers) - sent, size)


async def _through(
    source: Engine,
    target: Engine,
    image: ImageSnapshot,
    reference: str,
    leave: Collection[str],
    told: _Told,
    to: str,
    folder: pathlib.Path | None,
) -> int:
    """One attempt; bytes that were sent. Raises `_NotTaken` when the target had all of it and said no."""
    layers = layers_of(image)
    with _unnamed_file(folder) as file, _unwanted() as stop:
        spool = Spool(file, leave)
        told.begin("reading", image.size)
        await _kept(source.save_image(reference, lambda tar: spool.take(tar, stop.wrap(told.add))), stop)
        names = spool.layers(image.id)
        if len(names) != len(layers):
            raise EngineError(f"the engine's archive of {reference} has {len(names)} layers, not {len(layers)}")
        left = {name for name, diff in zip(names, layers, strict=True) if diff in leave}
        spool.require([name for name in names if name not in left])
        size, pieces = spool.archive(left)
        told.begin(f"{sum(diff not in leave for diff in layers)} of {len(layers)} layers", size)
        body = _Body(pieces, told.add)
        try:
            await target.load_image(reference, iter(body), size)
        except EngineMissing:
            raise
        except EngineError as error:
            error.hint = (
                error.hint or f"see what room there is: devenv host check {to}; `docker system prune` there makes some"
            )
            if body.sent == size:
                raise _NotTaken(error) from error
            raise
        return size


async def _checked(source: Engine, target: Engine, reference: str, image: ImageSnapshot, to: str) -> ImageSnapshot:
    """The image there: the same id, or the same layers where one of the engines makes ids in its own way."""
    found = await target.image(image.id if _is_digest(reference) else reference)
    same = found is not None and found.id == image.id
    if found is not None and not same and layers_of(found) == layers_of(image):
        same = not (is_classic(await source.info()) and is_classic(await target.info()))
    if found is None or not same:
        raise EngineError(
            f"{to} has another image as {reference} than the one that was sent",
            "somebody else may have put it there: try again",
        )
    return found


class _NotTaken(Exception):
    def __init__(self, error: EngineError) -> None:
        super().__init__(error.message)
        self.error = error


class _Stop:
    """Set when nobody wants the work of a thread any more; seen by what hands it bytes."""

    def __init__(self) -> None:
        self._set = threading.Event()

    def set(self) -> None:
        self._set.set()

    def look(self) -> None:
        if self._set.is_set():
            raise Interrupted("the image is not sent any more")

    def wrap(self, tell: Callable[[int], None]) -> Callable[[int], None]:
        def both(size: int) -> None:
            self.look()
            tell(size)

        return both


@contextlib.contextmanager
def _unwanted() -> Iterator[_Stop]:
    stop = _Stop()
    try:
        yield stop
    finally:
        stop.set()


async def _kept(work: Awaitable[None], stop: _Stop) -> None:
    """Cancelled: the thread is told, and has a moment to close what it holds."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({task}, timeout=_LEFT_BEHIND)
        if not task.done():
            task.cancel()
        elif not task.cancelled():
            task.exception()  # looked at
        raise


class _Body:
    """What is sent, counted as the engine takes it."""

    def __init__(self, pieces: Iterator[bytes], tell: Callable[[int], None]) -> None:
        self._pieces = pieces
        self._tell = tell
        self.sent = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            yield piece
            self.sent += len(piece)
            self._tell(len(piece))


class _Told:
    """How far it is: a share, bytes, and how fast they went lately. Called from threads, one at a time."""

    def __init__(self, progress: Progress, key: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._progress = progress
        self._key = key
        self._clock = clock
        self.begin("", 0)

    def begin(self, what: str, total: int) -> None:
        self._what, self._total, self._done = what, total, 0
        self._marks: list[tuple[float, int]] = [(self._clock(), 0)]
        if what:
            self._progress.update(self._key, fraction=0.0, detail=f"{what}, {megabytes(total)}")

    def add(self, size: int) -> None:
        self._done += size
        now = self._clock()
        if now - self._marks[-1][0] < _TOLD_EVERY:
            return
        self._marks = [*self._marks[-_LATELY:], (now, self._done)]
        (then, had), share = self._marks[0], self._done / self._total if self._total else 0.0
        rate = (self._done - had) / (now - then) if now > then else 0.0
        self._progress.update(
            self._key,
            fraction=min(1.0, share),
            detail=f"{self._what}, {megabytes(self._done)} of {megabytes(self._total)}, {megabytes(rate)}/s",
        )

    def note(self, text: str) -> None:
        self._progress.note(text)


def _summary(sent: int, layers: int, size: int) -> str:
    return f"{sent} of {layers} layers, {megabytes(size)}"


def megabytes(size: float) -> str:
    """As people read sizes: 210 MB, 1.4 GB, 12 KB."""
    for unit, one in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if size >= one:
            value = size / one
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{size:.0f} B"


def _unnamed_file(folder: pathlib.Path | None) -> IO[bytes]:
    """Gone with the process, however that ends. Unbuffered: a full disk is told where it is met."""
    if folder is not None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return cast("IO[bytes]", tempfile.TemporaryFile(buffering=0, dir=folder))
