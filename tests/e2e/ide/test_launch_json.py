"""`.vscode/launch.json` is the person's file: an entry is added once, every other byte stays, a shared one is kept."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.daily.site import Site
from tests.e2e.ide.place import LAUNCH, attached, debugging, door, line_of, own_name, place
from tests.e2e.ide.programs import PROGRAMS
from tests.kit.command import Shell
from tests.kit.dap import DapClient
from tests.kit.fixtures import Images
from tests.kit.users import User

pytestmark = [pytest.mark.engine, pytest.mark.users]

HAND_MADE = """\
{
\t// Ours: do not sort.
\t"version": "0.2.0",
\t"configurations": [
\t\t{ "name": "here", "type": "debugpy",   "request": "launch", "program": "${file}", },
\t\t/* kept for the old board */ {"name": "board", "type": "cppdbg", "request": "attach"}, // é, 漢
\t],
\t"compounds": [ ],
}
"""


@pytest.fixture(scope="module")
def port(studio: Site) -> int:
    """The debugger's port in this project."""
    with debugging(studio, "--no-wait", "--no-launch-json", "loop.py"):
        return door(studio)


@pytest.fixture
def launch(studio: Site) -> Iterator[Callable[[str | None], None]]:
    """Puts a launch.json into the project's repository, tracked when asked; both go afterwards."""

    def put(text: str | None, *, tracked: bool = False) -> None:
        studio.path(".vscode").mkdir(exist_ok=True)
        os.chown(studio.path(".vscode"), studio.uid, -1)
        if text is None:
            studio.path(LAUNCH).unlink(missing_ok=True)
        else:
            studio.write(LAUNCH, text)
        if tracked:
            studio.shell.run("git", "add", "--force", LAUNCH).ok()

    yield put
    studio.shell.run("git", "rm", "--cached", "--quiet", "--ignore-unmatch", LAUNCH).ok()
    studio.path(LAUNCH).unlink(missing_ok=True)


def entry(port: int, remote: str) -> str:
    return (
        '{"version": "0.2.0", "configurations": [ // the team\'s\n'
        '  {"name": "container", "type": "debugpy", "request": "attach",\n'
        f'   "connect": {{"host": "127.0.0.1", "port": {port}}},\n'
        f'   "pathMappings": [{{"localRoot": "${{workspaceFolder}}", "remoteRoot": "{remote}"}}]}}]}}\n'
    )


def remote(site: Site) -> str:
    return str(site.view()["workspace_folder"])


def start(site: Site) -> str:
    """One short debug run; what was said on the way."""
    with debugging(site, "--no-wait", "loop.py") as run:
        site.devenv("kill", run).ok()
    outcome = site.devenv("debug", "--detach", "--no-wait", "loop.py").ok()
    site.devenv("kill", "loop.py").ok()
    return outcome.out + outcome.err


def test_an_entry_is_added_and_every_other_byte_stays(studio: Site, port: int, launch: Callable[..., None]) -> None:
    launch(HAND_MADE)
    start(studio)
    text = studio.path(LAUNCH).read_text()
    added = re.search(r'\{\s*"name": "devenv: attach".*?\n\t\t\}', text, re.DOTALL)
    assert added, text
    assert f'"port": {port}' in added[0]
    rest = text.replace(added[0], "")
    squeezed = re.sub(r"[\s,]", "", rest)
    assert squeezed == re.sub(r"[\s,]", "", HAND_MADE)
    for line in HAND_MADE.splitlines():
        assert line.rstrip(",") in text, line
    start(studio)
    assert studio.path(LAUNCH).read_text() == text


def test_a_shared_file_with_the_right_port_is_not_rewritten(
    studio: Site, port: int, launch: Callable[..., None]
) -> None:
    text = entry(port, remote(studio))
    launch(text, tracked=True)
    before = studio.path(LAUNCH).stat()
    assert "launch.json" not in start(studio)
    after = studio.path(LAUNCH).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert studio.path(LAUNCH).read_text() == text


def test_a_shared_file_with_another_port_is_told_and_kept(studio: Site, port: int, launch: Callable[..., None]) -> None:
    text = entry(5678, remote(studio))
    launch(text, tracked=True)
    said = start(studio)
    assert re.search(rf"tracked by Git.*5678.*{port}", said), said
    assert studio.path(LAUNCH).read_text() == text


@pytest.mark.parametrize("text", ['{"configurations": [', "[]", '{"configurations": {}}', "no json at all"])
def test_a_file_that_is_not_understood_is_left_alone(studio: Site, launch: Callable[..., None], text: str) -> None:
    launch(text)
    said = start(studio)
    assert "launch.json" in said
    assert "to add it by hand: devenv ide show vscode" in said
    assert studio.path(LAUNCH).read_text() == text


def test_it_can_be_left_out(studio: Site, launch: Callable[..., None]) -> None:
    launch(None)
    with debugging(studio, "--no-wait", "--no-launch-json", "loop.py"):
        assert not studio.path(LAUNCH).exists()


def test_the_port_follows_from_the_name_and_a_taken_one_is_replaced(
    alice: User, shell: Callable[..., Shell], images: Images
) -> None:
    name = own_name("twin")
    files = {name: PROGRAMS[name] for name in ("loop.py", "devenv.yaml")}
    with place(shell, alice, f"left/{name}", images.python_user, files, git=True) as left:
        with debugging(left, "--no-wait", "loop.py"):
            team = door(left)
            shared = left.path(LAUNCH).read_text()
            assert f'"port": {team}' in shared
        with place(shell, alice, f"right/{name}", images.python_user, files, git=True) as right:
            right.path(".vscode").mkdir()
            text = shared.replace(remote(left), remote(right))
            (right.path(LAUNCH)).write_text(text)
            for path in (right.path(".vscode"), right.path(LAUNCH)):
                path.chmod(0o755 if path.is_dir() else 0o644)

                os.chown(path, alice.uid, alice.gid)
            right.shell.run("git", "add", "--force", LAUNCH).ok()
            outcome = right.devenv("debug", "--detach", "loop.py").ok()
            other = door(right)
            assert other != team
            outcome.says(f"127.0.0.1:{other}", str(team))
            assert right.path(LAUNCH).read_text() == text
            source = right.path("loop.py")
            with DapClient(other) as client:
                client.attach({source: [line_of(source, "tick += 1")]}, mappings=[(right.folder, remote(right))])
                client.stopped("breakpoint")
            right.devenv("kill", "loop.py").ok()


def test_a_port_that_another_program_has_is_told_with_its_holder(
    alice: User, shell: Callable[..., Shell], images: Images
) -> None:
    name = own_name("taken")
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = holder.getsockname()[1]
        files = {"loop.py": PROGRAMS["loop.py"], "devenv.yaml": f"debug: {{port: {taken}}}\n"}
        with place(shell, alice, name, images.python_user, files) as site:
            outcome = site.devenv("debug", "--detach", "--no-wait", "loop.py").ok()
            port = door(site)
            assert port != taken
            outcome.says(f"{taken} is taken by a process of ", f"127.0.0.1:{port}")
            source = site.path("loop.py")
            with attached(site, {source: [line_of(source, "tick += 1")]}) as (client, _):
                client.stopped("breakpoint")
