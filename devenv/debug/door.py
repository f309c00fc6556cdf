"""The host port where an environment's debugger is reached, and whether it may be reached that way at all."""

from __future__ import annotations

import hashlib
import unicodedata

from devenv.errors import Refused

FIRST_PORT = 20000
PORTS = 10000


def door_port(project_name: str) -> int:
    """The port that everyone who works on a project of this name gets: 20000 to 29999, from the name alone.

    Not from the path, so that a committed launch.json suits the whole team. Case, surrounding blanks and the
    normal form of accents do not count: file systems differ in them.
    """
    name = unicodedata.normalize("NFC", project_name).strip().casefold()
    digest = hashlib.sha256(b"devenv debug door\0" + name.encode("utf-8", "surrogateescape")).digest()
    return FIRST_PORT + int.from_bytes(digest[:8], "big") % PORTS


def check_network(network_mode: str, *, allowed: bool = False) -> None:
    """Refuses a debugger in a container that shares the host's network, unless the person allows it.

    There the container's loopback is the host's own: every local user could attach, and attaching is running code.
    """
    if network_mode == "host" and not allowed:
        raise Refused(
            "the container uses the host's network: a debugger there could be joined by every user of this machine",
            "remove --network=host, or allow it for this run with --allow-host-network",
        )
