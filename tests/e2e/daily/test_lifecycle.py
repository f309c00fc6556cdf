"""Lifecycle commands as people meet them: one that fails, one for the host, secrets, dotfiles."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Place
from tests.kit.fixtures import Images
from tests.kit.project import write_project
from tests.kit.tmux import Tmux
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users]


def test_a_command_that_fails_is_shown_and_tried_again(place: Place, images: Images) -> None:
    config = {
        "image": images.python_user,
        "onCreateCommand": "echo created >> hooks",
        "postCreateCommand": "echo looking for weights; test -e weights || { echo 'none here' >&2; exit 3; }",
        "postStartCommand": "echo started >> hooks",
    }
    site = place({".devcontainer.json": config})
    failed = r"postCreateCommand failed with exit code 3: echo looking"
    site.devenv("up", timeout=120).failed(73).says(failed, r"^  \| none here$", "`devenv up` runs it again")
    site.devenv("status").ok().says("running", f"devenv up failed: {failed}", "`devenv up` runs it again")
    error = site.devenv("up", "--json").failed(73).json()["error"]
    assert (error["kind"], error["details"]["exit_code"]) == ("HookFailed", 3)
    assert sorted(error["details"]["lines"]) == ["looking for weights", "none here"]
    site.devenv("logs", "--build").ok().says("^none here$", "^looking for weights$")
    site.exec("true").ok()  # the container is there, to look for the reason in it
    site.write("weights", "")
    site.devenv("up").ok().says("✓ postCreateCommand", "✓ postStartCommand")
    assert site.path("hooks").read_text().split() == ["created", "started"]
    site.devenv("status").ok().silent_about("failed")


def test_what_runs_on_the_host_is_asked_about_once(place: Place, images: Images) -> None:
    config = {"image": images.python_user, "initializeCommand": "echo prepared >> on-host"}
    site = place({".devcontainer.json": config})
    refused = ["initializeCommand: echo prepared >> on-host", "`devenv up --trust` allows it from now on"]
    site.devenv("up").failed(77).says(*refused)
    with Tmux(site.shell, "devenv", "up", columns=100) as screen:
        assert refused[0] in screen.wait_for("Allow it, for this repository? [y/N]")
        screen.type("n\n")
        assert screen.exit_code() == 77
    assert not site.path("on-host").exists() and site.containers() == []
    with Tmux(site.shell, "devenv", "up", columns=100) as screen:
        screen.wait_for("[y/N]")
        screen.type("y\n")
        assert screen.exit_code(100) == 0, screen.screen()
    site.devenv("up").ok()
    assert site.path("on-host").read_text() == "prepared\n" * 2
    assert site.path("on-host").stat().st_uid == site.uid

    config["initializeCommand"] = "echo something else >> on-host"
    site.write(".devcontainer.json", json.dumps(config))
    site.devenv("up").failed(77).says("something else")
    site.devenv("up", "--trust").ok()
    site.devenv("up").ok()
    assert site.path("on-host").read_text() == "prepared\n" * 2 + "something else\n" * 2


WHO: dict[str, dict[str, Any]] = {
    "the image's user": {},
    "root": {"remoteUser": "root"},
    "arbitrary": {"remoteUser": "4321"},
}
VALUES = {"HF_TOKEN": "hf_s3cret-value", "MULTI": "first s3cret line\nsecond s3cret line"}


@pytest.mark.parametrize("who", WHO)
def test_values_of_secrets_are_nowhere_but_in_processes(who: str, place: Place, images: Images) -> None:
    command = (
        'touch waits; until [ -e go ]; do sleep 0.05; done; echo "token $HF_TOKEN"; printf %s "$MULTI" | wc -l > n'
    )
    config = {
        "image": images.python_user,
        "secrets": {"HF_TOKEN": {"description": "for the hub"}, "OTHER": {}},
        "postCreateCommand": command,
        "containerEnv": {"PLAIN": "1"},
        **WHO[who],
    }
    site = place({".devcontainer.json": config})
    site.folder.chmod(0o777)
    secrets = site.folder.parent / "secrets.json"
    write_project(site.folder.parent, {"secrets.json": VALUES})
    secrets.chmod(0o600)
    os.chown(secrets, site.uid, site.uid)
    seen = {}
    with site.background("up", "--secrets-file", str(secrets), "--verbose") as up:
        eventually(lambda: site.path("waits").exists(), "the command", 60)
        seen["processes"] = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True).stdout
        site.path("go").touch()
        assert up.wait() == 0, up.err
        seen["narration"] = up.err + up.out.decode()
    assert "until [ -e go ]" in seen["processes"]
    assert "token ********" in seen["narration"] and "OTHER" in seen["narration"]
    assert site.path("n").read_text().strip() == "1"
    seen["container"] = json.dumps(site.docker.inspect(site.container()))
    seen["image"] = site.docker("history", "--no-trunc", images.python_user)
    seen["build log"] = site.devenv("logs", "--build").ok().out
    seen["container log"] = site.docker("logs", site.container())
    seen["status"] = site.devenv("status", "--json").ok().out + site.devenv("ls").ok().out
    state = Path(site.json("supervisor")["state"])
    seen["state"] = "".join(path.read_text(errors="replace") for path in state.rglob("*") if path.is_file())
    for where, text in seen.items():
        assert text and "s3cret" not in text, where

    assert site.exec("printenv", "HF_TOKEN").ok().out == "hf_s3cret-value\n"
    secrets.unlink()
    site.devenv("up").ok().says("going on without the secrets of last time")
    site.exec("printenv", "HF_TOKEN").failed(1)


@pytest.mark.parametrize("who", ["the image's user", "root"])
def test_dotfiles_of_a_repository_are_installed_once(who: str, place: Place, images: Images) -> None:
    repository = {"mine/install.sh": "#!/bin/sh\necho $(id -un) >> $HOME/.installed\n"}
    site = place({".devcontainer.json": {"image": images.python_user, **WHO[who]}, **repository})
    here = site.shell.at(site.path("mine"))
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        here.run("git", *words).ok()
    if who == "root":  # Git clones nothing that belongs to somebody else
        shutil.copytree(site.path("mine"), site.path("root"))
        assert site.path("root").stat().st_uid == 0
    source = f"/workspaces/{site.folder.name}/{'root' if who == 'root' else 'mine'}"
    for _ in range(2):
        site.devenv("up", "--dotfiles", source, timeout=120).ok()
        assert site.exec("sh", "-c", "cat $HOME/.installed").ok().out == ("root\n" if who == "root" else "dev\n")
    failed = site.devenv("rebuild", "--force", "--dotfiles", "/no/such/repository", timeout=120).failed(73)
    failed.says("dotfiles failed", "'/no/such/repository' does not exist")
