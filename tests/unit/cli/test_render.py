"""What verbs print for people."""

from __future__ import annotations

import shlex

import msgspec
import pytest

from devenv.api.views import EnvironmentView, EnvStatus, OperationView, Snapshot
from devenv.cli import render


def test_a_dry_run_can_be_given_to_a_shell() -> None:
    words = ["--pull", "never", "--label", 'a={"b": 1}', "--init", "--shm-size=2g", "--entrypoint", "/bin/sh", "image"]
    result = {"steps": ["create x"], "create": [*words, "-c", "exec sleep 1"], "override": [], "drift": [], "notes": []}
    text = render.plan(result)
    assert text.splitlines()[2:8] == [
        "docker create \\",
        "  --pull never \\",
        "  --label 'a={\"b\": 1}' \\",
        "  --init \\",
        "  --shm-size=2g \\",
        "  --entrypoint /bin/sh \\",
    ]
    assert shlex.split(text.partition("\n\n")[2].replace("\\\n", "")) == [
        "docker",
        "create",
        *words,
        "-c",
        "exec sleep 1",
    ]


def test_a_dry_run_of_compose_shows_the_file() -> None:
    result = {"steps": ["create x"], "create": [], "override": ["{", "}"], "drift": [], "notes": ["n"]}
    assert render.plan(result) == "1. create x\n\nafter the project's own Compose files:\n{\n}\nnote: n\n"


ENDED = OperationView(verb="up", started=1.0, running=False)
ENDINGS = {
    "none": (None, []),
    "well": (ENDED, []),
    "not yet": (msgspec.structs.replace(ENDED, running=True, error="of a step"), []),
    "a lifecycle command": (
        msgspec.structs.replace(ENDED, error="postCreateCommand failed: x\nmore", hint="`devenv up` runs it again"),
        ["devenv up failed: postCreateCommand failed: x", "`devenv up` runs it again"],
    ),
    "behind the scenes": (
        msgspec.structs.replace(ENDED, verb="hooks", error="postStartCommand failed"),
        ["lifecycle commands failed: postStartCommand failed"],
    ),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_the_page_of_an_environment_tells_how_the_last_work_failed(name: str) -> None:
    operation, lines = ENDINGS[name]
    view = EnvironmentView(key="k", name="n", local_folder="/p", config_file="", status=EnvStatus.ABSENT)
    page = render.environment(msgspec.to_builtins(Snapshot(environment=view, operation=operation)))
    assert [line.strip() for line in page.splitlines()[2:]] == lines
