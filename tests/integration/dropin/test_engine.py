"""up, exec, build and their kind, beside the reference in the same folder. The container itself: test_containers."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from devcontainer import identity, metadata
from tests.integration.dropin.conftest import Done
from tests.integration.dropin.containers import COMPOSE, FEATURE, IMAGE, LISTED, PROJECTS, Run, down, up
from tests.integration.dropin.differences import without_defects
from tests.kit import reference
from tests.kit.engine import Docker
from tests.kit.project import Content, write_project

pytestmark = [pytest.mark.engine, pytest.mark.node]


def test_a_variable_that_is_null_is_unset(project: Path, ours: Run) -> None:
    """As the specification says; the reference sets it to "null"."""
    write_project(project, {".devcontainer.json": {"image": IMAGE, "remoteEnv": {"RIG_IMAGE_VARIABLE": None}}})
    up(ours)
    assert ours("exec", "--workspace-folder", ".", "printenv", "RIG_IMAGE_VARIABLE").rc == 1


def test_path_of_the_image_is_kept(engine: Docker, project: Path, ours: Run) -> None:
    """A login shell resets it on Debian; the reference edits /etc/profile for that, here both are joined."""
    dockerfile = "FROM devenv-rig/python:3.11\nENV PATH=/opt/tool/bin:$PATH\n"
    write_project(
        project,
        {
            ".devcontainer/devcontainer.json": {"build": {"dockerfile": "Dockerfile"}},
            ".devcontainer/Dockerfile": dockerfile,
        },
    )
    up(ours)
    path = ours("exec", "--workspace-folder", ".", "printenv", "PATH").out.strip().split(":")
    assert path[0] == "/opt/tool/bin"
    assert {"/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin"} <= set(path)


HOOKS = {
    "image": IMAGE,
    "onCreateCommand": "echo ran: onCreate",
    "updateContentCommand": "echo ran: updateContent",
    "postCreateCommand": "echo ran: postCreate",
    "postStartCommand": "echo ran: postStart",
    "postAttachCommand": "echo ran: postAttach",
    "waitFor": "onCreateCommand",
}


def ran(done: Done) -> list[str]:
    return [line.rpartition("ran: ")[2].strip() for line in done.err.splitlines() if "] ran: " in line]


FLAGS = ["", "--skip-post-create", "--skip-non-blocking-commands", "--prebuild", "--skip-post-attach"]


@pytest.mark.parametrize("flags", FLAGS)
def test_the_same_lifecycle_commands(engine: Docker, project: Path, ours: Run, theirs: Run, flags: str) -> None:
    write_project(project, {".devcontainer.json": HOOKS})
    lines = []
    for run in (ours, theirs):
        first = run("up", "--workspace-folder", ".", *shlex.split(flags))
        again = run("up", "--workspace-folder", ".", *shlex.split(flags))
        assert (first.rc, again.rc) == (0, 0)
        lines.append((ran(first), ran(again)))
        engine.remove_project(project)
    assert lines[0] == lines[1]


RESULTS = ["", "--prebuild", "--skip-non-blocking-commands", "--stop-for-personalization", "--skip-post-attach"]


def test_run_user_commands(engine: Docker, project: Path, ours: Run, theirs: Run) -> None:
    write_project(project, {".devcontainer.json": HOOKS})
    assert theirs("up", "--workspace-folder", ".").rc == 0
    for flags in RESULTS:
        words = ("run-user-commands", "--workspace-folder", ".", *shlex.split(flags))
        one, other = ours(*words), theirs(*words)
        assert (one.rc, one.out, ran(one)) == (0, other.out, ran(other)), flags


@pytest.mark.parametrize("kind", ["an image", "a Dockerfile with features", "Compose"])
def test_a_container_is_taken_over_in_both_directions(
    engine: Docker, project: Path, ours: Run, theirs: Run, kind: str
) -> None:
    config, files = PROJECTS[kind]
    hooks = {key: value for key, value in HOOKS.items() if key not in ("image", "postAttachCommand")}
    write_project(project, {".devcontainer/devcontainer.json": {**config, **hooks}, **files})
    for maker, other in ((ours, theirs), (theirs, ours)):
        made = up(maker)["containerId"]
        taken = other("up", "--workspace-folder", ".")
        assert taken.json["containerId"] == made
        assert ran(taken) == []
        engine("stop", "--time", "0", made)
        started = other("up", "--workspace-folder", ".")
        assert (started.json["containerId"], ran(started)) == (made, ["postStart"])
        assert other("exec", "--workspace-folder", ".", "true").rc == 0
        down(engine, project, started.json.get("composeProjectName"))


FAILURES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no configuration": ({}, ["--workspace-folder", "gone"]),
    "no image": ({"image": "devenv-rig/nope:nope"}, []),
    "a Dockerfile that does not build": ({"build": {"dockerfile": "Dockerfile"}}, []),
    "a Dockerfile that is not there": ({"build": {"dockerfile": "Gone"}}, []),
    "a lifecycle command": ({"image": IMAGE, "postCreateCommand": "exit 3"}, []),
    "one of several": ({"image": IMAGE, "postCreateCommand": {"good": "true", "bad": "exit 3"}}, []),
    "a command on the host": ({"image": IMAGE, "initializeCommand": "exit 3"}, []),
    "no container": ({"image": IMAGE}, ["--expect-existing-container"]),
    "nothing to make it from": ({"name": "x"}, []),
    "a service that is not there": ({"dockerComposeFile": "c.yml", "service": "gone"}, []),
}


@pytest.mark.parametrize("name", FAILURES)
def test_the_same_failures(engine: Docker, project: Path, ours: Run, theirs: Run, name: str) -> None:
    config, words = FAILURES[name]
    files: dict[str, Content] = {
        ".devcontainer/Dockerfile": "FROM devenv-rig/busybox\nRUN false\n",
        ".devcontainer/c.yml": COMPOSE,
    }
    write_project(project, {".devcontainer/devcontainer.json": config, **files})
    line = ("up", *(words if "--workspace-folder" in words else ["--workspace-folder", ".", *words]))
    found = []
    for run in (ours, theirs):
        done = run(*line)
        assert (done.rc, len(done.out.splitlines())) == (1, 1), done.err
        answer = done.json
        assert answer["outcome"] == "error"
        found.append((set(answer), answer["description"] if "Command" in answer["description"] else ""))
        engine.remove_project(project)
    assert found[0] == found[1]


def test_a_failed_lifecycle_command_runs_again(engine: Docker, project: Path, ours: Run) -> None:
    """The reference takes it for done."""
    write_project(project, {".devcontainer.json": {"image": IMAGE, "postCreateCommand": "test -e /workspaces/*/go"}})
    first = ours("up", "--workspace-folder", ".")
    assert (first.rc, first.json["description"]) == (1, "postCreateCommand from devcontainer.json failed.")
    assert first.json["containerId"] in engine.of_folder(project)
    (project / "go").touch()
    assert ours("up", "--workspace-folder", ".").rc == 0


EXITS = [
    ("success", "true", 0),
    ("its own code", "exit 7", 7),
    ("a signal", "kill -9 $$", 137),
    ("no such program", "exec /no/such/program", 127),
]


def test_exec(engine: Docker, project: Path, program_of_ours: Any, ours: Run, theirs: Run) -> None:
    write_project(project, {".devcontainer.json": {"image": IMAGE, "remoteEnv": {"A": "${localEnv:FOO}"}}})
    assert ours("exec", "--workspace-folder", ".", "true").rc == 1
    assert theirs("exec", "--workspace-folder", ".", "true").rc == 1
    up(ours)
    for what, script, code in EXITS:
        assert ours("exec", "--workspace-folder", ".", "sh", "-c", script).rc == code, what
        assert theirs("exec", "--workspace-folder", ".", "sh", "-c", script).rc == code, what
    every = bytes(range(256)) * 300
    piped = program_of_ours("exec", "--workspace-folder", ".", "cat", cwd=project, stdin=every)
    assert (piped.rc, piped.stdout, piped.stderr) == (0, every, b"")
    both = ours("exec", "--workspace-folder", ".", "sh", "-c", "echo out; echo err >&2")
    assert (both.out, both.err) == ("out\n", "err\n")
    # Each client's own variables; what is given on the line counts where the configuration says nothing.
    said = [ours("exec", "--workspace-folder", ".", "printenv", "A", env={"FOO": value}).out for value in ("1", "2")]
    assert said == ["1\n", "2\n"]
    words = (
        "exec",
        "--workspace-folder",
        ".",
        "--remote-env",
        "A=b",
        "--remote-env",
        "B=c=d",
        "sh",
        "-c",
        'echo "$A.$B"',
    )
    assert ours(*words).out == theirs(*words).out == ".c=d\n"
    # Words stay as they are written; the reference makes numbers of some.
    assert ours("exec", "--workspace-folder", ".", "echo", "1e3", "0x10").out == "1e3 0x10\n"
    logged = ours("exec", "--workspace-folder", ".", "--log-format", "json", "sh", "-c", "test -t 1 && echo tty")
    assert (logged.rc, logged.out) == (0, "")
    assert [json.loads(line)["text"] for line in logged.err.splitlines()] == ["tty\r\n"]
    engine("stop", "--time", "0", *engine.of_folder(project))
    for run in (ours, theirs):
        assert run("exec", "--workspace-folder", ".", "true").rc == 1
    assert not any(engine.inspect(one)["State"]["Running"] for one in engine.of_folder(project))


def test_labels_instead_of_the_folder(engine: Docker, project: Path, ours: Run, theirs: Run) -> None:
    write_project(project, {".devcontainer.json": {"image": IMAGE, "remoteEnv": {"I": "${devcontainerId}"}}})
    label = f"dropin.test={project.name}"
    try:
        made = up(ours, "--id-label", label)["containerId"]
        labels = engine.inspect(made)["Config"]["Labels"]
        assert labels["dropin.test"] == project.name
        assert not {identity.LOCAL_FOLDER, identity.CONFIG_FILE} & set(labels)
        assert up(theirs, "--id-label", label)["containerId"] == made
        assert ours("exec", "--id-label", label, "printenv", "I").out.strip() == identity.devcontainer_id(
            {"dropin.test": project.name}
        )
        # With nothing but the label: what the container itself says.
        words = ("read-configuration", "--id-label", label, "--include-merged-configuration")
        assert ours(*words).out == theirs(*words).out
        assert ours("exec", "--id-label", "dropin.test=gone", "true").rc == 1
        assert (
            ours("read-configuration", "--id-label", "dropin.test=gone").out
            == theirs("read-configuration", "--id-label", "dropin.test=gone").out
        )
    finally:
        for container in engine.containers(f"label={label}"):
            engine("rm", "--force", "--volumes", container)


def test_flags_of_one_call(engine: Docker, project: Path, ours: Run, theirs: Run, tmp_path: Path) -> None:
    """A mount, variables, features, another configuration: there for this call, and in no label."""
    write_project(
        project,
        {
            ".devcontainer/devcontainer.json": {"image": "no/such/image"},
            "other.json": {"image": "devenv-rig/python:3.11", "postCreateCommand": "echo $Q > /tmp/q"},
            **FEATURE,
        },
    )
    (tmp_path / "mounted").mkdir()
    words = (
        *("--override-config", "other.json", "--remote-env", "Q=given"),
        *("--mount", f"type=bind,source={tmp_path}/mounted,target=/mounted"),
        *("--additional-features", json.dumps({"./a": {"x": "7"}})),
    )
    answers = []
    for run in (ours, theirs):
        answer = up(run, *words)
        container = answer.pop("containerId")
        inside = ("sh", "-c", "ls -d /mounted; cat /x /tmp/q; echo Q=$Q")
        assert run("exec", "--workspace-folder", ".", "--override-config", "other.json", *inside).out == (
            "/mounted\n7\ngiven\nQ=\n"
        )
        entries = metadata.read(engine.inspect(container)["Config"]["Labels"][identity.METADATA])
        assert entries[-1] == {"postCreateCommand": "echo $Q > /tmp/q"}
        answers.append(answer)
        engine.remove_project(project)
    assert answers[0] == answers[1]


def test_a_container_of_somebody_else_is_set_up(engine: Docker, project: Path, ours: Run, theirs: Run) -> None:
    label = json.dumps([{"postCreateCommand": "touch /tmp/label", "remoteUser": "dev"}])
    write_project(
        project, {"config.json": {"remoteEnv": {"A": "${containerEnv:X}"}, "postStartCommand": "touch /tmp/$A"}}
    )
    (project / "devcontainer.json").symlink_to("config.json")
    found = []
    for run in (ours, theirs):
        with engine.container(IMAGE, "--env", "X=inside", "--label", f"{identity.METADATA}={label}") as container:
            done = run(
                *("set-up", "--container-id", container, "--config", "devcontainer.json"),
                *("--include-configuration", "--include-merged-configuration"),
            )
            assert done.rc == 0, done.err
            made = run("exec", "--container-id", container, "sh", "-c", f"{LISTED}; id -un; pwd").out
            found.append((without_defects(done.json), made))
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["an image", "features", "a Dockerfile", "a Dockerfile with features", "Compose"])
def test_build(engine: Docker, project: Path, ours: Run, theirs: Run, name: str) -> None:
    config, files = PROJECTS[name]
    write_project(project, {".devcontainer/devcontainer.json": config, **files})
    image = f"devenv-test/built:{project.name}"
    found = []
    for run in (ours, theirs):
        done = run("build", "--workspace-folder", ".", "--image-name", image, "--label", "a=b")
        assert done.rc == 0, done.err
        made = engine.inspect(image)["Config"]
        labels = made["Labels"]
        assert run is theirs or labels["a"] == "b"  # the reference forgets it with a Dockerfile
        users = {"": "root", "0": "root"}.get(made["User"], made["User"])
        # `containerEnv` is in the image's own environment here always, there only with features.
        own = [f"{key}={value}" for key, value in config.get("containerEnv", {}).items()]
        env = sorted(set(made["Env"]) - set(own))
        found.append((done.json, metadata.read(labels.get(identity.METADATA)), users, env))
        engine("rmi", "--force", image)
    assert found[0] == found[1]


@pytest.mark.parametrize("words", [["--push", "--output", "x"], ["--platform", "nonsense"]], ids=" ".join)
def test_builds_that_are_refused(project: Path, ours: Run, theirs: Run, words: list[str]) -> None:
    write_project(project, {".devcontainer.json": {"image": IMAGE}})
    for run in (ours, theirs):
        done = run("build", "--workspace-folder", ".", *words)
        assert (done.rc, done.json["outcome"]) == (1, "error")


def test_the_log_of_up(project: Path, ours: Run, theirs: Run) -> None:
    """The same events of lifecycle commands, in the same order."""
    write_project(
        project, {".devcontainer.json": {**HOOKS, "onCreateCommand": {"a": "true"}, "initializeCommand": "true"}}
    )
    told = []
    for run in (ours, theirs):
        done = run("up", "--workspace-folder", ".", "--log-format", "json", "--remove-existing-container")
        events = [json.loads(line) for line in done.err.splitlines()]
        told.append(
            [
                {
                    key: value
                    for key, value in event.items()
                    if key in ("type", "name", "status", "stepDetail", "channel")
                }
                for event in events
                if event["type"] == "progress"
            ]
        )
        assert {event["channel"] for event in events if event.get("channel")} == {"postCreate"}
        heads = [event["text"] for event in events if event["type"] == "raw" and "Running the" in event["text"]]
        assert heads[1] == "\x1b[1mRunning the onCreateCommand from devcontainer.json...\x1b[0m\r\n\r\n"
    assert told[0] == told[1]


def test_secrets_are_hidden(project: Path, ours: Run) -> None:
    write_project(
        project,
        {
            ".devcontainer.json": {"image": IMAGE, "postCreateCommand": 'test -n "$TOKEN" && echo "it is $TOKEN"'},
            "secrets.json": {"TOKEN": "s3cret-value"},
        },
    )
    done = ours("up", "--workspace-folder", ".", "--secrets-file", "secrets.json")
    assert (done.rc, "it is ****" in done.err) == (0, True)
    assert "s3cret-value" not in done.out + done.err


def test_a_file_of_secrets_that_cannot_be_read(project: Path, ours: Run, theirs: Run) -> None:
    write_project(project, {".devcontainer.json": {"image": IMAGE}, "secrets.json": {}})
    (project / "secrets.json").write_text("{")
    for run in (ours, theirs):
        assert run("up", "--workspace-folder", ".", "--secrets-file", "secrets.json").rc == 1


def test_version_and_help_are_ours(ours: Run) -> None:
    assert ours("--version").out.startswith("0.")
    assert ours("up", "--help").out.startswith("usage: devcontainer up")
    assert reference.DIAGNOSTICS == "ociAuthDiagnostics"
