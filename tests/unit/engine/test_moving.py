"""An image from one engine to another, between engines in memory."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TypeVar

import pytest

from devenv.engine import fake_images
from devenv.engine.fake import FakeEngine
from devenv.engine.image_tar import PIECE
from devenv.engine.moving import megabytes, move, present
from devenv.engine.port import ImageSnapshot
from devenv.errors import EngineError, EngineMissing, ImageMissing
from tests.unit.engine.recorder import Recorder

T = TypeVar("T")
NAME = "team/train:1"


def engines() -> tuple[FakeEngine, FakeEngine]:
    return FakeEngine({NAME: {"User": "dev"}}), FakeEngine({"other:1": {}})


async def test_it_arrives_under_its_name() -> None:
    here, there = engines()
    told = Recorder()
    moved = await move(here, there, NAME, told, to="gpu-box")
    ours, theirs = await here.image(NAME), await there.image(NAME)
    assert ours is not None and theirs is not None and ours.id == theirs.id == moved.image.id
    assert (moved.layers_sent, moved.layers_there) == (1, 0)
    assert told.steps == [(f"send:{NAME}", f"Sending {NAME} to gpu-box")]
    assert told.ended == [(f"send:{NAME}", True, f"1 of 1 layers, {megabytes(moved.bytes)}")]


async def test_one_that_is_there_is_only_named() -> None:
    here, there = engines()
    await move(here, there, NAME, Recorder(), to="gpu-box")
    await here.tag(NAME, "team/train:2")
    there.calls.clear()
    moved = await move(here, there, "team/train:2", Recorder(), to="gpu-box")
    assert moved.bytes == 0 and moved.layers_there == 1
    assert await there.image("team/train:2") is not None
    assert "load_image" not in [call for call, _ in there.calls]


async def test_a_name_without_a_tag_means_the_usual_one() -> None:
    here, there = FakeEngine({"team/train:latest": {}}), FakeEngine()
    await move(here, there, "team/train", Recorder(), to="gpu-box")
    assert ("save_image", "team/train:latest") in here.calls


async def test_layers_that_are_there_are_left_out_of_the_archive() -> None:
    here, there = engines()
    base, child = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    here._images[NAME]["RootFS"] = {"Layers": [base, child]}
    there._images["other:1"]["RootFS"] = {"Layers": [base, "sha256:" + "3" * 64]}
    assert await present(here, there, [base, child]) == 1
    assert await present(here, there, [child, base]) == 0
    moved = await move(here, there, NAME, Recorder(), to="gpu-box")
    assert (moved.layers_sent, moved.layers_there) == (1, 1)


async def test_an_engine_that_goes_away_while_it_is_asked_is_told_as_such() -> None:
    class Gone(FakeEngine):
        async def image(self, reference: str) -> ImageSnapshot | None:
            if reference in await self.images():
                raise EngineMissing("the engine of gpu-box does not answer")
            return await super().image(reference)

    with pytest.raises(EngineMissing):
        await present(FakeEngine(), Gone({"other:1": {}, "another:1": {}}), ["sha256:" + "1" * 64])


async def test_one_that_is_named_by_its_id_gets_no_name() -> None:
    here, there = engines()
    ours = await here.image(NAME)
    assert ours is not None
    for _ in range(2):
        moved = await move(here, there, ours.id, Recorder(), to="gpu-box")
        assert moved.image.id == ours.id
    assert not [name for call, name in there.calls if call == "tag"]


async def test_another_machine_is_refused_before_anything_is_read() -> None:
    here, there = FakeEngine({NAME: {}}), FakeEngine(info={"Architecture": "aarch64"})
    with pytest.raises(EngineError, match=r"image team/train:1 is for amd64, and gpu-box is a machine of arm64"):
        await move(here, there, NAME, Recorder(), to="gpu-box")
    assert not [call for call, _ in here.calls if call == "save_image"]


async def test_one_that_is_not_here_is_told() -> None:
    here, there = engines()
    with pytest.raises(ImageMissing, match="no image nothing:latest to send to gpu-box"):
        await move(here, there, "nothing", Recorder(), to="gpu-box")


@pytest.mark.parametrize(
    ("facts", "sent"),
    [
        ({}, 1),
        ({"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}, 2),
        ({"BuildahVersion": "1.28"}, 2),
    ],
)
async def test_engines_that_want_every_layer_get_them(facts: dict[str, object], sent: int) -> None:
    here, there = FakeEngine({NAME: {}}), FakeEngine({"other:1": {}}, info=facts)
    base = "sha256:" + "1" * 64
    here._images[NAME]["RootFS"] = {"Layers": [base, "sha256:" + "2" * 64]}
    there._images["other:1"]["RootFS"] = {"Layers": [base]}
    moved = await move(here, there, NAME, Recorder(), to="gpu-box")
    assert moved.layers_sent == sent


class _OwnIds(FakeEngine):
    async def load_image(self, reference: str, body: Iterator[bytes], size: int) -> None:
        await super().load_image(reference, body, size)
        self._images[reference]["Id"] = "sha256:" + "9" * 64


async def test_an_id_of_its_own_is_another_image_unless_an_engine_makes_them_so() -> None:
    containerd = {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}
    with pytest.raises(EngineError, match="has another image as team/train:1 than the one that was sent"):
        await move(FakeEngine({NAME: {}}), _OwnIds(), NAME, Recorder(), to="gpu-box")
    for one, other in ((containerd, {}), ({}, containerd)):
        there = _OwnIds(info=other)
        moved = await move(FakeEngine({NAME: {}}, info=one), there, NAME, Recorder(), to="gpu-box")
        assert moved.image.id == "sha256:" + "9" * 64


class _Refusing(FakeEngine):
    """Does not take archives that lack a layer, as one of its layers was removed meanwhile."""

    attempts = 0

    async def load_image(self, reference: str, body: Iterator[bytes], size: int) -> None:
        self.attempts += 1
        data = await asyncio.to_thread(lambda: list(body))
        if self.attempts == 1:
            raise EngineError(f"cannot put image {reference} there: no such file")
        await super().load_image(reference, iter(data), size)


async def test_an_engine_that_refuses_gets_all_of_it_and_that_is_said() -> None:
    here, there = FakeEngine({NAME: {}}), _Refusing({"other:1": {}})
    base = "sha256:" + "1" * 64
    here._images[NAME]["RootFS"] = {"Layers": [base, "sha256:" + "2" * 64]}
    there._images["other:1"]["RootFS"] = {"Layers": [base]}
    told = Recorder()
    moved = await move(here, there, NAME, told, to="gpu-box")
    assert (moved.layers_sent, moved.layers_there) == (2, 0)
    assert told.notes == [f"gpu-box does not take {NAME} without the layers that it has: sending all of it"]


class _Full(FakeEngine):
    async def load_image(self, reference: str, body: Iterator[bytes], size: int) -> None:
        await asyncio.to_thread(next, body)
        raise EngineError(f"cannot put image {reference} there: write /x: no space left on device")


async def test_a_full_disk_there_is_told_with_the_engines_words_and_tried_once() -> None:
    here, there = FakeEngine({NAME: {}}), _Full()
    told = Recorder()
    with pytest.raises(EngineError, match="no space left on device") as raised:
        await move(here, there, NAME, told, to="gpu-box")
    assert "gpu-box" in raised.value.hint and "docker system prune" in raised.value.hint
    assert told.ended == [(f"send:{NAME}", False, "")] and not told.notes


class _Lost(FakeEngine):
    async def load_image(self, reference: str, body: Iterator[bytes], size: int) -> None:
        await asyncio.to_thread(next, body)
        raise EngineMissing("the engine of gpu-box does not answer")


async def test_a_lost_connection_leaves_no_file_behind(tmp_path: Path) -> None:
    here, there = FakeEngine({NAME: {}}), _Lost()
    with pytest.raises(EngineMissing):
        await move(here, there, NAME, Recorder(), to="gpu-box", folder=tmp_path)
    assert not [*tmp_path.iterdir()]
    assert not [one for one in Path("/proc/self/fd").iterdir() if str(tmp_path) in _points_to(one)]


def _points_to(descriptor: Path) -> str:
    try:
        return os.readlink(descriptor)
    except OSError:
        return ""


class _SlowSource(FakeEngine):
    """Gives the rest of an archive when it is told to."""

    def __init__(self) -> None:
        super().__init__({NAME: {}})
        self.begun = asyncio.Event()
        self.go_on = threading.Event()
        self.end: BaseException | None = None

    async def save_image(self, reference: str, take: Callable[[IO[bytes]], T]) -> T:
        loop = asyncio.get_running_loop()
        archive = fake_images.archive(self._images[NAME], NAME)

        class Slow:
            def read(_, size: int) -> bytes:
                loop.call_soon_threadsafe(self.begun.set)
                self.go_on.wait(30)
                return archive.read(size)

        def work() -> T:
            try:
                return take(Slow())  # type: ignore[arg-type]
            except BaseException as error:
                self.end = error
                raise

        return await asyncio.to_thread(work)


async def test_when_nobody_wants_it_any_more_the_rest_is_not_read(tmp_path: Path) -> None:
    here, there = _SlowSource(), FakeEngine()
    task = asyncio.create_task(move(here, there, NAME, Recorder(), to="gpu-box", folder=tmp_path))
    await here.begun.wait()
    task.cancel()
    await asyncio.sleep(0)  # the thread's next look comes after this
    here.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert here.end is not None and "not sent any more" in str(here.end)
    assert not [*tmp_path.iterdir()] and await there.image(NAME) is None


class _Endless(FakeEngine):
    async def save_image(self, reference: str, take: Callable[[IO[bytes]], T]) -> T:
        class Cut:
            left = 3

            def read(self, size: int) -> bytes:
                self.left -= 1
                return bytes(min(size, PIECE)) if self.left > 0 else b""

        return await asyncio.to_thread(take, Cut())  # type: ignore[arg-type]


async def test_an_archive_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"no manifest\.json"):
        await move(_Endless({NAME: {}}), FakeEngine(), NAME, Recorder(), to="gpu-box", folder=tmp_path)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (12_345, "12 KB"), (1_234_567, "1.2 MB"), (210e6, "210 MB"), (1.76e9, "1.8 GB")],
)
def test_sizes_are_read_by_people(size: float, text: str) -> None:
    assert megabytes(size) == text
