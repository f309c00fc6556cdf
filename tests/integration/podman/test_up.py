"""`up` on Podman: what it makes, that it converges, and what is said where it is not Docker."""

from __future__ import annotations

import functools
import json
import os
import pathlib
import shlex
from typing import Any

import pytest

from devenv import gpu
from devenv.errors import BuildFailed, ConfigError, ContainerGone, EngineError, GpuMissing, HookFailed
from tests.integration.environment.conftest import HOST_UID, OWNER, Site
from tests.kit.podman import Podman
from tests.kit.project import Content

pytestmark = [pytest.mark.engine, pytest.mark.podman]

IMAGE = "devenv-rig/python-user:latest"
USER = {"image": IMAGE}
ROOT = {"image": "devenv-rig/python:3.11"}
SMALL = {"image": "devenv-rig/busybox:latest"}


def feature(name: str, script: str, **manifest: Any) -> dict[str, Content]:
    folder = f".devcontainer/{name}"
    return {
        f"{folder}/devcontainer-feature.json": {"id": name, "version": "1.0.0", "name": name, **manifest},
        f"{folder}/install.sh": f"#!/bin/sh\nset -e\n{script}\n",
    }


async def test_a_plain_image(site: Site) -> None:
    site.configure(USER, {"train.py": "print(1)"})
    made = await site.up()
    assert made.created and not made.adopted and made.drift == () and made.notes == ()
    assert made.remote_user == "dev" and made.workspace_folder == f"/workspaces/{site.root.name}"
    assert await site.run(made, "id -u; id -g") == f"{HOST_UID}\n{HOST_UID}"
    assert await site.run(made, 'stat -c "%u %g" ~ ~/.bashrc') == f"{HOST_UID} {HOST_UID}\n{HOST_UID} {HOST_UID}"
    # The project is the folder itself, both ways.
    assert await site.run(made, f"cat {made.workspace_folder}/train.py") == "print(1)"
    await site.run(made, f"touch {made.workspace_folder}/made")
    assert (site.root / "made").stat().st_uid == HOST_UID
    # The state volume is the user's, the link folder is there and cannot be written.
    assert await site.run(made, f'stat -c "%a %u" /var/lib/devenv/u{HOST_UID}') == f"700 {HOST_UID}"
    assert len(await site.run(made, "cat /run/devenv/nonce")) == 32
    assert await site.run(made, "touch /run/devenv/x 2>/dev/null || echo refused", user="0") == "refused"
    assert int(await site.run(made, "df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2")) > 1024 * 1024
    assert "init" in await site.run(made, "tr '\\0' ' ' </proc/1/cmdline")
    labels = made.container.labels
    assert labels["devcontainer.local_folder"] == str(site.root) and labels["devenv.owner"] == OWNER

    again = await site.up()
    assert again.container.id == made.container.id and again.container.started_at == made.container.started_at
    assert not again.created and again.drift == () and again.notes == ()


async def test_another_user_than_the_containers_own(site: Site) -> None:
    """Podman's archives say that everything is the container's user's: it must not come to own what is root's."""
    site.configure({**USER, "containerUser": "dev", "remoteUser": "dev"})
    made = await site.up()
    assert await site.run(made, "stat -c '%U %a' /etc/passwd /etc/group") == "root 644\nroot 644"
    site.configure({**USER, "containerUser": "root", "remoteUser": "dev"})
    made = await site.up(rebuild=True)
    assert await site.run(made, f'stat -c "%a %u" /var/lib/devenv/u{HOST_UID}') == f"700 {HOST_UID}"


async def test_no_limit_of_processes_and_no_higher_limits_than_the_engine_has(site: Site) -> None:
    site.configure({**SMALL, "runArgs": ["--ulimit", "core=0"]})
    made = await site.up()
    host = made.container.raw["HostConfig"]
    assert host["PidsLimit"] in (-1, 0) and made.container.status == "running"
    assert {"RLIMIT_CORE", "RLIMIT_NOFILE"} <= {one["Name"] for one in host["Ulimits"]}


async def test_a_dockerfile_and_its_edit(site: Site) -> None:
    dockerfile = f"FROM {IMAGE}\nARG WORD=none\nRUN echo $WORD > /tmp/word\n"
    site.configure(
        {"build": {"dockerfile": "Dockerfile", "args": {"WORD": "yes"}}}, {".devcontainer/Dockerfile": dockerfile}
    )
    made = await site.up()
    assert await site.run(made, "cat /tmp/word") == "yes"
    assert [note for note in site.told.notes if "Buildah" in note]
    assert ("[3/3] RUN echo $WORD > /tmp/word") in [title for _, title in site.told.steps]
    file = site.root / ".devcontainer/Dockerfile"
    file.write_text(dockerfile.replace("> /tmp", "more > /tmp"))
    (difference,) = (await site.up()).drift
    assert "Dockerfile" in str(difference)
    site.told.ended.clear()
    assert await site.run(await site.up(rebuild=True), "cat /tmp/word") == "yes more"
    assert (await site.up()).drift == ()

    file.write_text(f"{dockerfile}RUN echo it broke >&2; exit 3\n")
    with pytest.raises(BuildFailed, match=r"at step \[4/4\] RUN") as caught:
        await site.up(rebuild=True)
    assert any("it broke" in line for line in caught.value.details["lines"])
    assert len(await site.containers()) == 1  # the old one stays


async def test_an_image_that_has_moved_is_drift(site: Site, podman: Podman) -> None:
    name = f"rig-moved-{os.getpid()}:1"
    podman.docker("tag", IMAGE, name)
    site.configure({"image": name})
    try:
        assert (await site.up()).drift == ()
        podman.docker("tag", "devenv-rig/python:3.11", name)
        (difference,) = (await site.up()).drift
        assert "image" in str(difference)
    finally:
        await site.rooms.down(await site.target(), site.ctx, site.told, volumes=True)
        podman.docker("rmi", name)


async def test_local_features(site: Site) -> None:
    once = site.root.name  # an image of an earlier run is not this one's
    files = {
        **feature("a", f'# {once}\necho "$_REMOTE_USER" > /a', containerEnv={"FROM_A": "1"}),
        **feature("b", "echo b > /b", installsAfter=["./a"], entrypoint="touch /tmp/entered"),
    }
    site.configure({**USER, "features": {"./b": {}, "./a": {}}, "remoteUser": "dev"}, files)
    made = await site.up()
    assert await site.run(made, "cat /a /b; echo $FROM_A; ls -d /tmp/*") == "dev\nb\n1\n/tmp/entered"
    assert (await site.up()).drift == ()
    titles = [title for _, title in site.told.steps if "RUN" in title]
    assert len(titles) == 3 and "--mount" not in "".join(titles)


async def test_hooks_with_markers_and_a_retry(site: Site) -> None:
    config = {
        **USER,
        "onCreateCommand": "echo onCreate >> ~/order",
        "postCreateCommand": {"a": "echo a >> ~/both", "b": "test -f ~/ready || { echo why >&2; exit 5; }"},
        "postStartCommand": "echo start >> ~/order",
    }
    site.configure(config)
    with pytest.raises(HookFailed, match="postCreateCommand b failed with exit code 5") as caught:
        await site.up()
    assert caught.value.details["lines"] == ["why"]
    (identity,) = await site.containers()
    await site.engine.exec_capture(identity, ["sh", "-c", "touch ~/ready"], user="dev")
    done = await site.up()
    assert await site.run(done, "cat ~/order") == "onCreate\nstart"
    for name, stamp in (("onCreate", done.container.created), ("postStart", done.container.started_at)):
        assert await site.run(done, f"cat ~/.devcontainer/.{name}CommandMarker; echo .") == f"{stamp}\n."


async def test_stop_start_and_down(site: Site, podman: Podman) -> None:
    site.configure({**USER, "postStartCommand": "echo x >> ~/starts"})
    made = await site.up()
    target = await site.target()
    await site.rooms.stop(target, site.ctx, site.told)
    state = await site.rooms.status(target, site.engine)
    assert state.container is not None and state.container.status == "exited"
    with pytest.raises(ContainerGone, match="not running"):
        await site.engine.exec_capture(made.container.id, ["true"])
    again = await site.up()
    assert again.container.id == made.container.id and await site.run(again, "wc -l < ~/starts") == "2"
    volume = next(m["Name"] for m in made.container.mounts if m["Type"] == "volume")
    assert volume in podman.docker("volume", "ls", "--quiet").split()
    assert await site.rooms.down(target, site.ctx, site.told, volumes=True)
    assert await site.containers() == [] and volume not in podman.docker("volume", "ls", "--quiet").split()


async def test_drift_names_a_property_that_changed(site: Site) -> None:
    site.configure({**USER, "containerEnv": {"A": "1"}, "runArgs": ["--cap-add", "SYS_PTRACE"]})
    assert (await site.up()).drift == ()
    site.configure({**USER, "containerEnv": {"A": "1"}, "runArgs": ["--cap-add", "SYS_ADMIN"]})
    assert [difference.property for difference in (await site.up()).drift] == ["runArgs"]


async def test_a_mount_of_nothing_is_refused_and_not_made(site: Site) -> None:
    missing = site.root / "none"
    site.configure({**SMALL, "mounts": [f"type=bind,source={missing},target=/data"]})
    with pytest.raises(ConfigError, match=r"there is no .*/none on this machine"):
        await site.up()
    assert not missing.exists() and await site.containers() == []


async def test_what_podman_refuses_is_told_in_its_words(site: Site) -> None:
    site.configure({**SMALL, "runArgs": ["--network", "no-such-network"]})
    with pytest.raises(EngineError, match="no-such-network"):
        await site.up()
    assert await site.containers() == []


COMPOSE = f"""
services:
  app:
    build: {{context: ., dockerfile: Dockerfile}}
    command: sleep infinity
    volumes: ["..:/workspace", "data:/data"]
    depends_on: {{db: {{condition: service_healthy}}}}
  db:
    image: {SMALL["image"]}
    init: true
    command: ["sh", "-c", "sleep 1; touch /ready; exec sleep 1000"]
    healthcheck: {{test: ["CMD", "test", "-e", "/ready"], interval: 200ms, retries: 50}}
volumes: {{data: {{}}}}
"""


async def test_compose_with_a_build_a_health_check_and_a_feature(site: Site, podman: Podman) -> None:
    site.configure(
        {
            "dockerComposeFile": "compose.yml",
            "service": "app",
            "workspaceFolder": "/workspace",
            "features": {"./f": {}},
            "remoteUser": "dev",
        },
        {
            ".devcontainer/compose.yml": COMPOSE,
            ".devcontainer/Dockerfile": f"FROM {IMAGE}\nRUN echo built > /tmp/built\n",
            **feature("f", "echo feature > /f"),
        },
    )
    made = await site.up()
    project = made.container.labels["com.docker.compose.project"]
    assert await site.run(made, "id -u; cat /tmp/built /f; pwd") == f"{HOST_UID}\nbuilt\nfeature\n/"
    assert await site.run(made, "ls -d /workspace/.devcontainer") == "/workspace/.devcontainer"
    told = [note for note in made.notes if "health checks by timers of systemd" in note]
    assert len(told) == (0 if pathlib.Path("/run/systemd/system").is_dir() else 1)
    assert (await site.up()).drift == ()
    # The services know each other by name.
    assert await site.run(made, "getent hosts db >/dev/null && echo found") == "found"
    target = await site.target()
    await site.rooms.stop(target, site.ctx, site.told)
    assert (await site.up()).container.id == made.container.id
    await site.rooms.down(target, site.ctx, site.told, volumes=True)
    assert not await site.engine.find({"com.docker.compose.project": project})
    left = [*podman.docker("network", "ls", "-q").split(), *podman.docker("volume", "ls", "-q").split()]
    assert not [name for name in left if project in name]


# --- GPUs: no card is here; what a machine with two shows is a folder ---


@pytest.fixture
def cards(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "machine"
    (root / "dev").mkdir(parents=True)
    for node in ("nvidia0", "nvidia1", "nvidiactl"):
        (root / "dev" / node).touch()
    (root / "proc/driver/nvidia").mkdir(parents=True)
    (root / "proc/driver/nvidia/version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  x\n")
    monkeypatch.setattr(gpu, "gather", functools.partial(gpu.gather, root=root, path=""))


def too_old(podman: Podman) -> bool:
    version = podman.docker("version", "--format", "{{.Server.Version}}")
    return tuple(int(part) for part in version.split(".")[:2]) < (5, 4)


async def test_gpus_that_podman_would_forget_are_refused_in_three_lines(
    site: Site, podman: Podman, cards: None
) -> None:
    if not too_old(podman):
        pytest.skip("this Podman gives GPUs: one before 5.4 is needed")
    site.configure({**SMALL, "hostRequirements": {"gpu": True}})
    with pytest.raises(GpuMissing) as caught:
        await site.up()
    lines = [*caught.value.message.splitlines(), *caught.value.hint.splitlines()]
    assert len(lines) == 3 and "Podman 5.4" in lines[2]
    assert await site.containers() == []
    site.configure({**SMALL, "hostRequirements": {"gpu": "optional"}})
    assert [note for note in (await site.up()).notes if "GPU" in note]


async def test_gpus_of_run_args_are_dropped_and_that_is_said(site: Site) -> None:
    site.configure({**SMALL, "runArgs": ["--gpus", "all"]})
    assert [note for note in (await site.up()).notes if "drops `--gpus all` without a word" in note]


# --- what a container of another tool is ---


async def test_a_container_of_the_docker_command_is_adopted(site: Site, podman: Podman) -> None:
    site.configure(USER)
    target = await site.target()
    labels = [word for name, value in target.labels.items() for word in ("--label", f"{name}={value}")]
    mount = f"type=bind,source={site.root},target={target.workspace_folder}"
    metadata = ["--label", f"devcontainer.metadata={json.dumps([{'remoteUser': 'dev'}])}"]
    command = shlex.split("sleep infinity")
    podman.docker("run", "--detach", "--init", "--mount", mount, *labels, *metadata, IMAGE, *command)
    found = await site.up()
    assert found.adopted and not found.created and found.remote_user == "dev"
