"""One environment for the terminal UI's tests, and the terminal it is driven in."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.daily.site import Site
from tests.kit.command import Shell
from tests.kit.engine import Docker, DockerFailed
from tests.kit.fixtures import Images
from tests.kit.project import devcontainer, write_project
from tests.kit.tmux import Tmux
from tests.kit.users import User

SIZES = {"80x24": (80, 24), "200x50": (200, 50)}

FILES = {
    "devenv.yaml": (
        "version: 1\nruns:\n  train:\n    script: train.py\n  crash:\n    script: crash.py\n"
        "services:\n  site:\n    kind: command\n    port: 8123\n    autostart: true\n"
        '    command: ["python3", "-m", "http.server", "8123", "--bind", "127.0.0.1"]\n'
    ),
    "mark": "none",
    "train.py": """
import os, signal, sys
def tell(*_):
    print("columns of", os.get_terminal_size(1).columns, flush=True)
print("epoch one of", open("mark").read(), flush=True)
signal.signal(signal.SIGWINCH, tell)
for line in sys.stdin:
    print("heard", line.strip(), flush=True)
""",
    "test_it.py": """
def test_it_adds():
    assert 1 + 1 == 2
def test_it_passes():
    pass
def test_it_fails():
    assert "cat" == "dog"
""",
    "crash.py": "raise SystemExit('the disk is full')\n",
}


@pytest.fixture(scope="session")
def site(alice: User, engine: Docker, images: Images, shell: Callable[..., Shell]) -> Iterator[Site]:
    """A small project of an ordinary user; the first test brings it up."""
    root = alice.home / "screen" / "digits"
    root.parent.mkdir(exist_ok=True)
    shutil.chown(root.parent, alice.uid, alice.gid)
    write_project(root, {**devcontainer(images.torch), **FILES}, owner=alice)
    site = Site(shell(alice, root), engine)
    site.devenv("up", timeout=120).ok()
    yield site
    with contextlib.suppress(DockerFailed):
        engine.remove_project(root)
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(params=list(SIZES))
def screen(request: pytest.FixtureRequest, site: Site) -> Iterator[Tmux]:
    """`devenv` alone in a terminal, its first screen shown."""
    columns, rows = SIZES[request.param]
    with Tmux(site.shell, str(Path("devenv")), columns=columns, rows=rows) as tmux:
        tmux.wait_for("running")
        yield tmux
