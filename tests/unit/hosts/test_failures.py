"""What `ssh` says when it does not get through (OpenSSH 9.2's own words), as what and what to do."""

from __future__ import annotations

import pytest

from devenv.errors import EngineDenied, EngineError, EngineMissing
from devenv.hosts import failures
from devenv.hosts.destination import parse

BOX = parse("me@box")

CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
The fingerprint for the ED25519 key sent by the remote host is
SHA256:vVfnYd1mv2T7cKmMyGHW0v5gVt1bZ3oLxsxV6zVhzxk.
Please contact your system administrator.
Add correct host key in /home/me/.ssh/known_hosts to get rid of this message.
Offending ED25519 key in /home/me/.ssh/known_hosts:7
Host key for box has changed and you have requested strict checking.
Host key verification failed.
"""


@pytest.mark.parametrize(
    ("said", "problem", "kind", "message", "hint"),
    [
        (CHANGED, "host-key-changed", EngineError, "known_hosts:7", "ssh-keygen -R"),
        (
            "No ED25519 host key is known for box and you have requested strict checking.\n"
            "Host key verification failed.",
            "host-key",
            EngineError,
            "not known yet",
            "by hand: ssh me@box",
        ),
        ("me@box: Permission denied (publickey,password).", "denied", EngineDenied, "publickey,password", "ssh-add"),
        (
            "Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures",
            "denied",
            EngineDenied,
            "does not let you in",
            "ssh-add",
        ),
        (
            "ssh: Could not resolve hostname box: Name or service not known",
            "unknown-name",
            EngineMissing,
            "nobody knows",
            "VPN",
        ),
        (
            "ssh: connect to host box port 22: Connection refused",
            "refused",
            EngineMissing,
            "refuses",
            "right port",
        ),
        ("ssh: connect to host box port 22: Connection timed out", "timeout", EngineMissing, "in time", "machine on"),
        ("ssh: connect to host box port 22: No route to host", "unreachable", EngineMissing, "this network", "VPN"),
        (
            "kex_exchange_identification: read: Connection reset by peer",
            "hung-up",
            EngineMissing,
            "hung up",
            "busy",
        ),
        (
            "/home/me/.ssh/config: line 3: Bad configuration option: hostnme",
            "config",
            EngineError,
            "line 3",
            "~/.ssh/config",
        ),
        ("something new", "unknown", EngineMissing, "something new", "by hand"),
        ("", "unknown", EngineMissing, "without a word", "by hand"),
    ],
)
def test_each_failure_is_told_apart(said: str, problem: str, kind: type[EngineError], message: str, hint: str) -> None:
    error = failures.explained(said, BOX, has_agent=True)
    assert type(error) is kind
    assert error.details["problem"] == problem
    assert message in error.message
    assert hint in error.hint
    assert "\n" not in error.message + error.hint


def test_without_an_agent_the_hint_starts_one() -> None:
    error = failures.explained("Permission denied (publickey).", BOX, has_agent=False)
    assert "start ssh-agent" in error.hint


def test_only_what_may_pass_by_itself_is_tried_again() -> None:
    again = {
        said: failures.explained(said, BOX, has_agent=True).details["problem"] in failures.NETWORK
        for said in (CHANGED, "Permission denied (publickey).", "Connection timed out", "Connection refused")
    }
    assert [*again.values()] == [False, False, True, True]
