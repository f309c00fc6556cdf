"""Why `ssh` did not get through, as one of our errors.

`ssh` has one exit code for all that it meets, 255; its words are the only thing that tells a typing error from an
attack. So here, and nowhere else, words decide. `details["problem"]` of each error is a word for machines.
"""

from __future__ import annotations

import re

from devenv.errors import DevenvError, EngineDenied, EngineError, EngineMissing
from devenv.hosts.destination import Destination

NETWORK = ("timeout", "unreachable", "refused", "hung-up", "unknown-name", "lost")
"""Problems that may pass by themselves: asking again and again does no harm."""

BEHIND = ("no-engine", "no-right", "no-answer")
"""Problems of a machine that has let us in."""


def explained(said: str, to: Destination, *, has_agent: bool) -> DevenvError:
    """`said` is what `ssh` wrote on stderr before it ended."""
    name, once = to.shown, f"ssh {to.target}"
    lines = [line.strip("\r ") for line in said.splitlines() if line.strip("\r ")]
    last = lines[-1] if lines else "ssh ended without a word"
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in said:
        place = re.search(r"Offending .*key in (\S+?):?\s*$", said, re.MULTILINE)
        known = f" ({place[1]})" if place else ""
        return _error(
            EngineError,
            f"the host key of {name} is another one than before{known}: the machine was installed anew, or somebody "
            "answers in its place",
            f"ask who runs it; when the new key is known to be right, remove the old one (ssh-keygen -R), then: {once}",
            "host-key-changed",
        )
    if "Host key verification failed" in said or "host key is known for" in said:
        return _error(
            EngineError, f"the host key of {name} is not known yet", f"compare it once, by hand: {once}", "host-key"
        )
    if found := re.search(r"Permission denied \(([^)]*)\)|Too many authentication failures", said):
        ways = f" (it takes {found[1]})" if found[1] else " (too many keys were offered)"
        hint = "load your key with `ssh-add`" if has_agent else "start ssh-agent and load your key with `ssh-add`"
        return _error(
            EngineDenied, f"{name} does not let you in{ways}", f"{hint}, or name it in ~/.ssh/config", "denied"
        )
    for pattern, problem, what, hint in _PLAIN:
        if re.search(pattern, said):
            return _error(EngineMissing, what.format(name=name), hint.format(once=once), problem)
    if re.search(r"Bad configuration option|bad configuration options|line [0-9]+:", said):
        return _error(EngineError, f"ssh does not accept its configuration: {lines[0]}", "see ~/.ssh/config", "config")
    return _error(EngineMissing, f"{name} cannot be reached: {last}", f"try by hand: {once}", "unknown")


_PLAIN = (
    (
        r"Could not resolve hostname",
        "unknown-name",
        "{name}: nobody knows a machine of that name",
        "check the name, the network (a VPN?) and ~/.ssh/config; `devenv host ls` lists your hosts",
    ),
    (
        r"Connection refused",
        "refused",
        "{name} refuses the connection: no ssh server listens there",
        "is it the right port? try by hand: {once}",
    ),
    (
        r"timed out|[Tt]imeout",
        "timeout",
        "{name} does not answer in time",
        "is the machine on, and this network let through? try by hand: {once}",
    ),
    (
        r"No route to host|Network is unreachable|Host is down",
        "unreachable",
        "{name} cannot be reached from this network",
        "is a VPN needed? try by hand: {once}",
    ),
    (
        r"kex_exchange_identification|Connection closed|Connection reset|Broken pipe|closed by",
        "hung-up",
        "{name} hung up before the log-in",
        "its ssh server may be busy, starting, or keep this address out; try by hand: {once}",
    ),
)


def lost(to: Destination) -> DevenvError:
    return _error(
        EngineMissing,
        f"the connection to {to.shown} is lost",
        "it is made again as soon as that is possible; what runs there goes on",
        "lost",
    )


def no_ssh() -> DevenvError:
    return _error(
        EngineError, "the `ssh` command is not on PATH", "install OpenSSH's client (package openssh-client)", "no-ssh"
    )


def no_engine(to: Destination, *, installed: bool) -> DevenvError:
    if installed:
        return _error(
            EngineMissing,
            f"Docker is installed on {to.shown}, and no engine listens",
            f"start it there: ssh {to.target} sudo systemctl start docker",
            "no-engine",
        )
    return _error(
        EngineMissing,
        f"there is no container engine on {to.shown}",
        f"install Docker there, or say where its socket is: {to.shown.rstrip('/')}/path/to/docker.sock",
        "no-engine",
    )


def no_right(to: Destination, path: str, user: str, group: str) -> DevenvError:
    hint = f"on that machine: sudo usermod -aG {group} {user}"
    if not group or group == "root":
        hint = "use an engine of your own there (rootless Docker or Podman), or ask who runs the machine"
    return _error(EngineDenied, f"{user} may not use {path} on {to.shown}", hint, "no-right")


def no_answer(to: Destination, path: str, said: str) -> DevenvError:
    why = f": {said}" if said else ""
    return _error(
        EngineMissing,
        f"the engine behind {path} on {to.shown} does not answer{why}",
        f"see there: ssh {to.target} docker info",
        "no-answer",
    )


def not_ours(to: Destination, said: str) -> DevenvError:
    return _error(
        EngineError,
        f"{to.shown} let us in and did not run a shell{f': {said}' if said else ''}",
        f"this must print ok: ssh {to.target} echo ok",
        "no-shell",
    )


def not_private(folder: str) -> DevenvError:
    return _error(EngineError, f"{folder} belongs to another user", "remove it, or ask its owner to", "not-private")


def too_old(shown: str, version: str, api: str) -> DevenvError:
    return _error(
        EngineError,
        f"{shown} has engine {version} (API {api}); devenv needs API 1.41 (Docker 20.10): control groups of version 2 "
        "and their figures are missing before",
        "update the engine there",
        "too-old",
    )


def _error(kind: type[EngineError], message: str, hint: str, problem: str) -> DevenvError:
    return kind(message, hint, details={"problem": problem})
