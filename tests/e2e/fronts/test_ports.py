"""onAutoForward, label, protocol and requireLocalPort, as a person meets them."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from tests.e2e.conftest import Place
from tests.e2e.daily.site import Site
from tests.e2e.fronts.conftest import FakeBrowser
from tests.kit.fixtures import Images
from tests.kit.tmux import Tmux
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users]

SERVE = """
import http.server, sys
print("serving", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
NAMED, ONCE, SILENT, OWN = 18_310, 18_311, 18_312, 18_313
ATTRIBUTES: dict[str, Any] = {
    str(NAMED): {"label": "API", "onAutoForward": "notify", "protocol": "http"},
    str(ONCE): {"label": "Web", "onAutoForward": "openBrowserOnce"},
    str(SILENT): {"onAutoForward": "silent"},
    str(OWN): {"requireLocalPort": True},
}


@pytest.fixture
def site(place: Place, images: Images) -> Site:
    config = {"image": images.python_user, "portsAttributes": ATTRIBUTES}
    made = place({".devcontainer.json": config, "serve.py": SERVE})
    made.devenv("up", timeout=120).ok()
    return made


def row(site: Site, port: int) -> dict[str, Any]:
    found: list[dict[str, Any]] = [view for view in site.json("ports")["ports"] if view["port"] == port]
    assert found, f"no port {port}"
    return found[0]


def listening(site: Site, port: int) -> dict[str, Any]:
    def seen() -> dict[str, Any]:
        view = row(site, port)
        assert view["listening"], view
        return view

    return eventually(seen, f"a server on {port}")


def end_all(site: Site) -> None:
    for name, view in site.runs().items():
        if view["state"] == "running" and name == "serve.py":
            site.devenv("kill", view["id"], "--force").ok()


def test_a_person_who_follows_a_run_is_told_where_its_server_is(site: Site) -> None:
    with site.shell.terminal("devenv", "run", "serve.py", str(NAMED), columns=120) as terminal:
        said = terminal.expect(r"devenv: port 18310 \(API\) is at (http://127.0.0.1:\d+/)")
        assert row(site, NAMED)["url"] == said[1]
        terminal.send("\x03")
        terminal.wait()
        assert terminal.text.count("is at http") == 1
    with site.shell.terminal("devenv", "run", "serve.py", str(SILENT)) as terminal:
        terminal.expect("serving")
        assert listening(site, SILENT)["auto_forward"] == "silent"
        assert "is at" not in terminal.text
    end_all(site)
    with site.background("run", "serve.py", str(NAMED)) as script:
        script.expect("serving")
        listening(site, NAMED)
        assert script.err == "", "a script's stderr stays the program's own"
    end_all(site)


def test_two_screens_open_one_page_and_only_once(site: Site, browser: FakeBrowser) -> None:
    here = browser.beside(site)
    with Tmux(here.shell, "devenv", columns=200, rows=50) as one, Tmux(here.shell, "devenv") as two:
        one.wait_for("running")
        two.wait_for("running")
        site.devenv("run", "-d", "serve.py", str(ONCE)).ok()
        view = listening(site, ONCE)
        shown = eventually(lambda: [s for s in (one.screen(), two.screen()) if "Opened port" in s], "a page")
        assert len(shown) == 1
        address = f"127.0.0.1:{view['host_port']}"
        assert browser.opened == [f"http://{address}/"]
        end_all(site)
        site.devenv("stop", "--force").ok()
        site.devenv("start").ok()
        site.devenv("run", "-d", "serve.py", str(ONCE)).ok()
        listening(site, ONCE)
        one.wait_for("Port 18311 (Web) is open")
        two.wait_for("Port 18311 (Web) is open")
        assert browser.opened == [f"http://{address}/"], "once for this environment"


def test_a_number_that_must_be_the_same_and_is_taken_names_its_holder(site: Site) -> None:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", OWN))
        holder.listen()
        site.devenv("run", "-d", "serve.py", str(OWN)).ok()
        view = listening(site, OWN)
        assert view["host_port"] is None and f"{OWN} is taken by" in view["note"], view
        site.devenv("ports").ok().says(rf"{OWN} +not forwarded .*taken by")
    eventually(lambda: row(site, OWN)["host_port"] == OWN, "the number, once it is free")
