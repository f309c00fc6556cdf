"""What everything above the engine relies on, held by the fake, by Docker and by Podman."""

from __future__ import annotations

import asyncio
import io
import tarfile
import tempfile

import pytest

from devenv.engine import image_name, moving
from devenv.engine.fake import FakeEngine
from devenv.engine.image_tar import Spool
from devenv.engine.port import Engine, EngineEvent, NameInUse
from devenv.errors import ContainerGone, EngineError, ImageMissing
from tests.contract.engine.conftest import IMAGE
from tests.unit.engine.recorder import Recorder

SLEEP = ["--init", "--entrypoint", "/bin/sh", IMAGE, "-c", "sleep 1000"]


async def make(place: Engine, name: str, *options: str, env: dict[str, str] | None = None) -> str:
    return await place.create(["--pull", "never", "--name", name, *options, *SLEEP], env=env)


async def test_info_names_the_engine(place: Engine) -> None:
    info = await place.info()
    assert info.os == "linux" and info.version and info.api_version
    assert info.cpus > 0 and info.memory > 0
    assert info.is_local_socket


async def test_image_is_there_or_none(place: Engine) -> None:
    image = await place.image(IMAGE)
    assert image is not None
    assert image.user == "dev" and image.env["RIG_IMAGE_VARIABLE"] == "from the image"
    assert await place.image("rig-engine/no-such-image:1") is None


async def test_a_created_container_has_what_was_asked(place: Engine, name: str) -> None:
    identity = await make(place, name, "--label", "rig.a=b=c", "-e", "PLAIN=1", "-e", "SECRET", env={"SECRET": "x\ny"})
    made = await place.inspect(name)
    assert made is not None and made.id == identity
    assert made.name == name and made.status == "created" and not made.running
    assert made.labels["rig.a"] == "b=c"
    assert made.env["PLAIN"] == "1" and made.env["SECRET"] == "x\ny"
    assert made.env["RIG_IMAGE_VARIABLE"] == "from the image"
    assert image_name.same(made.image, IMAGE) and made.user == "dev"


async def test_found_by_label_value_and_by_label_alone(place: Engine, name: str) -> None:
    identity = await make(place, name, "--label", f"rig.name={name}")
    assert [c.id for c in await place.find({"rig.name": name})] == [identity]
    assert identity in [c.id for c in await place.find({"rig.name": None})]
    assert await place.find({"rig.name": name, "rig.other": None}) == []


async def test_a_name_has_one_owner(place: Engine, name: str) -> None:
    results = await asyncio.gather(*(make(place, name) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(result, str) for result in results) == 1
    assert sum(isinstance(result, NameInUse) for result in results) == 3


async def test_creation_from_a_missing_image_fails_and_leaves_nothing(place: Engine, name: str) -> None:
    with pytest.raises(EngineError):
        await place.create(["--pull", "never", "--name", name, "rig-engine/no-such-image:1", "true"])
    assert await place.inspect(name) is None


async def test_pull_of_an_unknown_image_is_told_with_its_name(place: Engine) -> None:
    with pytest.raises(ImageMissing, match="rig-engine/no-such-image:1"):
        await place.pull("rig-engine/no-such-image:1", Recorder())


async def test_start_stop_start(place: Engine, name: str) -> None:
    identity = await make(place, name)
    await place.start(identity)
    first = await place.inspect(identity)
    assert first is not None and first.status == "running" and first.running and first.pid > 0
    await place.start(identity)  # running already: nothing to do
    await place.stop(identity, timeout=0)
    stopped = await place.inspect(identity)
    assert stopped is not None and stopped.status == "exited" and not stopped.running
    await place.start(identity)
    second = await place.inspect(identity)
    assert second is not None and second.started_at > first.started_at and second.created == first.created


async def test_a_container_that_is_gone(place: Engine, name: str) -> None:
    identity = await make(place, name)
    await place.remove(identity)
    await place.remove(identity)  # as wished already
    assert await place.inspect(identity) is None
    with pytest.raises(ContainerGone):
        await place.start(identity)
    with pytest.raises(ContainerGone):
        await place.exec_capture(identity, ["true"])
    with pytest.raises(ContainerGone):
        await place.get_archive(identity, "/etc/passwd")


async def test_logs_are_what_the_first_process_printed(place: Engine, name: str) -> None:
    said = ["--entrypoint", "/bin/sh", IMAGE, "-c", "echo one; echo two; sleep 1000"]
    identity = await place.create(["--pull", "never", "--init", "--name", name, *said])
    assert await place.logs(identity) == b""
    await place.start(identity)
    if isinstance(place, FakeEngine):
        place.print(identity, b"one\ntwo\n")
    for _ in range(100):
        if await place.logs(identity) == b"one\ntwo\n":
            break
        await asyncio.sleep(0.05)
    assert await place.logs(identity) == b"one\ntwo\n"
    assert await place.logs(identity, tail_lines=1) == b"two\n"
    await place.remove(identity, force=True)
    with pytest.raises(ContainerGone):
        await place.logs(identity)


async def test_exec_needs_a_running_container(place: Engine, name: str) -> None:
    identity = await make(place, name)
    with pytest.raises(ContainerGone):
        await place.exec_capture(identity, ["true"])


async def test_exec_tells_output_and_exit_code(place: Engine, name: str) -> None:
    identity = await make(place, name)
    await place.start(identity)
    result = await place.exec_capture(identity, ["echo", "one", "two"])
    assert (result.exit_code, result.stdout, result.stderr) == (0, b"one two\n", b"")
    assert (await place.exec_capture(identity, ["sh", "-c", "exit 7"])).exit_code == 7
    assert (await place.exec_capture(identity, ["no-such-program"])).exit_code in (126, 127)


async def test_exec_stream_ends_with_none_and_a_code(place: Engine, name: str) -> None:
    identity = await make(place, name)
    await place.start(identity)
    stream = await place.exec_stream(identity, ["echo", "hello"], stdin=False)
    output = b""
    while (piece := await stream.read()) is not None:
        assert piece[0] == 1
        output += piece[1]
    assert output == b"hello\n"
    assert await stream.exit_code() == 0
    await stream.close()


async def test_archives_go_in_and_out_before_the_start(place: Engine, name: str) -> None:
    identity = await make(place, name)
    assert await place.get_archive(identity, "/etc/no-such-file") is None
    before = await place.get_archive(identity, "/etc/passwd")
    assert before is not None
    with tarfile.open(fileobj=io.BytesIO(before)) as tar:
        (entry,) = tar.getmembers()
        file = tar.extractfile(entry)
        assert file is not None
        text = file.read() + b"extra:x:4242:4242::/:/bin/sh\n"
    entry.size = len(text)
    entry.uid, entry.mode = 12, 0o640
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        tar.addfile(entry, io.BytesIO(text))
    await place.put_archive(identity, "/etc", made.getvalue())
    after = await place.get_archive(identity, "/etc/passwd")
    assert after is not None
    with tarfile.open(fileobj=io.BytesIO(after)) as tar:
        (entry,) = tar.getmembers()
        file = tar.extractfile(entry)
        assert file is not None and file.read() == text
    assert entry.mode & 0o777 == 0o640
    if not isinstance(place, FakeEngine):  # Podman's archives name the container's user as the owner of everything
        await place.start(identity)
        entry.uid = int((await place.exec_capture(identity, ["stat", "-c", "%u", "/etc/passwd"])).stdout)
    assert entry.uid == 12


async def test_volumes_are_made_with_the_container_and_removed_by_name(place: Engine, name: str) -> None:
    identity = await make(place, name, "--mount", f"type=volume,source={name},target=/data")
    made = await place.inspect(identity)
    assert made is not None
    (mount,) = made.mounts
    assert (mount["Type"], mount["Name"], mount["Destination"]) == ("volume", name, "/data")
    await place.remove(identity)
    assert await place.remove_volume(name) is True
    assert await place.remove_volume(name) is False


async def test_events_tell_start_and_end(place: Engine, name: str) -> None:
    identity = await make(place, name)
    seen: list[EngineEvent] = []
    subscribed = asyncio.Event()

    async def watch() -> None:
        events = place.events()
        try:
            pending = asyncio.ensure_future(anext(events))
            subscribed.set()
            while True:
                event = await pending
                if event.id == identity:
                    seen.append(event)
                    if event.action == "destroy":
                        return
                pending = asyncio.ensure_future(anext(events))
        finally:
            await events.aclose()  # type: ignore[attr-defined]

    task = asyncio.create_task(watch())
    await subscribed.wait()
    await asyncio.sleep(0.3)  # the engine says nothing when a subscription has begun
    await place.start(identity)
    await place.stop(identity, timeout=0)
    await place.remove(identity)
    await asyncio.wait_for(task, 20)
    actions = [event.action for event in seen]
    assert [a for a in actions if a in ("start", "die", "destroy")] == ["start", "die", "destroy"]
    assert all(event.type == "container" and event.attributes["name"] == name for event in seen)


async def test_an_image_leaves_an_engine_and_comes_back(place: Engine) -> None:
    name = IMAGE if isinstance(place, FakeEngine) else "devenv-rig/busybox:latest"
    image = await place.image(name)
    assert image is not None and image.id in await place.images()
    with tempfile.TemporaryFile(buffering=0) as file:
        spool = Spool(file)
        await place.save_image(name, spool.take)
        names = spool.layers(image.id)
        assert len(names) == len(moving.layers_of(image))
        spool.require(names)
        size, pieces = spool.archive(())
        await place.load_image(name, pieces, size)
    again = await place.image(name)
    assert again is not None and moving.layers_of(again) == moving.layers_of(image)


async def test_an_image_that_is_not_there_does_not_leave(place: Engine) -> None:
    with pytest.raises(ImageMissing):
        await place.save_image("devenv-rig/nothing:latest", Spool(io.BytesIO()).take)


async def test_what_is_no_image_does_not_come_in(place: Engine) -> None:
    with pytest.raises(EngineError):
        await place.load_image("devenv-rig/nothing:latest", iter([b"x" * 4096]), 4096)
