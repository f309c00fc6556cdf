"""Images that an engine elsewhere lacks and this machine's engine has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from devenv.api.context import ClientContext
from devenv.engine.fake import FakeEngine
from devenv.engine.port import ExecResult
from devenv.environment.environments import Environments
from devenv.environment.image.nearby import Nearby
from devenv.environment.plan import UpOptions
from devenv.environment.results import UpResult
from devenv.errors import BuildFailed, EngineError, ImageMissing
from tests.unit.environment.conftest import FILES, OWNER, Site

NAME = "team/train:1"
CONFIG: Mapping[str, Any] = {"User": "", "Env": ["PATH=/bin"]}


def elsewhere(*images: str, **more: Any) -> FakeEngine:
    return FakeEngine(dict.fromkeys(images, CONFIG), files=FILES, **more)


def pulled(engine: FakeEngine, name: str) -> None:
    """As if a registry knew the image of this name."""
    engine._images[name]["RepoDigests"] = [f"{name.partition(':')[0]}@sha256:{'a' * 64}"]


async def up(site: Site, there: FakeEngine, here: FakeEngine | None, **options: Any) -> UpResult:
    async def engine_for(ctx: ClientContext) -> FakeEngine:
        return there

    async def nearby(ctx: ClientContext) -> Nearby | None:
        return Nearby(here, "gpu-box") if here is not None else None

    rooms = Environments(engine_for, site.state, OWNER, lambda: 1000.0, nearby=nearby)
    return await rooms.up(await site.target(), site.ctx, UpOptions(**options), site.told)


def asked(engine: FakeEngine, *methods: str) -> list[str]:
    return [f"{method} {what}" for method, what in engine.calls if method in methods]


async def test_one_that_no_registry_knows_is_sent_and_never_pulled(site: Site) -> None:
    site.configure({"image": NAME})
    there, here = elsewhere(registry={NAME: {"User": "somebody else's"}}), elsewhere(NAME)
    result = await up(site, there, here)
    ours = await here.image(NAME)
    assert ours is not None and result.container.image_id == ours.id
    assert not asked(there, "pull")
    assert (f"send:{NAME}", f"Sending {NAME} to gpu-box") in site.told.steps


async def test_one_of_a_registry_is_pulled_there(site: Site) -> None:
    site.configure({"image": NAME})
    there, here = elsewhere(registry={NAME: CONFIG}), elsewhere(NAME)
    pulled(here, NAME)
    await up(site, there, here)
    assert asked(there, "pull") == [f"pull {NAME}"] and not asked(there, "load_image")


async def test_one_that_cannot_be_pulled_there_is_sent_and_that_is_said(site: Site) -> None:
    site.configure({"image": NAME})
    there, here = elsewhere(), elsewhere(NAME)
    pulled(here, NAME)
    await up(site, there, here)
    assert asked(there, "pull", "load_image") == [f"pull {NAME}", f"load_image {NAME}"]
    assert any(f"gpu-box cannot pull {NAME}" in note for note in site.told.notes)


@pytest.mark.parametrize("here", [elsewhere("another:1"), None])
async def test_one_that_nobody_has_is_told_as_ever(site: Site, here: FakeEngine | None) -> None:
    site.configure({"image": NAME})
    with pytest.raises(ImageMissing, match=f"image {NAME} is not here and cannot be pulled"):
        await up(site, elsewhere(), here)


async def test_one_that_is_there_is_not_looked_for_here(site: Site) -> None:
    site.configure({"image": NAME})
    here = elsewhere(NAME)
    await up(site, elsewhere(NAME), here)
    assert not here.calls


async def test_one_for_another_machine_is_not_sent(site: Site) -> None:
    site.configure({"image": NAME})
    there, here = elsewhere(info={"Architecture": "aarch64"}), elsewhere(NAME)
    with pytest.raises(EngineError, match="is for amd64, and gpu-box is a machine of arm64"):
        await up(site, there, here)
    assert asked(there, "pull", "load_image") == [f"pull {NAME}"]


async def test_pull_brings_the_one_that_was_built_here_again(site: Site) -> None:
    site.configure({"image": NAME})
    there, here = elsewhere(NAME), elsewhere("something:1", NAME)
    result = await up(site, there, here, pull=True)
    ours = await here.image(NAME)
    assert ours is not None and result.container.image_id == ours.id


async def test_images_of_a_dockerfile_are_there_before_the_build(site: Site) -> None:
    site.configure({"build": {"dockerfile": "Dockerfile"}})
    text = "FROM team/base:1\nCOPY --from=team/tools /t /t\nCOPY --from=unknown /u /u\n"
    (site.root / ".devcontainer" / "Dockerfile").write_text(text)
    there, here = elsewhere(), elsewhere("team/base:1", "team/tools:latest")
    await up(site, there, here)
    done = asked(there, "load_image", "build", "pull")
    assert done[:2] == ["load_image team/base:1", "load_image team/tools:latest"]
    assert [one.split()[0] for one in done] == ["load_image", "load_image", "build"]


async def test_one_that_is_named_by_its_digest_gets_a_name_of_ours(site: Site) -> None:
    reference = f"team/train@sha256:{'b' * 64}"
    site.configure({"image": reference})
    there, here = elsewhere(), elsewhere(NAME)
    here._images[reference] = here._images[NAME]
    pulled(here, NAME)
    result = await up(site, there, here)
    ours = await here.image(NAME)
    assert ours is not None and result.container.image_id == ours.id
    assert result.container.image == f"devenv/sent:{ours.id.removeprefix('sha256:')[:24]}"


async def test_other_services_of_a_compose_project_have_their_images_too(site: Site) -> None:
    site.configure({"dockerComposeFile": "compose.yml", "service": "app", "workspaceFolder": "/w"})
    site.configure("services: {}\n", ".devcontainer/compose.yml")
    (site.root / ".devcontainer" / "Dockerfile").write_text("FROM team/base:1\n")
    build = {"context": str(site.root / ".devcontainer"), "dockerfile": "Dockerfile"}
    services = {
        "app": {"build": build},
        "db": {"image": "team/db:1"},
        "idle": {"image": "team/idle:1", "profiles": ["later"]},
    }
    there, here = elsewhere(), elsewhere("team/base:1", "team/db:1", "team/idle:1")

    def compose(words: list[str]) -> ExecResult:
        if "config" in words:
            return ExecResult(0, json.dumps({"name": "p", "services": services}).encode(), b"")
        return ExecResult(1, b"", b"it goes no further")

    there.on_compose = compose
    with pytest.raises(BuildFailed):
        await up(site, there, here)
    assert asked(there, "load_image", "pull") == ["load_image team/db:1", "load_image team/base:1"]
