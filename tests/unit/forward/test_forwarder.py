"""One environment's forwards over links in memory: what survives what, and what the table says."""

from __future__ import annotations

import asyncio
import os
import pathlib
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from devenv.api.views import PortView
from devenv.engine.port import ContainerSnapshot
from devenv.errors import PortTaken
from devenv.forward import connections as connections_module
from devenv.forward.forwarder import Forwarder
from devenv.forward.settings import ConfiguredPort, ForwardSettings, Traits
from devenv.forward.table import Destination
from devenv.link.fakes import FakeLink, local_container
from devenv.link.port import Tier

Make = Callable[..., Forwarder]


class Service:
    """An echo service on this machine, standing in for one in the container."""

    def __init__(self) -> None:
        self.port = 0
        self.server: asyncio.Server | None = None

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._echo, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self.server is not None:
            self.server.close()
            await self.server.wait_closed()
            self.server = None

    async def _echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
            writer.write_eof()
        except OSError:
            pass
        finally:
            writer.close()

    def row(self, **more: Any) -> dict[str, Any]:
        return {
            "port": self.port,
            "family": 4,
            "address": "127.0.0.1",
            "uid": 0,
            "inode": 1,
            "pid": 7,
            "cmdline": ["python", "app.py"],
            **more,
        }


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    made = Service()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture(params=[Tier.DIRECT, Tier.STREAM])
async def link(request: pytest.FixtureRequest) -> AsyncIterator[FakeLink]:
    made = FakeLink(request.param)
    yield made
    await made.close()


@pytest.fixture
async def make(tmp_path: pathlib.Path) -> AsyncIterator[Make]:
    made: list[Forwarder] = []

    def create(*configured: ConfiguredPort, key: str = "key", **settings: Any) -> Forwarder:
        notes = settings.pop("notes", None)
        forwarder = Forwarder(
            key,
            tmp_path / "ports.json",
            ForwardSettings(configured=configured, **settings),
            time.monotonic,
            lambda: None,
            notes.append if notes is not None else lambda text: None,
        )
        made.append(forwarder)
        forwarder.set_container(snapshot())
        return forwarder

    yield create
    for forwarder in made:
        await forwarder.close()


async def echo(port: int | None, data: bytes = b"hello", host: str = "127.0.0.1") -> bytes:
    assert port is not None
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(data)
        writer.write_eof()
        return await reader.read(-1)
    finally:
        writer.close()


def listing(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"event": "ports", "listeners": list(rows)}


async def eventually(probe: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not probe():
            await asyncio.sleep(0.01)


async def test_an_exposed_port_is_reached_on_both_loopbacks(make: Make, service: Service, link: FakeLink) -> None:
    forwarder = make()
    await forwarder.set_link(link)
    view = await forwarder.expose(service.port, label="Echo", protocol="http")
    assert view.host_port != service.port  # taken by the service itself, on this machine
    assert view.url == f"http://127.0.0.1:{view.host_port}/"
    assert await echo(view.host_port, b"x" * 300_000) == b"x" * 300_000
    if len(forwarder.export_listeners()) == 2:
        assert await echo(view.host_port, host="::1") == b"hello"


async def test_the_host_port_is_the_same_for_the_next_supervisor(make: Make, service: Service) -> None:
    first = make()
    number = (await first.expose(service.port)).host_port
    await first.close()
    assert (await make().expose(service.port)).host_port == number


async def test_listeners_outlive_links_and_a_connection_waits_for_the_next_one(
    make: Make, service: Service, link: FakeLink
) -> None:
    forwarder = make(ConfiguredPort(service.port))
    await forwarder.set_link(link)
    (view,) = forwarder.table()
    assert await echo(view.host_port) == b"hello"
    link.lose()
    waiting = asyncio.create_task(echo(view.host_port))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await forwarder.set_link(None)
    again = FakeLink(link.tier)
    await forwarder.set_link(again)
    assert await waiting == b"hello"
    assert forwarder.table()[0].host_port == view.host_port
    await again.close()


async def test_without_a_link_the_wait_ends_with_a_reset(
    make: Make, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections_module, "LINK_WAIT", 0.1)
    forwarder = make(ConfiguredPort(service.port))
    with pytest.raises(ConnectionResetError):
        await echo(forwarder.table()[0].host_port)


async def test_a_service_that_is_just_restarting_is_waited_for(make: Make, service: Service, link: FakeLink) -> None:
    forwarder = make(ConfiguredPort(service.port))
    await forwarder.set_link(link)
    await service.stop()
    waiting = asyncio.create_task(echo(forwarder.table()[0].host_port))
    await asyncio.sleep(0.05)
    await service.start()
    link.emit(listing(service.row()))
    assert await waiting == b"hello"


async def test_nothing_behind_the_port_is_a_reset_and_the_listener_stays(
    make: Make, service: Service, link: FakeLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections_module, "GRACE", 0.1)
    forwarder = make(ConfiguredPort(service.port))
    await forwarder.set_link(link)
    await service.stop()
    for _ in range(3):
        with pytest.raises(ConnectionResetError):
            await echo(forwarder.table()[0].host_port)
    await service.start()
    assert await echo(forwarder.table()[0].host_port) == b"hello"
    await eventually(lambda: forwarder.table()[0].connections == 0)


async def test_an_explicit_host_port_that_is_taken_is_an_error(make: Make, service: Service) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        number = holder.getsockname()[1]
        forwarder = make(ConfiguredPort(1234, host_port=number), ConfiguredPort(number, require_local=True))
        with pytest.raises(PortTaken):
            await forwarder.expose(service.port, host_port=number)
        notes = {view.port: (view.host_port, view.note) for view in forwarder.table()}
    assert notes[1234][0] is None and f"{number} is taken by" in notes[1234][1]
    assert notes[number][0] is None
    assert service.port not in notes


async def test_a_found_server_is_forwarded_and_named(make: Make, service: Service, link: FakeLink) -> None:
    notes: list[str] = []
    forwarder = make(traits=lambda port, line: Traits(label="App" if "app.py" in line else ""), notes=notes)
    forwarder._detection.ephemeral = (1, 2)
    link.answers["ports.list"] = lambda: {"listeners": [service.row()]}
    await forwarder.set_link(link)
    assert forwarder.table() == []
    await eventually(forwarder.table)
    (view,) = forwarder.table()
    assert (view.source, view.label, view.process, view.pid, view.listening) == (
        "detected",
        "App",
        "python app.py",
        7,
        True,
    )
    assert await echo(view.host_port) == b"hello"
    assert len(notes) == 1 and f"{service.port} is taken by" in notes[0]
    link.emit(listing())
    (view,) = forwarder.table()
    assert not view.listening  # kept for a while


@pytest.mark.parametrize(
    ("traits", "told"),
    [
        pytest.param(Traits(label="App", asked=True), True, id="named by the project"),
        pytest.param(Traits(auto_forward="openBrowser", asked=True), True, id="for the browser"),
        pytest.param(Traits(), False, id="the project says nothing"),
        pytest.param(Traits(auto_forward="silent", asked=True), False, id="silent"),
    ],
)
async def test_who_follows_a_run_is_told_of_a_server_once(
    make: Make, service: Service, link: FakeLink, traits: Traits, told: bool
) -> None:
    heard: list[PortView] = []
    forwarder = make(ConfiguredPort(service.port), traits=lambda port, line: traits)
    forget = forwarder.on_opening(heard.append)
    await forwarder.set_link(link)
    for _ in range(2):
        link.emit(listing(service.row()))
    assert [(view.port, view.label, view.process) for view in heard] == (
        [(service.port, traits.label, "python app.py")] if told else []
    )
    (view,) = forwarder.table()
    assert (view.auto_forward, view.since is not None) == (traits.auto_forward, True)
    forget()
    link.emit(listing(service.row(cmdline=["python", "other.py"])))
    assert len(heard) == told


async def test_services_and_doors_are_not_told_by_themselves(make: Make, service: Service, link: FakeLink) -> None:
    async def target() -> Destination | None:
        return Destination(service.port)

    heard: list[PortView] = []
    forwarder = make()
    forwarder.on_opening(heard.append)
    await forwarder.expose(service.port, source="service", label="jupyter")
    await forwarder.expose_door("debug", _free(), target)
    await forwarder.set_link(link)
    link.emit(listing(service.row()))
    assert heard == []
    assert {view.source: view.auto_forward for view in forwarder.table()} == {"service": "silent", "debug": "silent"}
    forwarder.configure(ForwardSettings(traits=lambda port, line: Traits(auto_forward="openBrowser", asked=True)))
    assert {view.source: view.auto_forward for view in forwarder.table()} == {
        "service": "openBrowser",
        "debug": "silent",
    }


async def test_one_of_two_front_ends_opens_a_port(make: Make, service: Service, link: FakeLink) -> None:
    traits = Traits(auto_forward="openBrowserOnce")
    forwarder = make(ConfiguredPort(service.port), traits=lambda port, line: traits)
    await forwarder.set_link(link)
    link.emit(listing(service.row()))
    since = forwarder.table()[0].since
    assert since is not None
    assert [forwarder.claim_opening(service.port, since) for _ in range(2)] == [True, False]
    forwarder.release()
    assert not forwarder.claim_opening(service.port, since)


async def test_what_is_removed_leaves_its_ports_to_others(make: Make) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]

    def awake() -> int | None:
        forwarder.set_container(snapshot())
        (view,) = forwarder.table()
        return view.host_port

    forwarder = make(ConfiguredPort(port))
    assert awake() == port
    forwarder.release()
    assert forwarder.table() == []
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        instead = awake()
    assert instead != port
    forwarder.release()
    assert awake() == instead, "the number is remembered"
    forwarder.release(numbers=True)
    assert awake() == port


async def test_edited_attributes_hold_for_a_port_that_was_found(make: Make, service: Service, link: FakeLink) -> None:
    forwarder = make()
    forwarder._detection.ephemeral = (1, 2)
    await forwarder.set_link(link)
    link.emit(listing(service.row()))
    await eventually(forwarder.table)
    forwarder.configure(ForwardSettings(traits=lambda port, line: Traits(label="App", protocol="http")))
    (view,) = forwarder.table()
    assert (view.label, view.url) == ("App", f"http://127.0.0.1:{view.host_port}/")
    forwarder.configure(ForwardSettings(traits=lambda port, line: Traits(auto_forward="ignore")))
    assert forwarder.table() == []


async def test_a_required_number_that_is_taken_is_said_and_tried_again(
    make: Make, service: Service, link: FakeLink
) -> None:
    settings = ForwardSettings(traits=lambda port, line: Traits(require_local=True, asked=True))
    heard: list[PortView] = []
    forwarder = make(traits=settings.traits)
    forwarder.on_opening(heard.append)
    forwarder._detection.ephemeral = (1, 2)
    await forwarder.set_link(link)
    link.emit(listing(service.row()))  # its number is the service's own, on this machine
    await eventually(forwarder.table)
    (view,) = forwarder.table()
    assert view.host_port is None and f"{service.port} is taken by" in view.note
    assert [told.note for told in heard] == [view.note]
    await service.stop()
    forwarder.configure(settings)
    (view,) = forwarder.table()
    assert (view.host_port, view.note) == (service.port, "")


@pytest.mark.parametrize("how", ["ignore list", "attribute", "configured elsewhere", "off"])
async def test_what_is_not_to_be_found(make: Make, service: Service, link: FakeLink, how: str) -> None:
    settings: dict[str, Any] = {
        "ignore list": {"ignore": frozenset({service.port})},
        "attribute": {"traits": lambda port, line: Traits(auto_forward="ignore")},
        "configured elsewhere": {},
        "off": {"detect": False},
    }[how]
    forwarder = make(*([ConfiguredPort(service.port)] if "configured" in how else []), **settings)
    forwarder._detection.ephemeral = (1, 2)
    await forwarder.set_link(link)
    link.emit(listing(service.row()))
    forwarder._detection.see(forwarder._heard, time.monotonic() - 5)
    forwarder._decide()
    assert [view.source for view in forwarder.table()] == (["configured"] if "configured" in how else [])


async def test_with_host_networking_nothing_is_forwarded(make: Make, service: Service, link: FakeLink) -> None:
    forwarder = make(ConfiguredPort(service.port, protocol="http"))
    forwarder.set_container(snapshot(network_mode="host"))
    await forwarder.set_link(link)
    link.emit(listing(service.row(), {**service.row(), "port": 8123}))
    (view,) = forwarder.table()
    assert (view.source, view.host_port, view.listening) == ("direct", service.port, True)
    assert view.url == f"http://127.0.0.1:{service.port}/"
    assert forwarder.export_listeners() == []
    assert (await forwarder.expose(9999)).source == "direct"


async def test_published_ports_are_listed_and_forwarded_only_when_they_do_not_reach(
    make: Make, service: Service, link: FakeLink
) -> None:
    forwarder = make()
    forwarder.set_container(
        snapshot(ports={f"{service.port}/tcp": [{"HostIp": "", "HostPort": "18000"}], "53/udp": []})
    )
    await forwarder.set_link(link)
    link.emit(listing(service.row(address="0.0.0.0")))
    assert [(view.source, view.host_port) for view in forwarder.table()] == [("published", 18000)]
    assert (await forwarder.expose(service.port, source="service")).source == "published"
    await forwarder.withdraw(service.port)
    link.emit(listing(service.row(address="127.0.0.1")))
    view = await forwarder.expose(service.port, source="service")
    assert view.source == "service"
    assert await echo(view.host_port) == b"hello"


async def test_a_configured_port_that_is_published_is_forwarded_only_while_it_does_not_reach(
    make: Make, service: Service, link: FakeLink
) -> None:
    forwarder = make(ConfiguredPort(service.port))
    assert forwarder.table()[0].source == "configured"
    forwarder.set_container(snapshot(ports={f"{service.port}/tcp": [{"HostIp": "0.0.0.0", "HostPort": "18000"}]}))
    assert [(view.source, view.host, view.host_port) for view in forwarder.table()] == [
        ("published", "127.0.0.1", 18000)
    ]
    await forwarder.set_link(link)
    link.emit(listing(service.row(address="127.0.0.1")))
    (view,) = forwarder.table()
    assert view.source == "configured"
    assert await echo(view.host_port) == b"hello"
    link.lose()
    await forwarder.set_link(None)
    assert forwarder.table()[0].host_port == view.host_port  # nothing is known now: nothing changes


async def test_numbers_are_left_to_the_engine_until_there_is_a_container(tmp_path: pathlib.Path) -> None:
    number = _free()
    settings = ForwardSettings(configured=(ConfiguredPort(number),))
    forwarder = Forwarder("key", tmp_path / "ports.json", settings, time.monotonic, lambda: None)
    with socket.socket() as engine:
        engine.bind(("127.0.0.1", number))
    forwarder.set_container(snapshot())
    assert forwarder.table()[0].host_port == number
    await forwarder.close()


async def test_a_door_asks_for_its_target_at_each_connection(make: Make, service: Service, link: FakeLink) -> None:
    targets = [Destination(service.port), None, Destination(service.port, b"greeting ")]

    async def target() -> Destination | None:
        return targets.pop(0)

    forwarder = make()
    await forwarder.set_link(link)
    view = await forwarder.expose_door("debug", _free(), target)
    assert (view.source, view.protocol) == ("debug", "dap")
    assert await echo(view.host_port) == b"hello"
    with pytest.raises(ConnectionResetError):
        await echo(view.host_port)
    assert await echo(view.host_port) == b"greeting hello"


async def test_a_successor_takes_the_listeners_over_and_connections_stay(
    make: Make, service: Service, tmp_path: pathlib.Path
) -> None:
    link = FakeLink()
    old = make(ConfiguredPort(service.port))
    await old.set_link(link)
    number = old.table()[0].host_port
    assert number is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", number)
    writer.write(b"before")
    assert await reader.readexactly(6) == b"before"
    handed = [
        (host_port, port, socket.socket(fileno=os.dup(one.fileno()))) for host_port, port, one in old.export_listeners()
    ]
    new = Forwarder("key", tmp_path / "ports.json", ForwardSettings(), time.monotonic, lambda: None)
    new.adopt(handed)
    old.stop_accepting()
    await new.set_link(link)
    assert (await new.expose(service.port)).host_port == number
    new.drop_unclaimed()
    assert await echo(number) == b"hello"
    writer.write(b"after")
    assert await reader.readexactly(5) == b"after"
    writer.close()
    await new.close()
    await link.close()


async def test_four_hundred_connections_at_once(make: Make, service: Service, link: FakeLink) -> None:
    forwarder = make(ConfiguredPort(service.port))
    await forwarder.set_link(link)
    number = forwarder.table()[0].host_port
    data = os.urandom(200_000)
    for found in await asyncio.gather(*(echo(number, data) for _ in range(400))):
        assert found == data
    await eventually(lambda: forwarder.table()[0].connections == 0)


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def snapshot(network_mode: str = "bridge", ports: dict[str, Any] | None = None) -> ContainerSnapshot:
    plain = local_container()
    return ContainerSnapshot(
        **{
            **{name: getattr(plain, name) for name in plain.__dataclass_fields__},
            "network_mode": network_mode,
            "raw": {"NetworkSettings": {"Ports": ports or {}}},
        }
    )


OTHER_USER = """
import os, socket, sys
"x".encode("idna")  # the interpreter may lie where the other user cannot read
os.setuid(54321)
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
try:
    s.sendall(b"hello")
    print(s.recv(10))
except ConnectionResetError:
    print("reset")
"""


@pytest.mark.users
async def test_another_local_user_reaches_nothing(make: Make, service: Service) -> None:
    link = FakeLink()
    for same_user, expected in ((True, b"reset\n"), (False, b"b'hello'\n")):
        forwarder = make(key=str(same_user), same_user=same_user)
        await forwarder.set_link(link)
        view = await forwarder.expose(service.port)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", OTHER_USER, str(view.host_port), stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate()
        assert said == expected
        await forwarder.close()
    await link.close()
