"""Words for machines: what goes to `ssh`, and what never does."""

from __future__ import annotations

import pytest

from devenv.errors import UsageError
from devenv.hosts.destination import parse


@pytest.mark.parametrize(
    ("text", "target", "socket"),
    [
        ("gpu-box", "gpu-box", ""),
        ("me@gpu.example", "me@gpu.example", ""),
        ("ssh://me@gpu.example", "me@gpu.example", ""),
        ("ssh://me@Box:2222", "ssh://me@Box:2222", ""),
        ("ssh://box/run/user/1000/docker.sock", "box", "/run/user/1000/docker.sock"),
        ("ssh://me@[fe80::1]:22/", "ssh://me@[fe80::1]:22", ""),
    ],
)
def test_what_ssh_gets(text: str, target: str, socket: str) -> None:
    found = parse(text)
    assert (found.target, found.socket) == (target, socket)
    assert parse(found.shown) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-oProxyCommand=touch",
        "me@-oProxyCommand=x",
        "ssh://-x",
        "ssh://-x@box",
        "a b",
        "box;ls",
        "box/etc",
        "$(id)",
        "ssh://",
        "ssh://box:port",
        "http://box",
        "@box",
        "box\n",
    ],
)
def test_what_is_no_destination(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


def test_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        parse("ssh://me:secret@box")
    assert "secret" not in caught.value.message + caught.value.hint
