"""`up` against the engine in memory: few calls, convergence after a kill at any point, and what is left behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from devenv.engine.fake import FakeEngine
from devenv.engine.port import ExecResult
from devenv.environment import host_side
from devenv.environment.environments import Environments
from devenv.environment.plan import UpOptions
from devenv.errors import ContainerGone, EngineError, HookFailed, NotUp, Refused
from tests.unit.environment.conftest import HOST_UID, IMAGE, OWNER, Site, new_engine


class Killed(BaseException):
    """The process ends here, without any clean-up."""


class Mortal:
    """An engine that kills its caller at the nth call: before the deed, or right after it."""

    def __init__(self, engine: FakeEngine, at: int, after: bool) -> None:
        self._engine = engine
        self._left = at
        self._after = after

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._engine, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._after:
                raise Killed
            result = await method(*args, **kwargs)
            if self._left == 0:
                raise Killed
            return result

        return call


CONFIG = {"image": "user", "postCreateCommand": "make", "postStartCommand": "serve"}


def ran(engine: FakeEngine, command: str) -> int:
    return sum(call[0] == "exec" and call[1].endswith(f" /bin/sh -c {command}") for call in engine.calls)


@pytest.mark.parametrize("after", [False, True], ids=["before the deed", "after the deed"])
async def test_killed_anywhere_the_next_up_converges(site: Site, shell: Callable[..., ExecResult], after: bool) -> None:
    site.configure(CONFIG)
    for at in range(1, 60):
        engine = new_engine(on_exec=shell)
        try:
            await site.up(Mortal(engine, at, after))  # type: ignore[arg-type]
            break
        except* Killed:
            pass
        result = await site.up(engine)
        (container,) = await engine.find({"devenv.key": None})
        assert container.status == "running" and container.id == result.container.id
        passwd = engine.files(container.id)["/etc/passwd"].content
        assert passwd is not None and f"dev:x:{HOST_UID}:".encode() in passwd, f"killed at {at}"
        assert any("chown -h" in call[1] for call in engine.calls if call[0] == "exec"), f"killed at {at}"
        assert f"/var/lib/devenv/u{HOST_UID}" in engine.files(container.id)
        assert ran(engine, "make") >= 1 and ran(engine, "serve") >= 1
        before = len(engine.calls)
        again = await site.up(engine)
        assert again.container.id == container.id and len(engine.calls) - before <= 2
        await site.rooms(engine).down(await site.target(), site.ctx, site.told, volumes=True)
    else:
        pytest.fail("an up of 60 calls")
    assert at > 10


async def test_a_warm_up_is_two_small_requests(site: Site, shell: Callable[..., ExecResult]) -> None:
    site.engine.on_exec = shell
    site.configure(CONFIG)
    await site.up()
    site.engine.calls.clear()
    result = await site.up()
    assert [call for call, _ in site.engine.calls] == ["inspect", "image"] and not result.created


async def test_a_cold_up_of_a_plain_image_needs_no_exec(site: Site) -> None:
    site.configure({"image": IMAGE})
    site.uid = 0
    await site.up()
    calls = [call for call, _ in site.engine.calls]
    assert "exec" not in calls and calls.count("create") == 1 and len(calls) <= 10


async def test_a_failed_start_leaves_nothing_half_made(site: Site) -> None:
    site.configure({"image": IMAGE})
    site.engine.fail_start = EngineError("no such device")
    with pytest.raises(EngineError, match="no such device"):
        await site.up()
    assert await site.engine.find({"devenv.key": None}) == []
    site.engine.fail_start = None
    assert (await site.up()).created


async def test_two_at_once_in_one_process(site: Site) -> None:
    site.configure({"image": IMAGE})
    rooms, target = site.rooms(), await site.target()
    results = await asyncio.gather(*(rooms.up(target, site.ctx, UpOptions(), site.told) for _ in range(3)))
    assert len({r.container.id for r in results}) == 1 and [r.created for r in results].count(True) == 1


async def test_a_pull_where_the_image_is_missing(site: Site) -> None:
    site.engine = new_engine(registry={"far:1": {"User": "dev"}})
    site.configure({"image": "far:1"})
    result = await site.up()
    assert result.remote_user == "dev" and ("pull:far:1", "Pulling far:1") in site.told.steps


@pytest.mark.parametrize("status", ["exited", "dead", "restarting", "paused", "created"])
async def test_states(site: Site, status: str) -> None:
    site.configure({"image": IMAGE})
    first = await site.up()
    site.engine.set_state(first.container.id, status, 3)
    if status == "restarting":
        with pytest.raises(EngineError, match=r"restarts again and again \(last exit code 3\)"):
            await site.up()
        return
    second = await site.up()
    assert second.container.status == "running"
    assert (second.container.id == first.container.id) is (status != "dead")


async def test_secret_values_go_beside_the_arguments(site: Site) -> None:
    site.configure({"image": IMAGE, "containerEnv": {"T": "${localEnv:TOKEN}"}})
    result = await site.up()
    assert result.container.env["T"] == "s3cret" and site.engine.created_env == [{"T": "s3cret"}]
    assert "s3cret" not in json.dumps(dict(result.container.labels))
    assert not [call for call in site.engine.calls if "s3cret" in call[1]]
    for file in (site.state / "envs").rglob("*"):
        assert not file.is_file() or "s3cret" not in file.read_text()


async def test_a_taken_uid_is_said_with_a_way_out(site: Site) -> None:
    passwd = f"root:x:0:0::/root:/bin/sh\nubuntu:x:{HOST_UID}:{HOST_UID}::/home/ubuntu:/bin/bash\n"
    passwd += "dev:x:1000:1000::/home/dev:/bin/bash\n"
    from devenv.engine.fake import FakeFile

    site.engine = FakeEngine(
        {"user": {"User": "dev"}}, files={"/etc/passwd": FakeFile(passwd.encode()), "/etc/group": FakeFile(b"")}
    )
    site.configure({"image": "user"})
    result = await site.up()
    assert [n for n in result.notes if "belongs to ubuntu" in n and '"remoteUser": "ubuntu"' in n]


async def test_update_switched_off(site: Site) -> None:
    site.configure({"image": "user", "updateRemoteUserUID": False})
    result = await site.up()
    assert "/var/lib/devenv/u1000" in site.engine.files(result.container.id)
    assert not [call for call in site.engine.calls if call == ("put_archive", "/etc")]


async def test_a_root_image_offers_a_user(site: Site) -> None:
    site.configure({"image": IMAGE})
    result = await site.up()
    assert [n for n in result.notes if "belong to root" in n]
    assert [n for n in result.notes if '"remoteUser": "dev"' in n]


async def test_live_restore_is_said_once(site: Site) -> None:
    site.engine = new_engine(info={"LiveRestoreEnabled": False})
    site.configure({"image": IMAGE})
    assert [n for n in (await site.up()).notes if "live-restore" in n]
    assert not [n for n in (await site.up(rebuild=True)).notes if "live-restore" in n]


async def test_a_failing_hook_stops_the_later_ones_and_is_retried(site: Site, shell: Callable[..., ExecResult]) -> None:
    broken = True

    def answer(*args: Any) -> ExecResult:
        if broken and args[1][-3:] == ["/bin/sh", "-c", "make"]:
            return ExecResult(2, b"compiling\n", b"no rule\n")
        return shell(*args)

    site.engine.on_exec = answer
    site.configure(CONFIG)
    with pytest.raises(HookFailed) as caught:
        await site.up()
    assert caught.value.details["lines"] == ["compiling", "no rule"] and ran(site.engine, "serve") == 0
    broken = False
    await site.up()
    assert ran(site.engine, "make") == 2 and ran(site.engine, "serve") == 1


async def test_trust_is_asked_again_for_another_text(site: Site) -> None:
    site.configure({"image": IMAGE, "initializeCommand": ["touch", "made"]})
    with pytest.raises(Refused, match="touch made"):
        await site.up()
    assert site.engine.calls == [] and not (site.root / "made").exists()
    await site.up(trust=True)
    assert (site.root / "made").exists()
    await site.up()
    site.configure({"image": IMAGE, "initializeCommand": ["touch", "other"]})
    with pytest.raises(Refused):
        await site.up()


async def test_only_what_was_read_is_allowed(site: Site) -> None:
    site.configure({"image": IMAGE, "initializeCommand": "touch made"})
    with pytest.raises(Refused) as caught:
        await site.up()
    read = tuple(caught.value.details["trust"])
    assert read == ("initializeCommand: touch made",)
    build = {"dockerfile": "Dockerfile", "options": ["--secret", "id=key,src=/home/me/.ssh/id_rsa"]}
    site.configure({"build": build, "initializeCommand": "touch made"})
    site.configure("FROM x\n", ".devcontainer/Dockerfile")
    with pytest.raises(Refused, match=r"build\.options: --secret id=key") as caught:
        await site.up(agreed=read)
    assert caught.value.details["trust"] == ["build.options: --secret id=key,src=/home/me/.ssh/id_rsa"]
    assert not (site.root / "made").exists() and site.engine.calls == []


@pytest.mark.parametrize(
    ("options", "asks"),
    [
        (["--network=host", "--build-arg", "A=b", "-m", "2g", "--add-host=a:1.2.3.4"], False),
        (["-o/home/me"], True),
        (["--output=type=local,dest=/"], True),
        (["--ssh", "default"], True),
        (["--no-such-option"], True),
    ],
)
async def test_options_of_a_build_that_reach_out_ask(site: Site, options: list[str], asks: bool) -> None:
    build = {"dockerfile": "Dockerfile", "options": options}
    site.configure({"build": build})
    assert bool(host_side.claims(await site.target())) is asks


async def test_programs_that_compose_would_call_ask(site: Site) -> None:
    site.configure({"dockerComposeFile": "compose.yml", "service": "app"})
    site.configure("services: {}\n", ".devcontainer/compose.yml")
    services = {"app": {"image": "python:3.11"}, "db": {"provider": {"type": "aws-rds", "options": {"a": "b"}}}}
    asked: list[list[str]] = []

    def compose(words: list[str]) -> ExecResult:
        asked.append(words)
        return ExecResult(0, json.dumps({"name": "p", "services": services}).encode(), b"")

    site.engine.on_compose = compose
    with pytest.raises(Refused, match="the Compose service db: aws-rds"):
        await site.up()
    assert not any("up" in words for words in asked)


async def test_start_needs_a_container(site: Site) -> None:
    site.configure({"image": IMAGE})
    with pytest.raises(NotUp):
        await site.rooms().start(await site.target(), site.ctx, UpOptions(), site.told)


async def test_removed_while_we_looked(site: Site) -> None:
    site.configure({"image": IMAGE})

    class Gone(Mortal):
        def __getattr__(self, name: str) -> Any:
            method = getattr(self._engine, name)
            if name != "start":
                return method

            async def start(container: str) -> None:
                await self._engine.remove(container, force=True)

            return start

    with pytest.raises(ContainerGone):
        await site.up(Gone(site.engine, 0, False))  # type: ignore[arg-type]
    assert (await site.up()).created


async def test_restorable_lists_what_runs(site: Site) -> None:
    site.configure({"image": "user"})
    rooms = site.rooms()
    result = await site.up()
    ((target, container, user, folder, adopted),) = await rooms.restorable(site.ctx)
    assert (target.key, container.id, user, folder) == (
        (await site.target()).key,
        result.container.id,
        "dev",
        result.workspace_folder,
    )
    assert not adopted
    await rooms.stop(target, site.ctx, site.told)
    assert await rooms.restorable(site.ctx) == []


async def test_down_removes_what_was_asked(site: Site) -> None:
    site.configure({"image": IMAGE})
    await site.up()
    rooms, target = site.rooms(), await site.target()
    volume = f"devenv-{target.key}-state"
    assert await rooms.down(target, site.ctx, site.told) and volume in site.engine.volumes
    assert await rooms.down(target, site.ctx, site.told, volumes=True) and volume not in site.engine.volumes
    assert [path.name for path in rooms.home.folder(target.key).iterdir()] == ["up.lock"]
    assert not await rooms.down(target, site.ctx, site.told, volumes=True)


async def test_another_owner(site: Site) -> None:
    site.configure({"image": IMAGE})
    target = await site.target()

    async def engine_for(ctx: object) -> FakeEngine:
        return site.engine

    stranger = Environments(engine_for, site.state / "other", "1@ffffffffffff", lambda: 0.0)
    theirs = await stranger.up(target, site.ctx, UpOptions(), site.told)
    rooms = site.rooms()
    assert (await rooms.status(target, site.engine)).owner == "1@ffffffffffff"
    with pytest.raises(Refused):
        await rooms.stop(target, site.ctx, site.told)
    ours = await site.up()
    assert ours.container.name == f"{theirs.container.name}-{OWNER.partition('@')[0]}-012345"
    assert len(site.engine.volumes) == 2
    assert (await site.engine.inspect(theirs.container.id)) is not None


async def test_a_container_of_another_tool(site: Site) -> None:
    site.configure({"image": "user", "containerEnv": {"A": "2"}, "remoteEnv": {"R": "1"}})
    target = await site.target()
    label = json.dumps([{"containerEnv": {"A": "1"}, "remoteUser": "dev"}])
    args = ["--label", f"devcontainer.local_folder={site.root}", "--label", f"devcontainer.metadata={label}"]
    args += ["--label", f"devcontainer.config_file={target.config_file}", "-e", "A=1", "user", "sleep"]
    identity = await site.engine.create(args)
    await site.engine.start(identity)
    result = await site.up()
    assert result.container.id == identity and result.adopted and result.remote_user == "dev"
    assert [d.property for d in result.drift] == ["containerEnv.A"]
    assert not [call for call in site.engine.calls if call[0] == "put_archive"]


async def test_another_remote_user_waits_for_a_rebuild(site: Site) -> None:
    site.configure({"image": IMAGE, "remoteUser": "root"})
    await site.up()
    site.configure({"image": IMAGE, "remoteUser": "dev"})
    again = await site.up()
    assert again.remote_user == "root"
    assert [(d.property, d.wanted, d.actual, d.live) for d in again.drift] == [("remoteUser", "dev", "root", False)]
    rebuilt = await site.up(rebuild=True)
    assert rebuilt.remote_user == "dev" and rebuilt.drift == ()


async def test_settings_of_devenv_that_count_at_creation_are_drift(site: Site) -> None:
    site.configure({"image": IMAGE, "customizations": {"devenv": {"container": {"shm-size": "1gb"}}}})
    site.configure("container: {ipc: shareable, hook-timeout: 5m}\n", "devenv.yaml")
    await site.up()
    assert (await site.up()).drift == ()
    site.configure("container: {shm-size: 2gb, hook-timeout: 6m}\n", "devenv.yaml")
    found = {(d.property, d.wanted, d.actual) for d in (await site.up()).drift}
    assert found == {("container.shm-size", '"2gb"', '"1gb"'), ("container.ipc", "(none)", '"shareable"')}
    site.configure("container: {shm-size: [}\n", "devenv.yaml")
    assert (await site.up()).drift == ()


async def test_a_container_that_does_not_stay_shows_its_last_lines(site: Site) -> None:
    def dies(container: str, argv: list[str], user: str, env: Any, workdir: str) -> ExecResult:
        if "sleep 0.2" in argv:
            site.engine.print(container, b"one\nno such option\n")
            site.engine.set_state(container, "exited", 3)
        return ExecResult(0, b"", b"")

    site.engine.on_exec = dies
    site.configure({"image": IMAGE, "overrideCommand": False})
    with pytest.raises(ContainerGone, match="ended at once with exit code 3") as caught:
        await site.up()
    assert caught.value.details["lines"] == ["one", "no such option"]
    assert "the image's own command" in caught.value.hint
    assert await site.engine.find({}) == []


async def test_what_the_engine_refuses_is_shown_where_it_stands(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuses(args: Any, *, env: Any = None) -> str:
        raise EngineError("the container cannot be created: invalid CapAdd")

    monkeypatch.setattr(site.engine, "create", refuses)
    site.configure('{"image": "' + IMAGE + '",\n"capAdd": ["NOPE"],\n"runArgs": ["--init"]}')
    with pytest.raises(EngineError) as caught:
        await site.up()
    assert caught.value.hint == f"see runArgs (line 3) and capAdd (line 2) in {(await site.target()).config_file}"
