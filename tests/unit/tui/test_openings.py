"""What happens on the screen, and in the browser, when a server begins to listen."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from devenv.api import fake_scenes
from devenv.api.fake import FakeClient
from devenv.api.views import PortView, ServiceView
from tui.app import DevenvApp
from tui.browser import Browser

from .conftest import Open, Table

NOW = fake_scenes.NOW


def server(port: int = 8000, **more: Any) -> PortView:
    said = {"label": "API", "host_port": port, "listening": True, "since": NOW, **more}
    return PortView(port=port, **said)


def begin(client: FakeClient, *ports: PortView) -> None:
    client.change(ports=list(ports))


async def shown(table: Table, ports: int) -> None:
    """Until the screen has taken the newest snapshot in, and acted on it."""
    await table.until(lambda: table.app.state.snapshot is not None and len(table.app.state.snapshot.ports) == ports)
    await table.until(lambda: not [worker for worker in table.app.workers if worker.group == "openings"])
    await table.settle()


async def test_a_server_is_told(opened: Open) -> None:
    async with opened(fake_scenes.ready()) as table:
        begin(table.client, server(url="http://127.0.0.1:8000/"))
        await table.until(table.toasts)
        assert table.toasts() == "Port 8000 (API) is open http://127.0.0.1:8000/"
        begin(table.client, server(url="http://127.0.0.1:8000/", connections=2))
        await shown(table, 1)
        assert len(table.app._notifications) == 1 and table.opened == []


@pytest.mark.parametrize(
    "port",
    [
        pytest.param(server(auto_forward="silent"), id="silent"),
        pytest.param(server(auto_forward="ignore"), id="ignore"),
        pytest.param(server(since=None), id="it listened before anybody looked"),
        pytest.param(server(listening=False, since=None), id="nothing listens"),
    ],
)
async def test_what_is_not_told(opened: Open, port: PortView) -> None:
    async with opened(fake_scenes.ready()) as table:
        begin(table.client, port)
        await shown(table, 1)
        assert table.toasts() == "" and table.opened == [] and table.asked("claim_opening") == []


async def test_what_listens_when_the_screen_opens_is_no_news(opened: Open) -> None:
    client = fake_scenes.ready()
    begin(client, server(auto_forward="openBrowser"))
    async with opened(client) as table:
        begin(client, server(auto_forward="openBrowser"), server(9000, label="", auto_forward="notify"))
        await shown(table, 2)
        assert table.toasts() == "Port 9000 is open 127.0.0.1:9000" and table.opened == []


@pytest.mark.parametrize("action", ["openBrowser", "openBrowserOnce", "openPreview"])
async def test_the_browser_is_opened(opened: Open, action: str) -> None:
    async with opened(fake_scenes.ready()) as table:
        begin(table.client, server(auto_forward=action))
        await table.until(lambda: table.opened)
        await table.until(table.toasts)
        assert table.opened == ["http://127.0.0.1:8000/"]
        assert table.asked("claim_opening") == [(8000, NOW)]
        assert "Opened port 8000 (API) in the browser" in table.toasts()


async def test_of_two_screens_one_opens_it_and_the_other_tells(opened: Open) -> None:
    client = fake_scenes.ready()
    second: list[str] = []
    browser = Browser({"DISPLAY": ":0"}, lambda address: second.append(address) is None)
    async with opened(client) as table:
        other = DevenvApp(client, clock=fake_scenes.clock, browser=browser, theme="devenv-dark", ticks=False)
        async with other.run_test(size=(80, 24), notifications=True):
            await table.until(lambda: other.state.snapshot is not None)
            begin(client, server(auto_forward="openBrowser"))
            await table.until(lambda: table.opened + second)
            await table.until(lambda: len(table.asked("claim_opening")) == 2)
            await table.until(lambda: table.app._notifications and other._notifications)
        assert len(table.opened + second) == 1


async def test_a_new_start_opens_it_again(opened: Open) -> None:
    async with opened(fake_scenes.ready()) as table:
        for number, since in enumerate((NOW, NOW + 60), 1):
            begin(table.client, server(auto_forward="openBrowser", since=since))
            await table.until(lambda number=number: len(table.opened) == number)


async def test_without_a_display_the_address_is_told_and_left_to_other_screens(opened: Open) -> None:
    async with opened(fake_scenes.ready(), display=False) as table:
        begin(table.client, server(auto_forward="openBrowser", url="http://127.0.0.1:8000/"))
        await table.until(table.toasts)
        assert "http://127.0.0.1:8000/" in table.toasts()
        assert table.opened == [] and table.asked("claim_opening") == []


async def test_a_service_is_opened_with_its_token_out_of_sight(opened: Open) -> None:
    client = fake_scenes.ready()
    secret = "http://127.0.0.1:8888/lab?token=5f0c1d"
    service = ServiceView(name="jupyter", kind="jupyter", state="running", port=8888, url=secret.split("?")[0])
    client.change(services=[msgspec.structs.replace(service, secret_url=secret)])
    async with opened(client) as table:
        begin(client, server(8888, label="Jupyter", source="service", auto_forward="openBrowser"))
        await table.until(lambda: table.opened)
        await table.until(table.toasts)
        assert table.opened[0].startswith("file://"), "its private page"
        assert "5f0c1d" not in table.opened[0] + table.text() + table.toasts()


async def test_a_number_that_is_taken_is_told_with_its_holder(opened: Open) -> None:
    async with opened(fake_scenes.ready()) as table:
        port = server(host_port=None, auto_forward="openBrowser", note="8000 is taken by sshd (pid 12, root)")
        begin(table.client, port)
        await table.until(table.toasts)
        assert table.toasts() == "Port 8000 (API) is not forwarded 8000 is taken by sshd (pid 12, root)"


async def test_many_at_once_are_one_message(opened: Open) -> None:
    async with opened(fake_scenes.ready()) as table:
        begin(table.client, *(server(port, label="") for port in range(8000, 8005)))
        await table.until(table.toasts)
        assert table.toasts() == "5 ports are open 8000, 8001, 8002, 8003, 8004"
