"""The daily loop of an ordinary user whose DOCKER_HOST is Podman's socket; the service is killed on the way."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daily.site import Site
from tests.kit.command import Shell
from tests.kit.podman import Podman
from tests.kit.users import User
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.podman, pytest.mark.users]

CONFIG: dict[str, Any] = {
    "image": "devenv-rig/python-user:latest",
    "forwardPorts": [7401],
    "postCreateCommand": "echo hooked > /tmp/hooked",
}
PROGRAMS = {
    "count.py": "import time\nfor i in range(100_000):\n    print(i, flush=True)\n    time.sleep(0.02)\n",
    "talk.py": (
        "import os, sys\nsize = os.get_terminal_size()\nprint(f'window {size.lines}x{size.columns}')\n"
        "print('heard', input())\nsys.exit(5)\n"
    ),
}
SERVER = ("python3", "-m", "http.server", "7401", "--bind", "127.0.0.1")


@pytest.fixture(scope="module")
def place(
    podman: Podman, alice: User, shell: Callable[..., Shell], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A project that is up on Podman."""
    yield from _project(podman, alice, shell, podman.host, "daily")


@pytest.fixture
def spare(podman: Podman, alice: User, shell: Callable[..., Shell]) -> Iterator[Site]:
    """A project whose container a test may stop and remove."""
    yield from _project(podman, alice, shell, podman.host, "spare")


def _project(podman: Podman, user: User, shell: Callable[..., Shell], host: str, name: str) -> Iterator[Site]:
    folder = user.home / f"podman-{name}"
    here = shell(user, user.home, DOCKER_HOST=host)
    files = {".devcontainer.json": json.dumps(CONFIG), **PROGRAMS}
    for file, text in files.items():
        here.run("sh", "-c", 'mkdir -p "$1" && cat > "$1/$2"', "sh", folder, file, stdin=text).ok()
    site = Site(here.at(folder), podman.docker)
    try:
        site.devenv("up").ok()
        yield site
    finally:
        with contextlib.suppress(AssertionError):  # a test may have removed it
            site.devenv("down", "--force", "--volumes")
        here.run("rm", "-rf", folder)


def test_up_says_what_it_made(place: Site) -> None:
    view = place.view()
    assert view["status"] == "running" and view["tier"] == "direct" and view["remote_user"] == "dev"
    assert view["engine"] == place.docker.host and view["drift"] == [] and view["notes"] == []
    place.devenv("up").ok()
    assert place.exec("sh", "-c", "id -u; cat /tmp/hooked; echo oops >&2; exit 7").failed(7).out == (
        f"{place.uid}\nhooked\n"
    )


def test_runs_and_their_output(place: Site) -> None:
    place.devenv("run", "--detach", "count.py").ok()
    eventually(lambda: place.runs()["count.py"]["size"] > 0, "output of the run")
    assert place.devenv("logs").ok().out.startswith("0\n1\n")
    with place.shell.terminal("devenv", "attach", "count.py") as terminal:
        terminal.expect(r"\d+\r?\n\d+")
    assert place.runs()["count.py"]["state"] == "running"
    place.devenv("kill", "count.py").ok()
    eventually(lambda: place.runs()["count.py"]["state"] == "signaled", "the end of the run")
    with place.shell.terminal("devenv", "run", "talk.py", rows=31, columns=91) as terminal:
        terminal.expect("window 31x91")
        terminal.send("word\r")
        terminal.expect("heard word")
        assert terminal.wait() == 5


def test_a_shell_on_a_terminal(place: Site) -> None:
    with place.shell.terminal("devenv", "shell") as terminal:
        terminal.expect(r"\$")
        terminal.send("echo $((6*7)) $PWD\r")
        terminal.expect(f"42 /workspaces/{place.folder.name}")
        terminal.send("exit 3\r")
        assert terminal.wait() == 3


def test_a_port_is_forwarded(place: Site) -> None:
    with place.background("exec", "--", *SERVER) as server:
        view = next(view for view in place.json("ports")["ports"] if view["port"] == 7401)
        words = f"exec 3<>/dev/tcp/127.0.0.1/{view['host_port']}; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; head -n1 <&3"

        def answered() -> bool:
            assert "200 OK" in place.shell.run("bash", "-c", words).out, server.err
            return True

        eventually(answered, "an answer through the forward", every=0.2)


def test_what_others_do_to_the_container_is_seen_at_once(spare: Site) -> None:
    spare.docker("pause", spare.container())
    assert spare.view()["status"] == "paused"
    spare.devenv("up").ok().says("paused")
    spare.docker("restart", "--time", "0", spare.container())
    eventually(lambda: spare.exec("true").rc == 0, "the restart to be seen")
    first = spare.container()
    with spare.background("exec", "--", "sleep", "7410") as client:
        eventually(lambda: spare.inside("sleep 7410"), "the program inside")
        spare.docker("rm", "--force", first)
        assert client.wait() not in (0, -signal.SIGKILL)
    assert spare.view()["status"] == "absent"
    spare.devenv("up").ok().says("removed from outside")
    assert spare.container() != first


def test_stop_start_rebuild_and_down(spare: Site, podman: Podman) -> None:
    first = spare.container()
    volumes = set(podman.docker("volume", "ls", "--quiet").split())
    spare.devenv("stop").ok()
    assert spare.view()["status"] == "stopped"
    spare.exec("true").failed(67).says("devenv start")
    spare.devenv("start").ok()
    assert spare.container() == first
    spare.write(".devcontainer.json", json.dumps({**CONFIG, "runArgs": ["--hostname", "another"]}))
    spare.devenv("up").ok().says("rebuild")
    spare.devenv("rebuild").ok()
    assert spare.container() != first and spare.exec("hostname").ok().out == "another\n"
    spare.devenv("down", "--volumes").ok()
    assert spare.containers() == []
    gone = volumes - set(podman.docker("volume", "ls", "--quiet").split())
    assert [name for name in gone if name.startswith("devenv-")]


def test_a_service_that_is_killed_costs_nothing(podman: Podman, alice: User, shell: Callable[..., Shell]) -> None:
    """Podman has no daemon: containers and runs do not end with the service that made them."""
    with (
        podman.second() as service,
        contextlib.contextmanager(_project)(podman, alice, shell, service.host, "second") as site,
    ):
        assert not [note for note in site.view()["notes"] if "live-restore" in note]
        site.devenv("run", "--detach", "count.py").ok()
        eventually(lambda: site.runs()["count.py"]["size"] > 0, "output of the run")
        before, agents = site.runs()["count.py"], site.agents()
        service.kill()
        site.devenv("up").failed(69).says("podman.socket")
        service.start()
        eventually(lambda: site.view()["status"] == "running", "the container is known again")
        eventually(lambda: site.runs()["count.py"]["size"] > before["size"] + 100, "the run goes on")
        site.exec("true").ok()
        assert site.agents() and agents
        site.devenv("kill", "count.py").ok()
        lines = [int(line) for line in site.devenv("logs", "count.py").ok().out.split()]
        assert lines == list(range(len(lines))), "a line was lost or doubled"


def test_what_only_buildkit_can_is_refused_by_its_name(place: Site) -> None:
    done = place.devenv("build", "--platform", "linux/amd64,linux/arm64").failed(69)
    done.says("--platform: needs BuildKit, and Podman has none")


def test_a_socket_of_roots_own(alice: User, shell: Callable[..., Shell], place: Site, tmp_path: Path) -> None:
    """What a person meets who takes the address of root's service out of a manual."""
    closed = Path("/var/tmp") / f"podman-{tmp_path.name}"
    closed.mkdir()
    try:
        (closed / "podman.sock").touch(mode=0o600)
        here = shell(alice, place.folder, DOCKER_HOST=f"unix://{closed}/podman.sock")
        here.run("devenv", "ls").failed(69).says("no permission", r"systemctl --user start podman\.socket")
    finally:
        (closed / "podman.sock").unlink()
        closed.rmdir()
