"""Two people on one engine: each has his own environments, and neither reaches the other's."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.daily.conftest import Founder
from tests.e2e.daily.site import Site
from tests.kit.command import Shell
from tests.kit.engine import Docker
from tests.kit.fixtures import Images
from tests.kit.users import User
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users]

# Connects, sends, and says what came back: "refused" stands for no connection and for one that says nothing.
PEER = """\
import socket, sys
try:
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=10) as peer:
        peer.sendall(sys.argv[2].encode())
        answer = peer.recv(100)
except OSError:
    answer = b""
print(answer.decode() or "refused")
"""

SERVER = """\
import socket
with socket.create_server(("127.0.0.1", 7201)) as server:
    print("listening", flush=True)
    while True:
        peer, _ = server.accept()
        with peer:
            peer.recv(100)
            peer.sendall(b"secret of alice")
"""


@pytest.fixture(scope="module")
def bobs(found: Founder, images: Images, bob: User, alice: User) -> Site:
    for user in (alice, bob):
        user.home.chmod(0o755)  # each lets the other read his projects
    return found("bobs", images.python_user, user=bob)


def asks(user: Shell, port: int, text: str = "hello") -> str:
    return user.run("python3", "-c", PEER, str(port), text).ok().out.strip()


@pytest.fixture(scope="module")
def served(daily: Site) -> Iterator[int]:
    """The host port of a server of alice's."""
    daily.write("server.py", SERVER)
    run = daily.json("run", "--detach", "server.py")["run"]["id"]
    eventually(lambda: b"listening" in daily.devenv("logs", run).stdout, "the server")

    def port() -> int:
        views = {view["port"]: view for view in daily.json("ports")["ports"]}
        assert 7201 in views and views[7201]["listening"], views
        return int(views[7201]["host_port"])

    yield eventually(port, "its forward")
    daily.devenv("kill", "--force", run).ok()


def test_each_sees_the_others_environment_as_the_others(daily: Site, bobs: Site) -> None:
    mine = {view["local_folder"]: view for view in bobs.json("ls")["environments"]}
    assert mine[str(bobs.folder)]["owner"] == ""
    assert mine[str(daily.folder)]["owner"].startswith(f"{daily.uid}@")
    bobs.devenv("ls").ok().says(f"{daily.folder} +{daily.uid}@")


@pytest.mark.parametrize("verb", ["stop", "down", "rebuild"])
def test_another_persons_environment_is_left_alone(daily: Site, bobs: Site, verb: str) -> None:
    container = daily.container()
    outcome = bobs.devenv(verb, "--folder", str(daily.folder), "--force").failed(77)
    outcome.says(f"belongs to {daily.uid}@")
    assert daily.container() == container
    assert daily.docker.inspect(container)["State"]["Running"]


def test_another_persons_supervisor_cannot_be_reached(daily: Site, bobs: Site) -> None:
    state = daily.json("supervisor")["state"]
    script = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    outcome = bobs.shell.run("python3", "-c", script, f"{state}/s.sock")
    assert outcome.rc != 0
    outcome.says("PermissionError")
    assert bobs.shell.run("ls", f"{state}/envs").rc != 0
    assert bobs.supervisor() != daily.supervisor()


def test_a_forward_serves_its_owner_only(daily: Site, bobs: Site, served: int) -> None:
    assert asks(daily.shell, served) == "secret of alice"
    assert asks(bobs.shell, served) == "refused"


def test_the_debugger_serves_its_owner_only(daily: Site, bobs: Site) -> None:
    daily.devenv("debug", "--detach", "--no-launch-json", "wait.py").ok()
    try:
        port = daily.status()["debug"]["port"]
        request = '{"seq":1,"type":"request","command":"initialize","arguments":{"adapterID":"x"}}'
        message = f"Content-Length: {len(request)}\r\n\r\n{request}"
        assert asks(daily.shell, port, message).startswith("Content-Length")
        assert asks(bobs.shell, port, message) == "refused"
    finally:
        daily.devenv("kill", "--force", "wait.py").ok()


def test_a_port_is_bound_to_loopback_only(daily: Site, served: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        with contextlib.suppress(OSError):
            probe.connect(("198.51.100.1", 9))
        outer = probe.getsockname()[0]
    if outer in ("0.0.0.0", "127.0.0.1"):
        pytest.skip("this machine has no address but loopback")
    with pytest.raises(OSError):
        socket.create_connection((outer, served), timeout=5).close()


def test_a_shared_folder_has_an_environment_for_each(
    bob: User, bobs: Site, daily: Site, shell: Callable[..., Shell], engine: Docker
) -> None:
    shared = Site(shell(bob, daily.folder), engine)
    first = daily.container()
    assert shared.view()["owner"].startswith(f"{daily.uid}@")
    shared.exec("true").failed(67).says("devenv up")
    shared.devenv("up").ok()
    try:
        second = shared.view()["container_id"]
        assert {first, second} == set(daily.containers())
        assert daily.view()["container_id"] == first
        assert daily.exec("id", "-u").ok().out != shared.exec("id", "-u").ok().out
    finally:
        shared.devenv("down", "--force", "--volumes").ok()
    assert daily.containers() == [first]
