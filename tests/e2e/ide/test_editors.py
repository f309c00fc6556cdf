"""Editors attach with what `devenv ide write` put into the project, and nothing else.

Neovim, Emacs with dape and Helix run from the rig's image on the host's network, as the user, in the user's folder.
"""

from __future__ import annotations

import json
import re
import socket
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daily.site import Site
from tests.e2e.ide.place import debugging, door, line_of
from tests.kit import rig
from tests.kit.dap import DapClient
from tests.kit.fixtures import Images
from tests.kit.tmux import Tmux
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users]

CLIENTS = Path(__file__).parent / "clients"
FILES = (".vscode/tasks.json", ".nvim.lua", ".dir-locals.el", ".helix/languages.toml", ".zed/debug.json")
SOURCE = "train.py"


@pytest.fixture(autouse=True)
def _no_files(studio: Site) -> Iterator[None]:
    yield
    studio.shell.run("rm", "-rf", ".vscode", ".zed", ".helix", ".run", ".nvim.lua", ".dir-locals.el").ok()
    studio.shell.run("git", "rm", "-r", "--cached", "--quiet", "--ignore-unmatch", *FILES).ok()


def line(site: Site) -> int:
    return line_of(site.path(SOURCE), "total += loss")


def in_editors(site: Site, image: str, *words: str, options: tuple[str, ...] = ()) -> list[str]:
    """The `docker run` of a program of the editors' image. The clients' folder is at /clients."""
    folder = str(site.folder)
    return [
        *("docker", "run", "--rm", "--network", "host", "--user", f"{site.uid}:{site.shell.user.gid}"),
        *("--volume", f"{folder}:{folder}", "--volume", f"{CLIENTS}:/clients:ro", "--workdir", folder),
        *("--env", "HOME=/tmp", *options, image, *words),
    ]


def stopped(site: Site, output: str) -> dict[str, Any]:
    """What an editor saw at the breakpoint: the last line that it printed."""
    last = output.strip().splitlines()[-1]
    assert last.startswith("{"), output
    found: dict[str, Any] = json.loads(last)
    assert found["at"] == [str(site.path(SOURCE)), line(site)]
    assert found["evaluated"] == "100"
    return found


def test_neovim_finds_it_in_the_project(studio: Site, images: Images) -> None:
    said = studio.devenv("ide", "write", "neovim").ok()
    said.says(r"wrote \.nvim\.lua", "exrc", "DapContinue")
    call = f"lua require('dap').run('devenv: attach', {line(studio)}, 'loss')"
    with debugging(studio, SOURCE):
        argv = in_editors(
            *(studio, images.editors, "nvim", "--headless", "--cmd", "set rtp+=/clients/nvim", SOURCE),
            *("-c", call, "-c", "qall!"),
            options=("--env", "XDG_CONFIG_HOME=/clients"),
        )
        outcome = studio.shell.run(*argv).ok()
        assert stopped(studio, outcome.out + outcome.err)["verified"]


def test_emacs_finds_it_in_the_project(studio: Site, images: Images) -> None:
    studio.write(".dir-locals.el", "((nil . ((fill-column . 100)))) ; the team's\n")
    studio.devenv("ide", "write", "emacs").ok().says("M-x dape")
    assert re.match(r"\(\(nil \. \(\(fill-column \. 100\)\)\)\n", studio.path(".dir-locals.el").read_text())
    with debugging(studio, SOURCE):
        argv = in_editors(
            *(studio, images.editors, "emacs", "--batch", "-l", "/clients/dape.el"),
            *(str(studio.path(SOURCE)), str(line(studio)), "loss"),
        )
        stopped(studio, studio.shell.run(*argv).ok().out)


def test_helix_finds_it_in_the_project(studio: Site, images: Images) -> None:
    studio.devenv("ide", "write", "helix").ok().says(f":debug-remote 127.0.0.1:{door(studio)} devenv")
    container = f"helix-{uuid.uuid4().hex[:8]}"
    options = ("--interactive", "--tty", "--env", "TERM=xterm-256color", "--name", container)
    with debugging(studio, SOURCE) as run:
        argv = in_editors(studio, images.editors, "hx", f"{SOURCE}:{line(studio)}", options=options)
        with Tmux(studio.shell, *argv, columns=120, rows=30) as tmux:
            tmux.wait_for("total += loss")
            tmux.keys("Space", "G", "b", "Escape")  # the menu stays open by itself
            tmux.type(f":debug-remote 127.0.0.1:{door(studio)} devenv")
            tmux.keys("Enter")
            tmux.wait_for("stopped because of breakpoint")
            tmux.keys("Space", "G", "v")
            tmux.wait_for("loss = 100")
            tmux.keys("Escape", "Escape")
            tmux.keys("Space", "G", "b", "c", "Escape")
            eventually(
                lambda: next(view for view in studio.json("runs", "--all")["runs"] if view["id"] == run)["ended"],
                "the end of the program",
            )
            tmux.type(":quit!")
            tmux.keys("Enter")
            assert tmux.exit_code() == 0


@pytest.mark.node
def test_f5_on_the_current_file_in_vscode(studio: Site) -> None:
    """The task's command until its ready line, then Microsoft's client as launch.json says: what VS Code does."""
    studio.devenv("ide", "write", "vscode").ok()
    (task,) = json.loads(studio.path(".vscode/tasks.json").read_text())["tasks"]
    entries = {e["name"]: e for e in json.loads(studio.path(".vscode/launch.json").read_text())["configurations"]}
    assert entries["devenv: debug current file"]["preLaunchTask"] == task["label"]
    words = [word.replace("${file}", str(studio.path(SOURCE))) for word in task["args"]]
    assert task["command"] == "devenv"
    ready = re.compile(task["problemMatcher"]["background"]["endsPattern"], re.MULTILINE)
    only = studio.write("only.json", json.dumps({"configurations": [entries["devenv: debug current file"]]}))
    with studio.background(*words) as program:
        eventually(lambda: ready.search(program.err), "the ready line")
        script = rig.ROOT / "tests/e2e/ide/attach.js"
        outcome = studio.shell.having(NODE_PATH=str(rig.state() / "node" / "node_modules")).run(
            *("node", "-", only, studio.folder, studio.path(SOURCE), str(line(studio)), "loss"),
            stdin=script.read_text(),
        )
        assert outcome.ok().json()["at"] == [str(studio.path(SOURCE)), line(studio)]
        assert program.wait() == 0
        assert program.out == b"total 297\n"


def test_a_program_connects_to_an_ide_that_listens(studio: Site) -> None:
    """PyCharm's older way, with any listening program in the IDE's place."""
    studio.devenv("ide", "write", "pycharm-classic").ok().says(r"devenv forward --reverse 5678")
    call = (
        "import socket, sys\n"
        "with socket.create_connection(('127.0.0.1', int(sys.argv[1]))) as s:\n"
        "    s.sendall(b'from inside'); print(s.recv(100).decode())\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as ide:
        port = ide.getsockname()[1]
        inside = "15678"
        said = studio.devenv("forward", "--reverse", f"{port}:{inside}").ok().out
        assert said == f"{inside} in the container -> 127.0.0.1:{port}\n"
        studio.devenv("ports").ok().says(f"{inside} in the container -> 127.0.0.1:{port}")
        assert int(inside) not in [view["port"] for view in studio.json("ports")["ports"]]
        with ThreadPoolExecutor(1) as pool:
            program = pool.submit(studio.exec, "python3", "-c", call, inside)
            ide.settimeout(30)
            connection, _ = ide.accept()
            with connection:
                assert connection.recv(100) == b"from inside"
                connection.sendall(b"from the IDE")
            assert program.result().ok().out == "from the IDE\n"
    alone = studio.exec("python3", "-c", call, inside)
    assert (alone.rc, "ConnectionResetError" in alone.err) == (1, True), alone.describe()


def test_sessions_that_live_at_once_get_entries_of_their_own(studio: Site) -> None:
    studio.devenv("ide", "write", "vscode", "neovim").ok()
    source = studio.path("loop.py")
    line_number = line_of(source, "tick += 1")
    with debugging(studio, "--name", "left", "loop.py"), debugging(studio, "--name", "right", "loop.py"):
        launch = json.loads(studio.path(".vscode/launch.json").read_text())
        entries = {entry["name"]: entry for entry in launch["configurations"]}
        (both,) = launch["compounds"]
        assert both["configurations"] == ["devenv: attach left", "devenv: attach right"]
        ports = {entries[name]["connect"]["port"] for name in both["configurations"]}
        assert len(ports - {door(studio)}) == 2
        assert all(str(port) in studio.path(".nvim.lua").read_text() for port in ports)
        for name in both["configurations"]:
            entry = entries[name]
            with DapClient(entry["connect"]["port"]) as client:
                mappings = [(str(studio.folder), mapping["remoteRoot"]) for mapping in entry["pathMappings"]]
                client.attach({source: [line_number]}, mappings=mappings)
                client.stopped("breakpoint")


def test_files_are_listed_written_and_kept_up_to_date(studio: Site) -> None:
    listed = studio.devenv("ide").ok()
    listed.says(r"^neovim +\.nvim\.lua +not written$", r"^vscode +\.vscode/tasks\.json +not written$")
    studio.devenv("ide", "write", "--dry-run", "zed").ok().says(r"would write \.zed/debug\.json", r"^\+.*Debugpy")
    assert not studio.path(".zed").exists()
    studio.devenv("ide", "write", "vscode", "neovim", "zed").ok().says(r"wrote \.zed/debug\.json")
    studio.devenv("ide", "write", "zed").ok().says(r"\.zed/debug\.json is up to date")
    states = {file["path"]: file["state"] for file in studio.json("ide")["files"]}
    assert states[".zed/debug.json"] == states[".vscode/launch.json"] == "up to date"
    assert studio.path(".nvim.lua").stat().st_uid == studio.uid

    port = door(studio)
    for name in (".zed/debug.json", ".nvim.lua", ".vscode/launch.json"):
        text = studio.path(name).read_text()
        studio.write(name, text.replace(str(port), "4711"))
    studio.devenv("up").ok()
    for name in (".zed/debug.json", ".nvim.lua", ".vscode/launch.json"):
        text = studio.path(name).read_text()
        assert str(port) in text and "4711" not in text, name
    assert not studio.path(".helix").exists(), "nothing that was not asked for"


def test_a_tracked_file_is_shown_and_kept(studio: Site) -> None:
    text = studio.write(".nvim.lua", "vim.o.number = true\n").read_text()
    studio.shell.run("git", "add", "--force", ".nvim.lua").ok()
    outcome = studio.devenv("ide", "write", "neovim", "zed").failed(77)
    outcome.says("tracked by Git", r"^\+  local found, dap", "devenv ide write --tracked neovim", r"wrote \.zed")
    assert studio.path(".nvim.lua").read_text() == text
    studio.devenv("ide", "write", "--tracked", "neovim").ok()
    assert studio.path(".nvim.lua").read_text().endswith(text)


def test_what_a_container_planted_is_not_followed(studio: Site) -> None:
    outside = studio.folder.parent / "outside.lua"
    outside.write_text("-- the host's\n")
    studio.exec("ln", "-s", str(outside), ".nvim.lua").ok()
    studio.devenv("ide", "write", "neovim").failed(77).says(r"\.nvim\.lua is left as it is: it is a link")
    assert outside.read_text() == "-- the host's\n"
    studio.devenv("ide", "show", "neovm").failed(66).says("did you mean neovim")
    studio.devenv("ide", "neovim").ok().says("dap.adapters.devenv")
