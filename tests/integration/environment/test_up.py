"""`up` on the real engine: what it makes, that it converges, and what it says when it cannot."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import pathlib
import socket
import time

import pytest

from devenv.environment.environments import Environments
from devenv.environment.plan import UpOptions
from devenv.errors import (
    BuildFailed,
    ConfigError,
    ContainerGone,
    EngineError,
    HookFailed,
    ImageMissing,
    PortTaken,
    Refused,
)
from tests.integration.environment.conftest import HOST_UID, OWNER, Site

pytestmark = pytest.mark.engine

USER = {"image": "devenv-rig/python-user:latest"}
ROOT = {"image": "devenv-rig/python:3.11"}


async def test_a_plain_image(site: Site) -> None:
    site.configure(USER, {"train.py": "print(1)"})
    result = await site.up()
    assert result.created and not result.adopted and result.drift == ()
    assert result.remote_user == "dev"
    assert result.workspace_folder == f"/workspaces/{site.root.name}"
    assert await site.run(result, "id -u; id -g") == f"{HOST_UID}\n{HOST_UID}"
    assert await site.run(result, 'stat -c "%u %g" ~ ~/.bashrc') == f"{HOST_UID} {HOST_UID}\n{HOST_UID} {HOST_UID}"
    assert await site.run(result, f"cat {result.workspace_folder}/train.py") == "print(1)"
    # The state volume is the user's, the link folder is there and cannot be written.
    assert await site.run(result, f'stat -c "%a %u" /var/lib/devenv/u{HOST_UID}') == f"700 {HOST_UID}"
    assert len(await site.run(result, "cat /run/devenv/nonce")) == 32
    assert await site.run(result, "touch /run/devenv/x 2>/dev/null || echo refused", user="0") == "refused"
    # Room for DataLoader workers, and an init.
    assert int(await site.run(result, "df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2")) > 1024 * 1024
    assert "init" in await site.run(result, "tr '\\0' ' ' </proc/1/cmdline")
    labels = result.container.labels
    assert labels["devcontainer.local_folder"] == str(site.root)
    assert labels["devcontainer.config_file"] == f"{site.root}/.devcontainer/devcontainer.json"
    assert labels["devenv.owner"] == OWNER
    # What runs made belongs to the host's user.
    await site.run(result, f"touch {result.workspace_folder}/made")
    assert (site.root / "made").stat().st_uid == HOST_UID


async def test_again_changes_nothing(site: Site) -> None:
    site.configure(USER)
    first = await site.up()
    second = await site.up()
    assert second.container.id == first.container.id
    assert second.container.started_at == first.container.started_at
    assert not second.created and second.drift == () and second.notes == ()


async def test_two_at_once_make_one_container(site: Site) -> None:
    site.configure(USER)
    other = Environments(site.rooms.engine_for, site.rooms.home.state, OWNER, time.time)  # as another process would
    target = await site.target()
    results = await asyncio.gather(
        *(rooms.up(target, site.ctx, UpOptions(), site.told) for rooms in (site.rooms, other, site.rooms))
    )
    assert len({result.container.id for result in results}) == 1
    assert sum(result.created for result in results) == 1
    assert len(await site.containers()) == 1


async def test_two_at_once_without_a_common_lock_make_one_container(site: Site, tmp_path: pathlib.Path) -> None:
    """Two machines, or two state folders: the engine itself refuses the second name."""
    site.configure(ROOT)
    other = Environments(site.rooms.engine_for, tmp_path / "other", OWNER, time.time)
    target = await site.target()
    results = await asyncio.gather(
        *(rooms.up(target, site.ctx, UpOptions(), site.told) for rooms in (site.rooms, other)), return_exceptions=True
    )
    assert len(await site.containers()) == 1
    good = [result for result in results if not isinstance(result, BaseException)]
    assert good and len({result.container.id for result in good}) == 1


async def test_stopped_paused_and_removed_from_outside(site: Site) -> None:
    site.configure({**USER, "postStartCommand": "echo x >> ~/starts"})
    first = await site.up()
    await site.engine.stop(first.container.id, timeout=0)
    second = await site.up()
    assert second.container.id == first.container.id and not second.created
    assert await site.run(second, "wc -l < ~/starts") == "2"

    await asyncio.to_thread(site.engine._api.pause, first.container.id)
    third = await site.up()
    assert third.container.status == "running" and any("paused" in note for note in third.notes)
    assert await site.run(third, "wc -l < ~/starts") == "2"

    await site.engine.remove(first.container.id, force=True)
    fourth = await site.up()
    assert fourth.created and fourth.container.id != first.container.id
    assert any("removed from outside" in note for note in fourth.notes)


async def test_the_link_folder_is_made_again_before_a_start(site: Site) -> None:
    """A host that was cleaned while the container was stopped: the engine alone would refuse the start."""
    site.configure(USER)
    first = await site.up()
    target = await site.target()
    await site.rooms.stop(target, site.ctx, site.told)
    folder = site.rooms.home.folder(target.key) / "link"
    (folder / "pub/nonce").unlink()
    (folder / "pub/payload").rmdir()
    (folder / "pub").rmdir()
    with pytest.raises(EngineError):
        await site.engine.start(first.container.id)
    assert (await site.up()).container.id == first.container.id


async def test_hooks_in_order_with_markers_and_retry(site: Site) -> None:
    config = {
        **USER,
        "onCreateCommand": "echo onCreate >> ~/order",
        "updateContentCommand": ["sh", "-c", "echo update >> ~/order"],
        "postCreateCommand": {"a": "echo a >> ~/both", "b": "test -f ~/ready || { echo why >&2; exit 5; }"},
        "postStartCommand": "echo start >> ~/order",
        "postAttachCommand": "echo attach >> ~/order",
    }
    site.configure(config)
    with pytest.raises(HookFailed, match="postCreateCommand b failed with exit code 5") as caught:
        await site.up()
    assert caught.value.details["hook"] == "postCreateCommand"
    assert caught.value.details["exit_code"] == 5 and caught.value.details["lines"] == ["why"]

    target = await site.target()
    state = await site.rooms.status(target, site.engine)
    assert state.container is not None and state.container.status == "running"
    result = await site.engine.exec_capture(state.container.id, ["sh", "-c", "cat ~/order; touch ~/ready"], user="dev")
    assert result.stdout == b"onCreate\nupdate\n"

    done = await site.up()
    assert await site.run(done, "cat ~/order") == "onCreate\nupdate\nstart\nattach"
    # The reference's markers, to the byte.
    created, started = done.container.created, done.container.started_at
    for name, stamp in (
        ("onCreateCommand", created),
        ("updateContentCommand", created),
        ("postCreateCommand", created),
        ("postStartCommand", started),
    ):
        assert await site.run(done, f"cat ~/.devcontainer/.{name}Marker; echo .") == f"{stamp}\n."
    again = await site.up()
    assert await site.run(again, "cat ~/order") == "onCreate\nupdate\nstart\nattach\nattach"


async def test_a_corrected_hook_runs_at_the_next_up(site: Site) -> None:
    site.configure({**USER, "postCreateCommand": "no-such-program"})
    with pytest.raises(HookFailed, match="exit code 127"):
        await site.up()
    site.configure({**USER, "postCreateCommand": "echo fine > ~/done"})
    assert await site.run(await site.up(), "cat ~/done") == "fine"


async def test_hooks_have_the_tool_environment(site: Site) -> None:
    config = {
        **USER,
        "containerEnv": {"PLAIN": "1", "TOKEN": "${localEnv:RIG_TOKEN}"},
        "remoteEnv": {"REMOTE": "${containerEnv:PLAIN}2"},
        "postCreateCommand": 'echo "$REMOTE $TOKEN $PROFILE $PWD" > ~/seen',
        "onCreateCommand": "echo 'export PROFILE=yes' >> ~/.profile",
    }
    site.configure(config)
    site.ctx = dataclasses.replace(site.ctx, env={**site.ctx.env, "RIG_TOKEN": "s3cret\nvalue"})
    result = await site.up()
    seen = await site.run(result, "cat ~/seen")
    assert seen.startswith("12 s3cret\nvalue ") and seen.endswith(result.workspace_folder)
    assert "s3cret" not in str(result.container.labels)


async def test_the_host_command_asks_for_trust(site: Site) -> None:
    site.configure({**USER, "initializeCommand": 'echo "$RIG_NAME $PWD" > host.txt'})
    site.ctx = dataclasses.replace(site.ctx, env={**site.ctx.env, "RIG_NAME": "me"})
    with pytest.raises(Refused, match="initializeCommand: echo"):
        await site.up()
    assert await site.containers() == []
    await site.up(trust=True)
    assert (site.root / "host.txt").read_text() == f"me {site.root}\n"
    (site.root / "host.txt").unlink()
    await site.up()  # trusted by now
    assert (site.root / "host.txt").exists()
    site.configure({**USER, "initializeCommand": "exit 4"})
    with pytest.raises(Refused):  # another text is another question
        await site.up()
    with pytest.raises(HookFailed, match="initializeCommand failed with exit code 4"):
        await site.up(trust=True)


async def test_a_dockerfile(site: Site) -> None:
    dockerfile = "ARG BASE\nFROM ${BASE}\nRUN echo built > /built\n"
    build = {"dockerfile": "Dockerfile", "args": {"BASE": "devenv-rig/python:3.11"}}
    site.configure({"build": build}, {".devcontainer/Dockerfile": dockerfile})
    result = await site.up()
    assert await site.run(result, "cat /built") == "built"
    assert any("RUN echo built" in title for _, title in site.told.steps)
    log = (site.rooms.home.folder((await site.target()).key) / "build.log").read_text()
    assert "RUN echo built > /built" in log
    (site.root / ".devcontainer/Dockerfile").write_text(dockerfile + "RUN echo more > /more\n")
    drifted = await site.up()
    assert [(d.property, d.wanted, d.actual) for d in drifted.drift] == [
        ("Dockerfile line 4", "RUN echo more > /more", "(end)")
    ]
    rebuilt = await site.up(rebuild=True)
    assert rebuilt.container.id != result.container.id
    assert await site.run(rebuilt, "cat /more") == "more"


@pytest.mark.parametrize("builder", [(0, 13), (0, 12), None], ids=["rawjson", "plain", "classic"])
async def test_a_failing_build_names_its_step_and_keeps_the_old_container(
    site: Site, builder: tuple[int, int] | None
) -> None:
    site.engine._buildx_known, site.engine._buildx = True, builder
    dockerfile = "FROM devenv-rig/busybox:latest\n"
    site.configure({"build": {"dockerfile": "Dockerfile"}}, {".devcontainer/Dockerfile": dockerfile})
    first = await site.up()
    (site.root / ".devcontainer/Dockerfile").write_text(
        dockerfile + "RUN echo first >&2 && echo the reason >&2 && false\n"
    )
    with pytest.raises(BuildFailed, match="RUN echo first") as caught:
        await site.up(rebuild=True)
    assert caught.value.details["lines"] == ["first", "the reason"]
    log = (site.rooms.home.folder((await site.target()).key) / "build.log").read_text()
    assert "the reason" in log
    assert await site.containers() == [first.container.id]


async def test_a_missing_image(site: Site) -> None:
    site.configure({"image": "devenv-rig/no-such-image:1"})
    with pytest.raises(ImageMissing, match="devenv-rig/no-such-image:1") as caught:
        await site.up()
    assert caught.value.hint
    assert await site.containers() == []


async def test_a_read_only_root(site: Site) -> None:
    site.configure({**USER, "runArgs": ["--read-only"], "postCreateCommand": "true"})
    result = await site.up()
    assert await site.run(result, "id -u; stat -c %u ~") == f"{HOST_UID}\n{HOST_UID}"
    assert await site.run(result, f"touch /var/lib/devenv/u{HOST_UID}/x && echo ok") == "ok"
    again = await site.up()
    assert again.container.id == result.container.id and again.drift == ()


@pytest.mark.parametrize("image", ["devenv-rig/nopython:latest", "devenv-rig/busybox:latest"])
async def test_images_that_lack_python_or_bash(site: Site, image: str) -> None:
    site.configure({"image": image, "postCreateCommand": "echo ok > ~/x"})
    result = await site.up()
    assert await site.run(result, "cat ~/x") == "ok"
    probed = await site.rooms.probe(await site.target(), result.container)
    assert probed.python is None and "PATH" in probed.env
    assert probed.shell == ("/bin/sh" if "busybox" in image else "/bin/bash")


async def test_a_user_that_the_image_lacks(site: Site) -> None:
    site.configure({**USER, "remoteUser": "nobody-here"})
    with pytest.raises(ConfigError, match="remoteUser: the image has no user nobody-here"):
        await site.up()
    assert await site.containers() == []


@pytest.mark.parametrize("user", ["4321", "4321:4321"])
async def test_an_arbitrary_user(site: Site, user: str) -> None:
    site.configure({**ROOT, "containerUser": user})
    result = await site.up()
    assert await site.run(result, "id -u") == "4321"
    assert await site.run(result, "touch /var/lib/devenv/u4321/x && echo ok") == "ok"


async def test_a_container_that_ends_at_once(site: Site) -> None:
    site.configure({**ROOT, "overrideCommand": False})
    with pytest.raises(ContainerGone, match="ended at once"):
        await site.up()
    assert await site.containers() == []


async def test_a_port_that_is_taken_names_its_holder(site: Site) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        site.configure({**ROOT, "appPort": port})
        with pytest.raises(PortTaken) as caught:
            await site.up()
        assert str(port) in caught.value.message and f"pid {os.getpid()}" in caught.value.message
    assert await site.containers() == []
    site.configure({**ROOT, "appPort": port})
    assert (await site.up()).created


async def test_gpus_without_a_toolkit_are_answered(site: Site) -> None:
    site.configure({**ROOT, "runArgs": ["--gpus", "all"]})
    with pytest.raises(EngineError) as caught:
        await site.up()
    assert "NVIDIA Container Toolkit" in caught.value.hint
    assert await site.containers() == []


async def test_a_mount_source_that_is_missing(site: Site) -> None:
    site.configure({**ROOT, "mounts": [f"type=bind,source={site.root}/none,target=/data"]})
    with pytest.raises(ConfigError, match="none on this machine"):
        await site.up()


async def test_drift_names_each_property_with_both_values(site: Site) -> None:
    site.configure({**ROOT, "containerEnv": {"A": "1"}, "runArgs": ["--cpus=1"]})
    first = await site.up()
    site.configure({**ROOT, "containerEnv": {"A": "2"}, "runArgs": ["--cpus=2"], "remoteEnv": {"B": "x"}})
    second = await site.up()
    assert second.container.id == first.container.id
    assert {(d.property, d.wanted, d.actual) for d in second.drift} == {
        ("containerEnv.A", "(another value)", "(value at creation)"),
        ("runArgs", '["--cpus=2"]', '["--cpus=1"]'),
    }
    assert (await site.up(rebuild=True)).drift == ()


async def test_killed_between_create_and_start(site: Site) -> None:
    site.configure(USER)
    target = await site.target()
    plan = await site.rooms.plan(target, site.ctx, UpOptions())
    assert plan.create
    (site.rooms.home.folder(target.key) / "link/pub").mkdir(parents=True)
    left = await site.engine.create(plan.create)
    result = await site.up()
    assert result.container.id == left
    assert await site.run(result, "id -u; stat -c %u ~") == f"{HOST_UID}\n{HOST_UID}"
    await site.engine.remove(left, force=True)
    left = await site.engine.create(plan.create)
    site.configure({**USER, "runArgs": ["--cpus=1"]})  # and then the configuration changed
    result = await site.up()
    assert result.container.id != left and await site.containers() == [result.container.id]


async def test_another_owners_container_is_never_touched(site: Site, tmp_path: pathlib.Path) -> None:
    site.configure(ROOT)
    target = await site.target()
    stranger = Environments(site.rooms.engine_for, tmp_path / "stranger", "77@ba9876543210", time.time)
    theirs = await stranger.up(target, site.ctx, UpOptions(), site.told)
    state = await site.rooms.status(target, site.engine)
    assert state.container is None and state.owner == "77@ba9876543210"
    with pytest.raises(Refused, match="belongs to 77@ba9876543210"):
        await site.rooms.down(target, site.ctx, site.told)
    ours = await site.up()
    assert ours.container.id != theirs.container.id
    found = {s.container.id: s.owner for s in await site.rooms.list(site.ctx)}
    assert found[theirs.container.id] == "77@ba9876543210" and found[ours.container.id] == ""
    assert (await site.engine.inspect(theirs.container.id)) is not None
    await stranger.down(target, site.ctx, site.told, volumes=True)


async def test_a_symlink_to_the_folder_finds_the_same_container(site: Site, tmp_path: pathlib.Path) -> None:
    site.configure(ROOT)
    first = await site.up()
    link = tmp_path / "link"
    link.symlink_to(site.root)
    target = await site.rooms.resolve(str(link), site.ctx)
    second = await site.rooms.up(target, site.ctx, UpOptions(), site.told)
    assert second.container.id == first.container.id


async def test_git_trusts_the_mounted_repository(site: Site) -> None:
    site.configure(ROOT, {".git/HEAD": "ref: refs/heads/main\n", ".git/objects/": {}, ".git/refs/": {}})
    (site.root / ".git/objects").mkdir(exist_ok=True)
    (site.root / ".git/refs").mkdir(exist_ok=True)
    os.chown(site.root / ".git", HOST_UID, HOST_UID)
    result = await site.up()  # root in the container, another owner outside
    probed = await site.rooms.probe(await site.target(), result.container)
    done = await site.engine.exec_capture(
        result.container.id, ["git", "status"], env=probed.env, workdir=result.workspace_folder
    )
    assert done.exit_code == 0, done.stderr
    bare = await site.engine.exec_capture(result.container.id, ["git", "status"], workdir=result.workspace_folder)
    assert b"dubious ownership" in bare.stderr


async def test_stop_start_and_down(site: Site) -> None:
    site.configure(USER)
    first = await site.up()
    target = await site.target()
    stopped = await site.rooms.stop(target, site.ctx, site.told)
    assert stopped is not None and stopped.status == "exited"
    assert (await site.rooms.start(target, site.ctx, UpOptions(), site.told)).container.id == first.container.id
    await site.run(first, f"echo kept > /var/lib/devenv/u{HOST_UID}/file; mkdir -p ~/cache; echo x > ~/cache/model")
    held = await site.rooms.writable_layer(first.container, site.engine)
    assert any(path == "/home/dev/cache" and size > 0 for path, size in held)
    assert await site.rooms.down(target, site.ctx, site.told) is True
    assert await site.containers() == []
    again = await site.up()
    assert await site.run(again, f"cat /var/lib/devenv/u{HOST_UID}/file") == "kept"
    assert await site.rooms.down(target, site.ctx, site.told, volumes=True) is True
    assert await site.rooms.down(target, site.ctx, site.told, volumes=True) is False


async def test_dry_run_shows_and_does_nothing(site: Site) -> None:
    site.configure({**USER, "postCreateCommand": "echo hi"})
    target = await site.target()
    plan = await site.rooms.plan(target, site.ctx, UpOptions())
    assert [step.kind.value for step in plan.steps] == ["create", "users", "start", "hook"]
    assert await site.containers() == []
    await site.up()
    after = await site.rooms.plan(target, site.ctx, UpOptions())
    assert after.steps == () and after.drift == ()


async def test_a_slow_shell_is_given_up_on(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from devenv.environment.inside import probe

    site.configure(USER)
    result = await site.up()
    await site.run(result, "echo 'sleep 1000' >> ~/.profile; echo 'sleep 1000' >> ~/.bashrc")
    answer, slow = await probe.run(
        site.engine, result.container.id, user="dev", mode="loginInteractiveShell", folder="/", limit=2.0
    )
    assert slow and answer.env is not None and answer.python is not None
    processes = await site.run(result, "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")
    assert "-lic" not in processes


async def test_the_probe_finds_the_projects_virtual_environment(site: Site) -> None:
    site.configure(USER)
    result = await site.up()
    folder = result.workspace_folder
    await site.run(result, f"cd {folder} && python3 -m venv --without-pip .venv && echo 'export LATE=1' >> ~/.profile")
    probed = await site.rooms.probe(await site.target(), result.container)
    assert probed.python == f"{folder}/.venv/bin/python" and probed.python_version.startswith("3.")
    assert probed.env["VIRTUAL_ENV"] == f"{folder}/.venv" and probed.env["PATH"].startswith(f"{folder}/.venv/bin:")
    assert probed.env["RIG_IMAGE_VARIABLE"] == "from the image" and probed.env["LATE"] == "1"
