"""Which engine a client means, and what is said when it cannot be reached."""

from __future__ import annotations

import hashlib
import json
import pathlib
from collections.abc import Mapping

import pytest

from devenv.engine import endpoint
from devenv.errors import EngineDenied, EngineError, EngineMissing


def write_context(home: pathlib.Path, name: str, host: str, *, tls: bool = False) -> None:
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = home / ".docker/contexts/meta" / digest / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}))
    if tls:
        (home / ".docker/contexts/tls" / digest / "docker").mkdir(parents=True)


CASES = [
    ("nothing said", {}, "unix:///var/run/docker.sock", "default"),
    ("host variable", {"DOCKER_HOST": "unix:///x.sock"}, "unix:///x.sock", "DOCKER_HOST"),
    ("host beats context", {"DOCKER_HOST": "tcp://h:1", "DOCKER_CONTEXT": "lab"}, "tcp://h:1", "DOCKER_HOST"),
    ("context variable beats file", {"DOCKER_CONTEXT": "lab"}, "unix:///lab.sock", "context lab"),
    ("the default context by name", {"DOCKER_CONTEXT": "default"}, "unix:///var/run/docker.sock", "default"),
]


@pytest.mark.parametrize(("env", "url", "source"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_resolve(tmp_path: pathlib.Path, env: Mapping[str, str], url: str, source: str) -> None:
    write_context(tmp_path, "lab", "unix:///lab.sock")
    found = endpoint.resolve({"HOME": str(tmp_path), **env})
    assert (found.url, found.source) == (url, source)


def test_current_context_of_the_client(tmp_path: pathlib.Path) -> None:
    write_context(tmp_path, "box", "tcp://10.0.0.1:2376", tls=True)
    (tmp_path / ".docker/config.json").write_text('{"currentContext": "box"}')
    found = endpoint.resolve({"HOME": str(tmp_path)})
    assert found.url == "tcp://10.0.0.1:2376" and found.tls_verify and found.tls_dir.endswith("/docker")
    env = endpoint.client_environment(found, {"HOME": str(tmp_path), "DOCKER_CONTEXT": "other", "A": "b"})
    assert env["DOCKER_HOST"] == found.url and env["DOCKER_TLS_VERIFY"] == "1" and env["A"] == "b"
    assert "DOCKER_CONTEXT" not in env


def test_config_folder_of_the_client(tmp_path: pathlib.Path) -> None:
    write_context(tmp_path, "lab", "unix:///lab.sock")
    env = {"HOME": "/nowhere", "DOCKER_CONFIG": str(tmp_path / ".docker"), "DOCKER_CONTEXT": "lab"}
    assert endpoint.resolve(env).url == "unix:///lab.sock"


def test_unknown_context(tmp_path: pathlib.Path) -> None:
    with pytest.raises(EngineError, match="'gone' does not exist"):
        endpoint.resolve({"HOME": str(tmp_path), "DOCKER_CONTEXT": "gone"})


def test_ssh_is_another_machine_and_has_no_socket_here_yet() -> None:
    found = endpoint.resolve({"DOCKER_HOST": "ssh://me@box"})
    assert found.remote
    assert found.socket_path is None


def test_what_nobody_can_reach_is_named() -> None:
    with pytest.raises(EngineError, match="not supported: an engine reached by npipe"):
        endpoint.resolve({"DOCKER_HOST": "npipe:////./pipe/docker"})


def test_broken_config_counts_as_none(tmp_path: pathlib.Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text("{not json")
    assert endpoint.resolve({"HOME": str(tmp_path)}).source == "default"


def test_no_permission_names_socket_and_group() -> None:
    error = endpoint.unreachable(endpoint.Endpoint("unix:///run/x.sock", "default"), PermissionError(13, "denied"))
    assert isinstance(error, EngineDenied)
    assert "/run/x.sock" in error.message and "`docker`" in error.hint


def test_nobody_there_names_the_endpoint() -> None:
    error = endpoint.unreachable(endpoint.Endpoint("unix:///run/x.sock", "context lab"), FileNotFoundError(2, "gone"))
    assert isinstance(error, EngineMissing)
    assert "unix:///run/x.sock (context lab)" in error.message


PODMANS = [
    ("unix:///run/user/1000/podman/podman.sock", "`systemctl --user start podman.socket`"),
    ("unix:///run/podman/podman.sock", "`sudo systemctl start podman.socket`"),
    ("unix:///run/x.sock", "`sudo systemctl start docker`"),
    ("tcp://podman:2375", "`sudo systemctl start docker`"),
]


@pytest.mark.parametrize(("url", "words"), PODMANS)
def test_nobody_there_is_started_in_its_own_way(url: str, words: str) -> None:
    error = endpoint.unreachable(endpoint.Endpoint(url, "DOCKER_HOST"), FileNotFoundError(2, "gone"))
    assert words in error.hint


def test_no_permission_for_a_socket_of_roots_own_podman(tmp_path: pathlib.Path) -> None:
    (tmp_path / "podman.sock").touch(mode=0o600)
    where = endpoint.Endpoint(f"unix://{tmp_path}/podman.sock", "DOCKER_HOST")
    error = endpoint.unreachable(where, PermissionError(13, "denied"))
    assert isinstance(error, EngineDenied) and "$XDG_RUNTIME_DIR/podman/podman.sock" in error.hint
