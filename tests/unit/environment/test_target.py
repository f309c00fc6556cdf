"""From a folder to what is wanted there."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from typing import Any

import pytest

from devenv.environment import plan
from devenv.environment import target as targets
from devenv.errors import ConfigError, NotFound
from tests.unit.environment.conftest import IMAGE, Site


async def test_the_labels_are_as_written(site: Site) -> None:
    site.configure({"image": IMAGE})
    found = await site.target()
    assert found.labels == {
        "devcontainer.local_folder": str(site.root),
        "devcontainer.config_file": f"{site.root}/.devcontainer/devcontainer.json",
    }
    assert found.workspace_folder == "/workspaces/project"
    assert found.workspace_mount == f"type=bind,source={site.root},target=/workspaces/project"
    assert len(found.key) == 12 and found.name == "project"


async def test_a_symlink_keeps_its_path_and_means_the_same_environment(site: Site, tmp_path: pathlib.Path) -> None:
    site.configure({"image": IMAGE})
    link = tmp_path / "link"
    link.symlink_to(site.root)
    through = targets.resolve(str(link), site.ctx)
    assert through.local_folder == str(link)
    assert through.key == (await site.target()).key


async def test_relative_to_the_client_and_normalised(site: Site) -> None:
    site.configure({"image": IMAGE})
    assert targets.resolve(".", site.ctx).local_folder == str(site.root)
    assert targets.resolve("../project/", site.ctx).local_folder == str(site.root)


async def test_no_configuration(site: Site) -> None:
    found = await site.target()
    assert not found.configured and found.config_file == ""
    with pytest.raises(NotFound) as caught:
        await site.up()
    assert "devenv init" in caught.value.hint


async def test_the_repository_root_is_mounted(site: Site) -> None:
    (site.root / ".git").mkdir()
    sub = site.root / "pkg/app"
    sub.mkdir(parents=True)
    site.configure({"image": IMAGE}, "pkg/app/.devcontainer.json")
    found = targets.resolve(str(sub), site.ctx)
    assert found.workspace_folder == "/workspaces/project/pkg/app"
    assert f"source={site.root}," in found.workspace_mount


@pytest.mark.parametrize(
    ("config", "key", "line"),
    [
        ('{\n  "image": "x",\n  "runArgs": "--cpus=1"\n}', "runArgs", 3),
        ('{\n  "image": "x",\n  broken\n}', "", 3),
        ("[]", "", 1),
    ],
    ids=["wrong type", "not JSON", "not an object"],
)
async def test_bad_files_are_told_with_place(site: Site, config: str, key: str, line: int) -> None:
    site.configure(config)
    with pytest.raises(ConfigError) as caught:
        await site.target()
    problem = caught.value.problems[0]
    assert problem.file.endswith("devcontainer.json") and problem.line == line
    assert key in problem.key


async def test_a_misspelt_key_is_told_beside_what_it_leaves_missing(site: Site) -> None:
    site.configure('{\n  "imag": "x",\n  "init": true\n}')
    with pytest.raises(ConfigError) as caught:
        await site.target()
    told = [(problem.line, problem.key, problem.hint) for problem in caught.value.problems]
    assert told == [(1, "", ""), (2, "imag", "did you mean 'image'?")]


@pytest.mark.parametrize(
    ("config", "key", "message"),
    [
        pytest.param('{"image": "${localEnv:NOPE}"}', "image", "must not be empty", id="no image"),
        pytest.param('{"image": "${localEnv:NOPE:A B}"}', "image", "'A B' is not the name of an image", id="image"),
        pytest.param(
            '{"image": "x", "mounts": ["${localEnv:NOPE:here}"]}', "mounts.0", "'here' has no target", id="mount"
        ),
        pytest.param(
            '{"image": "x", "forwardPorts": ["${localEnv:NOPE:99999}"]}', "forwardPorts.0", "99999", id="port"
        ),
        pytest.param(
            '{"image": "x", "workspaceFolder": "${localEnv:NOPE:rel}"}', "workspaceFolder", "absolute", id="folder"
        ),
        pytest.param(
            '{"dockerComposeFile": "${localEnv:NOPE}", "service": "a"}',
            "dockerComposeFile",
            "must not be empty",
            id="no Compose file",
        ),
    ],
)
async def test_what_variables_make_wrong_stops_a_new_container_only(
    site: Site, config: str, key: str, message: str
) -> None:
    site.configure(config)
    (problem,) = (await site.target()).unusable
    assert (problem.line, problem.key) == (1, key)
    assert message in problem.message and "it is written '${localEnv:NOPE" in problem.hint
    with pytest.raises(ConfigError) as caught:
        await site.up()
    assert caught.value.problems == [problem]


async def test_what_variables_make_right(site: Site) -> None:
    site.configure(
        {
            "image": "${localEnv:NOPE:" + IMAGE.partition(":")[0] + "}",
            "mounts": ["${localEnv:NOPE:type=tmpfs,target=/t}"],
            "forwardPorts": ["${localEnv:NOPE:8080}"],
            "hostRequirements": {"memory": "${localEnv:NOPE:1gb}"},
            "userEnvProbe": "${localEnv:NOPE:none}",
        }
    )
    found = await site.target()
    assert found.unusable == [] and found.config.problems == ()


CHOICES: list[tuple[str, list[str], str | None, str]] = [
    ("the folder's file first", [".devcontainer/devcontainer.json", ".devcontainer.json"], None, ".devcontainer/dev"),
    ("one in a sub-folder", [".devcontainer/gpu/devcontainer.json"], None, ".devcontainer/gpu/"),
    ("by name", [".devcontainer/gpu/devcontainer.json", ".devcontainer/cpu/devcontainer.json"], "cpu", "/cpu/"),
    ("by path", [".devcontainer/devcontainer.json", ".devcontainer.json"], ".devcontainer.json", ".devcontainer.json"),
]


@pytest.mark.parametrize(("files", "config", "wanted"), [c[1:] for c in CHOICES], ids=[c[0] for c in CHOICES])
async def test_choice(site: Site, files: list[str], config: str | None, wanted: str) -> None:
    for name in files:
        site.configure({"image": IMAGE}, name)
    assert wanted in targets.resolve(str(site.root), site.ctx, config=config).config_file


async def test_several_without_a_choice(site: Site) -> None:
    for name in ("cpu", "gpu"):
        site.configure({"image": IMAGE}, f".devcontainer/{name}/devcontainer.json")
    with pytest.raises(ConfigError) as caught:
        await site.target()
    assert "gpu" in caught.value.hint and "cpu" in caught.value.hint


async def test_nothing_of_the_clients_environment_is_shown(site: Site) -> None:
    site.configure({"image": IMAGE, "containerEnv": {"A": "${localEnv:TOKEN}"}})
    found = await site.target()
    assert "s3cret" not in repr(found)
    assert found.config.raw["containerEnv"] == {"A": "s3cret"}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"dockerComposeFile": ["c.yml", "d.yml"], "service": "app"}, "(?s)no file .*c.yml.*no file .*d.yml"),
        ({"name": "nothing"}, "neither 'image' nor"),
        ({"build": {"dockerfile": "None"}}, "there is no file"),
    ],
    ids=["compose", "no image", "no Dockerfile"],
)
async def test_what_cannot_be_made_is_one_line(site: Site, config: dict[str, Any], words: str) -> None:
    site.configure(config)
    with pytest.raises(ConfigError, match=words):
        await site.up()
    assert not any(call == "create" for call, _ in site.engine.calls)


def test_no_such_folder(site: Site) -> None:
    with pytest.raises(NotFound):
        targets.resolve(f"{site.root}/none", site.ctx)


def test_a_folder_of_no_name(site: Site) -> None:
    ctx = dataclasses.replace(site.ctx, cwd="/")
    assert targets.resolve(os.sep, ctx).name == "root"


async def test_a_target_that_was_kept_takes_the_next_clients_variables(site: Site) -> None:
    site.configure({"image": IMAGE, "containerEnv": {"A": "${localEnv:TOKEN}"}, "workspaceFolder": "/w/${localEnv:U}"})
    kept = await site.target()
    other = dataclasses.replace(site.ctx, env={"TOKEN": "newer", "U": "me"})
    bound = targets.for_client(kept, other)
    assert bound.config.raw["containerEnv"] == {"A": "newer"} and bound.workspace_folder == "/w/me"
    assert bound.key == kept.key and targets.for_client(bound, other) is bound


@pytest.mark.parametrize(
    ("text", "stage", "words"),
    [
        pytest.param("FROM a AS base\nFROM base AS dev\n", "dev", "", id="a stage"),
        pytest.param("FROM a AS base\nFROM base AS dev\n", "DEV", "", id="in capitals"),
        pytest.param(
            "FROM a AS base\nFROM base AS dev\n", "1", "it has 'base', 'dev'", id="by number, as BuildKit says"
        ),
        pytest.param("FROM a AS base\nFROM base AS dev\n", "devv", "did you mean 'dev'", id="no stage"),
        pytest.param("# syntax=acme/other:1\nFROM a\n", "x", "", id="another syntax"),
        pytest.param("# syntax=docker/dockerfile:1\nFROM a\n", "x", "'x'", id="the usual syntax"),
        pytest.param("FROMM a\n", "x", "", id="what the builder refuses"),
    ],
)
async def test_a_stage_that_the_dockerfile_lacks(site: Site, text: str, stage: str, words: str) -> None:
    site.configure('{"build": {"dockerfile": "D",\n "target": "' + stage + '"}}')
    (site.root / ".devcontainer" / "D").write_text(text)
    found = await site.target()
    if not words:
        assert plan.build_request(found, plan.UpOptions(), log_path="") is not None
        return
    with pytest.raises(ConfigError) as caught:
        plan.build_request(found, plan.UpOptions(), log_path="")
    (problem,) = caught.value.problems
    assert (problem.line, problem.key) == (2, "build.target")
    assert words in f"{problem.message} {problem.hint}"
