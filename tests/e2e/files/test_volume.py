"""The project in a volume instead of a mount, kept the same: the daily loop, conflicts, and what must never be lost.

On the local engine, by `sync.on: always`: the same machinery as with an engine on another machine.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.e2e.conftest import Place
from tests.e2e.daily.site import Site
from tests.kit.fixtures import Images
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users]

ALWAYS = "sync:\n  on: always\n"
TRAIN = "import pathlib, sys\npathlib.Path('out.txt').write_text('made inside')\nprint('step', sys.argv[1:])\n"


def synced(place: Place, image: str, files: dict[str, Any] | None = None, **config: Any) -> Site:
    site = place({".devcontainer.json": {"image": image, **config}, "devenv.yaml": ALWAYS, **(files or {})})
    site.devenv("up", timeout=180).ok()
    return site


def conflicts(site: Site) -> dict[str, dict[str, Any]]:
    outcome = site.devenv("sync", "conflicts", "--json")
    return {one["path"]: one for one in outcome.json()["sync"]["conflicts"]}


@pytest.mark.parametrize("user", ["root", "1000", "3003"])
def test_the_daily_loop(place: Place, images: Images, user: str) -> None:
    image = images.python_user if user == "1000" else images.python
    hook = {"postCreateCommand": "test -f train.py && echo seen > hook.txt"}
    config = {"remoteUser": "dev"} if user == "1000" else {"remoteUser": user}
    site = synced(place, image, {"train.py": TRAIN, "empty": {}, "run.sh": "#!/bin/sh\necho ran\n"}, **config, **hook)
    mounts = site.docker.inspect(site.container())["Mounts"]
    assert [m["Type"] for m in mounts if m["Destination"].startswith("/workspaces/")] == ["volume"]
    assert site.path("hook.txt").read_text() == "seen\n", (
        "the files were there before the lifecycle command, and came back"
    )
    assert site.exec("sh", "-c", "cat train.py && test -d empty && ./run.sh").ok().out == TRAIN + "ran\n"
    assert site.devenv("run", "train.py", "a").ok().out == "step ['a']\n"
    out = site.path("out.txt")
    assert out.read_text() == "made inside", "outputs of a run are here when it returns"
    assert out.stat().st_uid == site.uid
    site.write("train.py", TRAIN.replace("step", "STEP"))
    assert site.devenv("run", "train.py").ok().out == "STEP []\n", "what was saved before is what runs"
    site.exec("sh", "-c", "mkdir -p a/b && echo x > a/b/c && rm out.txt && chmod +x train.py").ok()
    assert site.path("a/b/c").read_text() == "x\n"
    assert not out.exists()
    assert os.access(site.path("train.py"), os.X_OK)
    site.devenv("sync").ok().says("^in step", "no conflicts|files")


def test_a_save_arrives_without_a_command(place: Place, images: Images) -> None:
    site = synced(place, images.python_user)
    site.write("a.txt", "one")
    read = ["exec", "-u", "dev", "-w", "/workspaces/" + site.folder.name, site.container(), "cat", "a.txt"]
    eventually(lambda: site.docker(*read) == "one", "the save inside")
    site.docker("exec", "-u", "dev", site.container(), "sh", "-c", f"echo two > /workspaces/{site.folder.name}/b.txt")
    eventually(lambda: site.path("b.txt").read_text() == "two\n", "what was written inside")


def test_conflicts_are_kept_and_ended_by_a_choice(place: Place, images: Images) -> None:
    site = synced(place, images.python_user, {"f": "0", "g": "0", "h": "0"})
    site.devenv("sync", "pause").ok()
    for name in ("f", "g", "h"):
        site.write(name, f"host {name}")
    site.docker(
        "exec", "-u", "dev", "-w", "/workspaces/" + site.folder.name, site.container(),
        "sh", "-c", "for n in f g h; do printf 'container %s' $n > $n; done",
    )  # fmt: skip
    site.devenv("sync", "resume").ok()
    assert set(conflicts(site)) == {"f", "g", "h"}
    assert site.path("f").read_text() == "host f"
    assert site.exec("cat", "f").ok().out == "container f"
    site.devenv("sync", "diff", "f").ok().says(r"^-host f", r"^\+container f")
    site.devenv("sync", "resolve", "f", "--host").ok()
    site.devenv("sync", "resolve", "g", "--container").ok()
    site.devenv("sync", "resolve", "h", "--both").ok()
    assert conflicts(site) == {}
    assert site.exec("cat", "f", "g", "h").ok().out == "host fcontainer ghost h"
    assert site.path("g").read_text() == "container g"
    (beside,) = site.folder.glob("h.conflict-container-*")
    assert beside.read_text() == "container h"
    site.devenv("sync", "trash").ok().says(" f$", " g$")
    site.devenv("sync", "undo").ok()


def test_every_conflict_is_ended_that_can_be(place: Place, images: Images) -> None:
    site = synced(place, images.python_user, {"f": "0", "g": "0"})
    site.devenv("sync", "pause").ok()
    site.write("f", "host f")
    site.write("g", "host g")
    site.docker(
        "exec", "-u", "dev", "-w", "/workspaces/" + site.folder.name, site.container(),
        "sh", "-c", "rm f && mkdir f && echo x > f/x && echo container > g",
    )  # fmt: skip
    site.devenv("sync", "resume").ok()
    assert set(conflicts(site)) == {"f", "g"}
    site.devenv("sync", "resolve", "--all", "--both").failed().says("1 resolved; not: f: only files can be kept twice")
    assert set(conflicts(site)) == {"f"}
    (beside,) = site.folder.glob("g.conflict-container-*")
    assert (site.path("g").read_text(), beside.read_text()) == ("host g", "container\n")
    site.devenv("sync", "resolve", "--all", "--container").ok().says("1 resolved")
    assert (site.path("f/x").read_text(), conflicts(site)) == ("x\n", {})


def test_what_is_too_large_stays_and_is_told(place: Place, images: Images) -> None:
    site = synced(place, images.python_user, {"devenv.yaml": ALWAYS + "  max-file: 100KB\n", ".gitignore": "big.log\n"})
    for name in ("data.bin", "big.log"):
        site.path(name).write_bytes(bytes(200_000))
    site.exec("sh", "-c", "head -c 150000 /dev/zero > made.bin; test ! -e data.bin").ok()
    assert not site.path("made.bin").exists()
    told = site.json("sync", "status")["sync"]["large"]
    assert told == [
        {"path": "data.bin", "side": "host", "size": 200_000},
        {"path": "made.bin", "side": "container", "size": 150_000},
    ], "and not what is ignored anyhow"
    site.devenv("sync", "status").ok().says("data.bin +host +195.3 KiB", "max-file")


def test_the_volume_outlives_the_container_and_a_killed_supervisor(place: Place, images: Images) -> None:
    site = synced(place, images.python_user, {"a": "1", ".gitignore": "data/\n"})
    site.exec("sh", "-c", "mkdir data && echo kept > data/d").ok()
    site.devenv("rebuild", timeout=180).ok()
    assert site.exec("cat", "data/d", "a").ok().out == "kept\n1"
    assert not site.path("data").exists(), "what is ignored is not synchronised"
    site.kill_supervisor()
    site.write("a", "2")
    assert site.exec("cat", "a").ok().out == "2"
    site.devenv("stop").ok()
    site.write("a", "3")
    site.devenv("start").ok()
    assert site.exec("cat", "a").ok().out == "3"


def test_much_that_is_deleted_is_asked_about(place: Place, images: Images) -> None:
    site = synced(place, images.python_user, {f"src/f{n}.txt": str(n) for n in range(120)})
    site.docker("exec", site.container(), "sh", "-c", f"rm -rf /workspaces/{site.folder.name}/src")
    site.exec("true").failed(79).says("120 of 12[0-9] files would be deleted on this machine", "--allow-deletes|reset")
    assert len(list(site.path("src").iterdir())) == 120
    site.devenv("sync", "reset").ok()
    assert site.exec("sh", "-c", "ls src | wc -l").ok().out.strip() == "120"
    site.docker("exec", site.container(), "sh", "-c", f"rm -rf /workspaces/{site.folder.name}/src")
    site.devenv("sync", "flush").failed(79)
    site.devenv("sync", "resume", "--allow-deletions").ok()
    assert not site.path("src").exists()


def test_a_volume_that_was_removed_deletes_nothing(place: Place, images: Images) -> None:
    site = synced(place, images.python_user, {f"f{n}": str(n) for n in range(60)})
    volume = next(m["Name"] for m in site.docker.inspect(site.container())["Mounts"] if "files" in m.get("Name", ""))
    site.devenv("down").ok()
    site.docker("volume", "rm", volume)
    site.devenv("up", timeout=180).ok()
    assert len(list(site.folder.glob("f*"))) == 60
    assert site.exec("cat", "f59").ok().out == "59"


def test_an_image_without_python_gets_files_one_way(place: Place, images: Images) -> None:
    site = place({".devcontainer.json": {"image": images.nopython}, "devenv.yaml": ALWAYS, "a": "1", "d/x": "2"})
    site.devenv("up", timeout=180).ok().says("no Python.*: files only go into it")
    assert site.exec("cat", "a", "d/x").ok().out == "12"
    site.write("a", "3")
    assert site.exec("sh", "-c", "echo mine > d/x; cat a").ok().out == "3"
    assert site.path("d/x").read_text() == "2", "nothing comes back"
    site.kill_supervisor()
    site.write("a", "4")
    assert site.exec("cat", "a", "d/x").ok().out == "4mine\n", "what has not changed here is not sent again"
    site.devenv("sync").ok().says("in step: .*files only go into it")
    site.devenv("sync", "reset").failed(77).says("Python 3.6 or later is synchronised both ways")


def test_rules_that_are_edited_count_from_the_next_save_on(place: Place, images: Images) -> None:
    site = synced(place, images.python_user, {"log/a": "1", "keep": "2", ".gitignore": "[a\n"})
    site.devenv("sync").ok().says(r"\.gitignore:1")
    site.write(".gitignore", "log/\n")
    site.exec("sh", "-c", "test -e log/a && echo 2 > log/a && echo x > log/b && cat .gitignore").ok().says("^log/$")
    site.devenv("sync", "flush").ok().silent_about("gitignore:1")
    assert site.path("log/a").read_text() == "1", "what is ignored from now on stays as it is on both sides"
    assert not site.path("log/b").exists()
    site.write(".gitignore", "")
    site.devenv("sync", "flush").ok()
    assert site.path("log/b").read_text() == "x\n"
    assert set(conflicts(site)) == {"log/a"}, "as at the first time: what differs is a conflict"
