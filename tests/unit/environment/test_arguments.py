"""The exact argument list of `docker create`, case by case."""

from __future__ import annotations

import json
from typing import Any

import pytest

from devenv.engine.port import EngineInfo, ImageSnapshot
from devenv.engine.snapshots import image as image_snapshot
from devenv.environment import arguments, plan, shape
from devenv.environment.arguments import ContainerPlan
from devenv.environment.plan import UpOptions
from devenv.environment.shape import Additions, Host, Made
from devenv.environment.target import Target
from tests.unit.environment.conftest import IMAGE, OWNER, Site

GIB = 1024**3


def info(**changes: Any) -> EngineInfo:
    values: dict[str, Any] = {
        "version": "26",
        "api_version": "1.45",
        "os": "linux",
        "name": "e",
        "endpoint": "unix:///x",
        "live_restore": True,
        "rootless": False,
        "userns_remap": False,
        "security_options": (),
        "runtimes": ("runc",),
        "has_buildx": True,
        "has_compose": True,
        "cpus": 4,
        "memory": 8 * GIB,
    }
    return EngineInfo(**{**values, **changes})


def image(**config: Any) -> ImageSnapshot:
    return image_snapshot({"Id": "sha256:1", "Config": config})


async def made(
    site: Site, config: dict[str, Any], picture: ImageSnapshot | None = None, **changes: Any
) -> ContainerPlan:
    site.configure({"image": IMAGE, **config})
    target = await site.target()
    return build(target, picture or image(User="dev"), **changes)


HOST = Host(OWNER, "1.2.3", 3001, "/state/link/pub")


NOTHING = Additions()


def build(
    target: Target, picture: ImageSnapshot, host: Host = HOST, *, additions: Additions = NOTHING, tail: str = ""
) -> ContainerPlan:
    wanted = shape.shape(target, Made.plain(plan.reference(target), picture), host, additions, tail=tail)
    return arguments.container_plan(wanted, plan.container_name(target) + tail)


def notes(made: ContainerPlan, **changes: Any) -> list[str]:
    return shape.notes(made.shape, info(**changes), HOST, host_network=made.host_network, storage=GIB)


async def test_the_whole_list(site: Site) -> None:
    config = {
        "appPort": [8000, "9000:90"],
        "mounts": ["type=volume,source=data,target=/data", {"type": "bind", "source": "/a", "target": "/b"}],
        "containerEnv": {"PLAIN": "x y", "TOKEN": "${localEnv:TOKEN}"},
        "containerUser": "dev",
        "runArgs": ["--cpus=2", "--shm-size=1g"],
        "privileged": True,
        "capAdd": ["SYS_PTRACE"],
        "securityOpt": ["seccomp=unconfined"],
    }
    result = await made(site, config, additions=Additions(args=("--gpus", "all")))
    target = await site.target()
    args = list(result.args)
    labels = {args[n + 1].split("=", 1)[0]: args[n + 1].split("=", 1)[1] for n, a in enumerate(args) if a == "--label"}
    without = [a for n, a in enumerate(args) if a != "--label" and (n == 0 or args[n - 1] != "--label")]
    assert without[:-3] == [
        *("--pull", "never", "--name", f"devenv-project-{target.key[:8]}"),
        *("-p", "127.0.0.1:8000:8000", "-p", "9000:90"),
        *("--mount", f"type=bind,source={site.root},target=/workspaces/project"),
        *("--mount", "type=volume,source=data,target=/data", "--mount", "type=bind,src=/a,dst=/b"),
        *("--mount", f"type=volume,source=devenv-{target.key}-state,target=/var/lib/devenv"),
        *("--mount", "type=bind,src=/state/link/pub,dst=/run/devenv,readonly"),
        *("-e", "PLAIN=x y", "-e", "TOKEN", "-u", "dev"),
        *("--gpus", "all", "--cpus=2", "--shm-size=1g", "--init", "--privileged"),
        *("--cap-add", "SYS_PTRACE", "--security-opt", "seccomp=unconfined", "--entrypoint", "/bin/sh", IMAGE),
    ]
    assert without[-3] == "-c" and without[-2].startswith("echo Container started\n") and without[-1] == "-"
    assert labels["devcontainer.local_folder"] == str(site.root)
    assert labels["devenv.key"] == target.key and labels["devenv.owner"] == OWNER
    assert json.loads(labels["devcontainer.metadata"])[-1]["containerEnv"]["TOKEN"] == "${localEnv:TOKEN}"
    assert dict(result.secret_env) == {"TOKEN": "s3cret"}
    assert "s3cret" not in " ".join(args) and "s3cret" not in repr(result)


ARGS: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("init is there", {}, ["--init"], []),
    ("unless false", {"init": False}, [], ["--init"]),
    ("not before the image's own command", {"overrideCommand": False}, [], ["--init"]),
    ("own command and an init asked for", {"overrideCommand": False, "init": True}, ["--init"], []),
    ("own name", {"runArgs": ["--name", "mine"]}, ["mine"], []),
    ("no workspace mount", {"workspaceMount": "", "workspaceFolder": "/x"}, [], ["type=bind,source=/project"]),
]


@pytest.mark.parametrize(("config", "there", "absent"), [c[1:] for c in ARGS], ids=[c[0] for c in ARGS])
async def test_single_options(site: Site, config: dict[str, Any], there: list[str], absent: list[str]) -> None:
    args = (await made(site, config)).args
    for word in there:
        assert word in args
    for word in absent:
        assert word not in args
    assert args.count("--name") == 1


async def test_own_name_is_the_plans_name(site: Site) -> None:
    assert (await made(site, {"runArgs": ["--name=mine"]})).name == "mine"


@pytest.mark.parametrize(
    "run_args", [["-e", "T=${localEnv:TOKEN}"], ["--env=T=${localEnv:TOKEN}"], ["--env", "T=a${env:TOKEN}"]]
)
async def test_secrets_in_run_args_leave_the_list(site: Site, run_args: list[str]) -> None:
    result = await made(site, {"runArgs": run_args})
    assert "s3cret" not in " ".join(result.args)
    assert result.secret_env["T"].endswith("s3cret")
    assert [a for a in result.args if a in ("T", "--env=T")]


async def test_the_images_own_metadata_and_command(site: Site) -> None:
    label = json.dumps([{"remoteUser": "dev", "containerEnv": {"FROM_IMAGE": "1"}, "entrypoint": "/start.sh"}])
    picture = image(Labels={"devcontainer.metadata": label}, Entrypoint=["/entry"], Cmd=["serve"], User="root")
    result = await made(site, {"overrideCommand": False}, picture)
    assert result.shape.remote_user == "dev" and result.shape.container_user == "root"
    assert "FROM_IMAGE=1" in result.args and result.args[-3:] == ("-", "/entry", "serve")
    assert "/start.sh" in result.args[-4]
    assert result.shape.properties["imageEntries"] == 1


NOTES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("root", {"remoteUser": "root"}, {}, "belong to root"),
    ("host network", {"runArgs": ["--network=host"]}, {}, "host networking"),
    ("host network in two words", {"runArgs": ["--net", "host"]}, {}, "host networking"),
    ("cpus wanted", {"hostRequirements": {"cpus": 64}}, {}, "64 CPUs"),
    ("memory wanted", {"hostRequirements": {"memory": "64gb"}}, {}, "64.0 GiB of memory"),
    ("storage wanted", {"hostRequirements": {"storage": "2gb"}}, {}, "2.0 GiB of free storage; the engine has 1.0 GiB"),
]


@pytest.mark.parametrize(("config", "changes", "words"), [c[1:] for c in NOTES], ids=[c[0] for c in NOTES])
async def test_notes(site: Site, config: dict[str, Any], changes: dict[str, Any], words: str) -> None:
    found = notes(await made(site, config), **changes)
    assert [note for note in found if words in note], found


async def test_nothing_to_say(site: Site) -> None:
    assert notes(await made(site, {"hostRequirements": {"gpu": "optional", "storage": "1gb"}})) == []


async def test_two_owners_of_one_path_stay_apart(site: Site) -> None:
    site.configure({"image": IMAGE})
    target = await site.target()
    ours = build(target, image())
    theirs = build(target, image(), Host(OWNER, "1", 0, None), tail="-3001-012345")
    assert theirs.name == f"{ours.name}-3001-012345"
    assert f"type=volume,source=devenv-{target.key}-3001-012345-state,target=/var/lib/devenv" in theirs.args
    assert not any("/run/devenv" in word for word in theirs.args)


async def test_the_build(site: Site) -> None:
    config = {
        "dockerfile": "../Dockerfile",
        "context": "..",
        "args": {"A": "b", "T": "${localEnv:TOKEN}"},
        "target": "dev",
        "cacheFrom": "x:cache",
        "options": ["--network=host"],
    }
    site.configure({"build": config})
    (site.root / "Dockerfile").write_text("FROM x AS dev\n")
    target = await site.target()
    request = plan.build_request(target, UpOptions(no_cache=True), log_path="/log")
    assert request is not None
    assert request.context == str(site.root) and request.dockerfile == f"{site.root}/Dockerfile"
    assert request.args == {"A": "b"} and request.secret_args == {"T": "s3cret"}
    assert (request.target, request.cache_from, request.options) == ("dev", ("x:cache",), ("--network=host",))
    assert request.no_cache and request.tags == (f"devenv-project-{target.key[:8]}:latest",)
    assert "s3cret" not in repr(request)


@pytest.mark.parametrize(
    ("folder", "name"), [("My Project", "my-project"), ("-.x_", "x"), ("äöü", "project"), ("a" * 80, "a" * 32)]
)
def test_container_names(site: Site, folder: str, name: str) -> None:
    root = site.root / folder
    root.mkdir()
    from devenv.environment import target as targets

    target = targets.resolve(str(root), site.ctx)
    assert plan.container_name(target) == f"devenv-{name}-{target.key[:8]}"


async def test_what_is_not_set_on_this_machine_is_no_secret(site: Site) -> None:
    result = await made(site, {"containerEnv": {"HTTP_PROXY": "${localEnv:HTTP_PROXY}"}})
    assert ("-e", "HTTP_PROXY=") in list(zip(result.args, result.args[1:], strict=False))
    assert result.secret_env == {}
    site.configure({"build": {"dockerfile": "D", "args": {"HTTP_PROXY": "${localEnv:HTTP_PROXY}"}}})
    (site.root / ".devcontainer" / "D").write_text("FROM x\n")
    request = plan.build_request(await site.target(), plan.UpOptions(), log_path="")
    assert request is not None and (request.args, request.secret_args) == ({"HTTP_PROXY": ""}, {})
