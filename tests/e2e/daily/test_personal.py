"""What is a person's own: a file over the team's configuration, which of several configurations, which GPUs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Place
from tests.e2e.daily.site import Site
from tests.kit.fixtures import Images

pytestmark = [pytest.mark.engine, pytest.mark.users]

PERSONAL = ".devcontainer/devcontainer.local.json"


def files(site: Site) -> dict[str, bytes]:
    return {str(path.relative_to(site.folder)): path.read_bytes() for path in site.folder.rglob("*") if path.is_file()}


def test_a_personal_file_lies_over_the_teams(place: Place, images: Images) -> None:
    team = {
        "image": images.python_user,
        "remoteEnv": {"TRACKER": "team", "SEED": "1"},
        "postCreateCommand": "echo team >> /tmp/hooks",
        "customizations": {"devenv": {"runs": {"train": {"command": "echo train"}}}},
    }
    mine: dict[str, Any] = {
        "remoteEnv": {"TRACKER": "mine"},
        "postCreateCommand": "echo mine >> /tmp/hooks",
        "runArgs": ["--cpus=1"],
        "customizations": {"devenv": {"runs": {"quick": {"command": "echo quick"}}}},
    }
    site = place({".devcontainer/devcontainer.json": team, PERSONAL: mine})
    before = files(site)
    site.devenv("up", timeout=120).ok()
    assert site.exec("sh", "-c", "echo $TRACKER $SEED; cat /tmp/hooks").ok().out == "mine 1\nteam\nmine\n"
    assert site.docker.inspect(site.container())["HostConfig"]["NanoCpus"] == 10**9
    for name in ("train", "quick"):
        site.devenv("run", name).ok().says(f"^{name}$")
    assert files(site) == before

    site.write(PERSONAL, json.dumps({**mine, "remoteEnv": {"TRACKER": "other"}, "runArgs": ["--cpus=2"]}))
    site.devenv("up").ok().says("runArgs: .*cpus=1.* -> .*cpus=2", "devenv rebuild")
    assert site.exec("printenv", "TRACKER").ok().out == "other\n"
    site.write(PERSONAL, json.dumps({**mine, "remoteUser": 3}))
    site.devenv("up").failed(65).says(rf"{PERSONAL}:1:\d+: remoteUser: must be a text")
    site.path(PERSONAL).unlink()
    site.devenv("rebuild", "--force", timeout=120).ok()
    assert site.exec("sh", "-c", "echo $TRACKER $SEED; cat /tmp/hooks").ok().out == "team 1\nteam\n"


def test_two_configurations_side_by_side(place: Place, images: Images) -> None:
    site = place(
        {
            ".devcontainer/devcontainer.json": {"image": images.python_user, "name": "Laptop"},
            ".devcontainer/cards/devcontainer.json": {
                "image": images.python,
                "name": "Cards",
                "hostRequirements": {"gpu": "optional"},
                "remoteEnv": {"WHICH": "cards"},
            },
        }
    )
    site.devenv("up", timeout=120).ok().says("^Laptop: running")
    site.devenv("up", "--config", "cards", timeout=120).ok().says(
        "^Cards: running", "cards/devcontainer.json .one of 2"
    )
    assert len(site.containers()) == 2
    assert site.devenv("exec", "--config", "cards", "--", "printenv", "WHICH").ok().out == "cards\n"
    site.exec("printenv", "WHICH").failed(1)
    site.devenv("configs").ok().says(r"Laptop .* running +default$", r"^cards +Cards .* running$")
    site.devenv("up", "--config", "crads").failed(66).says("no configuration crads", "cards/devcontainer.json")
    site.devenv("down", "--config", "cards", "--force", "--volumes").ok()
    assert site.devenv("status").ok().says("^Laptop: running") and len(site.containers()) == 1


NONE = r"no /dev/nvidia\*"


@pytest.mark.skipif(Path("/dev/nvidiactl").exists() or Path("/dev/kfd").exists(), reason="this machine has a GPU")
def test_gpus_where_there_are_none(place: Place, images: Images) -> None:
    """Where there are some is tested in tests/integration/gpu, with stand-ins."""
    required = place({".devcontainer.json": {"image": images.python_user, "hostRequirements": {"gpu": True}}})
    refused = required.devenv("up").failed(77).says("hostRequirements.gpu asks for GPUs", NONE, "--gpus none")
    assert len(refused.err.splitlines()) == 3 and required.containers() == []
    required.devenv("up", "--gpus", "none", timeout=120).ok().says("no GPUs: --gpus none")

    wished = place({".devcontainer.json": {"image": images.python_user, "hostRequirements": {"gpu": "optional"}}})
    up = wished.devenv("up", timeout=120).ok().says("note: no GPU in the container; hostRequirements.gpu only wishes")
    up.says("not by CDI", "not by --gpus", "not by --runtime", "not by AMD")

    plain = place({".devcontainer.json": {"image": images.python_user}})
    asked = plain.devenv("up", "--gpus", "all").failed(77).says("--gpus all asks for GPUs", NONE)
    assert len(asked.err.splitlines()) == 3 and plain.containers() == []
    plain.devenv("up", "--gpus", "al").failed(65).says("'al' chooses no GPU .did you mean 'all'")
