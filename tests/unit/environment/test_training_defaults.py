"""Shared memory, limits, init and IPC: the default, each way to say something else, and the line that tells who did."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devenv.engine import snapshots
from devenv.engine.port import EngineInfo
from devenv.environment.training import container_settings, training_defaults
from devenv.environment.training.container_settings import LIMIT_NAMES, BadSetting, ContainerSettings
from devenv.environment.training.engine_limits import EngineLimits
from devenv.environment.training.training_defaults import Said, decide

GIB = 1024**3
PLAIN = ContainerSettings()
DEFAULT_LIMITS = ("--ulimit=memlock=-1:-1", "--ulimit=stack=67108864:-1", "--ulimit=nofile=65536:524288")


def info(memory: int = 32 * GIB, *, rootless: bool = False, podman: bool = False) -> EngineInfo:
    raw: dict[str, Any] = {"MemTotal": memory, "SecurityOptions": ["name=rootless"] if rootless else []}
    raw |= {"BuildahVersion": "1.28.2"} if podman else {}
    return snapshots.info(raw, endpoint="unix:///x", api_version="1.45", has_buildx=True, has_compose=True)


@pytest.mark.parametrize(
    ("memory", "size", "shown"),
    [
        (32 * GIB, "8192m", "8.0 GiB"),
        (16 * GIB, "8192m", "8.0 GiB"),
        (6 * GIB, "3072m", "3.0 GiB"),
        (GIB // 2, "256m", "256 MiB"),
        (100 * 1024**2, "64m", "64 MiB"),
        (0, "1024m", "1.0 GiB"),
    ],
    ids=["at most 8 GiB", "half, which is that", "half", "half of a small one", "at least the engine's own", "unknown"],
)
def test_shared_memory_by_default(memory: int, size: str, shown: str) -> None:
    found = decide(PLAIN, info(memory), Said()).shm
    assert found.args == (f"--shm-size={size}",)
    assert found.compose == {"shm_size": int(size[:-1]) * 1024**2}
    assert found.line == f"shared memory: {shown} (devenv's default; set container.shm-size or runArgs --shm-size)"


@pytest.mark.parametrize(
    ("settings", "said", "args", "line"),
    [
        (ContainerSettings(shm_size="16g"), Said(), ("--shm-size=16384m",), "16.0 GiB (container.shm-size)"),
        (ContainerSettings(shm_size="1048577"), Said(), ("--shm-size=1048577",), "1 MiB (container.shm-size)"),
        (ContainerSettings(shm_size="16g"), Said(["--shm-size", "2gb"]), (), "2.0 GiB (runArgs --shm-size)"),
        (PLAIN, Said(["--shm-size=odd"]), (), "odd (runArgs --shm-size)"),
        (ContainerSettings(shm_size="16g"), Said(["--ipc=host"]), (), "that of host (runArgs)"),
        (PLAIN, Said(["--ipc", "container:x"]), (), "that of container:x (runArgs)"),
        (ContainerSettings(ipc="host"), Said(), (), "that of host (container.ipc)"),
        (PLAIN, Said(["--tmpfs", "/dev/shm:size=1g"]), (), "a mount of runArgs"),
        (PLAIN, Said(["--mount=type=tmpfs,dst=/dev/shm"]), (), "a mount of runArgs"),
        (PLAIN, Said(["-v", "/dev/shm:/dev/shm"]), (), "a mount of runArgs"),
        (PLAIN, Said(mount_targets=frozenset({"/dev/shm"})), (), "a mount of the configuration"),
        (PLAIN, Said(service={"shm_size": "4294967296"}), (), "4.0 GiB (the Compose service: shm_size)"),
        (PLAIN, Said(service={"ipc": "service:db"}), (), "that of service:db (the Compose service)"),
        (
            PLAIN,
            Said(service={"volumes": [{"type": "bind", "target": "/dev/shm"}]}),
            (),
            "a mount of the Compose service",
        ),
        (PLAIN, Said(service={"tmpfs": "/dev/shm:size=1g"}), (), "a mount of the Compose service"),
        (
            PLAIN,
            Said(service={"tmpfs": ["/run"], "volumes": None}),
            ("--shm-size=8192m",),
            "or shm_size of the Compose service",
        ),
    ],
)
def test_whose_shared_memory(settings: ContainerSettings, said: Said, args: tuple[str, ...], line: str) -> None:
    found = decide(settings, info(), said).shm
    assert found.args == args and line in found.line and bool(found.compose) is bool(args)


def test_limits_by_default() -> None:
    found = decide(PLAIN, info(), Said()).ulimits
    assert found.args == DEFAULT_LIMITS
    assert found.compose == {
        "ulimits": {
            "memlock": {"soft": -1, "hard": -1},
            "stack": {"soft": 64 * 1024**2, "hard": -1},
            "nofile": {"soft": 65536, "hard": 524288},
        }
    }
    assert found.line == (
        "limits: memlock unlimited, stack 64 MiB, nofile 65536, devenv's defaults unless named; "
        "set container.ulimits or runArgs --ulimit"
    )


@pytest.mark.parametrize(
    ("settings", "said", "args", "line"),
    [
        (ContainerSettings(ulimits={"nofile": "1024"}), Said(), (*DEFAULT_LIMITS[:2], "--ulimit=nofile=1024:1024"),
         "nofile 1024 (container.ulimits)"),
        (ContainerSettings(ulimits={"nproc": "4096:unlimited"}), Said(), (*DEFAULT_LIMITS, "--ulimit=nproc=4096:-1"),
         "nproc 4096 (container.ulimits)"),
        (ContainerSettings(ulimits={"stack": ""}), Said(), (DEFAULT_LIMITS[0], DEFAULT_LIMITS[2]),
         "memlock unlimited, nofile"),
        (ContainerSettings(ulimits={"memlock": "", "stack": "", "nofile": ""}), Said(), (),
         "limits: those of the engine"),
        (PLAIN, Said(["--ulimit", "memlock=-1"]), DEFAULT_LIMITS[1:], "memlock -1 (runArgs)"),
        (ContainerSettings(ulimits={"nofile": "1"}), Said(["--ulimit=nofile=2:3"]), DEFAULT_LIMITS[:2],
         "nofile 2:3 (runArgs)"),
        (PLAIN, Said(service={"ulimits": {"stack": {"soft": 1, "hard": 2}, "nofile": 99}}), DEFAULT_LIMITS[:1],
         "stack 1:2 (the Compose service), nofile 99 (the Compose service)"),
        (PLAIN, Said(service={"ulimits": None}), DEFAULT_LIMITS, "ulimits of the Compose service"),
    ],
)  # fmt: skip
def test_whose_limits(settings: ContainerSettings, said: Said, args: tuple[str, ...], line: str) -> None:
    found = decide(settings, info(), said).ulimits
    assert found.args == args and line in found.line and bool(found.compose) is bool(args)


MIB8 = 8 * 1024**2


@pytest.mark.parametrize(
    ("engine", "args"),
    [
        (EngineLimits(), DEFAULT_LIMITS),
        (EngineLimits(True, {"nofile": 1024}), DEFAULT_LIMITS),
        (EngineLimits(False), ()),
        (EngineLimits(False, {"memlock": -1, "stack": -1, "nofile": -1}), DEFAULT_LIMITS),
        (EngineLimits(False, {"memlock": MIB8, "stack": -1, "nofile": 20000}),
         (f"--ulimit=memlock={MIB8}:{MIB8}", DEFAULT_LIMITS[1], "--ulimit=nofile=20000:20000")),
        (EngineLimits(False, {"stack": MIB8, "nofile": 100000}),
         (f"--ulimit=stack={MIB8}:{MIB8}", "--ulimit=nofile=65536:100000")),
    ],
    ids=["may", "may, its own do not matter", "may not", "may not, and has none", "lowered", "partly known"],
)  # fmt: skip
def test_limits_that_the_engine_may_give(engine: EngineLimits, args: tuple[str, ...]) -> None:
    found = decide(PLAIN, info(), Said(), engine).ulimits
    assert found.args == args
    assert ("may not raise limits" in found.line) is not engine.may_raise


def test_podman_is_told_its_own_number_of_processes_where_it_may_not_raise_limits() -> None:
    hard = {"memlock": MIB8, "stack": -1, "nofile": 20000, "nproc": 96365}
    found = decide(PLAIN, info(podman=True), Said(), EngineLimits(False, hard)).ulimits
    assert found.args[-1] == "--ulimit=nproc=96365:96365" and len(found.args) == 4
    assert decide(PLAIN, info(), Said(), EngineLimits(False, hard)).ulimits.args == found.args[:-1]
    assert decide(PLAIN, info(podman=True), Said(), EngineLimits(True, hard)).ulimits.args == DEFAULT_LIMITS
    said = Said(["--ulimit", "nproc=10"])
    assert decide(PLAIN, info(podman=True), said, EngineLimits(False, hard)).ulimits.args == found.args[:-1]


DEPLOYED = {"deploy": {"resources": {"limits": {"pids": 50}}}}


@pytest.mark.parametrize(
    ("said", "args", "line"),
    [
        (Said(), ("--pids-limit=-1",), "processes: any number (devenv's default; Podman's is 2048"),
        (Said(["--pids-limit", "100"]), (), "processes: at most 100 (runArgs --pids-limit)"),
        (Said(service={}), ("--pids-limit=-1",), "set pids_limit of the Compose service"),
        (Said(service={"pids_limit": 70, "deploy": None}), (), "processes: at most 70 (the Compose service)"),
        (Said(service=DEPLOYED), (), "processes: at most 50 (the Compose service)"),
    ],
    ids=["nobody says", "runArgs", "a service", "a service that says", "a service that says it elsewhere"],
)
def test_podman_s_limit_of_processes_goes(said: Said, args: tuple[str, ...], line: str) -> None:
    found = decide(PLAIN, info(podman=True), said)
    assert [word for word in found.args if "pids" in word] == list(args)
    assert ("pids_limit" in found.compose) is bool(args) and any(line in one for one in found.lines)
    docker = decide(PLAIN, info(), said)
    assert not [word for word in docker.args if "pids" in word] and "pids_limit" not in docker.compose
    assert not any("processes" in one for one in docker.lines)


def test_an_engine_without_root_gets_what_is_asked_by_name_only() -> None:
    assert decide(PLAIN, info(rootless=True), Said()).ulimits.args == ()
    asked = decide(ContainerSettings(ulimits={"nofile": "4096"}), info(rootless=True), Said()).ulimits
    assert asked.args == ("--ulimit=nofile=4096:4096",)


@pytest.mark.parametrize(
    ("settings", "said", "says", "args", "line"),
    [
        (PLAIN, Said(), None, ("--init",), "yes, unless the container keeps its own command (devenv's default"),
        (ContainerSettings(init=True), Said(), True, ("--init",), "yes (container.init)"),
        (ContainerSettings(init=False), Said(), False, ("--init=false",), "no (container.init)"),
        (ContainerSettings(init=False), Said(["--init"]), True, (), "yes (runArgs)"),
        (PLAIN, Said(["--init=false"]), False, (), "no (runArgs)"),
        (ContainerSettings(init=True), Said(init=False), False, (), 'no ("init")'),
        (PLAIN, Said(init=True), True, (), 'yes ("init")'),
        (ContainerSettings(init=True), Said(service={"init": False}), False, (), "no (the Compose service)"),
        (PLAIN, Said(service={}), None, ("--init",), "init of the Compose service"),
    ],
)
def test_init(settings: ContainerSettings, said: Said, says: bool | None, args: tuple[str, ...], line: str) -> None:
    found = decide(settings, info(), said)
    assert found.says_init is says and found.init.args == args and line in found.init.line
    assert "--init" not in found.args and "init" not in found.compose


@pytest.mark.parametrize(
    ("settings", "said", "args", "line"),
    [
        (PLAIN, Said(), (), "IPC: private, /dev/shm is large enough without the host's"),
        (ContainerSettings(ipc="shareable"), Said(), ("--ipc=shareable",), "IPC: shareable (container.ipc)"),
        (ContainerSettings(ipc="shareable"), Said(["--ipc=host"]), (), "IPC: host (runArgs)"),
        (PLAIN, Said(service={"ipc": "host"}), (), "IPC: host (the Compose service)"),
        (
            ContainerSettings(ipc="service:db"),
            Said(service={}),
            ("--ipc=service:db",),
            "IPC: service:db (container.ipc)",
        ),
    ],
)
def test_ipc(settings: ContainerSettings, said: Said, args: tuple[str, ...], line: str) -> None:
    found = decide(settings, info(), said).ipc
    assert found.args == args and found.line.startswith(line) and bool(found.compose) is bool(args)


def test_everything_together() -> None:
    found = decide(PLAIN, info(), Said())
    assert found.args == ("--shm-size=8192m", *DEFAULT_LIMITS)
    assert set(found.compose) == {"shm_size", "ulimits"}
    assert len(found.lines) == 4 and all("\n" not in line for line in found.lines)


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        ({"shm_size": "big"}, "shm-size", "'big' is no size.*8g, 512m"),
        ({"shm_size": "8"}, "shm-size", "less than 1 MiB.*did you mean 8g"),
        ({"shm_size": "-1g"}, "shm-size", "no size"),
        ({"shm_size": "8 giga"}, "shm-size", "no size"),
        ({"ulimits": {"nofiles": "1"}}, "ulimits.nofiles", "no limit.*nofile"),
        ({"ulimits": {"nofiles": ""}}, "ulimits.nofiles", "no limit"),
        ({"ulimits": {"nofile": "many"}}, "ulimits.nofile", "unlimited, 65536 or 65536:524288"),
        ({"ulimits": {"nofile": "9:1"}}, "ulimits.nofile", "soft limit above the hard one"),
        ({"ulimits": {"nofile": "unlimited:5"}}, "ulimits.nofile", "soft limit above the hard one"),
        ({"ipc": "private2"}, "ipc", "no IPC mode.*private, shareable"),
        ({"ipc": "container:"}, "ipc", "no IPC mode"),
        ({"ipc": "service:db"}, "ipc", "no IPC mode"),
    ],
)
def test_settings_that_mean_nothing(changes: dict[str, Any], key: str, words: str) -> None:
    with pytest.raises(BadSetting, match=words) as caught:
        decide(ContainerSettings(**changes), info(), Said())
    assert caught.value.key == key and caught.value.message and caught.value.hint


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8g", 8 * GIB),
        ("8GB", 8 * GIB),
        ("8 GiB", 8 * GIB),
        ("1.5g", GIB + GIB // 2),
        ("512m", GIB // 2),
        ("1t", 1024 * GIB),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert container_settings.size_in_bytes(text) == size


@given(st.sampled_from(LIMIT_NAMES), st.integers(0, 2**40), st.integers(0, 2**40) | st.just(-1))
def test_any_pair_in_order_is_a_limit(name: str, soft: int, hard: int) -> None:
    text = f"{soft}:{'unlimited' if hard == -1 else hard}"
    if hard == -1 or soft <= hard:
        assert container_settings.limit(name, text) == (soft, hard)
    else:
        with pytest.raises(BadSetting):
            container_settings.limit(name, text)


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_a_clear_refusal(text: str) -> None:
    try:
        assert container_settings.size_in_bytes(text) >= 1024**2
    except BadSetting as error:
        assert error.hint


@given(
    st.lists(
        st.sampled_from(
            ["--ulimit", "--ulimit=nofile=1", "--ipc", "--shm-size", "--init", "-v", "--mount", "x=y", "a:b"]
        )
    )
)
def test_no_option_of_the_configuration_is_given_twice(run_args: list[str]) -> None:
    found = training_defaults.decide(PLAIN, info(), Said(run_args))
    theirs = {word.partition("=")[0] for word in run_args}
    ours = {word.partition("=")[0] for word in found.args}
    assert not (ours - {"--ulimit"}) & theirs
    assert "--ulimit=nofile=1" not in run_args or not any("nofile" in word for word in found.args)
