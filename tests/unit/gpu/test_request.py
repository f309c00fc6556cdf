"""What is asked: every form of a choice, every slip, and who wins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcontainer.requirements import Gpu
from devenv.errors import UsageError
from devenv.gpu import request
from devenv.gpu.request import ALL, NOTHING, Asked, By, Choice, NotAChoice
from devenv.gpu.ways import Way
from devenv.gpu.wiring import parse_way

GIB = 1024**3
MIG = "MIG-GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77/1/0"


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("all", ALL),
        ("ALL", ALL),
        (" none ", NOTHING),
        ("2", Choice(By.COUNT, 2)),
        ("1", Choice(By.COUNT, 1)),
        ("0,2", Choice(By.CARDS, names=("0", "2"))),
        ("0, 2", Choice(By.CARDS, names=("0", "2"))),
        ("0,0", Choice(By.CARDS, names=("0",))),
        ("device=0", Choice(By.CARDS, names=("0",))),
        ('"device=0,2"', Choice(By.CARDS, names=("0", "2"))),
        ("GPU-5d5ba0d6", Choice(By.CARDS, names=("GPU-5d5ba0d6",))),
        (
            "GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77,1",
            Choice(By.CARDS, names=("GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77", "1")),
        ),
        ("0:1", Choice(By.CARDS, names=("0:1",))),
        ("MIG-c6d4f1ef", Choice(By.CARDS, names=("MIG-c6d4f1ef",))),
        (MIG, Choice(By.CARDS, names=(MIG,))),
        ("amd.com/gpu=0", Choice(By.CDI, names=("amd.com/gpu=0",))),
        ("nvidia.com/gpu=all", Choice(By.CDI, names=("nvidia.com/gpu=all",))),
        ("intel.com/gpu=card0,habana.ai/gaudi=1", Choice(By.CDI, names=("intel.com/gpu=card0", "habana.ai/gaudi=1"))),
    ],
)
def test_choices(text: str, choice: Choice) -> None:
    assert request.parse(text) == choice == request.from_option(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("al", "did you mean 'all'?"),
        ("any", "did you mean 'all'?"),
        ("non", "did you mean 'none'?"),
        ("false", "did you mean 'none'?"),
        ("0", "'device=0'"),
        ("1000", "known here"),
        ("65", "known here"),
        ("0-3", "did you mean '0,1,2,3'?"),
        ("cuda:1", "did you mean 'device=1'?"),
        ("gpu0", "did you mean 'device=0'?"),
        ("gpu-5d5ba0d6", "did you mean 'GPU-5d5ba0d6'?"),
        ("GPU-xyz", "nvidia-smi -L"),
        ("mig-c6d4f1ef", "did you mean 'MIG-c6d4f1ef'?"),
        ("nvidia.com/gpu", "nvidia.com/gpu=0"),
        ("/dev/nvidia0", "vendor.com/class=name"),
        ("0,,2", "known here"),
        ("0,nvidia.com/gpu=1", "one kind only"),
        ("", "known here"),
        ("3-1", "known here"),
        ("-1", "known here"),
        ("2.5", "known here"),
        ("\u0662", "known here"),
    ],
)
def test_slips(text: str, hint: str) -> None:
    with pytest.raises(NotAChoice) as caught:
        request.parse(text)
    assert hint in caught.value.hint and "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="--gpus: "):
        request.from_option(text)


@given(st.text(alphabet='alnoe0129,:-=/.GPUMIgpu "', max_size=24))
def test_any_text_is_a_choice_or_one_line(text: str) -> None:
    try:
        choice = request.parse(text)
    except NotAChoice as error:
        assert error.message and error.hint and "\n" not in str(error)
    else:
        assert (choice.by in (By.CARDS, By.CDI)) is bool(choice.names)


@pytest.mark.parametrize(
    ("gpu", "option", "setting", "expected"),
    [
        (None, "", "", Asked()),
        (Gpu(True), "", "", Asked(ALL, True, 0, 0, "hostRequirements.gpu")),
        (Gpu(False), "", "", Asked(ALL, False, 0, 0, "hostRequirements.gpu")),
        (Gpu(True, 1000, 8 * GIB), "", "", Asked(ALL, True, 8 * GIB, 1000, "hostRequirements.gpu")),
        (None, "all", "", Asked(ALL, True, 0, 0, "--gpus all")),
        (Gpu(False), "1", "", Asked(Choice(By.COUNT, 1), True, 0, 0, "--gpus 1")),
        (Gpu(True, 0, GIB), "none", "", Asked(NOTHING, True, GIB, 0, "--gpus none")),
        (None, "", "device=1", Asked(Choice(By.CARDS, names=("1",)), True, 0, 0, "container.gpus: device=1")),
        (Gpu(False), "", "all", Asked(ALL, False, 0, 0, "container.gpus: all")),
        (Gpu(True), "", "none", Asked(NOTHING, True, 0, 0, "container.gpus: none")),
        (None, "1", "2", Asked(Choice(By.COUNT, 1), True, 0, 0, "--gpus 1")),
    ],
    ids=[
        "nobody asks",
        "required",
        "wished for",
        "with a size",
        "the option alone",
        "the option requires what was a wish",
        "the option takes away",
        "the setting alone",
        "a setting beside a wish stays one",
        "the setting takes away",
        "the option before the setting",
    ],
)
def test_who_asks(gpu: Gpu | None, option: str, setting: str, expected: Asked) -> None:
    assert request.asked(gpu, option=option, setting=setting) == expected


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Asked(ALL, True, 8 * GIB), "GPUs with 8 GiB"),
        (Asked(Choice(By.COUNT, 1)), "1 GPU"),
        (Asked(Choice(By.COUNT, 2)), "2 GPUs"),
        (Asked(Choice(By.CARDS, names=("0", "2"))), "GPU 0,2"),
        (Asked(Choice(By.CDI, names=("amd.com/gpu=0",))), "amd.com/gpu=0"),
        (Asked(), "no GPUs"),
    ],
)
def test_for_people(asked: Asked, words: str) -> None:
    assert str(asked) == words


@pytest.mark.parametrize(
    ("text", "way"), [("", None), ("cdi", Way.CDI), ("GPUs", Way.GPUS), ("runtime", Way.RUNTIME), ("amd", Way.AMD)]
)
def test_ways_by_their_words(text: str, way: Way | None) -> None:
    assert parse_way(text) is way


@pytest.mark.parametrize(
    ("text", "hint"), [("gpu", "did you mean 'gpus'?"), ("none", "known here"), ("x", "known here")]
)
def test_words_that_are_no_way(text: str, hint: str) -> None:
    with pytest.raises(NotAChoice, match="no way to give GPUs") as caught:
        parse_way(text)
    assert hint in caught.value.hint
