"""Features on the real engine: what their scripts see, what is built again and what is not, and what is remembered."""

from __future__ import annotations

import json
import pathlib
import uuid
from typing import Any

import pytest

from devenv.environment.plan import Lock
from devenv.errors import BuildFailed, ConfigError, FeatureError
from tests.integration.environment.conftest import Site
from tests.kit.project import Content

pytestmark = pytest.mark.engine

IMAGE = "devenv-rig/python-user"


ONCE = uuid.uuid4().hex
"""In every script: images with the features of an earlier run are still there, and would be used."""


def feature(name: str, script: str = "true", **more: Any) -> dict[str, Content]:
    manifest = {"id": name, "version": "1.0.0", "name": name.upper(), **more}
    return {
        f".devcontainer/{name}/devcontainer-feature.json": manifest,
        f".devcontainer/{name}/install.sh": f"#!/bin/sh\n# {ONCE}\nset -e\n{script}\n",
    }


def builds(site: Site) -> list[str]:
    return [title for _, title in site.told.steps if "install-feature" in title]


async def test_what_a_script_sees_and_what_the_container_has(site: Site) -> None:
    site.configure(
        {
            "image": IMAGE,
            "remoteUser": "dev",
            "containerEnv": {"OWN": "1"},
            "features": {"./later": {}, "./first": {"my-Opt.2": "a b", "flag": True}},
            "postCreateCommand": "echo project >> /tmp/order",
        },
        {
            **feature(
                "first",
                'id -un >/seen; pwd >>/seen; echo "$MY_OPT_2|$FLAG|$REST" >>/seen; '
                'echo "$_CONTAINER_USER $_REMOTE_USER $_CONTAINER_USER_HOME $_REMOTE_USER_HOME" >>/seen; '
                "echo $PATH >>/seen",
                options={
                    "my-Opt.2": {"type": "string", "default": "x"},
                    "flag": {"type": "boolean", "default": False},
                    "rest": {"type": "string", "default": "rest"},
                },
                containerEnv={"PATH": "/opt/first:${PATH}", "FROM_FEATURE": 'a "quoted" value'},
                postCreateCommand="echo first >> /tmp/order",
            ),
            **feature(
                "later",
                "cd /usr/local/bin; printf '#!/bin/sh\\necho started >> /tmp/entry\\n' > entry; chmod +x entry",
                installsAfter=["./first"],
                entrypoint="/usr/local/bin/entry",
                mounts=[{"type": "volume", "source": "later-${devcontainerId}", "target": "/later"}],
                capAdd=["SYS_PTRACE"],
                init=True,
                postCreateCommand="echo later >> /tmp/order",
                customizations={"devenv": {"runs": {"from-feature": {"command": "true"}}}},
            ),
        },
    )
    made = await site.up()
    seen = (await site.run(made, "cat /seen")).splitlines()
    assert seen[0] == "root" and seen[1].startswith("/tmp/dev-container-features/first_")
    assert seen[2] == "a b|true|rest"
    assert seen[3] == "dev dev /home/dev /home/dev"
    assert seen[4].startswith("/opt/first:/")
    assert await site.run(made, "echo $FROM_FEATURE $OWN") == 'a "quoted" value 1'
    assert await site.run(made, "cat /tmp/order; cat /tmp/entry") == "first\nlater\nproject\nstarted"
    host = made.container.raw["HostConfig"]
    assert [c.removeprefix("CAP_") for c in host["CapAdd"]] == ["SYS_PTRACE"] and host["Init"]
    assert any(m["Destination"] == "/later" and m["Name"].startswith("later-") for m in made.container.mounts)
    entries = json.loads(made.container.labels["devcontainer.metadata"])
    assert [entry.get("id") for entry in entries] == ["./first", "./later", None]
    assert made.container.user == "dev" and made.drift == ()
    assert await site.run(made, "ls -A /tmp/dev-container-features /tmp/devenv-features 2>/dev/null | wc -l") == "0"


async def test_another_user_shares_the_layers_of_features_that_do_not_ask(site: Site) -> None:
    files = {**feature("plain", "echo x > /plain"), **feature("asks", 'echo "$_REMOTE_USER" > /asks')}
    config: dict[str, Any] = {"image": IMAGE, "features": {"./plain": {}}, "remoteUser": "dev"}
    site.configure(config, files)
    first = await site.up()
    assert len(builds(site)) == 1
    site.told.steps.clear()
    site.configure({**config, "remoteUser": "root"}, files)
    second = await site.up(rebuild=True)
    assert builds(site) == [] and second.container.image == first.container.image
    site.configure({**config, "features": {"./plain": {}, "./asks": {}}}, files)
    third = await site.up(rebuild=True)
    assert await site.run(third, "cat /asks") == "dev"
    site.configure({**config, "features": {"./plain": {}, "./asks": {}}, "remoteUser": "root"}, files)
    fourth = await site.up(rebuild=True)
    assert await site.run(fourth, "cat /asks") == "root" and fourth.container.image != third.container.image


async def test_options_from_the_environment_are_in_no_layer_and_no_log(site: Site, tmp_path: pathlib.Path) -> None:
    site.ctx = type(site.ctx)(site.ctx.cwd, site.ctx.umask, {**site.ctx.env, "KEY": "s3cret-option"}, site.ctx.uid)
    site.configure(
        {"image": IMAGE, "features": {"./f": {"key": "${localEnv:KEY}"}}},
        feature(
            "f",
            'printf %s "$KEY" | wc -c > /length; echo "got $KEY"',
            options={"key": {"type": "string", "default": ""}},
        ),
    )
    made = await site.up()
    assert await site.run(made, "cat /length") == "13"
    history = await site.engine._do("history", lambda: site.engine._api.history(made.container.image))  # type: ignore[no-untyped-call]
    log = (site.rooms.home.folder((await site.target()).key) / "build.log").read_text()
    told = repr(site.told.lines) + repr(site.told.steps)
    for place in (json.dumps(history), json.dumps(made.container.raw), log, told):
        assert "s3cret-option" not in place
    assert "got ********" in log


async def test_edited_files_are_drift_and_other_options_too(site: Site) -> None:
    options = {"v": {"type": "string", "default": "1"}}
    site.configure({"image": IMAGE, "features": {"./f": {}}}, feature("f", "echo 1 > /f", options=options))
    await site.up()
    site.configure({"image": IMAGE, "features": {"./f": {"v": "2"}}}, feature("f", "echo 2 > /f", options=options))
    again = await site.up()
    assert [(d.property, d.wanted) for d in again.drift] == [
        ("features ./f", '{"v": "2"}'),
        ("features ./f", "edited files"),
    ]
    assert await site.run(await site.up(rebuild=True), "cat /f") == "2"
    assert (await site.up()).drift == ()


async def test_a_script_that_fails_is_named_with_its_last_lines(site: Site) -> None:
    site.configure({"image": IMAGE, "features": {"./f": {}}}, feature("f", "echo about to fail; exit 7"))
    with pytest.raises(BuildFailed) as caught:
        await site.up()
    said = caught.value.message + "\n".join(caught.value.details["lines"])
    assert "F (./f)" in said and "exit code 7" in said and "about to fail" in said
    assert await site.containers() == []


async def test_a_feature_without_a_script(site: Site) -> None:
    files = feature("f")
    del files[".devcontainer/f/install.sh"]
    site.configure({"image": IMAGE, "features": {"./f": {}}}, files)
    with pytest.raises(FeatureError, match=r"the feature './f' has no install\.sh"):
        await site.up()


async def test_a_cycle_is_named(site: Site) -> None:
    files = {**feature("a", dependsOn={"./b": {}}), **feature("b", dependsOn={"./a": {}})}
    site.configure({"image": IMAGE, "features": {"./a": {}}}, files)
    with pytest.raises(ConfigError, match=r"(?s)\./a.*\./b"):
        await site.up()


async def test_features_on_a_dockerfile_keep_its_user_and_environment(site: Site) -> None:
    site.configure(
        {"build": {"dockerfile": "Dockerfile"}, "features": {"./f": {}}},
        {
            ".devcontainer/Dockerfile": f"FROM {IMAGE}\nENV BUILT=yes\nUSER dev\n",
            **feature("f", "echo $BUILT > /f"),
        },
    )
    made = await site.up()
    assert made.container.user == "dev" and await site.run(made, "cat /f; echo $BUILT") == "yes\nyes"
    assert made.drift == () and (await site.up()).drift == ()


async def test_features_on_a_compose_service(site: Site) -> None:
    site.configure(
        {"dockerComposeFile": "c.yml", "service": "app", "features": {"./f": {}}, "workspaceFolder": "/w"},
        {
            ".devcontainer/c.yml": (
                f"services: {{app: {{image: {IMAGE}, command: [sleep, infinity], init: true, volumes: ['..:/w']}}}}"
            ),
            **feature("f", "echo feature > /f", entrypoint="touch /tmp/entered"),
        },
    )
    made = await site.up()
    assert await site.run(made, "cat /f; ls /tmp/entered; ps -p 1 -o comm= ; pwd") != ""
    assert await site.run(made, "cat /f; ls /tmp/entered") == "feature\n/tmp/entered"
    assert (await site.up()).drift == ()


async def test_without_buildx_the_classic_builder_installs_them(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from devenv.engine.docker_cli import DockerCli

    monkeypatch.setattr(DockerCli, "plugin", lambda self, name: name != "buildx")
    site.configure(
        {"image": IMAGE, "features": {"./f": {}, "./g": {}}, "remoteUser": "dev"},
        {**feature("f", 'echo "$_REMOTE_USER" > /f'), **feature("g", "echo after > /g")},
    )
    made = await site.up()
    assert await site.run(made, "cat /f /g; ls /tmp") == "dev\nafter"
    assert any("classic builder" in note for note in site.told.notes)


async def test_no_lockfile_appears_for_local_features(site: Site) -> None:
    site.configure({"image": IMAGE, "features": {"./f": {}}}, feature("f"))
    await site.up(lock=Lock.WRITE)
    assert not (site.root / ".devcontainer/devcontainer-lock.json").exists()


async def test_options_that_a_feature_does_not_allow(site: Site) -> None:
    options = {"shape": {"type": "string", "enum": ["round", "square"], "default": "round"}}
    site.configure({"image": IMAGE, "features": {"./f": {"shape": "rond", "shap": "x"}}}, feature("f", options=options))
    with pytest.raises(ConfigError) as caught:
        await site.up()
    (problem,) = caught.value.problems
    assert problem.line > 0 and "'round'" in problem.hint
    assert any("shap" in note and "did you mean" in note for note in site.told.notes)
    made = await site.up(strict_features=False)
    assert made.created and any("rond" in note for note in made.notes)
