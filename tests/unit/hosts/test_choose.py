"""Which engine is meant: every way of saying it, and which one counts."""

from __future__ import annotations

import hashlib
import json
import pathlib

import pytest

from devenv.errors import EngineError, UsageError
from devenv.hosts.choose import Chooser, sockets_folder

BOOK = """\
default: gpu-box
hosts:
  gpu-box: {ssh: me@gpu.example}
  lab: {context: lab}
  rack: {tcp: "tcp://10.0.0.5:2376", tls: ~/certs}
"""


@pytest.fixture
def chooser(tmp_path: pathlib.Path) -> Chooser:
    return Chooser(tmp_path / "hosts")


@pytest.fixture
def env(tmp_path: pathlib.Path) -> dict[str, str]:
    home = tmp_path / "home"
    (home / ".config/devenv").mkdir(parents=True)
    (home / ".config/devenv/hosts.yaml").write_text(BOOK)
    for name, url in (("lab", "ssh://you@lab.example"), ("mine", "unix:///run/mine.sock")):
        folder = home / ".docker/contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
        folder.mkdir(parents=True)
        (folder / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": url}}}))
    return {"HOME": str(home)}


@pytest.mark.parametrize(
    ("more", "shown", "name", "remote"),
    [
        ({}, "ssh://me@gpu.example", "gpu-box", True),
        ({"DEVENV_HOST": "local"}, "unix:///var/run/docker.sock", "", False),
        ({"DOCKER_CONTEXT": "default"}, "unix:///var/run/docker.sock", "", False),
        ({"DOCKER_HOST": "unix:///x.sock"}, "unix:///x.sock", "", False),
        ({"DOCKER_HOST": "unix:///x.sock", "DEVENV_HOST": "local"}, "unix:///x.sock", "", False),
        ({"DOCKER_HOST": "ssh://a@b"}, "ssh://a@b", "ssh://a@b", True),
        ({"DOCKER_CONTEXT": "lab"}, "ssh://you@lab.example", "ssh://you@lab.example", True),
        ({"DOCKER_HOST": "unix:///x.sock", "DEVENV_HOST": "rack"}, "tcp://10.0.0.5:2376", "rack", True),
        ({"DEVENV_HOST": "lab"}, "ssh://you@lab.example", "lab", True),
        ({"DEVENV_HOST": "mine"}, "unix:///run/mine.sock", "mine", False),
        ({"DEVENV_HOST": "you@else.where"}, "ssh://you@else.where", "you@else.where", True),
        ({"DEVENV_HOST": "ssh://you@b:22"}, "ssh://you@b:22", "ssh://you@b:22", True),
        ({"DEVENV_HOST": "tcp://b:2375"}, "tcp://b:2375", "tcp://b:2375", True),
    ],
)
def test_the_order(
    chooser: Chooser, env: dict[str, str], more: dict[str, str], shown: str, name: str, remote: bool
) -> None:
    found = chooser.endpoint({**env, **more})
    assert (found.shown, found.name, found.remote) == (shown, name, remote)


def test_a_host_of_ssh_has_a_short_socket_of_its_own(env: dict[str, str]) -> None:
    here = Chooser(sockets_folder(pathlib.Path("/home/somebody/.local/state/devenv/0123456789ab")))
    one, other = here.endpoint({**env, "DEVENV_HOST": "a@b"}), here.endpoint({**env, "DEVENV_HOST": "a@c"})
    assert one.socket_path is not None
    assert one.socket_path.startswith("/home/somebody/.local/state/devenv/0123456789ab/hosts/")
    assert len(one.socket_path) < 100
    assert one.url != other.url


def test_a_long_state_folder_has_its_sockets_elsewhere() -> None:
    folder = sockets_folder(pathlib.Path("/home", "x" * 60))
    assert str(folder).startswith("/var/tmp/devenv-")
    assert len(str(folder / ("a" * 12) / "engine.sock")) < 100


def test_certificates_of_a_host_lie_in_the_clients_home(chooser: Chooser, env: dict[str, str]) -> None:
    found = chooser.endpoint({**env, "DEVENV_HOST": "rack"})
    assert (found.tls_dir, found.tls_verify) == (env["HOME"] + "/certs", True)


def test_a_book_that_was_edited_is_read_again(chooser: Chooser, env: dict[str, str]) -> None:
    chooser.endpoint(env)
    pathlib.Path(env["HOME"], ".config/devenv/hosts.yaml").write_text(BOOK.replace("gpu.example", "other.example"))
    assert chooser.endpoint(env).shown == "ssh://me@other.example"


def test_words_that_are_no_host(chooser: Chooser, env: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        chooser.endpoint({**env, "DEVENV_HOST": "-oProxyCommand=x"})
    with pytest.raises(EngineError, match="npipe"):
        chooser.endpoint({**env, "DEVENV_HOST": "npipe:////./pipe/x"})
