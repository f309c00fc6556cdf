"""A server that comes later, on whatever port, is found and reached from here, and stays at its place."""

from __future__ import annotations

import re
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.daily.site import Site
from tests.e2e.ide.place import own_name, place
from tests.e2e.web.servers import SERVE
from tests.kit.command import Shell
from tests.kit.engine import Docker
from tests.kit.fixtures import Images
from tests.kit.users import User
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users]


@pytest.fixture(scope="module")
def harbour(alice: User, shell: Callable[..., Shell], images: Images) -> Iterator[Site]:
    with place(shell, alice, own_name("harbour"), images.python_user, {"serve.py": SERVE}) as site:
        yield site


def view_of(site: Site, port: int) -> dict[str, Any]:
    """The table's line for a port of the container, once something listens and it is forwarded."""

    def found() -> dict[str, Any]:
        view: dict[str, Any] = next(view for view in site.json("ports")["ports"] if view["port"] == port)
        assert view["listening"], view
        assert view["host_port"], view
        return view

    def lenient() -> dict[str, Any]:
        try:
            return found()
        except StopIteration:
            raise AssertionError(f"{port} is not in the table") from None

    return eventually(lenient, f"port {port}")


def get(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
        return str(answer.read().decode())


def serve(site: Site, host: str, port: int, name: str) -> None:
    site.devenv("run", "--detach", "--name", name, "serve.py", host, str(port), name).ok()


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 18123), ("::1", 18124), ("0.0.0.0", 18125), ("::", 18126)])
def test_a_later_server_is_found(harbour: Site, host: str, port: int) -> None:
    serve(harbour, host, port, f"later-{port}")
    view = view_of(harbour, port)
    assert f"serve.py {host} {port} later-{port}" in view["process"]
    assert view["source"] == "detected"
    assert f"later-{port}" in get(view["host_port"])
    harbour.devenv("ports").ok().says(rf"{port} .*127\.0\.0\.1:{view['host_port']}.*serve\.py {host}")
    assert harbour.devenv("open", "--print", str(port)).ok().out.strip().endswith(f":{view['host_port']}")
    harbour.devenv("kill", f"later-{port}").ok()
    eventually(
        lambda: not [v for v in harbour.json("ports")["ports"] if v["port"] == port and v["listening"]], "its end"
    )


def test_the_same_place_after_restarts(harbour: Site, engine: Docker) -> None:
    ports = (18131, 18132)
    with socket.create_server(("127.0.0.1", 18132)):  # so that one of them cannot have its own number
        for port in ports:
            serve(harbour, "127.0.0.1", port, f"kept-{port}")
        before = {port: view_of(harbour, port)["host_port"] for port in ports}
    assert before[18132] != 18132

    harbour.kill_supervisor()
    assert {port: view_of(harbour, port)["host_port"] for port in ports} == before
    assert "kept-18131" in get(before[18131])

    engine("restart", "--time", "0", harbour.container())
    for port in ports:
        serve(harbour, "127.0.0.1", port, f"again-{port}")
    for port in ports:
        assert view_of(harbour, port)["host_port"] == before[port]
        assert f"again-{port}" in get(before[port])

    harbour.devenv("stop", "--force").ok()
    harbour.devenv("start").ok()
    for port in ports:
        serve(harbour, "127.0.0.1", port, f"third-{port}")
    for port in ports:
        assert view_of(harbour, port)["host_port"] == before[port]
        assert f"third-{port}" in get(before[port])
        harbour.devenv("kill", f"third-{port}").ok()


HOLD = "import socket, sys; held = socket.create_server(('127.0.0.1', int(sys.argv[1]))); print(flush=True); input()"


def test_a_port_that_is_taken_names_its_holder(harbour: Site) -> None:
    words = ("python3", "-c", HOLD, "18141")
    with harbour.shell.start(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        serve(harbour, "127.0.0.1", 18141, "second")
        view = view_of(harbour, 18141)
        assert view["host_port"] != 18141
        assert re.search(rf"18141 is taken by python3\S* \(pid {holder.pid}\b", view["note"]), view["note"]
        assert "second" in get(view["host_port"])
        harbour.devenv("ports").ok().says("18141 is taken by python3")
        harbour.devenv("kill", "second").ok()
        holder.communicate(b"\n")


def test_another_user_does_not_reach_a_forward(harbour: Site, bob: User, shell: Callable[..., Shell]) -> None:
    serve(harbour, "127.0.0.1", 18151, "private")
    port = view_of(harbour, 18151)["host_port"]
    ask = (
        "import sys, urllib.request\n"
        "try:\n    print(urllib.request.urlopen(f'http://127.0.0.1:{sys.argv[1]}/', timeout=10).read())\n"
        "except OSError as error:\n    print('no', type(error).__name__)\n"
    )
    assert shell(bob, bob.home).run("python3", "-c", ask, str(port)).ok().out.startswith("no ")
    assert "private" in harbour.shell.run("python3", "-c", ask, str(port)).ok().out
    harbour.devenv("kill", "private").ok()


def test_an_image_without_python_still_forwards(alice: User, shell: Callable[..., Shell], images: Images) -> None:
    name = own_name("bare")
    with place(shell, alice, name, images.busybox, {"index.html": "bare bones\n"}, forwardPorts=[18161]) as site:
        site.docker("exec", "--detach", site.container(), "httpd", "-p", "18161", "-h", site.view()["workspace_folder"])
        views = {view["port"]: view for view in site.json("ports")["ports"]}
        port = views[18161]["host_port"]
        assert eventually(lambda: get(port), "the page") == "bare bones\n"
