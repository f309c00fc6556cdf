"""Which credentials a client has, in which order, and what a broken source of them costs: a note."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from devenv.oci import credentials

HOST = "registry.example:8443"


def pair(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class Place:
    """A client's environment with a Docker configuration and helpers of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes: list[str] = []
        self.env = {"DOCKER_CONFIG": str(folder), "PATH": f"{folder / 'bin'}:/usr/bin:/bin"}
        (folder / "bin").mkdir()

    def config(self, **value: Any) -> None:
        (self.folder / "config.json").write_text(json.dumps(value))

    def helper(self, name: str, script: str) -> None:
        file = self.folder / "bin" / f"docker-credential-{name}"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    def find(self, registry: str = HOST, **env: str) -> tuple[str, str, bool] | None:
        found = credentials.find(registry, {**self.env, **env}, self.notes.append)
        return (found.username, found.secret, found.identity) if found else None


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


ANSWER = 'test "$1" = get && read -r server; echo "{\\"Username\\": \\"$server\\", \\"Secret\\": \\"kept\\"}"'


def test_nothing_is_known(place: Place) -> None:
    assert place.find() is None
    assert credentials.find(HOST, {}, place.notes.append) is None
    assert place.notes == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(f"{HOST}|u|t", ("u", "t", False), id="the only one"),
        pytest.param(f"other|x|y,{HOST}|u|t", ("u", "t", False), id="the second"),
        pytest.param(f"{HOST}|u|a|b", ("u", "a|b", False), id="a bar in the secret"),
        pytest.param("registry.example|u|t", None, id="without the port it is another host"),
        pytest.param("nonsense,,|", None, id="not of that form"),
    ],
)
def test_the_variable(place: Place, value: str, expected: tuple[str, str, bool] | None) -> None:
    assert place.find(DEVCONTAINERS_OCI_AUTH=value) == expected


@pytest.mark.parametrize(
    ("registry", "env", "expected"),
    [
        ("ghcr.io", {"GITHUB_TOKEN": "t"}, ("USERNAME", "t", False)),
        ("ghcr.io", {"GITHUB_TOKEN": "t", "GITHUB_HOST": "github.com"}, ("USERNAME", "t", False)),
        ("ghcr.io", {"GITHUB_TOKEN": "t", "GITHUB_HOST": "github.corp"}, None),
        (HOST, {"GITHUB_TOKEN": "t"}, None),
        ("ghcr.io", {}, None),
    ],
)
def test_github(place: Place, registry: str, env: dict[str, str], expected: object) -> None:
    assert place.find(registry, **env) == expected


@pytest.mark.parametrize(
    ("key", "entry", "expected"),
    [
        pytest.param(HOST, {"auth": pair("u:p:q")}, ("u", "p:q", False), id="as a host"),
        pytest.param(f"https://{HOST}/v1/", {"auth": pair("u:p")}, ("u", "p", False), id="as an old address"),
        pytest.param(HOST, {"identitytoken": "t", "auth": pair("u:")}, ("<token>", "t", True), id="identity token"),
        pytest.param(HOST, {}, None, id="an entry of a helper"),
        pytest.param("registry.example", {"auth": pair("u:p")}, None, id="another port"),
    ],
)
def test_entries(place: Place, key: str, entry: dict[str, str], expected: object) -> None:
    place.config(auths={"broken.example": {"auth": "!"}, key: entry})
    assert place.find() == expected
    assert place.notes == []


def test_docker_hub_has_a_key_of_its_own(place: Place) -> None:
    place.config(auths={"https://index.docker.io/v1/": {"auth": pair("u:p")}})
    assert place.find("docker.io") == ("u", "p", False)
    place.helper("kept", ANSWER)
    place.config(credsStore="kept")
    assert place.find("docker.io") == ("https://index.docker.io/v1/", "kept", False)


@pytest.mark.parametrize("entry", [{"auth": "%%%"}, {"auth": pair("nocolon")}, {"auth": 3}, "x", None])
def test_a_broken_entry_is_a_note(place: Place, entry: object) -> None:
    place.config(auths={HOST: entry})
    assert place.find() is None
    assert HOST in place.notes[0]


@pytest.mark.parametrize("text", ["{", "[]", "", "\xff"])
def test_a_broken_configuration_is_a_note(place: Place, text: str) -> None:
    (place.folder / "config.json").write_text(text, encoding="latin-1")
    assert place.find() is None
    assert "cannot be read" in place.notes[0]


@pytest.mark.parametrize("config", [{"auths": 1}, {"credHelpers": 1, "credsStore": 1}, {"auths": None}, {}])
def test_odd_configurations_hold_nothing(place: Place, config: dict[str, Any]) -> None:
    place.config(**config)
    assert place.find() is None


class TestHelpers:
    def test_the_one_for_the_registry_comes_first(self, place: Place) -> None:
        place.helper("mine", ANSWER)
        place.config(credHelpers={HOST: "mine"}, credsStore="missing", auths={HOST: {"auth": pair("u:p")}})
        assert place.find() == (HOST, "kept", False)
        assert place.notes == []

    def test_an_identity_token(self, place: Place) -> None:
        place.helper("mine", 'echo "{\\"Username\\": \\"<token>\\", \\"Secret\\": \\"t\\"}"')
        place.config(credsStore="mine")
        assert place.find() == ("<token>", "t", True)

    def test_it_runs_in_the_clients_environment(self, place: Place) -> None:
        place.helper("mine", 'echo "{\\"Username\\": \\"$WHO\\", \\"Secret\\": \\"t\\"}"')
        place.config(credsStore="mine")
        assert place.find(WHO="client") == ("client", "t", False)

    def test_no_entry_is_no_failure(self, place: Place) -> None:
        place.helper("mine", "echo credentials not found in native keychain; exit 1")
        place.config(credsStore="mine", auths={HOST: {"auth": pair("u:p")}})
        assert place.find() == ("u", "p", False)
        assert place.notes == []

    @pytest.mark.parametrize(
        ("script", "words"),
        [
            pytest.param("echo keyring is locked; exit 1", "exit code 1", id="fails"),
            pytest.param("echo hello", "unusable", id="not JSON"),
            pytest.param("echo '{}'", "unusable", id="an empty object"),
            pytest.param("echo 3", "unusable", id="a number"),
            pytest.param("sleep 60", "did not answer", id="hangs"),
        ],
    )
    def test_one_that_fails_is_a_note(
        self, place: Place, script: str, words: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(credentials, "HELPER_LIMIT", 0.3)
        place.helper("mine", script)
        place.config(credsStore="mine", auths={HOST: {"auth": pair("u:p")}})
        assert place.find() == ("u", "p", False)
        assert words in place.notes[0] and "docker-credential-mine" in place.notes[0]

    @pytest.mark.parametrize("name", ["missing", "../bin/mine", "/bin/true"])
    def test_one_that_is_not_on_path_is_a_note(self, place: Place, name: str) -> None:
        place.helper("mine", ANSWER)
        place.config(credsStore=name)
        assert place.find() is None
        assert "not on PATH" in place.notes[0]

    def test_one_that_cannot_be_run_is_a_note(self, place: Place) -> None:
        file = place.folder / "bin" / "docker-credential-mine"
        file.write_bytes(b"\x7fELFnot really")
        file.chmod(0o755)
        place.config(credsStore="mine")
        assert place.find() is None
        assert "failed" in place.notes[0]


def test_order(place: Place) -> None:
    place.config(auths={"ghcr.io": {"auth": pair("docker:p")}})
    everything = {"GITHUB_TOKEN": "github", "DEVCONTAINERS_OCI_AUTH": "ghcr.io|variable|p"}
    assert place.find("ghcr.io", **everything) == ("variable", "p", False)
    del everything["DEVCONTAINERS_OCI_AUTH"]
    assert place.find("ghcr.io", **everything) == ("docker", "p", False)
    place.config()
    assert place.find("ghcr.io", **everything) == ("USERNAME", "github", False)


def test_a_secret_is_not_shown() -> None:
    assert "hidden" not in repr(credentials.Credential("x", "u", "hidden"))
