"""A connection to a real ssh server and the engine behind it: the ways there, and everything that can be in the way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from devenv.engine.docker_adapter import DockerEngine
from devenv.engine.endpoint import Endpoint
from devenv.errors import DevenvError
from devenv.hosts import connection as hosts_connection
from devenv.hosts import ping
from devenv.hosts.connection import Connection, Via
from tests.kit.remote_host import RemoteHost
from tests.kit.users import User

pytestmark = [pytest.mark.engine, pytest.mark.users, pytest.mark.timeout(120)]

Connect = Callable[[str], Connection]
Env = Mapping[str, str]


async def until(condition: Callable[[], bool], what: str, limit: float = 60.0) -> None:
    try:
        async with asyncio.timeout(limit):
            while not condition():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{what}: not within {limit} s") from None


async def refused(ready: Awaitable[None]) -> tuple[str, DevenvError]:
    with pytest.raises(DevenvError) as caught:
        await ready
    return str(caught.value.details["problem"]), caught.value


def listens(path: Path) -> bool:
    """Whether a file is there; a synchronous look for asynchronous tests."""
    return path.exists()


async def test_the_engine_is_at_a_socket_of_this_machine(
    box: RemoteHost, person: User, env: Env, connect: Connect
) -> None:
    box.introduce(person, "gpu-box")
    connection = connect("gpu-box")
    await asyncio.gather(*(connection.ready(env) for _ in range(5)))
    assert connection.via is Via.FORWARD
    assert connection.machine.user == "dev"
    assert connection.round_trip is not None
    engine = await DockerEngine.open(
        Endpoint(f"unix://{connection.path}", "host gpu-box", ssh="ssh://gpu-box", name="gpu-box"), env
    )
    info = await engine.info()
    await engine.close()
    assert info.name == "gpu-box"
    assert not info.is_local_socket
    assert connection.path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("user", "alias", "options", "problem", "says"),
    [
        ("dev", "unknown-key", {"host_key": ""}, "host-key", "not known yet"),
        ("outsider", "outside", {}, "no-right", "sudo usermod -aG docker outsider"),
        ("nobody", "nobody", {}, "denied", "ssh-add|ssh-agent"),
        ("dev", "closed", {"port": 4}, "refused", "no ssh server"),
    ],
)
async def test_what_is_in_the_way_is_told(
    box: RemoteHost,
    person: User,
    env: Env,
    connect: Connect,
    user: str,
    alias: str,
    options: dict[str, object],
    problem: str,
    says: str,
) -> None:
    box.introduce(person, alias, login=user, **options)  # type: ignore[arg-type]
    found, error = await refused(connect(alias).ready(env))
    assert found == problem
    assert re.search(says, f"{error.message} {error.hint}")


async def test_a_changed_host_key_is_never_passed_over(
    box: RemoteHost, person: User, env: Env, connect: Connect
) -> None:
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICKCKvUERkTgvzrTewjj4/pMtTg2ClW0px0TUd+alEEs"
    box.introduce(person, "changed", host_key=other)
    connection = connect("changed")
    found, error = await refused(connection.ready(env))
    assert found == "host-key-changed"
    assert "known_hosts" in error.message
    assert not listens(connection.path)


async def test_a_socket_that_is_named_and_is_not_there(
    box: RemoteHost, person: User, env: Env, connect: Connect
) -> None:
    box.introduce(person, "gpu-box")
    found, _ = await refused(connect("ssh://gpu-box/run/no.sock").ready(env))
    assert found == "no-engine"


async def test_a_server_that_forwards_no_sockets(box: RemoteHost, person: User, env: Env, connect: Connect) -> None:
    box.server(2201, "-o", "AllowStreamLocalForwarding=no", "-o", "MaxSessions=3")
    box.introduce(person, "no-forward", port=2201)
    connection = connect("no-forward")
    await connection.ready(env)
    assert connection.via is Via.DIAL
    times = await asyncio.gather(*(ping.round_trip(connection.path, 20) for _ in range(6)))
    assert len(times) == 6, "more connections than the server gives sessions to one"


async def test_an_end_that_no_engine_listens_at(box: RemoteHost, person: User, env: Env, connect: Connect) -> None:
    """A socket without an engine behind it, as a crashed one leaves it."""
    box.introduce(person, "gpu-box")
    box.shell(
        "perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => shift, Listen => 1)' /tmp/dead.sock\n"
        "chmod 777 /tmp/dead.sock"
    )
    found, error = await refused(connect("ssh://gpu-box/tmp/dead.sock").ready(env))
    assert found == "no-answer"
    assert "/tmp/dead.sock" in error.message


async def test_a_noisy_log_in_is_no_obstacle(box: RemoteHost, person: User, env: Env, connect: Connect) -> None:
    box.introduce(person, "noisy")
    box.shell("echo 'echo welcome; echo more >&2' >/home/dev/.bashrc; chown dev /home/dev/.bashrc")
    try:
        await connect("noisy").ready(env)
    finally:
        box.shell("rm /home/dev/.bashrc")


async def test_forwards_of_the_persons_own_configuration_are_left_alone(
    box: RemoteHost, person: User, env: Env, connect: Connect
) -> None:
    box.introduce(person, "busy")
    config = person.home / ".ssh/config"
    config.write_text(
        config.read_text().rstrip() + "\n  LocalForward 1 127.0.0.1:1\n  RemoteCommand tmux\n  RequestTTY yes\n"
    )
    await connect("busy").ready(env)


async def test_it_comes_back_by_itself_at_the_same_socket(
    box: RemoteHost, person: User, env: Env, connect: Connect
) -> None:
    box.introduce(person, "gpu-box")
    connection = connect("gpu-box")
    await connection.ready(env)
    box.hang_up()
    await until(lambda: not connection.connected, "the loss is seen")
    await until(lambda: connection.connected, "it is connected again")
    assert await ping.round_trip(connection.path, 10) > 0


async def test_an_asking_verb_does_not_wait_for_the_next_attempt(
    box: RemoteHost, person: User, env: Env, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devenv.hosts.connection._BACKOFF", (3600.0, 3600.0))
    box.introduce(person, "gpu-box")
    connection = connect("gpu-box")
    await connection.ready(env)
    box.hang_up()
    await until(lambda: not connection.connected, "the loss is seen")
    await connection.ready(env)
    assert connection.connected


async def test_after_a_sleep_of_this_machine_a_dead_connection_is_not_waited_for(
    box: RemoteHost, person: User, env: Env, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devenv.hosts.connection._AFTER_SLEEP", 1.0)
    monkeypatch.setattr("devenv.hosts.connection._LOOK", 0.1)
    box.introduce(person, "gpu-box")
    connection = connect("gpu-box")
    await connection.ready(env)
    clocks = hosts_connection._clocks
    with box.cut():
        monkeypatch.setattr(hosts_connection, "_clocks", lambda: clocks() + 60)
        await until(lambda: not connection.connected, "the sleep is seen, and the connection tried", 10)
    monkeypatch.undo()
    await connection.ready(env)


async def test_what_a_killed_process_left_is_not_in_the_way(
    box: RemoteHost, person: User, env: Env, connect: Connect
) -> None:
    box.introduce(person, "gpu-box")
    connection = connect("gpu-box")
    folder = connection.path.parent
    folder.mkdir(parents=True)
    for name in ("engine.sock", "c999999999"):
        (folder / name).write_text("left")
    await connection.ready(env)
    assert not listens(folder / "c999999999")


async def test_the_master_ends_with_its_process(box: RemoteHost, person: User, env: Env) -> None:
    """Killed outright, this side can tidy nothing; the other end of its pipe does."""
    box.introduce(person, "gpu-box")
    script = (
        "import asyncio, os, pathlib, sys\n"
        "from devenv.hosts.connection import Connection\n"
        "from devenv.hosts.destination import parse\n"
        "async def main():\n"
        "    it = Connection(parse('gpu-box'), pathlib.Path(sys.argv[1]))\n"
        "    await it.ready(dict(os.environ))\n"
        "    print(it._master._process.pid, flush=True)\n"
        "    await asyncio.sleep(3600)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        str(person.home / "hosts" / "one"),
        env={**env, "PYTHONPATH": os.getcwd()},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    master = int(await process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    await process.wait()

    def gone() -> bool:
        with contextlib.suppress(ProcessLookupError):
            os.kill(master, 0)
            return False
        return True

    await until(gone, "the master ends", 20)
