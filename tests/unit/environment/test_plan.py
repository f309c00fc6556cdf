"""The exact argument list of `docker create`, case by case."""

from __future__ import annotations

import json
from typing import Any

import pytest

from devenv.engine.port import EngineInfo, ImageSnapshot
from devenv.engine.snapshots import image as image_snapshot
from devenv.environment import plan
from devenv.environment.plan import ContainerPlan, UpOptions
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


def build(target: Target, picture: ImageSnapshot, uid: int = 3001, **changes: Any) -> ContainerPlan:
    return plan.container_plan(
        target, picture, info(**changes), owner=OWNER, version="1.2.3", link="/state/link/pub", uid=uid
    )


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
    result = await made(site, config)
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
        *("--cpus=2", "--shm-size=1g", "--init", "--privileged"),
        *("--cap-add", "SYS_PTRACE", "--security-opt", "seccomp=unconfined", "--entrypoint", "/bin/sh", IMAGE),
    ]
    assert without[-3] == "-c" and without[-2].startswith("echo Container started\n") and without[-1] == "-"
    assert labels["devcontainer.local_folder"] == str(site.root)
    assert labels["devenv.key"] == target.key and labels["devenv.owner"] == OWNER
    assert json.loads(labels["devcontainer.metadata"])[-1]["containerEnv"]["TOKEN"] == "${localEnv:TOKEN}"
    assert dict(result.secret_env) == {"TOKEN": "s3cret"}
    assert "s3cret" not in " ".join(args) and "s3cret" not in repr(result)


ARGS: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("room for workers", {}, ["--shm-size=4096m"], []),
    ("the host's ipc needs none", {"runArgs": ["--ipc=host"]}, ["--ipc=host"], ["--shm-size=4096m"]),
    ("own mount of shm", {"mounts": ["type=tmpfs,target=/dev/shm"]}, [], ["--shm-size=4096m"]),
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
    assert result.remote_user == "dev" and result.container_user == "root"
    assert "FROM_IMAGE=1" in result.args and result.args[-3:] == ("-", "/entry", "serve")
    assert "/start.sh" in result.args[-4]
    assert result.properties["imageEntries"] == 1


NOTES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("root", {"remoteUser": "root"}, {}, "belong to root"),
    ("host network", {"runArgs": ["--network=host"]}, {}, "host networking"),
    ("host network in two words", {"runArgs": ["--net", "host"]}, {}, "host networking"),
    ("no live-restore", {}, {"live_restore": False}, "live-restore"),
    ("gpu wanted", {"hostRequirements": {"gpu": True}}, {}, "GPU"),
    ("cpus wanted", {"hostRequirements": {"cpus": 64}}, {}, "64 CPUs"),
    ("memory wanted", {"hostRequirements": {"memory": "64gb"}}, {}, "64.0 GiB"),
]


@pytest.mark.parametrize(("config", "changes", "words"), [c[1:] for c in NOTES], ids=[c[0] for c in NOTES])
async def test_notes(site: Site, config: dict[str, Any], changes: dict[str, Any], words: str) -> None:
    result = await made(site, config, **changes)
    assert [note for note in result.notes if words in note], result.notes


async def test_nothing_to_say(site: Site) -> None:
    assert (await made(site, {"hostRequirements": {"gpu": "optional"}})).notes == ()


async def test_gpus_where_the_runtime_is(site: Site) -> None:
    args = (await made(site, {"hostRequirements": {"gpu": "optional"}}, runtimes=("nvidia", "runc"))).args
    assert args[args.index("--gpus") + 1] == "all"
    config = {"hostRequirements": {"gpu": True}, "runArgs": ["--gpus", "device=1"]}
    assert (await made(site, config, runtimes=("nvidia", "runc"))).args.count("--gpus") == 1


async def test_two_owners_of_one_path_stay_apart(site: Site) -> None:
    site.configure({"image": IMAGE})
    target = await site.target()
    ours = build(target, image())
    theirs = plan.container_plan(
        target, image(), info(), owner=OWNER, version="1", link=None, uid=0, tail="-3001-012345"
    )
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
    (site.root / "Dockerfile").write_text("FROM x\n")
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
