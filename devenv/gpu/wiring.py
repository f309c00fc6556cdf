"""How a container gets the GPUs that are asked for: one way is taken, and every other one is answered for. Pure.

The order, and why:

1. **CDI**, where a spec has the cards. The engine puts the devices into the container's own configuration, so they are
   still there after `systemctl daemon-reload` (which takes a hook's devices away: "Failed to initialize NVML: Unknown
   Error" in a running training); it works without root and with Podman; it names exactly what it gives; and it needs
   nothing but a file. NVIDIA itself advises it. A spec that names files that are gone is passed over.
2. **`--gpus`** (API 1.40 and the toolkit's hook): the engine says itself when it cannot, and the request is Docker's
   own, which newer engines answer by CDI.
3. **`--runtime=nvidia`**: what there was before 19.03, and what some clusters still have alone. Last of NVIDIA's ways,
   because it is steered by environment variables, which images set as well.
4. **AMD**: CDI where the AMD Container Toolkit has written a spec, else the device nodes and their groups. After
   NVIDIA's, because many machines with an NVIDIA card also have a small AMD one in their processor; where an NVIDIA
   card is here and does not work, an AMD one is not taken silently.

A registered runtime is no GPU: where this machine can be seen, each of NVIDIA's ways also needs a card that works. Of
an engine elsewhere only `docker info` is believed. Other vendors' devices are taken by their CDI names when asked for.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Collection, Mapping, Sequence

from devcontainer.jsonc import JsonValue
from devenv.engine.port import EngineInfo
from devenv.gpu import answers, cdi, engine_facts, selection, ways
from devenv.gpu.answers import Refusal
from devenv.gpu.cards import gib
from devenv.gpu.request import Asked, By, NotAChoice
from devenv.gpu.selection import NotThere, Picked
from devenv.gpu.survey import HostDevices
from devenv.gpu.ways import Offer, Way

_FORCED = (Way.CDI, Way.GPUS, Way.RUNTIME, Way.AMD)
_RUNTIME_VARIABLE = "NVIDIA_VISIBLE_DEVICES"


@dataclasses.dataclass(frozen=True, slots=True)
class Wiring:
    """What is added to the container. With `refusal` nothing must be made; with `note` it is made without GPUs.

    `environment` goes with the container's other variables, so that the configuration's own values win; it is neither
    in `args` nor in `compose`. `lines` are for people: what was taken, why not each other way.
    """

    way: Way = Way.NONE
    args: tuple[str, ...] = ()  # words for `docker create`
    compose: Mapping[str, JsonValue] = dataclasses.field(default_factory=dict)  # keys of a Compose service
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    lines: tuple[str, ...] = ()
    note: str = ""
    refusal: Refusal | None = None


def wire(
    asked: Asked,
    info: EngineInfo,
    devices: HostDevices | None,
    *,
    forced: str = "",
    own: str = "",
    image_environment: Mapping[str, str] | None = None,
    without: Collection[Way] = (),
) -> Wiring:
    """`devices` None: the engine is elsewhere. `forced`: a way's word (`--gpu-via`), taken even where it looks
    impossible. `own`: what the configuration wires itself (`devenv.gpu.own`). `without`: ways that failed already.
    `image_environment`: variables that image and Compose service set; the driver capabilities among them stay.

    Raises `NotAChoice` for a `forced` that is no way.
    """
    way = parse_way(forced)
    if asked.nothing:
        return _nothing(asked, info, own)
    if own:
        told = f"GPUs: the configuration wires them itself ({own}); devenv adds nothing"
        return Wiring(lines=(told,), note=ways.forgotten(own, info))
    try:
        picked, environment, lines = _pick(asked, devices)
    except NotThere as error:
        return _missing(asked, answers.not_there(asked, error))
    lines += _cores(asked)
    if refusal := _memory(asked, picked, devices):
        return _missing(asked, refusal, lines)
    offers = _offers(asked, picked, info, devices)
    taken = _take(offers, way, without)
    if taken is None:
        refusal = answers.nothing_possible(asked, info, devices, offers, way or "")
        return _missing(asked, refusal, [*lines, *_others(offers, None, without)])
    environment = {**taken.environment, **environment}
    for name in set(environment) & set(image_environment or {}) - {_RUNTIME_VARIABLE}:
        del environment[name]
    return Wiring(
        way=taken.way,
        args=taken.args,
        compose=taken.compose,
        environment=environment,
        lines=(
            _told(asked, taken, environment, way),
            *lines,
            *taken.lines,
            *_selinux(info),
            *_others(offers, taken, without),
        ),
    )


def next_way(
    asked: Asked,
    info: EngineInfo,
    devices: HostDevices | None,
    tried: Sequence[Way],
    *,
    forced: str = "",
    image_environment: Mapping[str, str] | None = None,
) -> Wiring:
    """What to try after the ways in `tried`, in this order, made creation or start fail. `devices` is a fresh look.

    Where nothing is left, `way` is NONE: with a refusal that explains the last failure, or, for a wish, with the same
    as a note, and the container is made without GPUs. What was forced is not replaced by another way. A failure need
    not be about GPUs: when the next way fails as well, the first error is the one to tell.
    """
    failed = tried[-1]
    made = Wiring()
    if not forced:
        made = wire(asked, info, devices, image_environment=image_environment, without=tuple(tried))
    if made.way is not Way.NONE:
        told = f"GPUs by {failed.phrase} failed; trying {made.way.phrase}"
        return dataclasses.replace(made, lines=(told, *made.lines))
    return _missing(asked, answers.start_failed(failed, info, devices), made.lines)


def explain_start_failure(way: Way, info: EngineInfo, devices: HostDevices | None) -> Refusal:
    """Three lines for a container that could not be created or started with GPUs by `way`. `devices`: a fresh look.

    They go beside the engine's own words, not in their place: where the look finds nothing wrong, they say so.
    """
    return answers.start_failed(way, info, devices)


def parse_way(text: str) -> Way | None:
    """The way that `--gpu-via` names; None for "". Raises `NotAChoice`."""
    if not text:
        return None
    words = [way.value for way in _FORCED]
    if text.lower() in words:
        return Way(text.lower())
    close = difflib.get_close_matches(text.lower(), words, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(words)}"
    raise NotAChoice(f"{text!r} is no way to give GPUs", hint)


def _nothing(asked: Asked, info: EngineInfo, own: str) -> Wiring:
    if not asked.origin:
        return Wiring(note=ways.forgotten(own, info) if own else "")
    lines = [f"no GPUs: {asked.origin}"]
    if own:
        lines.append(f"the configuration's own GPU wiring stays ({own}): it is not devenv's to remove")
    elif engine_facts.default_is_nvidia(info):
        lines.append(
            f"the engine's default runtime gives GPUs to images that ask for them: {_RUNTIME_VARIABLE}=void stops it"
        )
        return Wiring(environment={_RUNTIME_VARIABLE: "void"}, lines=tuple(lines))
    return Wiring(lines=tuple(lines))


def _pick(asked: Asked, devices: HostDevices | None) -> tuple[Picked, dict[str, str], list[str]]:
    """(cards, environment, lines). Raises `NotThere`."""
    if asked.choice.by is By.CDI:
        return Picked(), {}, []
    cards = devices.smi.cards if devices is not None else ()
    if devices is not None and devices.amd_only:
        selection.amd(asked, devices.amd)  # raises for a card that is not there
        return selection.nvidia(asked, ()), {}, []
    picked = selection.nvidia(asked, cards)
    lines = list(picked.lines)
    if picked.picks and devices is not None and devices.dxg:
        names = ",".join(pick.names[0] for pick in picked.picks)
        lines.append("WSL gives all cards or none: CUDA_VISIBLE_DEVICES shows the chosen ones to CUDA")
        # CUDA counts the fastest card first unless it is told to count as nvidia-smi does.
        environment = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": names}
        return dataclasses.replace(picked, everything=True, picks=()), environment, lines
    return picked, {}, lines


def _offers(asked: Asked, picked: Picked, info: EngineInfo, devices: HostDevices | None) -> list[Offer]:
    """Every way, in the order of preference."""
    if asked.choice.by is By.CDI:
        return [ways.named_cdi(asked, info, devices)]
    amd = [ways.by_amd_nodes(asked, info, devices)]
    if ways.cdi_known(cdi.AMD_GPU, info, devices):
        amd.insert(0, ways.vendor_cdi(cdi.AMD_GPU, asked, picked, info, devices))
    if devices is not None and devices.nvidia_shown:
        why = "an NVIDIA card is here, and goes first even where it does not work (--gpu-via amd takes the AMD one)"
        amd = [offer if offer.doubt else dataclasses.replace(offer, doubt=why) for offer in amd]
    return [
        ways.vendor_cdi(cdi.NVIDIA_GPU, asked, picked, info, devices),
        ways.by_gpus(picked, info, devices),
        ways.by_runtime(picked, info, devices),
        *amd,
    ]


def _take(offers: Sequence[Offer], forced: Way | None, without: Collection[Way]) -> Offer | None:
    left = [offer for offer in offers if offer.args and offer.way not in without]
    if forced is not None:
        mine = [offer for offer in left if offer.way is forced]
        return next((offer for offer in mine if not offer.doubt), mine[0] if mine else None)
    return next((offer for offer in left if not offer.doubt), None)


def _told(asked: Asked, taken: Offer, environment: Mapping[str, str], forced: Way | None) -> str:
    words = " ".join([*taken.args, *(f"{name}={value}" for name, value in environment.items())])
    why = f"asked by {asked.origin}"
    if forced is not None:
        why += f"; --gpu-via {forced}" + (f", although {taken.doubt}" if taken.doubt else "")
    return f"GPUs by {taken.title}: {words} ({why})"


def _others(offers: Sequence[Offer], taken: Offer | None, without: Collection[Way]) -> list[str]:
    lines = []
    for offer in offers:
        if offer is taken:
            continue
        why = "it failed just now" if offer.way in without else offer.doubt
        first = f"{taken.title} goes first" if taken is not None else "it is not the one that was chosen"
        lines.append(f"not by {offer.title}: {why or first}")
    return lines


def _memory(asked: Asked, picked: Picked, devices: HostDevices | None) -> Refusal | None:
    """One GPU with that much is enough; where no memory is known, nothing is refused."""
    if not asked.memory or devices is None:
        return None
    known = selection.memory_known(picked.known)
    if devices.amd_only and asked.choice.by is not By.CDI:
        try:
            nodes = selection.amd(asked, devices.amd)
        except NotThere:
            return None  # told by the way itself
        known = [(f"{node.path} has {gib(node.memory)}", node.memory) for node in nodes if node.memory is not None]
    if not known or any(selection.enough_memory(asked.memory, size) for _, size in known):
        return None
    return answers.too_little_memory(asked, [title for title, _ in known])


def _cores(asked: Asked) -> list[str]:
    return [f"hostRequirements.gpu.cores ({asked.cores}) is not checked: drivers do not tell it"] if asked.cores else []


def _selinux(info: EngineInfo) -> list[str]:
    if not any(option.startswith("name=selinux") for option in info.security_options):
        return []
    return ["SELinux: if the container may not open the devices, `sudo setsebool -P container_use_devices 1` allows it"]


def _missing(asked: Asked, refusal: Refusal, lines: Sequence[str] = ()) -> Wiring:
    if asked.required:
        return Wiring(lines=tuple(lines), refusal=refusal)
    note = f"no GPU in the container; {asked.origin} only wishes for one. {refusal.found[0].upper()}{refusal.found[1:]}"
    return Wiring(lines=tuple(lines), note=note)
