"""A machine with a real ssh server, and connections to it that end with the test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest

from devenv.hosts.connection import Connection
from devenv.hosts.destination import parse
from tests.kit.fixtures import Images
from tests.kit.remote_host import RemoteHost, remote_host
from tests.kit.users import User, this_user


@pytest.fixture(scope="session")
def box(images: Images) -> Iterator[RemoteHost]:
    with remote_host("26") as host:
        yield host


@pytest.fixture
def person() -> Iterator[User]:
    """Whoever runs the tests, with a home of this test's own: what stands in the real one must not count."""
    folder = Path(tempfile.mkdtemp(prefix="rig-home-", dir="/var/tmp"))
    me = this_user()
    yield User(me.name, me.uid, me.gid, folder, me.groups)
    shutil.rmtree(folder)


@pytest.fixture
def env(person: User) -> Mapping[str, str]:
    """A client whose `ssh` reads that home: OpenSSH itself asks the password entry."""
    program = person.home / "bin" / "ssh"
    program.parent.mkdir()
    words = f'-F "{person.home}/.ssh/config" -o UserKnownHostsFile="{person.home}/.ssh/known_hosts"'
    program.write_text(f'#!/bin/sh\n[ "$2" != -F ] || exec /usr/bin/ssh "$@"\nexec /usr/bin/ssh {words} "$@"\n')
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(person.home)}


@pytest.fixture
async def connect(person: User) -> AsyncIterator[Callable[[str], Connection]]:
    """`connect("alias")`: not connected yet."""
    made: list[Connection] = []

    def make(destination: str) -> Connection:
        to = parse(destination)
        made.append(Connection(to, person.home / "hosts" / to.key))
        return made[-1]

    yield make
    for connection in made:
        await connection.close()
