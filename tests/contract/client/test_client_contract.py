"""What every client promises to a front end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from devenv.api.port import Client
from devenv.api.views import EnvStatus, ProgressView, RunState, Snapshot
from devenv.errors import LiveRuns, NotFound, NotUp
from tests.contract.client.world import World


async def until(client: Client, true: Callable[[Snapshot], bool]) -> Snapshot:
    """The first snapshot for which it is true."""
    async for snapshot in client.watch():
        if true(snapshot):
            return snapshot
    raise AssertionError("the watch ended")


def state_of(snapshot: Snapshot, run: str) -> RunState | None:
    return next((view.state for view in snapshot.runs if view.id == run), None)


async def test_watch_begins_with_a_snapshot_at_once(world: World) -> None:
    snapshot = await until(world.client, lambda s: True)
    assert snapshot.environment.local_folder == world.client.folder
    assert snapshot.environment.status is EnvStatus.RUNNING


async def test_watch_tells_of_each_change(world: World) -> None:
    watching = asyncio.create_task(until(world.client, lambda s: bool(s.runs)))
    run = await world.client.run(world.runnable, [])
    assert state_of(await watching, run) in (RunState.STARTING, RunState.RUNNING)


async def test_two_watchers_see_the_same(world: World) -> None:
    watchers = [asyncio.create_task(until(world.client, lambda s: bool(s.runs))) for _ in range(2)]
    await world.client.run(world.runnable, [])
    first, second = await asyncio.gather(*watchers)
    assert [run.id for run in first.runs] == [run.id for run in second.runs]


async def test_a_configuration_names_its_live_run(world: World) -> None:
    run = await world.client.run(world.runnable, [])
    await until(world.client, lambda s: any(config.run == run for config in s.configs))
    await world.client.end_run(run)
    await until(world.client, lambda s: all(config.run != run for config in s.configs))


async def test_run_of_something_unknown_is_not_found(world: World) -> None:
    with pytest.raises(NotFound) as caught:
        await world.client.run("no-such-thing", [])
    assert "no-such-thing" in caught.value.message and caught.value.hint


async def test_ending_a_run_twice_is_no_error(world: World) -> None:
    run = await world.client.run(world.runnable, [])
    await world.client.end_run(run)
    await until(world.client, lambda s: state_of(s, run) not in (None, RunState.STARTING, RunState.RUNNING))
    await world.client.end_run(run)


async def test_rerun_is_another_run_of_the_same(world: World) -> None:
    run = await world.client.run(world.runnable, [])
    again = await world.client.rerun(run)
    assert again != run
    snapshot = await until(world.client, lambda s: state_of(s, again) is not None)
    names = {view.id: view.name for view in snapshot.runs}
    assert names[run] == names[again]


@pytest.mark.parametrize("verb", ["rerun", "end_run", "read_output", "stack"])
async def test_verbs_on_an_unknown_run_are_not_found(world: World, verb: str) -> None:
    with pytest.raises(NotFound):
        await getattr(world.client, verb)("20000101-000000-ffff")


async def test_output_by_offset_and_by_tail_agree(world: World) -> None:
    run = await world.client.run(world.runnable, [])
    data = b"".join(b"line %d\n" % n for n in range(2000))
    await world.print_bytes(run, data)
    tail = await world.client.read_output(run, tail=100)
    assert tail.end == tail.size and tail.start == tail.size - 100 and len(tail.data) == 100
    same = await world.client.read_output(run, offset=tail.start, length=100)
    assert same.data == tail.data


async def test_output_read_in_parts_is_the_whole(world: World) -> None:
    run = await world.client.run(world.runnable, [])
    data = bytes(range(256)) * 40
    await world.print_bytes(run, data)
    size = (await world.client.read_output(run, offset=0, length=0)).size
    got, offset = b"", 0
    while offset < size:
        chunk = await world.client.read_output(run, offset=offset, length=1000)
        assert chunk.start == offset and chunk.end == offset + len(chunk.data) <= size
        got, offset = got + chunk.data, chunk.end
    assert data in got


async def test_output_past_the_end_is_empty_and_tells_the_size(world: World) -> None:
    run = await world.client.run(world.runnable, [])
    await world.print_bytes(run, b"abc\n")
    end = (await world.client.read_output(run, tail=1)).end
    chunk = await world.client.read_output(run, offset=end, length=100)
    assert (chunk.data, chunk.start, chunk.size) == (b"", end, end)


@pytest.mark.parametrize("verb", ["stop", "down"])
async def test_stop_and_down_refuse_while_runs_live(world: World, verb: str) -> None:
    run = await world.client.run(world.runnable, [])
    with pytest.raises(LiveRuns):
        await getattr(world.client, verb)()
    assert state_of(await until(world.client, lambda s: True), run) in (RunState.STARTING, RunState.RUNNING)
    await getattr(world.client, verb)(force=True)
    snapshot = await until(world.client, lambda s: s.environment.status is not EnvStatus.RUNNING)
    assert state_of(snapshot, run) not in (RunState.STARTING, RunState.RUNNING)


async def test_rebuild_refuses_while_runs_live(world: World) -> None:
    await world.client.run(world.runnable, [])
    with pytest.raises(LiveRuns):
        await world.client.up(lambda item: None, rebuild=True)


async def test_a_stopped_environment_runs_nothing_until_it_is_started(world: World) -> None:
    await world.client.stop()
    with pytest.raises(NotUp):
        await world.client.run(world.runnable, [])
    items: list[ProgressView | str] = []
    assert (await world.client.start(items.append)).status is EnvStatus.RUNNING
    assert await world.client.run(world.runnable, [])


async def test_progress_of_up_ends_every_step(world: World) -> None:
    await world.client.stop()
    items: list[ProgressView | str] = []
    await world.client.up(items.append)
    steps = {item.key: item for item in items if isinstance(item, ProgressView)}
    assert steps and all(item.done for item in steps.values())


async def test_an_unknown_service_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        await world.client.service("no-such-service", "start")


async def test_watching_tests_shows_in_the_snapshot(world: World) -> None:
    await world.client.watch_tests(True)
    await until(world.client, lambda s: s.tests.watching)
    await world.client.watch_tests(False)
    await until(world.client, lambda s: not s.tests.watching)


async def test_the_only_configuration_is_the_default_one(world: World) -> None:
    (view,) = await world.client.configurations()
    snapshot = await until(world.client, lambda s: True)
    assert (view.file, view.default, view.status) == (snapshot.environment.config_file, True, EnvStatus.RUNNING)


async def test_a_server_that_did_not_begin_is_nobodys_to_open(world: World) -> None:
    assert not await world.client.claim_opening(8000, 1.5)


async def test_leaving_without_a_shutdown_action_is_silent(world: World) -> None:
    assert await world.client.leave() == ""
    await until(world.client, lambda s: s.environment.status is EnvStatus.RUNNING)
