"""The test kit itself, against real programs: a kit that lies makes every other test lie."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from tests.kit.chromium import Browser
from tests.kit.command import Shell
from tests.kit.dap import DapClient
from tests.kit.engine import Docker, PrivateEngine
from tests.kit.fixtures import Images
from tests.kit.project import devcontainer, write_project
from tests.kit.tmux import Tmux
from tests.kit.users import User, this_user
from tests.kit.waiting import eventually


@pytest.fixture
def here(tmp_path: Path) -> Shell:
    return Shell(this_user(), tmp_path)


def test_a_dict_becomes_a_project(tmp_path: Path) -> None:
    files = {
        **devcontainer("python:3.11", remoteUser="dev"),
        "src": {"a.py": "x = 1\n"},
        "go.sh": "#!/bin/sh\n",
        "empty": {},
    }
    root = write_project(tmp_path / "p", files, git=True)
    assert '"image": "python:3.11"' in (root / ".devcontainer/devcontainer.json").read_text()
    assert (root / "src/a.py").read_text() == "x = 1\n"
    assert os.access(root / "go.sh", os.X_OK)
    assert (root / "empty").is_dir()
    assert (root / ".git").is_dir()


def test_an_outcome_keeps_the_streams_apart(here: Shell) -> None:
    outcome = here.run("sh", "-c", "cat; echo two >&2; exit 3", stdin="one")
    assert (outcome.out, outcome.err) == ("one", "two\n")
    outcome.failed(3).says("^one", "^two$")
    with pytest.raises(AssertionError, match="exit code 3"):
        outcome.ok()


def test_a_command_that_hangs_is_killed_and_shown(here: Shell) -> None:
    with pytest.raises(AssertionError, match=r"still running after 0\.3 s"):
        here.run("sh", "-c", "echo started; sleep 60", timeout=0.3)


def test_a_terminal_has_size_control_keys_and_an_exit_code(here: Shell) -> None:
    with here.terminal("bash", "--norc", rows=30, columns=100) as terminal:
        terminal.send("stty size\r")
        terminal.expect(r"30 100")
        terminal.resize(40, 120)
        terminal.send("sh -c 'stty size; exec sleep 100'\r")
        terminal.expect(r"40 120")
        terminal.send("\x03")
        terminal.send("exit 7\r")
        assert terminal.wait() == 7


@pytest.mark.users
def test_an_ordinary_user_is_neither_root_nor_the_first_user(alice: User, bob: User) -> None:
    assert alice.uid not in (0, 1000)
    assert alice.uid != bob.uid
    outcome = Shell(alice, alice.home).run("sh", "-c", "id -u; id -Gn; echo $HOME; touch made-here").ok()
    uid, groups, home = outcome.out.splitlines()
    assert (int(uid), home) == (alice.uid, str(alice.home))
    assert "docker" in groups.split()
    assert (alice.home / "made-here").stat().st_uid == alice.uid


@pytest.mark.users
@pytest.mark.engine
def test_an_ordinary_user_reaches_the_engine(alice: User, engine: Docker) -> None:
    Shell(alice, alice.home).run("docker", "version").ok()


def test_tmux_shows_the_screen_and_the_exit_code(here: Shell) -> None:
    with Tmux(here, "bash", "--norc", columns=90, rows=20) as tmux:
        tmux.type("stty size")
        tmux.keys("Enter")
        tmux.wait_for("20 90")
        tmux.type("exit 5")
        tmux.keys("Enter")
        assert tmux.exit_code() == 5


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_the_debugger_client_stops_reads_steps_and_reattaches(tmp_path: Path) -> None:
    script = tmp_path / "loop.py"
    script.write_text("import time\ntotal = 0\nfor step in range(100000):\n    total += step\n    time.sleep(0.01)\n")
    port = free_port()
    command = [sys.executable, "-X", "frozen_modules=off", "-m", "debugpy", "--listen", f"127.0.0.1:{port}"]
    with subprocess.Popen([*command, "--wait-for-client", str(script)], cwd=tmp_path) as program:
        try:
            client = eventually(lambda: DapClient(port), "debugpy")
            (placed,) = client.attach({script: [4]})[str(script)]
            assert placed["verified"]
            thread = client.stopped("breakpoint")["threadId"]
            frame = client.frames(thread)[0]
            assert frame["line"] == 4
            assert client.variables(frame["id"])["step"] == "0"
            assert client.evaluate("step + 40 + 2", frame["id"]) == "42"
            client.step_over(thread)
            assert client.frames(thread)[0]["line"] == 5
            client.disconnect()
            with DapClient(port) as second:
                second.attach({script: [5]})
                second.stopped("breakpoint")
        finally:
            program.kill()


@contextlib.contextmanager
def web_server(folder: Path) -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.browser
def test_the_browser_runs_scripts_and_takes_pictures(tmp_path: Path) -> None:
    page_text = "<title>kit</title><p id=x>old</p><script>setTimeout(() => x.textContent = 'new', 200)</script>"
    (tmp_path / "index.html").write_text(page_text)
    with web_server(tmp_path) as port, Browser() as browser:
        page = browser.open(f"http://127.0.0.1:{port}/")
        page.wait_for("document.getElementById('x').textContent === 'new'")
        assert page.title() == "kit"
        assert page.evaluate("fetch('/').then(r => r.status)") == 200
        assert page.screenshot(tmp_path / "shot.png").read_bytes()[:4] == b"\x89PNG"
        with pytest.raises(AssertionError, match="ERR_CONNECTION_REFUSED"):
            page.go(f"http://127.0.0.1:{free_port()}/")


@pytest.mark.engine
def test_images_are_what_their_names_say(engine: Docker, images: Images) -> None:
    assert engine("run", "--rm", images.python, "python3", "-c", "import sys; print(sys.version_info[:2])") == "(3, 11)"
    assert engine("run", "--rm", images.python_user, "id", "-u") == "1000"
    assert engine("run", "--rm", images.nopython, "bash", "-c", "command -v python3 || echo none") == "none"
    assert engine("run", "--rm", images.busybox, "sh", "-c", "command -v bash || echo none") == "none"


@pytest.mark.engine
@pytest.mark.users
@pytest.mark.timeout(300)
@pytest.mark.parametrize("live_restore", [True, False], ids=["live-restore", "plain"])
def test_a_private_engine_can_be_killed_and_restarted(
    restartable_engine: Callable[..., PrivateEngine], images: Images, live_restore: bool
) -> None:
    engine = restartable_engine(live_restore=live_restore, load=(images.busybox,))
    identity = engine.docker("run", "--detach", images.busybox, "sleep", "1000")
    engine.kill()
    engine.start()
    assert engine.docker.inspect(identity)["State"]["Running"] is live_restore
