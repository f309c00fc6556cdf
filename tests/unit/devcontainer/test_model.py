"""devcontainer.json as a typed view: every property read, every mistake told with its place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcontainer import model
from devcontainer.lifecycle import Stage
from devcontainer.model import Build, Kind
from devcontainer.problem import Severity
from devcontainer.properties import PROPERTIES
from devcontainer.variables import Substitution

FULL = """{
    // every property that an image configuration can have
    "$schema": "https://example.org/schema.json", "name": "n", "image": "python:3.11",
    "features": {"ghcr.io/x/y:1": {"version": "1"}, "./local": true, "./z": "1"},
    "overrideFeatureInstallOrder": ["./z"],
    "secrets": {"TOKEN": {"description": "d", "documentationUrl": "u"}},
    "forwardPorts": [3000, "db:5432"],
    "portsAttributes": {"3000": {"label": "l", "protocol": "http", "onAutoForward": "openBrowserOnce",
        "requireLocalPort": true, "elevateIfNeeded": false}, "1-5": {}, ".*py.*": {}},
    "otherPortsAttributes": {"onAutoForward": "ignore"},
    "containerEnv": {"A": "1"}, "remoteEnv": {"B": null, "C": "${containerEnv:PATH}"},
    "remoteUser": "u", "containerUser": "c", "updateRemoteUserUID": true, "userEnvProbe": "none",
    "overrideCommand": false, "shutdownAction": "none", "init": true, "privileged": false,
    "capAdd": ["SYS_PTRACE"], "securityOpt": ["x"],
    "mounts": ["type=bind,source=/a,target=/b,readonly", {"type": "volume", "source": "v", "target": "/c"}],
    "customizations": {"vscode": {"extensions": []}, "devenv": {}},
    "hostRequirements": {"cpus": 4, "memory": "8gb", "storage": "32gb", "gpu": {"cores": 1, "memory": "1gb"}},
    "initializeCommand": "i", "onCreateCommand": ["a", "b"], "updateContentCommand": {"x": "y"},
    "postCreateCommand": "p", "postStartCommand": "s", "postAttachCommand": "t", "waitFor": "postStartCommand",
    "additionalProperties": {}, "appPort": [80, "90:90"],
    "workspaceMount": "type=bind,source=/p,target=/w", "workspaceFolder": "/w", "runArgs": ["--ipc=host"],
}"""


def load(text: str) -> model.DevContainer:
    return model.load(text, "devcontainer.json")


def test_every_property_of_an_image_configuration() -> None:
    config = load(FULL)
    assert config.problems == ()
    assert config.kind is Kind.IMAGE
    assert (config.name, config.image, config.build) == ("n", "python:3.11", None)
    assert config.publish == ("127.0.0.1:80:80", "90:90")
    assert config.run_args == ("--ipc=host",)
    assert (config.workspace_mount, config.workspace_folder) == ("type=bind,source=/p,target=/w", "/w")
    assert list(config.features) == ["ghcr.io/x/y:1", "./local", "./z"]
    assert config.override_feature_install_order == ("./z",)
    assert list(config.secrets) == ["TOKEN"]
    assert config.initialize_command.steps[0].text == "i"
    assert config.host_requirements.cpus == 4
    assert list(config.metadata_entry)[:6] == [stage.value for stage in Stage if stage.in_container] + ["waitFor"]
    assert "initializeCommand" not in config.metadata_entry


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('{"build": {"dockerfile": "D"}}', Build("D"), id="the least"),
        pytest.param(
            '{"build": {"dockerfile": "D", "context": "..", "args": {"A": "1"}, "target": "t", "cacheFrom": "c",'
            ' "options": ["-q"]}}',
            Build("D", "..", {"A": "1"}, "t", ("c",), ("-q",)),
            id="all",
        ),
        pytest.param(
            '{"build": {"dockerfile": "D", "cacheFrom": ["a", "b"]}}', Build("D", cache_from=("a", "b")), id="caches"
        ),
        pytest.param('{"dockerFile": "D", "context": ".."}', Build("D", ".."), id="older keys"),
        pytest.param(
            '{"dockerFile": "D", "context": "..", "build": {"args": {"A": "1"}}}',
            Build("D", "..", {"A": "1"}),
            id="older keys beside arguments",
        ),
    ],
)
def test_dockerfile(text: str, expected: Build) -> None:
    config = load(text)
    assert (config.problems, config.kind, config.build) == ((), Kind.DOCKERFILE, expected)


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ('{"dockerComposeFile": "c.yml", "service": "app", "runServices": ["db"]}', ("c.yml",)),
        ('{"dockerComposeFile": ["a", "b"], "service": "app", "runServices": ["db"]}', ("a", "b")),
        ('{"dockerComposeFile": [], "service": "app", "runServices": ["db"]}', ()),
    ],
)
def test_compose_is_recognised(text: str, files: tuple[str, ...]) -> None:
    config = load(text)
    assert (config.problems, config.kind, config.docker_compose_files) == ((), Kind.COMPOSE, files)
    assert (config.service, config.run_services) == ("app", ("db",))


def test_older_keys_move_below_customizations() -> None:
    """As the reference prints it: what stands in the new place wins, older extensions follow."""
    config = load(
        '{"image":"i","extensions":["a"],"settings":{"x":1,"y":1},"devPort":3,'
        '"customizations":{"vscode":{"extensions":["b"],"settings":{"x":2}}}}'
    )
    assert config.problems == ()
    assert config.raw == {
        "image": "i",
        "customizations": {"vscode": {"extensions": ["b", "a"], "settings": {"x": 2, "y": 1}, "devPort": 3}},
    }


MISTAKES = [
    pytest.param("", 1, 1, "", "empty", id="an empty file"),
    pytest.param("[]", 1, 1, "", "one object", id="not an object"),
    pytest.param('{"image": "x"\n "name": "y"}', 1, 14, "", "comma is missing", id="not JSONC"),
    pytest.param("{}", 1, 1, "", "says neither 'image'", id="nothing to run"),
    pytest.param('{"build": {}}', 1, 1, "", "'build' needs 'dockerfile'", id="a build without Dockerfile"),
    pytest.param('{"image": ""}', 1, 11, "image", "must not be empty", id="an empty image"),
    pytest.param('{"image": 3}', 1, 11, "image", "must be a text, not a number", id="a wrong type"),
    pytest.param('{"image":"x",\n "init": "yes"}', 2, 10, "init", "true or false, not a text", id="yes is no truth"),
    pytest.param(
        '{"image":"x","containerEnv":{"A":1}}', 1, 34, "containerEnv.A", "must be a text", id="a number in env"
    ),
    pytest.param(
        '{"image":"x","remoteEnv":{"A":[]}}', 1, 31, "remoteEnv.A", "a text or null, not an array", id="an array"
    ),
    pytest.param('{"image":"x","runArgs":"--x"}', 1, 24, "runArgs", "must be an array", id="a text for an array"),
    pytest.param('{"image":"x","runArgs":["a",null]}', 1, 29, "runArgs.1", "not null", id="null in an array"),
    pytest.param(
        '{"image":"x","forwardPorts":[70000]}', 1, 30, "forwardPorts.0", "0 to 65535", id="a port out of range"
    ),
    pytest.param(
        '{"image":"x","forwardPorts":["web"]}', 1, 30, "forwardPorts.0", "host:port", id="a host without a port"
    ),
    pytest.param(
        '{"image":"x","forwardPorts":[true]}', 1, 30, "forwardPorts.0", "not true", id="true is not forwarded"
    ),
    pytest.param('{"image":"x","forwardPorts":[{}]}', 1, 30, "forwardPorts.0", "not an object", id="an object port"),
    pytest.param('{"image":"A B"}', 1, 10, "image", "is not the name of an image", id="no image name"),
    pytest.param('{"image":"x","name":"a\\u0000b"}', 1, 21, "name", "U+0000", id="a NUL in a text"),
    pytest.param('{"image":"x","settings":{"a\\u0000":1}}', 1, 26, "settings", "a key holds", id="a NUL in a key"),
    pytest.param('{"image":"x","containerEnv":{"":"1"}}', 1, 30, "containerEnv.", "name of a variable", id="no name"),
    pytest.param('{"image":"x","remoteEnv":{"A=B":"1"}}', 1, 27, "remoteEnv.A=B", "name of a variable", id="a sign"),
    pytest.param('{"image":"x","appPort":"web"}', 1, 24, "appPort", "how to publish", id="a text that is no port"),
    pytest.param('{"dockerComposeFile":[""],"service":"a"}', 1, 23, "dockerComposeFile.0", "empty", id="no file name"),
    pytest.param('{"image":"x","appPort":true}', 1, 24, "appPort", "must be a port", id="true is no port"),
    pytest.param(
        '{"image":"x","appPort":[99999]}', 1, 25, "appPort.0", "0 to 65535", id="a published port out of range"
    ),
    pytest.param(
        '{"image":"x","userEnvProbe":"login"}', 1, 29, "userEnvProbe", "did you mean 'loginShell'", id="a word, nearly"
    ),
    pytest.param(
        '{"image":"x","waitFor":"postAttachCommand"}', 1, 24, "waitFor", "is not one of", id="not to wait for"
    ),
    pytest.param(
        '{"image":"x","mounts":["type=bind"]}', 1, 24, "mounts.0", "has no target", id="a mount without target"
    ),
    pytest.param(
        '{"image":"x","mounts":[{"type":"tmpfs","target":"/x"}]}', 1, 32, "mounts.0.type", "is not one of", id="tmpfs"
    ),
    pytest.param(
        '{"image":"x","mounts":[{"type":"bind"}]}', 1, 24, "mounts.0", "'target' is missing", id="an object mount"
    ),
    pytest.param(
        '{"image":"x","hostRequirements":{"cpus":0}}', 1, 41, "hostRequirements.cpus", "at least 1", id="no cpu"
    ),
    pytest.param(
        '{"image":"x","hostRequirements":{"memory":"8g"}}', 1, 43, "hostRequirements.memory", "'8gb'", id="a size"
    ),
    pytest.param(
        '{"image":"x","hostRequirements":{"gpu":"all"}}', 1, 40, "hostRequirements.gpu", "'optional'", id="a gpu word"
    ),
    pytest.param(
        '{"image":"x","hostRequirements":{"gpu":1}}', 1, 40, "hostRequirements.gpu", "not a number", id="a gpu count"
    ),
    pytest.param(
        '{"image":"x","postCreateCommand":[1]}', 1, 34, "postCreateCommand", "texts only", id="a command of numbers"
    ),
    pytest.param(
        '{"image":"x","postCreateCommand":{"a":{}}}', 1, 34, "postCreateCommand", "named commands", id="nested"
    ),
    pytest.param(
        '{"image":"x","workspaceFolder":"w"}', 1, 32, "workspaceFolder", "absolute path", id="a relative folder"
    ),
    pytest.param(
        '{"image":"x","remoteUser":"${localEnv}"}', 1, 27, "remoteUser", "no environment variable name", id="env"
    ),
    pytest.param(
        '{"dockerComposeFile":"c"}', 1, 2, "dockerComposeFile", "needs the property 'service'", id="no service"
    ),
    pytest.param(
        '{"build":{"dockerfile":"D","args":{"A":1}}}', 1, 40, "build.args.A", "must be a text", id="a build argument"
    ),
    pytest.param(
        '{"image":"x","features":{"./f":[]}}', 1, 32, "features../f", "an object, a text or true/false", id="a feature"
    ),
]


@pytest.mark.parametrize(("text", "line", "column", "key", "words"), MISTAKES)
def test_mistakes_are_errors(text: str, line: int, column: int, key: str, words: str) -> None:
    (problem,) = load(text).errors
    assert (problem.file, problem.line, problem.column, problem.key) == ("devcontainer.json", line, column, key)
    assert words in f"{problem.message} {problem.hint}"


WARNINGS = [
    pytest.param('{"image":"x","remotUser":"u"}', 1, 14, "remotUser", "did you mean 'remoteUser'?", id="a key, nearly"),
    pytest.param('{"image":"x","REMOTEUSER":"u"}', 1, 14, "REMOTEUSER", "did you mean 'remoteUser'?", id="in capitals"),
    pytest.param('{"image":"x","zzz":1}', 1, 14, "zzz", "not a known property", id="a key like no other"),
    pytest.param(
        '{"build":{"dockerFile":"x","dockerfile":"D"}}', 1, 11, "build.dockerFile", "'dockerfile'", id="inside"
    ),
    pytest.param('{"image":"a","image":"b"}', 1, 14, "image", "line 1 has no effect", id="a key twice"),
    pytest.param('{"image":"x","workspaceMount":""}', 1, 14, "workspaceMount", "'workspaceFolder'", id="a mount alone"),
    pytest.param('{"image":"x","dockerFile":"D"}', 1, 2, "image", "the Dockerfile is built", id="image and Dockerfile"),
    pytest.param('{"image":"x","service":"s"}', 1, 14, "service", "only with dockerComposeFile", id="a service alone"),
    pytest.param(
        '{"dockerComposeFile":"c","service":"s","runArgs":[]}', 1, 40, "runArgs", "no effect", id="not with Compose"
    ),
    pytest.param('{"image":"x","shutdownAction":"stopCompose"}', 1, 31, "shutdownAction", "'stopContainer'", id="kind"),
    pytest.param(
        '{"dockerComposeFile":"c","service":"s","shutdownAction":"stopContainer"}',
        1,
        57,
        "shutdownAction",
        "'stopCompose'",
        id="the other kind",
    ),
    pytest.param(
        '{"image":"x","portsAttributes":{"a(":{}}}',
        1,
        33,
        "portsAttributes.a(",
        "regular expression",
        id="an expression",
    ),
    pytest.param(
        '{"image":"x","portsAttributes":{"1":{"lable":"x"}}}',
        1,
        38,
        "portsAttributes.1.lable",
        "'label'",
        id="deep inside",
    ),
]


@pytest.mark.parametrize(("text", "line", "column", "key", "words"), WARNINGS)
def test_oddities_are_warnings(text: str, line: int, column: int, key: str, words: str) -> None:
    config = load(text)
    assert config.errors == ()
    (problem,) = config.warnings
    assert (problem.line, problem.column, problem.key) == (line, column, key)
    assert words in f"{problem.message} {problem.hint}"


def test_all_problems_at_once_in_the_order_of_the_file() -> None:
    config = load('{"imag": "x",\n "init": 1,\n "name": 2}')
    assert [(problem.line, problem.severity) for problem in config.problems] == [
        (1, Severity.ERROR),
        (1, Severity.WARNING),
        (2, Severity.ERROR),
        (3, Severity.ERROR),
    ]
    assert str(config.problems[1]) == ("devcontainer.json:1:2: imag: is not a known property (did you mean 'image'?)")


def test_a_wrong_value_reads_as_if_it_were_not_there() -> None:
    config = load('{"image": "x", "runArgs": 3, "workspaceFolder": [], "appPort": {}, "initializeCommand": 3}')
    assert len(config.errors) == 4
    assert (config.run_args, config.workspace_folder, config.publish) == ((), None, ())
    assert not config.initialize_command


def test_substitution_leaves_the_original() -> None:
    config = load('{"image": "${localEnv:IMAGE:python}", "runArgs": ["-v${localWorkspaceFolder}:/x"]}')
    resolved = config.substituted(Substitution(local_env={}, local_workspace_folder="/p"))
    assert (resolved.image, resolved.run_args) == ("python", ("-v/p:/x",))
    assert config.image == "${localEnv:IMAGE:python}"
    assert config.metadata_entry == {}


def test_a_text_with_a_variable_is_judged_by_its_value() -> None:
    config = load('{"image": "${localEnv:I}", "mounts": ["${localEnv:M}"], "waitFor": "${localEnv:W:no}", "init": 1}')
    assert [problem.key for problem in config.errors] == ["init"]
    assert config.resolved_errors(Substitution(local_env={})) == ()  # first things first
    config = load('{"image": "${localEnv:I}", "mounts": ["${localEnv:M}"], "waitFor": "${localEnv:W:no}"}')
    assert config.errors == ()
    found = config.resolved_errors(Substitution(local_env={"M": "type=volume,target=/m"}))
    assert [(problem.key, problem.hint.partition(";")[0]) for problem in found] == [
        ("image", "it is written '${localEnv:I}'"),
        ("waitFor", "it is written '${localEnv:W:no}'"),
    ]
    assert load("{").resolved_errors(Substitution()) == ()


def test_position_of_a_key_for_later_messages() -> None:
    config = load('{"image": "x",\n  "build": {"args": {}}}')
    assert config.position("build.args") == (2, 13)
    assert config.position("build.args.A") == (2, 21), "of what is not there: the nearest around it"
    assert load('{"mounts": ["a",\n "b"]}').position("mounts.1") == (2, 2)


@given(
    st.dictionaries(
        st.sampled_from([*PROPERTIES, "other"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(alphabet="a:1-,=${localEnv}"),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet="ab1-:("), inner, max_size=3),
            max_leaves=5,
        ),
    )
)
def test_no_value_anywhere_makes_it_fail(raw: dict[str, Any]) -> None:
    import json

    config = load(json.dumps(raw))
    for name in dir(config):
        if not name.startswith("_"):
            getattr(config, name)
    assert all(problem.line >= 1 and problem.column >= 1 for problem in config.problems)
