"""The decision: machines and engines as values, what is asked, and the way that is taken. No GPU is used."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcontainer.requirements import Gpu
from devenv.engine.port import EngineInfo
from devenv.gpu import request
from devenv.gpu.cdi import AMD_GPU, CdiDevices
from devenv.gpu.survey import HostDevices
from devenv.gpu.ways import Way
from devenv.gpu.wiring import Wiring, next_way, wire
from tests.unit.gpu import machine
from tests.unit.gpu.machine import GIB, NVIDIA_CDI, amd, cards, cdi_devices, info, podman, smi

REQUIRED = request.asked(Gpu(True))
WISHED = request.asked(Gpu(False))
WITH_NVIDIA = ("runc", "nvidia")
AMD_CDI = cdi_devices("amd.com/gpu=0", "amd.com/gpu=all", file="/etc/cdi/amd.json")
CDI_ALL = ["--device", "nvidia.com/gpu=all"]
GPUS_ALL = ["--gpus", "all"]
WITH_CDI = cards(cdi=NVIDIA_CDI)
REMOTE = {"endpoint": "tcp://10.0.0.5:2376"}


def option(text: str, gpu: Gpu | None = None) -> request.Asked:
    return request.asked(gpu, option=text)


def reservation(wiring: Wiring) -> dict[str, Any]:
    (device,) = wiring.compose["deploy"]["resources"]["reservations"]["devices"]  # type: ignore[index, call-overload]
    assert isinstance(device, dict)
    return device


# description, asked, engine, machine, way, words of `docker create`
TAKEN: list[tuple[str, request.Asked, EngineInfo, HostDevices | None, Way, list[str]]] = [
    ("CDI goes first", REQUIRED, info(cdi=True, runtimes=WITH_NVIDIA), WITH_CDI, Way.CDI,
     CDI_ALL),
    ("a wish is wired as well", WISHED, info(cdi=True), WITH_CDI, Way.CDI, CDI_ALL),
    ("a spec without a name for all", REQUIRED, info(cdi=True), cards(cdi=cdi_devices("nvidia.com/gpu=0")), Way.CDI,
     ["--device", "nvidia.com/gpu=0"]),
    ("two of the spec's cards", option("2"), info(cdi=True), WITH_CDI, Way.CDI,
     ["--device", "nvidia.com/gpu=0", "--device", "nvidia.com/gpu=1"]),
    ("a card by UUID, the spec has indexes", option("GPU-1111"), info(cdi=True), WITH_CDI, Way.CDI,
     ["--device", "nvidia.com/gpu=1"]),
    ("a slice", option("0:1"), info(cdi=True),
     cards(found=smi(machine.MIG, machine.MIG_LISTED), cdi=cdi_devices("nvidia.com/gpu=0:0", "nvidia.com/gpu=0:1")),
     Way.CDI, ["--device", "nvidia.com/gpu=0:1"]),
    ("a spec alone shows the cards", REQUIRED, info(cdi=True), HostDevices(cdi=NVIDIA_CDI), Way.CDI,
     CDI_ALL),
    ("the engine tells its devices", REQUIRED, info(cdi=True, discovered=["nvidia.com/gpu=all"]), cards(), Way.CDI,
     CDI_ALL),
    ("an engine elsewhere tells its devices", REQUIRED, info(cdi=True, discovered=["nvidia.com/gpu=0"], **REMOTE), None,
     Way.CDI, ["--device", "nvidia.com/gpu=0"]),
    ("a lost card is left out", REQUIRED, info(cdi=True),
     cards(found=smi(machine.LOST, machine.LOST_LISTED), cdi=NVIDIA_CDI), Way.CDI, ["--device", "nvidia.com/gpu=0"]),
    ("Podman from 5.4", REQUIRED, podman("5.4.0"), WITH_CDI, Way.CDI, CDI_ALL),
    ("an engine without root", REQUIRED, info(cdi=True, security=("name=rootless",)), WITH_CDI, Way.CDI,
     CDI_ALL),
    ("CDI is off", REQUIRED, info(cdi=False), WITH_CDI, Way.GPUS, GPUS_ALL),
    ("the engine is older than CDI", REQUIRED, info(cdi=None, api="1.41", version="20.10.24"), WITH_CDI, Way.GPUS,
     GPUS_ALL),
    ("no spec", REQUIRED, info(cdi=True), cards(), Way.GPUS, GPUS_ALL),
    ("a spec that names what is gone", REQUIRED, info(cdi=True),
     cards(cdi=cdi_devices("nvidia.com/gpu=all", missing="/usr/lib/libcuda.so.535")), Way.GPUS, GPUS_ALL),
    ("the spec has only all, one is asked", option("device=1"), info(cdi=True),
     cards(cdi=cdi_devices("nvidia.com/gpu=all")), Way.GPUS, ["--gpus", "device=1"]),
    ("a count", option("2"), info(), cards(), Way.GPUS, ["--gpus", "2"]),
    ("cards by index", option("0,1"), info(), cards(), Way.GPUS, ["--gpus", '"device=0,1"']),
    ("a card by the beginning of its UUID", option("GPU-1111"), info(), cards(), Way.GPUS,
     ["--gpus", f"device={machine.UUIDS[1]}"]),
    ("a slice by UUID", option("MIG-2222"), info(), cards(found=smi(machine.MIG, machine.MIG_LISTED)), Way.GPUS,
     ["--gpus", "device=MIG-22222222-aaaa-bbbb-cccc-000000000000"]),
    ("no nvidia-smi on PATH", REQUIRED, info(), machine.UNASKED, Way.GPUS, GPUS_ALL),
    ("nvidia-smi gives no answer in time", REQUIRED, info(), machine.SLOW, Way.GPUS, GPUS_ALL),
    ("the runtime is registered, its hook elsewhere", REQUIRED, info(runtimes=WITH_NVIDIA), cards(toolkit=False),
     Way.GPUS, GPUS_ALL),
    ("the runtime has another name", REQUIRED, info(Runtimes={"gpu": {"path": "/usr/bin/nvidia-container-runtime"}}),
     cards(toolkit=False), Way.GPUS, GPUS_ALL),
    ("an engine elsewhere with the runtime", REQUIRED, info(runtimes=WITH_NVIDIA, **REMOTE), None, Way.GPUS,
     GPUS_ALL),
    ("WSL", REQUIRED, info(), machine.WSL, Way.GPUS, GPUS_ALL),
    ("before 19.03", REQUIRED, info(cdi=None, api="1.39", runtimes=WITH_NVIDIA), cards(), Way.RUNTIME,
     ["--runtime=nvidia"]),
    ("before 19.03, the runtime has another name", REQUIRED,
     info(cdi=None, api="1.39", Runtimes={"gpu": {"path": "/usr/bin/nvidia-container-runtime"}}), cards(), Way.RUNTIME,
     ["--runtime=gpu"]),
    ("AMD by CDI", REQUIRED, info(cdi=True), amd(16, cdi=AMD_CDI), Way.CDI,
     ["--device", "amd.com/gpu=all", "--group-add", "44", "--group-add", "109"]),
    ("AMD by its nodes", REQUIRED, info(), amd(16, 16), Way.AMD,
     ["--device", "/dev/kfd", "--device", "/dev/dri/renderD128", "--device", "/dev/dri/renderD129", "--group-add", "44",
      "--group-add", "109"]),
    ("one AMD card", option("device=1"), info(), amd(16, 16), Way.AMD,
     ["--device", "/dev/kfd", "--device", "/dev/dri/renderD129", "--group-add", "44", "--group-add", "109"]),
    ("AMD nodes of root alone", REQUIRED, info(), dataclasses.replace(amd(), kfd_gid=0, render=amd(16).render[:1]),
     Way.AMD, ["--device", "/dev/kfd", "--device", "/dev/dri/renderD128", "--group-add", "109"]),
    ("a CDI device by its name", option("intel.com/gpu=card0"), info(cdi=True),
     HostDevices(cdi=cdi_devices("intel.com/gpu=card0")), Way.CDI, ["--device", "intel.com/gpu=card0"]),
    ("two vendors' devices by name", option("nvidia.com/gpu=0,amd.com/gpu=0"), info(cdi=True),
     HostDevices(cdi=cdi_devices("nvidia.com/gpu=0", "amd.com/gpu=0")), Way.CDI,
     ["--device", "nvidia.com/gpu=0", "--device", "amd.com/gpu=0"]),
    ("as much memory as the card is called after", request.asked(Gpu(True, 0, 24 * GIB)), info(), cards(), Way.GPUS,
     GPUS_ALL),
    ("memory that nobody knows", request.asked(Gpu(True, 0, 24 * GIB)), info(), machine.UNASKED, Way.GPUS, GPUS_ALL),
    ("memory of an engine elsewhere", request.asked(Gpu(True, 0, 24 * GIB)), info(runtimes=WITH_NVIDIA, **REMOTE), None,
     Way.GPUS, GPUS_ALL),
]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "engine", "devices", "way", "args"), [row[1:] for row in TAKEN], ids=[r[0] for r in TAKEN]
)
def test_the_way_that_is_taken(
    asked: request.Asked, engine: EngineInfo, devices: HostDevices | None, way: Way, args: list[str]
) -> None:
    found = wire(asked, engine, devices)
    assert (found.way, list(found.args)) == (way, args)
    assert found.refusal is None and not found.note and found.compose
    assert found.lines[0].startswith(f"GPUs by {way.phrase}") and f"(asked by {asked.origin})" in found.lines[0]
    assert all("\n" not in line for line in found.lines)
    if asked.choice.by is not request.By.CDI:
        for other in {Way.CDI, Way.GPUS, Way.RUNTIME, Way.AMD} - {way}:
            assert any(line.startswith(f"not by {other.phrase}") for line in found.lines), other


# description, asked, engine, machine, a word of each line of the refusal
REFUSED: list[tuple[str, request.Asked, EngineInfo, HostDevices | None, str, str]] = [
    ("a bare machine", REQUIRED, info(), machine.BARE, "no /dev/nvidia*; no nvidia-smi", "machine with a GPU"),
    ("a registered runtime is no card (vrr#10307)", REQUIRED, info(runtimes=WITH_NVIDIA), machine.TOOLKIT_WITHOUT_CARD,
     "runtimes: nvidia, runc", "machine with a GPU"),
    ("no toolkit", REQUIRED, info(), cards(toolkit=False), "nvidia-smi: 2 cards", "runtime configure"),
    ("no toolkit, the engine has CDI", REQUIRED, info(cdi=True), cards(toolkit=False), "CDI: none", "cdi generate"),
    ("the driver does not work", REQUIRED, info(), machine.BROKEN, "exit code 18", "make `nvidia-smi` work"),
    ("the driver does not work, the spec is there", REQUIRED, info(cdi=True),
     dataclasses.replace(machine.BROKEN, cdi=NVIDIA_CDI), "exit code 18", "make `nvidia-smi` work"),
    ("only a spec that names what is gone", REQUIRED, info(cdi=True),
     cards(toolkit=False, cdi=cdi_devices("nvidia.com/gpu=all", missing="/gone")), "nvidia.com/gpu",
     "write /etc/cdi/nvidia.yaml anew"),
    ("a spec, and CDI is off", REQUIRED, info(cdi=False), cards(toolkit=False, cdi=NVIDIA_CDI), "nvidia.com/gpu",
     '"features": {"cdi": true}'),
    ("an engine elsewhere that shows nothing", REQUIRED, info(**REMOTE), None,
     "engine box is elsewhere; runtimes: runc", "on box"),
    ("an engine elsewhere with CDI that does not tell its devices", REQUIRED, info(cdi=True, **REMOTE), None,
     "its CDI devices unknown", "--gpu-via gpus"),
    ("Podman before 5.4 forgets in silence", REQUIRED, podman("4.9.3"), WITH_CDI, "crun, nvidia", "Podman 5.4"),
    ("WSL without CUDA", REQUIRED, info(), HostDevices(dxg=True), "no /dev/nvidia*", "machine with a GPU"),
    ("kfd without a card", REQUIRED, info(), HostDevices(kfd=True), "0 AMD cards", "ls -l /dev/dri"),
    ("a card that is not there", option("device=5"), info(), cards(), "card 0 (NVIDIA L4", "choose among these"),
    ("more cards than there are", option("3"), info(), cards(), "card 1 (NVIDIA L4", "choose among these"),
    ("an AMD card that is not there", option("device=1"), info(), amd(16), "AMD GPUs here: /dev/dri/renderD128",
     "choose among these"),
    ("a lost card by name", option("device=1"), info(), cards(found=smi(machine.LOST, machine.LOST_LISTED)), "lost",
     "choose among these"),
    ("too little memory", request.asked(Gpu(True, 0, 48 * GIB)), info(), cards(), "card 0 has 22.5 GiB", "larger card"),
    ("too little memory in the slice", option("0:1", Gpu(True, 0, 16 * GIB)), info(),
     cards(found=smi(machine.MIG, machine.MIG_LISTED)), "slice 2g.10gb of card 0 has 10 GiB", "larger card"),
    ("too little memory of AMD", request.asked(Gpu(True, 0, 24 * GIB)), info(), amd(16), "renderD128 has 16 GiB",
     "larger card"),
    ("a CDI device that is not there", option("amd.com/gpu=5"), info(cdi=True), amd(16, cdi=AMD_CDI), "amd.com/gpu=all",
     "did you mean --gpus amd.com/gpu=0?"),
    ("a CDI device of a kind that is not there", option("habana.ai/gaudi=0"), info(cdi=True), machine.BARE,
     "no CDI spec of habana.ai/gaudi", "its vendor's tool"),
    ("a CDI device whose files are gone", option("amd.com/gpu=0"), info(cdi=True),
     amd(16, cdi=cdi_devices("amd.com/gpu=0", missing="/dev/dri/renderD140")), "/dev/dri/renderD140", "anew"),
    ("a CDI device, and CDI is off", option("amd.com/gpu=0"), info(cdi=False), amd(16, cdi=AMD_CDI), "amd.com/gpu",
     '"features": {"cdi": true}'),
    ("a CDI device the engine has not found", option("amd.com/gpu=0"), info(cdi=True, discovered=[]),
     amd(16, cdi=AMD_CDI), "has found no CDI device", "its vendor's tool"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "engine", "devices", "found", "todo"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_required_and_missing(
    asked: request.Asked, engine: EngineInfo, devices: HostDevices | None, found: str, todo: str
) -> None:
    made = wire(asked, engine, devices)
    assert made.way is Way.NONE and made.args == () and not made.compose and not made.environment and not made.note
    assert made.refusal is not None
    assert len(made.refusal) == 3 and all(line and "\n" not in line for line in made.refusal)
    assert asked.origin in made.refusal.missing or "hostRequirements.gpu" in made.refusal.missing
    assert found in made.refusal.found and todo in made.refusal.todo
    error = made.refusal.error()
    assert f"{error.message}\n{error.hint}".splitlines() == list(made.refusal)


@pytest.mark.parametrize(
    ("engine", "devices"), [row[2:4] for row in REFUSED[:13]], ids=[row[0] for row in REFUSED[:13]]
)
def test_a_wish_that_cannot_be_met_is_a_note(engine: EngineInfo, devices: HostDevices | None) -> None:
    made = wire(WISHED, engine, devices)
    assert made.way is Way.NONE and made.refusal is None
    assert made.note.startswith("no GPU in the container; hostRequirements.gpu only wishes for one. Found: ")


def test_nobody_asks() -> None:
    assert wire(request.asked(None), info(), cards()) == Wiring()


@pytest.mark.parametrize("asked", [REQUIRED, WISHED, option("2")])
def test_the_configuration_wires_gpus_itself(asked: request.Asked) -> None:
    made = wire(asked, info(), machine.BARE, own="--gpus all")
    assert made == Wiring(lines=("GPUs: the configuration wires them itself (--gpus all); devenv adds nothing",))


def test_none_leaves_the_configurations_own_wiring() -> None:
    made = wire(option("none", Gpu(True)), info(), cards(), own="--gpus all")
    assert made.args == () and made.refusal is None
    assert made.lines == (
        "no GPUs: --gpus none",
        "the configuration's own GPU wiring stays (--gpus all): it is not devenv's to remove",
    )


@pytest.mark.parametrize(
    ("own", "version", "dropped"),
    [
        ("--gpus all", "4.9.3", True),
        ("--gpus=all", "5.4.0", True),
        ("--runtime nvidia", "5.4.0", True),
        ("--device nvidia.com/gpu=all", "4.9.3", True),
        ("--device=nvidia.com/gpu=all", "5.4.0", False),
        ("--device /dev/nvidia0", "4.9.3", False),
        ("--device=/dev/kfd", "4.9.3", False),
        ("devices: /dev/nvidia0", "4.9.3", False),
        ("devices: nvidia.com/gpu=0", "4.9.3", True),
        ("deploy.resources.reservations.devices", "5.4.0", True),
    ],
)
def test_podman_drops_the_configurations_own_wiring_and_it_is_said(own: str, version: str, dropped: bool) -> None:
    made = wire(REQUIRED, podman(version), WITH_CDI, own=own)
    assert ("without a word" in made.note) is dropped and made.args == ()
    assert wire(request.asked(None), podman(version), WITH_CDI, own=own).note == made.note
    assert wire(REQUIRED, info(), WITH_CDI, own=own).note == ""


def test_none_holds_where_the_default_runtime_gives_gpus() -> None:
    engine = info(runtimes=WITH_NVIDIA, DefaultRuntime="nvidia")
    made = wire(option("none"), engine, cards())
    assert made.environment == {"NVIDIA_VISIBLE_DEVICES": "void"} and made.way is Way.NONE
    assert wire(option("none"), info(runtimes=WITH_NVIDIA, DefaultRuntime="runc"), cards()).environment == {}


def test_the_runtime_is_told_by_environment() -> None:
    made = wire(option("0,1"), info(cdi=None, api="1.39", runtimes=WITH_NVIDIA), cards())
    assert made.environment == {"NVIDIA_VISIBLE_DEVICES": "0,1", "NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}
    assert made.compose == {"runtime": "nvidia"}


def test_capabilities_that_the_image_asks_for_stay() -> None:
    image = {"NVIDIA_DRIVER_CAPABILITIES": "all", "NVIDIA_VISIBLE_DEVICES": "all"}
    made = wire(option("2"), info(cdi=None, api="1.39", runtimes=WITH_NVIDIA), cards(), image_environment=image)
    assert made.environment == {"NVIDIA_VISIBLE_DEVICES": "0,1"}


@pytest.mark.parametrize(
    ("asked", "engine", "expected"),
    [
        (REQUIRED, info(cdi=True), {"driver": "cdi", "device_ids": ["nvidia.com/gpu=all"], "capabilities": ["gpu"]}),
        (REQUIRED, info(), {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}),
        (option("2"), info(), {"driver": "nvidia", "count": 2, "capabilities": ["gpu"]}),
        (option("0,1"), info(), {"driver": "nvidia", "device_ids": ["0", "1"], "capabilities": ["gpu"]}),
    ],
)
def test_reservations_of_a_compose_service(asked: request.Asked, engine: EngineInfo, expected: dict[str, Any]) -> None:
    assert reservation(wire(asked, engine, cards(cdi=NVIDIA_CDI))) == expected


def test_amd_for_a_compose_service() -> None:
    made = wire(REQUIRED, info(), amd(16))
    assert made.compose == {
        "devices": ["/dev/kfd:/dev/kfd", "/dev/dri/renderD128:/dev/dri/renderD128"],
        "group_add": ["44", "109"],
    }
    by_cdi = wire(REQUIRED, info(cdi=True), amd(16, cdi=AMD_CDI))
    assert by_cdi.compose["group_add"] == ["44", "109"]
    assert reservation(by_cdi)["device_ids"] == [f"{AMD_GPU}=all"]


def test_no_security_option_is_loosened_for_rocm() -> None:
    made = wire(REQUIRED, info(), amd(16))
    assert "--security-opt" not in made.args and "security_opt" not in made.compose
    assert any("seccomp=unconfined" in line for line in made.lines)


def test_cards_of_wsl_are_chosen_by_environment() -> None:
    made = wire(option("device=1"), info(), machine.WSL)
    assert made.args == ("--gpus", "all")
    assert made.environment == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "1"}
    assert any(line.startswith("WSL gives all cards or none") for line in made.lines)
    with_cdi = dataclasses.replace(machine.WSL, cdi=cdi_devices("nvidia.com/gpu=all"))
    by_cdi = wire(option("device=1"), info(cdi=True), with_cdi)
    assert by_cdi.args == ("--device", "nvidia.com/gpu=all") and by_cdi.environment == made.environment


def test_cores_are_told_as_not_checked_once() -> None:
    made = wire(request.asked(Gpu(True, 5000)), info(), cards())
    assert [line for line in made.lines if "cores" in line] == [
        "hostRequirements.gpu.cores (5000) is not checked: drivers do not tell it"
    ]


@pytest.mark.parametrize(
    ("security", "words"),
    [(("name=selinux",), "container_use_devices"), (("name=rootless",), "no-cgroups")],
)
def test_what_an_engine_needs_besides(security: tuple[str, ...], words: str) -> None:
    assert any(words in line for line in wire(REQUIRED, info(security=security), cards()).lines)


def test_amd_does_not_stand_in_for_an_nvidia_card_that_does_not_work() -> None:
    both = dataclasses.replace(machine.BROKEN, kfd=True, kfd_gid=44, render=amd(16).render)
    made = wire(REQUIRED, info(), both)
    assert made.way is Way.NONE and any(
        "not by AMD device nodes: an NVIDIA card is here" in line for line in made.lines
    )
    assert wire(REQUIRED, info(), both, forced="amd").way is Way.AMD


@pytest.mark.parametrize(
    ("forced", "asked", "engine", "devices", "args"),
    [
        ("gpus", REQUIRED, info(cdi=True), cards(cdi=NVIDIA_CDI), ["--gpus", "all"]),
        ("runtime", REQUIRED, info(cdi=True, runtimes=WITH_NVIDIA), cards(cdi=NVIDIA_CDI), ["--runtime=nvidia"]),
        ("cdi", REQUIRED, info(cdi=True), cards(cdi=NVIDIA_CDI), ["--device", "nvidia.com/gpu=all"]),
        ("cdi", option("device=1"), info(), cards(), ["--device", "nvidia.com/gpu=1"]),
        ("cdi", option("2"), info(), cards(), ["--device", "nvidia.com/gpu=0", "--device", "nvidia.com/gpu=1"]),
        ("cdi", REQUIRED, info(cdi=True), amd(16, cdi=AMD_CDI),
         ["--device", "amd.com/gpu=all", "--group-add", "44", "--group-add", "109"]),
        ("gpus", REQUIRED, info(**REMOTE), None, ["--gpus", "all"]),
        ("runtime", option("2"), info(), machine.BARE, ["--runtime=nvidia"]),
        ("amd", REQUIRED, info(cdi=True), amd(16, cdi=AMD_CDI),
         ["--device", "/dev/kfd", "--device", "/dev/dri/renderD128", "--group-add", "44", "--group-add", "109"]),
    ],
)  # fmt: skip
def test_a_way_that_is_forced(
    forced: str, asked: request.Asked, engine: EngineInfo, devices: HostDevices | None, args: list[str]
) -> None:
    made = wire(asked, engine, devices, forced=forced)
    assert (made.way, list(made.args)) == (Way(forced), args) and f"--gpu-via {forced}" in made.lines[0]


def test_a_forced_way_that_looks_impossible_says_so() -> None:
    assert "although no NVIDIA device is present" in wire(REQUIRED, info(), machine.BARE, forced="gpus").lines[0]


@pytest.mark.parametrize(("devices", "words"), [(None, "another machine"), (machine.BARE, "no /dev/kfd")])
def test_a_forced_way_that_cannot_even_be_tried(devices: HostDevices | None, words: str) -> None:
    made = wire(REQUIRED, info(), devices, forced="amd")
    assert made.refusal is not None and words in made.refusal.found and "leave out --gpu-via" in made.refusal.todo


def test_the_next_way_after_a_failure() -> None:
    engine, devices = info(cdi=True, runtimes=WITH_NVIDIA), cards(cdi=NVIDIA_CDI)
    second = next_way(REQUIRED, engine, devices, [Way.CDI])
    assert second.way is Way.GPUS and second.lines[0] == "GPUs by CDI failed; trying --gpus"
    assert "not by CDI: it failed just now" in second.lines
    third = next_way(
        REQUIRED, engine, devices, [Way.CDI, Way.GPUS], image_environment={"NVIDIA_DRIVER_CAPABILITIES": "all"}
    )
    assert third.way is Way.RUNTIME and third.environment == {"NVIDIA_VISIBLE_DEVICES": "all"}
    last = next_way(REQUIRED, engine, devices, [Way.CDI, Way.GPUS, Way.RUNTIME])
    assert last.way is Way.NONE and last.refusal is not None
    assert last.refusal.missing == "the engine could not start the container with GPUs by --runtime"


def test_a_wish_goes_on_without_when_all_ways_failed() -> None:
    made = next_way(WISHED, info(), cards(), [Way.GPUS])
    assert made.way is Way.NONE and made.refusal is None and made.note


def test_a_forced_way_has_no_next() -> None:
    made = next_way(REQUIRED, info(cdi=True), cards(cdi=NVIDIA_CDI), [Way.GPUS], forced="gpus")
    assert made.way is Way.NONE and made.refusal is not None


WAYS = st.sampled_from(["", "cdi", "gpus", "runtime", "amd"])
ENGINES = st.builds(
    info,
    api=st.sampled_from(["1.24", "1.39", "1.40", "1.45", "1.51"]),
    runtimes=st.sampled_from([("runc",), WITH_NVIDIA, ()]),
    cdi=st.sampled_from([True, False, None]),
    discovered=st.sampled_from([None, [], ["nvidia.com/gpu=0"], ["nvidia.com/gpu=all", "amd.com/gpu=all"]]),
)
MACHINES = st.sampled_from(
    [None, machine.BARE, machine.TOOLKIT_WITHOUT_CARD, machine.BROKEN, machine.UNASKED, machine.SLOW, machine.WSL,
     cards(), cards(toolkit=False), cards(cdi=NVIDIA_CDI), cards(found=smi(machine.LOST, machine.LOST_LISTED)),
     amd(16), amd(), amd(16, cdi=AMD_CDI), HostDevices(cdi=CdiDevices())]
)  # fmt: skip
ASKED = st.sampled_from(["all", "none", "1", "2", "0,1", "device=0", "0:1", "GPU-0000", "MIG-2222", "amd.com/gpu=0"])


@given(
    ASKED, st.sampled_from([None, Gpu(True), Gpu(False), Gpu(True, 9, 8 * GIB)]), ENGINES, MACHINES, WAYS, st.booleans()
)
def test_one_of_four_outcomes(
    text: str, gpu: Gpu | None, engine: EngineInfo, devices: HostDevices | None, forced: str, by_setting: bool
) -> None:
    asked = request.asked(gpu, option="" if by_setting else text, setting=text if by_setting else "")
    made = wire(asked, engine, devices, forced=forced)
    outcomes = [bool(made.args), bool(made.note), made.refusal is not None, asked.nothing]
    assert outcomes.count(True) == 1
    assert bool(made.args) is (made.way is not Way.NONE) is bool(made.compose)
    assert made.refusal is None or asked.required
    if forced and made.args:
        assert made.way == forced
