"""What goes wrong beside a synchronised project, and that nothing is lost by it."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Place
from tests.e2e.daily.site import Site
from tests.kit.fixtures import Images
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users]

ALWAYS = "sync:\n  on: always\n"


def synced(place: Place, images: Images, files: dict[str, Any] | None = None) -> Site:
    config = {"image": images.python_user, "remoteUser": "dev"}
    site = place({".devcontainer.json": config, "devenv.yaml": ALWAYS, **(files or {})})
    site.devenv("up", timeout=180).ok()
    return site


def inside(site: Site, script: str, user: str = "dev") -> str:
    return site.docker(
        "exec", "-u", user, "-w", f"/workspaces/{site.folder.name}", site.container(), "sh", "-c", script
    )


def side_pids(site: Site) -> list[int]:
    """The far processes of this container, by the host's numbers."""
    found = []
    for line in site.docker("top", site.container(), "-eo", "pid,args").splitlines():
        number, _, words = line.strip().partition(" ")
        if "devenv_sync" in words:
            found.append(int(number))
    return found


def test_a_killed_far_side_is_replaced(place: Place, images: Images) -> None:
    site = synced(place, images, {"a": "1"})
    for number in range(3):
        (pid,) = eventually(lambda: side_pids(site), "the far side")
        os.kill(pid, signal.SIGKILL)
        site.write("a", str(number + 2))
        assert site.exec("cat", "a").ok().out == str(number + 2)
    inside(site, "echo back > b")
    eventually(lambda: site.path("b").read_text() == "back\n", "what was written inside")


def test_a_container_that_is_restarted_or_paused_goes_on(place: Place, images: Images) -> None:
    site = synced(place, images, {"a": "1"})
    site.docker("restart", "-t", "1", site.container())
    site.write("a", "2")
    eventually(lambda: inside(site, "cat a") == "2", "the save after the restart")
    site.docker("pause", site.container())
    try:
        site.write("a", "3")
        time.sleep(1)
    finally:
        site.docker("unpause", site.container())
    eventually(lambda: inside(site, "cat a") == "3", "the save after the pause")


def test_names_that_are_none_of_this_machines_business(place: Place, images: Images) -> None:
    """A container is not trusted with paths: what it names stays below the project's folder."""
    site = synced(place, images, {"a": "1"})
    inside(
        site,
        r"""
        ln -s /etc/passwd outside; ln -s ../../.. up; ln -s a near; ln -s nowhere dangling
        mkdir -p .git/hooks .Git && echo 'echo bad' > .git/hooks/pre-commit && echo x > .Git/config
        printf x > "$(printf 'new\nline')"; printf x > "$(printf 'not-utf8-\377')"; printf x > ./-rf
        printf x > 'trailing '
        mkfifo pipe
    """,
    )
    site.devenv("sync", "flush").ok()
    here = site.folder
    assert os.readlink(here / "outside") == "/etc/passwd"
    assert os.readlink(here / "up") == "../../.."
    assert (here / "near").read_text() == "1"
    assert not (here / ".git").exists()
    assert not (here / ".Git").exists()
    assert not (here / "pipe").exists()
    assert (here / "new\nline").read_text() == "x"
    assert Path(os.fsdecode(os.fsencode(here) + b"/not-utf8-\xff")).read_text() == "x"
    assert (here / "-rf").exists() and (here / "trailing ").exists()
    site.devenv("sync", "pause").ok()
    Path(os.fsdecode(os.fsencode(here) + b"/not-utf8-\xff")).write_text("host")
    inside(site, r"""printf container > "$(printf 'not-utf8-\377')" """)
    site.devenv("sync", "resume").ok()
    site.devenv("sync", "conflicts").failed(1).says(r"not-utf8-\\udcff +4 B, .* 9 B, ")
    assert site.status()["sync"]["conflicts"][0]["path"] == r"not-utf8-\udcff"
    site.devenv("sync", "resolve", r"not-utf8-\udcff", "--container").ok()
    assert Path(os.fsdecode(os.fsencode(here) + b"/not-utf8-\xff")).read_text() == "container"
    # A folder that gave way to a link leads nowhere else.
    inside(site, "mkdir deep && echo 1 > deep/f")
    site.devenv("sync", "flush").ok()
    inside(site, "rm -r deep && ln -s /tmp deep && echo x > /tmp/f")
    site.devenv("sync", "flush").ok()
    assert os.readlink(here / "deep") == "/tmp"


def test_what_cannot_be_read_is_told_and_deletes_nothing(place: Place, images: Images) -> None:
    site = synced(place, images, {"a": "1", "d/x": "2"})
    inside(site, f"chmod 0 /workspaces/{site.folder.name}/d && chown root /workspaces/{site.folder.name}/d", "root")
    site.write("a", "2")
    assert site.exec("cat", "a").ok().out == "2"
    assert site.path("d/x").read_text() == "2"
    site.devenv("sync").ok().says("d .*cannot be read")
    inside(site, f"chmod 755 /workspaces/{site.folder.name}/d && chown dev /workspaces/{site.folder.name}/d", "root")
    site.devenv("sync", "flush").ok()
    site.devenv("sync").ok().silent_about("cannot be read")


def test_writers_on_both_sides_and_a_supervisor_that_is_killed(place: Place, images: Images) -> None:
    """Two writers, each with files of its own, and deaths in between: every last word arrives."""
    site = synced(place, images)
    done = threading.Event()

    def write_inside() -> None:
        inside(site, "for i in $(seq 1 150); do for f in a b c; do echo $i > c_$f; done; sleep 0.02; done")
        done.set()

    thread = threading.Thread(target=write_inside)
    thread.start()
    last = 0
    while not done.is_set():
        last += 1
        for name in ("a", "b", "c"):
            site.write(f"h_{name}", f"{last}\n")
        if last % 40 == 20:
            site.kill_supervisor()
        if last % 40 == 30:
            for pid in side_pids(site):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    thread.join()
    site.devenv("sync", "flush", timeout=60).ok()
    assert {site.path(f"c_{n}").read_text() for n in "abc"} == {"150\n"}
    assert set(inside(site, "cat h_a h_b h_c").split()) == {str(last)}
    assert site.devenv("sync", "conflicts").ok().out.strip() == "no conflicts"
    assert not list(site.path(".devenv/stage").iterdir()), "nothing is left half done"


def test_a_full_disk_inside_says_so_and_goes_on_when_there_is_room(place: Place, images: Images) -> None:
    config = {"image": images.python_user, "remoteUser": "dev"}
    site = place({".devcontainer.json": config, "devenv.yaml": ALWAYS, "a": "1"})
    key = site.json("status")["environment"]["key"]
    site.docker(
        "volume", "create", "--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=size=4m", f"devenv-{key}-files"
    )
    site.devenv("up", timeout=180).ok()
    site.path("big").write_bytes(os.urandom(8 << 20))
    os.chown(site.path("big"), site.uid, site.shell.user.gid)
    site.devenv("sync", "flush")
    site.devenv("sync").ok().says("big .*(not enough room|No space)")
    assert site.path("big").stat().st_size == 8 << 20
    site.path("big").write_bytes(b"small")
    assert site.exec("cat", "big").ok().out == "small"
