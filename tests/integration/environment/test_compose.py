"""Docker Compose configurations on the real engine."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

import pytest

from devenv.errors import ComposeFailed, ConfigError, ContainerGone, PortTaken, Refused
from tests.integration.environment.conftest import Site

pytestmark = pytest.mark.engine

COMPOSE = """
services:
  app:
    image: devenv-rig/python-user
    command: sleep infinity
    init: true
    environment: {FROM_COMPOSE: "$$literal", EMPTY: ""}
    volumes: ["..:/workspace", "data:/data"]
    depends_on: {db: {condition: service_healthy}}
  db:
    image: devenv-rig/busybox
    init: true
    command: ["sh", "-c", "sleep 1; touch /ready; exec sleep 1000"]
    healthcheck: {test: ["CMD", "test", "-e", "/ready"], interval: 200ms, retries: 50}
  extra:
    image: devenv-rig/busybox
    command: ["sleep", "1000"]
    init: true
    profiles: [more]
volumes: {data: {}}
"""
CONFIG: dict[str, Any] = {
    "dockerComposeFile": "docker-compose.yml",
    "service": "app",
    "workspaceFolder": "/workspace",
    "containerEnv": {"A": "cost: $5 ${localEnv:NOPE:x}"},
    "mounts": ["type=volume,source=cache,target=/cache", "type=bind,source=/etc/hostname,target=/host,readonly"],
    "postCreateCommand": "echo created > /tmp/created",
}


def configure(site: Site, config: dict[str, Any] | None = None, text: str = COMPOSE) -> None:
    site.configure({**CONFIG, **(config or {})}, {".devcontainer/docker-compose.yml": text})


async def names(site: Site, project: str) -> set[str]:
    return {
        c.labels["com.docker.compose.service"] for c in await site.engine.find({"com.docker.compose.project": project})
    }


async def test_up_stop_start_down(site: Site) -> None:
    configure(site)
    made = await site.up()
    project = made.container.labels["com.docker.compose.project"]
    assert project == f"{site.root.name}_devcontainer"
    assert made.created and made.workspace_folder == "/workspace" and made.remote_user == "dev"
    assert await names(site, project) == {"app", "db"}
    assert await site.run(made, "cat /tmp/created; id -u; echo $A; echo $FROM_COMPOSE") == (
        "created\n3001\ncost: $5 x\n$literal"
    )
    assert await site.run(made, "ls -d /run/devenv /var/lib/devenv/u3001 /data /cache") != ""
    assert await site.run(made, "(echo x > /host) 2>&1 || true", user="root") != ""  # read-only
    again = await site.up()
    assert again.container.id == made.container.id and again.drift == () and not again.created
    target = await site.target()
    await site.rooms.stop(target, site.ctx, site.told)
    assert {c.status for c in await site.engine.find({"com.docker.compose.project": project})} == {"exited"}
    started = await site.up()
    assert started.container.id == made.container.id and started.container.status == "running"
    assert {c.status for c in await site.engine.find({"com.docker.compose.project": project})} == {"running"}
    assert await site.rooms.down(target, site.ctx, site.told, volumes=True)
    assert await names(site, project) == set()


async def test_an_edit_of_the_compose_file_is_shown_and_applied_by_rebuild(site: Site) -> None:
    configure(site)
    made = await site.up()
    configure(site, text=COMPOSE.replace('EMPTY: ""', "EMPTY: more").replace("sleep infinity", "sleep 99999"))
    again = await site.up()
    assert again.container.id == made.container.id
    assert {d.property for d in again.drift} == {"service environment.EMPTY", "service command"}
    rebuilt = await site.up(rebuild=True)
    assert rebuilt.container.id != made.container.id and rebuilt.drift == ()
    assert await site.run(rebuilt, "echo $EMPTY") == "more"
    assert (await site.up()).drift == ()


async def test_run_services_and_profiles(site: Site) -> None:
    configure(site, {"runServices": ["extra"]})
    made = await site.up()
    assert await names(site, made.container.labels["com.docker.compose.project"]) == {"app", "db", "extra"}


async def test_a_service_that_is_built(site: Site) -> None:
    text = COMPOSE.replace("image: devenv-rig/python-user", "build: {context: ., args: {WHAT: made}}")
    site.configure(
        CONFIG,
        {
            ".devcontainer/docker-compose.yml": text,
            ".devcontainer/Dockerfile": "FROM devenv-rig/python-user\nARG WHAT\nENV BUILT=$WHAT\n",
        },
    )
    made = await site.up()
    assert await site.run(made, "echo $BUILT") == "made"
    assert any("FROM" in title for _, title in site.told.steps)


@pytest.mark.parametrize(
    ("config", "text", "words"),
    [
        ({"service": "ap"}, COMPOSE, "there is no service 'ap'.*app, db, extra"),
        ({"dockerComposeFile": ["docker-compose.yml", "none.yml"]}, COMPOSE, "there is no file .*none.yml"),
        ({"runServices": ["db", "extr"]}, COMPOSE, r"runServices.1: there is no service 'extr'.*did you mean 'extra'"),
        ({}, "services:\n  app: {image: [\n", "dockerComposeFile: Compose refuses .*docker-compose.yml: yaml: "),
        ({}, COMPOSE.replace("init:", "inti:", 1), "Compose refuses .* Additional property inti is not allowed"),
        (
            {},
            "services:\n  app: {extends: {service: b}}\n  b: {extends: {service: app}}\n",
            "Circular reference: (app|b) in .* extends (app|b) in .* extends ",
        ),
    ],
    ids=["no service", "no file", "nothing to run", "no YAML", "unknown key", "a circle"],
)
async def test_what_is_not_there(site: Site, config: dict[str, Any], text: str, words: str) -> None:
    configure(site, config, text)
    with pytest.raises(ConfigError, match=words):
        await site.up()


UNHEALTHY = COMPOSE.replace('["sh", "-c", "sleep 1; touch /ready; exec sleep 1000"]', '["sleep", "1000"]').replace(
    "retries: 50", "retries: 2"
)


async def test_a_dependency_that_never_becomes_healthy_and_what_is_left_of_it(site: Site) -> None:
    configure(site, text=UNHEALTHY)
    with pytest.raises(ComposeFailed, match="db-1 is unhealthy") as caught:
        await site.up()
    assert "devenv compose logs" in caught.value.hint
    project = f"{site.root.name}_devcontainer"
    assert await names(site, project) == {"db"}  # to look into
    assert await site.rooms.down(await site.target(), site.ctx, site.told)
    assert await names(site, project) == set() and project not in await networks(site)


async def test_a_service_that_ends_at_once_leaves_nothing(site: Site) -> None:
    configure(site, text="services:\n  app: {image: devenv-rig/busybox, command: ['false']}\n")
    with pytest.raises(ContainerGone, match="ended at once"):
        await site.up()
    project = f"{site.root.name}_devcontainer"
    assert await names(site, project) == set() and project not in await networks(site)


async def test_a_port_that_is_taken_names_its_holder(site: Site) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        configure(
            site, text=COMPOSE.replace("    init: true\n", f"    init: true\n    ports: ['127.0.0.1:{port}:80']\n", 1)
        )
        with pytest.raises(PortTaken) as caught:
            await site.up()
    assert str(port) in caught.value.message and f"pid {os.getpid()}" in caught.value.message
    assert "`ports` of its service" in caught.value.hint


async def test_a_mount_of_what_is_not_there(site: Site) -> None:
    configure(site, {"mounts": ["type=tmpfs,target=/t", "type=bind,source=/no/such/place,target=/p"]})
    with pytest.raises(ConfigError, match=r"mounts\.1: there is no /no/such/place on this machine"):
        await site.up()


async def test_volumes_are_removed_later_too(site: Site) -> None:
    configure(site)
    made = await site.up()
    project = made.container.labels["com.docker.compose.project"]
    target = await site.target()
    assert await site.rooms.down(target, site.ctx, site.told)
    assert await volumes(site, project) == {f"{project}_data", f"{project}_cache"}
    assert await site.rooms.down(target, site.ctx, site.told, volumes=True)
    assert await volumes(site, project) == set()


async def volumes(site: Site, project: str) -> set[str]:
    return set(await listed("volume", project))


async def networks(site: Site) -> set[str]:
    return {name.removesuffix("_default") for name in await listed("network", "_default")}


async def listed(kind: str, name: str) -> list[str]:
    words = ["docker", kind, "ls", "--filter", f"name={name}", "--format", "{{.Name}}"]
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return out.decode().split()


async def test_a_project_of_the_same_name_elsewhere_is_left_alone(site: Site) -> None:
    configure(site, text="name: devenv-test-same\n" + COMPOSE)
    await site.up()
    other = site.root.parent / "other"
    (other / ".devcontainer").mkdir(parents=True)
    for name in ("devcontainer.json", "docker-compose.yml"):
        (other / ".devcontainer" / name).write_bytes((site.root / ".devcontainer" / name).read_bytes())
    target = await site.rooms.resolve(str(other), site.ctx)
    from devenv.environment.plan import UpOptions

    with pytest.raises(Refused, match="devenv-test-same is already that of"):
        await site.rooms.up(target, site.ctx, UpOptions(), site.told)


async def test_docker_compose_by_hand_makes_it_anew_and_no_output_is_lost(site: Site) -> None:
    configure(site)
    made = await site.up()
    project = made.container.labels["com.docker.compose.project"]
    await site.run(made, "echo output > /var/lib/devenv/u3001/spool")
    assert any("by hand makes this container anew" in note for note in made.notes)
    done = await site.engine.compose(
        ["-p", project, "-f", f"{site.root}/.devcontainer/docker-compose.yml", "up", "-d"], cwd=str(site.root)
    )
    assert done.exit_code == 0, done.stderr
    by_hand = await site.up()
    assert by_hand.container.id != made.container.id and by_hand.adopted and not by_hand.created
    state = await site.rooms.status(await site.target(), site.engine)
    assert any("outputs of earlier runs are kept" in note for note in state.notes)
    assert await site.run(by_hand, "cat /tmp/created") == "created"  # hooks ran in the new container
    again = await site.up(rebuild=True)
    assert not again.adopted and await site.run(again, "cat /var/lib/devenv/u3001/spool") == "output"
