"""Lifecycle commands on the real engine: what waits for what, what runs again, what ends one, and who may know."""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import subprocess

import pytest

from devcontainer.lifecycle import Stage
from devenv.environment.plan import Hooks, UpOptions
from devenv.errors import ConfigError, HookFailed, Refused
from tests.integration.environment.conftest import Site, git

pytestmark = pytest.mark.engine

IMAGE = "devenv-rig/python-user"


async def test_commands_after_wait_for_are_left_for_later(site: Site) -> None:
    site.configure(
        {
            "image": IMAGE,
            "waitFor": "onCreateCommand",
            "onCreateCommand": "echo create >> /tmp/ran",
            "postCreateCommand": "echo post >> /tmp/ran",
            "postStartCommand": "echo start >> /tmp/ran",
        }
    )
    made = await site.up(hooks=Hooks.CONFIGURED)
    assert await site.run(made, "cat /tmp/ran") == "create"
    assert made.pending == (Stage.UPDATE_CONTENT, Stage.POST_CREATE, Stage.POST_START)
    await site.rooms.run_pending(await site.target(), site.ctx, UpOptions(), site.told)
    assert await site.run(made, "cat /tmp/ran") == "create\npost\nstart"
    again = await site.up(hooks=Hooks.CONFIGURED)
    assert again.pending == () and await site.run(again, "cat /tmp/ran") == "create\npost\nstart"


async def test_without_wait_for_everything_is_waited_for(site: Site) -> None:
    site.configure({"image": IMAGE, "postCreateCommand": "echo post >> /tmp/ran"})
    made = await site.up(hooks=Hooks.CONFIGURED)
    assert made.pending == () and await site.run(made, "cat /tmp/ran") == "post"


async def test_all_forms_in_order_and_an_object_in_parallel(site: Site) -> None:
    site.configure(
        {
            "image": IMAGE,
            "onCreateCommand": ["sh", "-c", "echo array >> /tmp/ran"],
            "updateContentCommand": "echo text >> /tmp/ran",
            # Each waits for the other: one after the other they would never end.
            "postCreateCommand": {
                "one": "touch /tmp/one; until [ -e /tmp/two ]; do sleep 0.05; done",
                "two": [
                    "sh",
                    "-c",
                    "touch /tmp/two; until [ -e /tmp/one ]; do sleep 0.05; done; echo both >> /tmp/ran",
                ],
            },
        }
    )
    made = await site.up(hook_limit=20.0)
    assert await site.run(made, "cat /tmp/ran") == "array\ntext\nboth"


async def test_an_edited_command_runs_again_and_alone(site: Site) -> None:
    config = {
        "image": IMAGE,
        "onCreateCommand": "echo create >> /tmp/ran",
        "postCreateCommand": "echo post >> /tmp/ran",
    }
    site.configure(config)
    await site.up()
    site.configure({**config, "postCreateCommand": "echo other >> /tmp/ran"})
    again = await site.up()
    assert await site.run(again, "cat /tmp/ran") == "create\npost\nother"
    assert any("postCreateCommand was edited" in note for note in again.notes)
    site.configure({key: value for key, value in config.items() if key != "postCreateCommand"})
    assert await site.run(await site.up(), "cat /tmp/ran") == "create\npost\nother"


async def test_a_failed_command_is_told_with_its_output_and_tried_again(site: Site) -> None:
    config = {"image": IMAGE, "onCreateCommand": "echo create >> /tmp/ran"}
    site.configure(
        {**config, "postCreateCommand": {"bad": "echo why it failed; exit 3", "good": "echo good >> /tmp/ran"}}
    )
    with pytest.raises(HookFailed) as caught:
        await site.up()
    assert caught.value.details["name"] == "bad" and caught.value.details["exit_code"] == 3
    assert caught.value.details["lines"] == ["why it failed"]
    site.configure({**config, "postCreateCommand": "echo mended >> /tmp/ran"})
    made = await site.up()
    assert await site.run(made, "cat /tmp/ran") == "create\ngood\nmended"


async def test_a_command_that_never_ends_is_ended_inside(site: Site) -> None:
    site.configure({"image": IMAGE, "postStartCommand": "sleep 12345 & sleep 12345"})
    with pytest.raises(HookFailed, match="took longer than 1 s and was ended"):
        await site.up(hook_limit=1.0)
    (identity,) = await site.containers()
    left = await site.engine.exec_capture(identity, ["sh", "-c", "ps -e -o args | grep -c '[s]leep 12345'"])
    assert left.stdout.strip() == b"0"


async def test_leaving_ends_the_command_inside(site: Site) -> None:
    site.configure({"image": IMAGE, "postCreateCommand": "echo begun; sleep 12345"})
    up = asyncio.create_task(site.up())
    await asyncio.wait_for(until(lambda: any("begun" in line for _, line, *_ in site.told.lines)), 30)
    up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await up
    (identity,) = await site.containers()
    left = await site.engine.exec_capture(identity, ["sh", "-c", "ps -e -o args | grep -c '[s]leep 12345'"])
    assert left.stdout.strip() == b"0"


async def until(condition: object) -> None:
    assert callable(condition)
    while not condition():
        await asyncio.sleep(0.02)


async def test_secrets_reach_processes_and_nothing_else(site: Site, tmp_path: pathlib.Path) -> None:
    secrets = tmp_path / "secrets.json"
    secrets.write_text(json.dumps({"HF_TOKEN": "s3cret-value", "LINES": "first line\nsecond line"}))
    site.configure(
        {
            "image": IMAGE,
            "secrets": {"HF_TOKEN": {"description": "for the hub"}, "OTHER": {"documentationUrl": "https://x.test/o"}},
            "postCreateCommand": "echo token $HF_TOKEN; printf %s $HF_TOKEN | wc -c > /tmp/length; sleep 0.5",
        }
    )
    up = asyncio.create_task(site.up(secrets_file=str(secrets)))
    seen = ""
    while not up.done():
        seen += (await asyncio.to_thread(subprocess.run, ["ps", "-eo", "args"], capture_output=True, text=True)).stdout
        await asyncio.sleep(0.05)
    made = await up
    assert await site.run(made, "cat /tmp/length") == "12"
    assert ("token ********") in [text for _, text, *_ in site.told.lines]
    inspected = json.dumps(made.container.raw)
    logs = (await site.engine.logs(made.container.id)).decode()
    kept = "".join(p.read_text(errors="replace") for p in (tmp_path / "state").rglob("*") if p.is_file())
    for place in (seen, inspected, logs, kept, repr(site.told.lines)):
        assert "s3cret-value" not in place and "second line" not in place
    assert any("would like the secret OTHER: https://x.test/o" in note for note in made.notes)
    assert not any("HF_TOKEN" in note for note in made.notes)
    probed = await site.rooms.probe(await site.target(), made.container)
    assert probed.env["HF_TOKEN"] == "s3cret-value"  # runs and shells have it without being told again
    secrets.unlink()
    assert "HF_TOKEN" not in (await site.rooms.probe(await site.target(), made.container)).env
    await site.up()
    assert any("going on without the secrets of last time" in note for note in site.told.notes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not a JSON object of secrets"),
        ("[]", "must hold one object"),
        ('{"A": 1, "b c": "x"}', "(?s)A: must be a text.*b c: is not a name"),
    ],
)
async def test_a_secrets_file_that_is_wrong(site: Site, tmp_path: pathlib.Path, text: str, words: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(text)
    site.configure({"image": IMAGE})
    with pytest.raises(ConfigError, match=words):
        await site.up(secrets_file=str(path))
    assert await site.containers() == []


async def test_dotfiles_once_and_again_after_a_failure(site: Site, tmp_path: pathlib.Path) -> None:
    repository = tmp_path / "dotfiles"
    repository.mkdir()
    (repository / "install.sh").write_text('#!/bin/sh\n[ -e "$HOME/ready" ] || exit 4\necho mine > "$HOME/.dotrc"\n')

    def commit() -> None:
        who = ["-c", "user.name=t", "-c", "user.email=t@t.test"]
        for words in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "x"]):
            subprocess.run([git(), "-C", str(repository), *words], check=True, capture_output=True)

    commit()
    subprocess.run(["chown", "-R", f"{site.ctx.uid}:{site.ctx.uid}", str(repository)], check=True)
    site.configure(
        {
            "image": IMAGE,
            "mounts": [f"type=bind,source={repository},target=/repository,readonly"],
            "customizations": {"devenv": {"dotfiles": {"repository": "/repository"}}},
        }
    )
    with pytest.raises(HookFailed, match="dotfiles failed with exit code 4"):
        await site.up()
    (identity,) = await site.containers()
    await site.engine.exec_capture(identity, ["sh", "-c", 'touch "$HOME/ready"'], user="dev", env={"HOME": "/home/dev"})
    made = await site.up()
    assert await site.run(made, "cat /home/dev/.dotrc; cat /home/dev/.devcontainer/.dotfilesMarker") == (
        f"mine\n{made.container.created}"
    )
    await site.run(made, "rm /home/dev/.dotrc")
    assert await site.run(await site.up(), "ls -A /home/dev/.dotrc || true") == ""


async def test_a_command_on_the_host_asks_once(site: Site) -> None:
    site.configure({"image": IMAGE, "initializeCommand": "echo host > ran-on-host"})
    with pytest.raises(Refused) as caught:
        await site.up()
    assert (
        caught.value.details["trust"] == ["initializeCommand: echo host > ran-on-host"]
        and not (site.root / "ran-on-host").exists()
    )
    await site.up(trust=True)
    assert (site.root / "ran-on-host").read_text() == "host\n"
    os.unlink(site.root / "ran-on-host")
    await site.up()
    assert (site.root / "ran-on-host").exists()


async def test_edited_container_env_is_in_force_for_new_processes(site: Site) -> None:
    site.configure({"image": IMAGE, "containerEnv": {"KEEP": "1", "CHANGE": "old", "GONE": "x"}})
    made = await site.up()
    site.configure({"image": IMAGE, "containerEnv": {"KEEP": "1", "CHANGE": "new", "MORE": "y"}})
    again = await site.up()
    assert again.container.id == made.container.id
    assert {d.property for d in again.drift} == {"containerEnv.CHANGE", "containerEnv.MORE", "containerEnv.GONE"}
    assert all(d.live for d in again.drift)
    env = (await site.rooms.probe(await site.target(), again.container)).env
    assert env["KEEP"] == "1" and env["CHANGE"] == "new" and env["MORE"] == "y" and "GONE" not in env


async def test_a_personal_file_lies_over_the_teams(site: Site) -> None:
    site.configure(
        {
            "image": "no-such-image-anywhere",
            "remoteEnv": {"A": "team", "B": "team"},
            "postCreateCommand": "echo team >> /tmp/r",
        },
        {
            ".devcontainer/devcontainer.local.json": {
                "image": IMAGE,
                "remoteEnv": {"B": "mine"},
                "postCreateCommand": "echo mine >> /tmp/r",
                "runArgs": ["--cpus=1"],
            }
        },
    )
    made = await site.up()
    assert await site.run(made, "cat /tmp/r") == "team\nmine"
    env = (await site.rooms.probe(await site.target(), made.container)).env
    assert (env["A"], env["B"]) == ("team", "mine")
    assert made.container.raw["HostConfig"]["NanoCpus"] == 10**9
    assert (await site.up()).drift == ()
