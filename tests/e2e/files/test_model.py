"""Random work on both sides of a real container, with deaths in between, and one question at the end: is anything gone
that nobody did away with?"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import Place
from tests.e2e.daily.site import Site
from tests.kit.fixtures import Images
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users]

SEEDS = [int(word) for word in os.environ.get("DEVENV_MODEL_SEEDS", "1 2").split()]

# Works in the current folder and tells on stdout of each thing it wrote and of each that it did away with. Every
# content is written once only, so that it can be looked for.
WORKER = r"""
import json, os, random, shutil, sys, time
name, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(seed)
PATHS = [d + n for d in ("", "one/", "one/two/", "three/") for n in "abc"]
written, destroyed = [], []
def gone(path):
    try:
        with open(path) as file:
            destroyed.append(file.read())
    except OSError:
        pass
def write(path, text, whole):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    written.append(text)
    if whole:
        temporary = path + ".%s.swp" % name
        with open(temporary, "w") as file:
            file.write(text)
        gone(path)
        os.replace(temporary, path)
    else:
        gone(path)
        with open(path, "w") as file:
            file.write(text)
for number in range(count):
    path = chance.choice(PATHS)
    what = chance.random()
    try:
        if what < 0.55:
            write(path, "%s-%d-%d" % (name, seed, number), chance.random() < 0.7)
        elif what < 0.75:
            gone(path)
            os.unlink(path)
        elif what < 0.9:
            other = chance.choice(PATHS)
            if other != path and os.path.isfile(path):
                os.makedirs(os.path.dirname(other) or ".", exist_ok=True)
                gone(other)
                os.rename(path, other)
        elif what < 0.94:
            os.chmod(path, chance.choice([0o644, 0o755]))
        elif what < 0.97:
            folder = chance.choice(["one/two", "three"])
            for below, _, names in os.walk(folder):
                for one in names:
                    gone(os.path.join(below, one))
            shutil.rmtree(folder)
        else:
            time.sleep(chance.random() * 0.3)
    except OSError:
        pass  # the other side was quicker
    time.sleep(chance.random() * 0.02)
print(json.dumps([written, destroyed]))
"""


def contents(root: Path) -> dict[str, str]:
    """What is there, our own folder aside."""
    found = {}
    for folder, folders, names in os.walk(root):
        if Path(folder) == root:
            folders[:] = [name for name in folders if name != ".devenv"]
        for name in names:
            path = Path(folder, name)
            found[str(path.relative_to(root))] = path.read_text()
    return found


def below(root: Path) -> set[str]:
    return {path.read_text() for path in root.rglob("*") if path.is_file()} if root.exists() else set()


def container_contents(site: Site) -> tuple[dict[str, str], set[str]]:
    """(the tree, what lies in the trash), read where nobody of ours is asked."""
    script = (
        "import json, os\ntree, trash = {}, []\nfor folder, _, names in os.walk('.'):\n"
        "    for name in names:\n        path = os.path.relpath(os.path.join(folder, name))\n"
        "        if path.startswith('.devenv/trash'):\n            trash.append(open(path).read())\n"
        "        elif not path.startswith('.devenv/'):\n            tree[path] = open(path).read()\n"
        "print(json.dumps([tree, trash]))"
    )
    place = f"/workspaces/{site.folder.name}"
    tree, trash = json.loads(site.docker("exec", "-w", place, site.container(), "python3", "-c", script))
    return tree, set(trash)


def mischief(site: Site, chance: random.Random) -> None:
    match chance.choice(["side", "side", "supervisor", "restart", "pause", "nothing"]):
        case "side":
            for line in site.docker("top", site.container(), "-eo", "pid,args").splitlines():
                if "devenv_sync" in line:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(line.split()[0]), signal.SIGKILL)
        case "supervisor":
            site.kill_supervisor()
        case "pause":
            site.docker("pause", site.container())
            time.sleep(0.5)
            site.docker("unpause", site.container())
        case _:
            pass


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_gone_that_nobody_did_away_with(place: Place, images: Images, seed: int) -> None:
    chance = random.Random(seed)
    site = place({
        ".devcontainer.json": {"image": images.python_user, "remoteUser": "dev"},
        "devenv.yaml": "sync:\n  on: always\n",
    })  # fmt: skip
    site.devenv("up", timeout=180).ok()
    where = ["-u", "dev", "-w", f"/workspaces/{site.folder.name}"]
    inside = ["docker", "exec", *where, site.container(), "python3", "-c", WORKER, "container", str(seed), "350"]
    words = [str(site.shell.path[0] / "python"), "-c", WORKER, "host", str(seed), "350"]
    with (
        subprocess.Popen(inside, stdout=subprocess.PIPE, text=True) as there,
        site.shell.start(*words, stdout=subprocess.PIPE) as here,
    ):
        while here.poll() is None or there.poll() is None:
            time.sleep(0.4 + chance.random())
            mischief(site, chance)
        told = [json.loads(there.stdout.read() if there.stdout else ""), json.loads(here.stdout.read())]  # type: ignore[union-attr]
    written = {text for one in told for text in one[0]}
    destroyed = {text for one in told for text in one[1]}

    def settled() -> bool:
        site.devenv("sync", "flush", timeout=60).ok()
        return True

    eventually(settled, "the end of it", timeout=60)
    view = site.json("sync")["sync"]
    conflicts = {one["path"] for one in view["conflicts"]}
    assert not view["failures"], f"seed {seed}"
    host = contents(site.folder)
    container, container_trash = container_contents(site)
    found = {*host.values(), *container.values(), *container_trash, *below(site.path(".devenv/trash"))}
    lost = written - destroyed - found
    assert not lost, f"seed {seed}: {sorted(lost)}"

    def outside_of_conflicts(tree: dict[str, str]) -> dict[str, str]:
        return {p: t for p, t in tree.items() if not any(p == c or p.startswith(f"{c}/") for c in conflicts)}

    assert outside_of_conflicts(host) == outside_of_conflicts(container), f"seed {seed}: silent divergence"
    for stage in (site.path(".devenv/stage"),):
        assert not list(stage.iterdir()), f"seed {seed}: left in the staging folder"
    changes = view["to_host"], view["to_container"]
    site.devenv("sync", "flush").ok()
    again = site.json("sync")["sync"]
    assert (again["to_host"], again["to_container"]) == changes, f"seed {seed}: a second look found more to do"
