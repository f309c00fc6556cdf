"""The synchroniser on the local engine (`sync.on: always`): the machinery of another machine without its network.

The first synchronisation beside Unison and beside tar, each through one `docker exec` into a new volume, and every
content compared afterwards; then what one save, a lost connection and doing nothing cost in a project of 50,000 files.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from devenv.link.fakes import LocalEngine
from devenv.sync.remote import open_remote
from devenv.sync.rules import collect
from devenv.sync.side.place import Place as Side
from devenv.sync.side.scan import Scanner
from tests.benchmarks import unison
from tests.benchmarks.figures import Figure, Goal
from tests.benchmarks.ground import IMAGE, Ground, Place, cpu_seconds
from tests.benchmarks.saves import figures, hand, latencies
from tests.benchmarks.trees import DIGEST, make_tree
from tests.kit.project import give_to
from tests.kit.waiting import eventually

ALWAYS = {"devenv.yaml": "sync:\n  on: always\n"}
_FULL = 3.0  # below a third of the usual repetitions trees shrink as well, and the lines say so


def counted(number: int, scale: float) -> int:
    return int(number * min(1.0, _FULL * scale)) // 100 * 100


def measure(ground: Ground, scale: float) -> Iterator[Figure]:
    yield from first_syncs(ground, scale)
    yield from every_day(ground, scale)
    yield from sides(ground, scale)


# --- the first time ---


def first_syncs(ground: Ground, scale: float) -> Iterator[Figure]:
    """Nothing is removed before all is measured: in the minutes after many files were deleted, making one takes several
    times as long (seen on ext4)."""
    files, folders = counted(20_000, scale), counted(2_500, scale)
    lacking = unison.find(ground.docker)
    ours: list[float] = []
    tars: list[float] = []
    unisons: list[float] = []
    size = 0
    with contextlib.ExitStack() as stack:
        for _ in range(max(1, int(3 * scale))):
            place = ground.place("first", ALWAYS)
            stack.callback(shutil.rmtree, place.folder)
            make_tree(place.folder, files, folders, 7_500)
            give_to(place.folder, place.shell.user)
            size = sum(path.stat().st_size for path in place.folder.rglob("*") if path.is_file())
            stack.callback(place.shell.run, "devenv", "down", "--force", "--volumes")
            ours.append(_copying(place))
            container = stack.enter_context(place.docker.container(IMAGE, "--volume", "/target"))
            tars.append(_by_tar(place, container))
            if not lacking:
                container = stack.enter_context(place.docker.container(unison.UNISON_IMAGE, "--volume", "/target"))
                unisons.append(_by_unison(place, container))
    what = f"first sync, {files:,} files in {folders:,} folders, {size / 1e6:.0f} MB"
    yield Figure.of(what, "s", ours, f"Unison ({lacking})" if lacking else "Unison", unisons, Goal(0.4))
    yield Figure.of(what, "s", ours, "tar into docker exec", tars, Goal(1.3))


def _same(place: Place, container: str, folder: str) -> None:
    """All contents, and as many folders."""
    here = place.shell.run("sh", "-c", DIGEST, timeout=120).ok().out
    there = place.docker("exec", "--user", "root", "--workdir", folder, container, "sh", "-c", DIGEST)
    assert there.split() == here.split(), f"{folder} is not what {place.folder} is: {there} {here}"


def _copying(place: Place) -> float:
    """Seconds of the step of `up` that copies the project's files."""
    told: dict[str, float] = {}
    words = ["devenv", "up", "--json", "--send", "all"]
    with place.shell.start(*words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        said = b""
        for line in process.stderr:
            now = time.perf_counter()
            said += line
            message = json.loads(line)
            if message.get("key") == "files":
                told.setdefault("done" if message.get("done") else "begun", now)
        assert process.wait() == 0, said.decode(errors="replace")[-2000:]
    _same(place, place.container(), f"/workspaces/{place.folder.name}")
    return told["done"] - told["begun"]


def _by_tar(place: Place, container: str) -> float:
    script = f"tar -c --exclude=./.devenv . | docker exec -i --user root {container} tar -x -C /target"
    began = time.perf_counter()
    place.shell.run("sh", "-c", script, timeout=120).ok()
    took = time.perf_counter() - began
    _same(place, container, "/target")
    return took


def _by_unison(place: Place, container: str) -> float:
    user = place.shell.user
    own = user.home / f"unison-{uuid.uuid4().hex[:6]}"
    own.mkdir()
    shutil.chown(own, user.uid, user.gid)
    words = unison.command(place.folder, container, "/target", user.home / "unison-by-exec")
    shell = place.shell.having(UNISON=str(own))
    began = time.perf_counter()
    shell.run(*words, timeout=300).ok()
    took = time.perf_counter() - began
    _same(place, container, "/target")
    return took


# --- every day ---


def every_day(ground: Ground, scale: float) -> Iterator[Figure]:
    files = counted(50_000, scale)
    place = big_place(ground, files)
    place.devenv("up", "--send", "all", timeout=300)
    place.devenv("sync", "flush")
    container = place.container()
    there = f"/workspaces/{place.folder.name}"
    yield from saves(place, ["docker", "exec", "-i", container], there, files, scale, (40, 100))
    taken = [reconnected(place, files) for _ in range(max(3, int(5 * scale)))]
    yield Figure.of(f"lost connection until `sync flush` returns, {files:,} files", "s", taken, goal=Goal(0.5, "value"))
    yield idle(place, files, max(5.0, 30 * scale))
    place.devenv("down", "--force", "--volumes")
    shutil.rmtree(place.folder)


def big_place(ground: Ground, files: int, image: str = IMAGE) -> Place:
    """A project of small files that is not up."""
    place = ground.place("daily", ALWAYS)
    make_tree(place.folder, files, max(50, files // 20), 400)
    give_to(place.folder, place.shell.user)
    return place


def saves(
    place: Place, to: list[str], there: str, files: int, scale: float, most: tuple[float, float], where: str = ""
) -> Iterator[Figure]:
    """One save at a time, in either direction."""
    rounds = max(20, int(200 * scale))
    file = "package00/part07/saved.py"
    name = f"a save{where}, {files:,} files"
    with (
        hand(place.shell.start, [], str(place.folder / file)) as host,
        hand(place.shell.start, to, f"{there}/{file}") as far,
    ):
        yield from figures(f"{name}, here to container", latencies(host, far, rounds), most)
        yield from figures(f"{name}, container to here", latencies(far, host, rounds), most)


def far_side(place: Place) -> int:
    """The host's pid of the process in the container."""
    listing = place.docker("top", place.container(), "-eo", "pid,args").splitlines()[1:]
    (found,) = [int(line.split()[0]) for line in listing if "devenv_sync" in line and " -u -c " in line]
    return found


def reconnected(place: Place, files: int) -> float:
    """Seconds from the end of the far side's process until a flush has succeeded."""
    began = time.perf_counter()
    os.kill(far_side(place), signal.SIGKILL)
    began = time.perf_counter()
    eventually(lambda: place.shell.run("devenv", "sync", "flush").rc == 0, "a flush", every=0.01)
    took = time.perf_counter() - began
    view = place.json("sync")["sync"]
    assert view["files"] >= files and not view["conflicts"], view
    return took


def idle(place: Place, files: int, seconds: float) -> Figure:
    """CPU of supervisor and far side while nobody writes."""
    pids = {"supervisor": int(place.json("supervisor")["pid"]), "far side": far_side(place)}
    eventually(lambda: place.json("sync")["sync"]["state"] == "in step", "both sides in step")
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    began = time.perf_counter()
    time.sleep(seconds)
    took = time.perf_counter() - began
    taken = {name: 100 * (cpu_seconds(pid) - before[name]) / took for name, pid in pids.items()}
    parts = ", ".join(f"{name} {share:.1f}" for name, share in taken.items())
    what = f"idle for {seconds:.0f} s, {files:,} files ({parts})"
    return Figure(what, "% of a core", sum(taken.values()), goal=Goal(1, "value"))


# --- one side alone ---


def sides(ground: Ground, scale: float) -> Iterator[Figure]:
    files = counted(100_000, scale)
    folders = files // 40
    place = ground.place("scan")
    make_tree(place.folder, files, folders, 200)
    rules = collect(place.folder).spec
    rounds = max(3, int(9 * scale))
    bare = Scanner(str(place.folder), lambda path, is_folder: False)
    ruled = Side(str(place.folder))
    ruled.use_rules(rules)
    gc.disable()  # as the far side does
    try:
        tree = bare.scan()
        ruled.scan(None)
        plain: list[float] = []
        whole: list[float] = []
        for _ in range(rounds):
            began = time.perf_counter()
            tree = bare.scan(tree)
            plain.append(time.perf_counter() - began)
            began = time.perf_counter()
            ruled.scan(None)
            whole.append(time.perf_counter() - began)
        assert bare.hashed == ruled.scanner.hashed == 0, "the scan was not a warm one"
    finally:
        gc.enable()
    yield Figure.of(f"warm scan of {files:,} files", "s", plain, goal=Goal(0.6, "value"))
    yield Figure.of(f"warm scan of {files:,} files, by the built-in rules", "s", whole)
    del tree, bare, ruled
    empty = ground.place("empty")
    taken = asyncio.run(_resident(place.folder, rules)) - asyncio.run(_resident(empty.folder, rules))
    per_entry = taken / (files + folders)
    yield Figure(f"far side's memory, {files:,} files", "B per entry", per_entry, goal=Goal(600, "value"))
    shutil.rmtree(place.folder)


async def _resident(folder: Path, rules: object) -> int:
    """Bytes in memory of the far side's process that knows and watches this folder."""
    end = await open_remote(LocalEngine(), "", user="", root=str(folder), umask=0o022, rules=rules)  # type: ignore[arg-type]
    try:
        await end.settle()
        await end.scan()
        await end.settle()
        return _memory(os.getpid())
    finally:
        await end.close()


def _memory(parent: int) -> int:
    """Of the one child that is a far side."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes()
            status = (entry / "status").read_text()
        except OSError:
            continue
        if b"devenv_sync" in words and f"PPid:\t{parent}\n" in status:
            return int(status.partition("VmRSS:")[2].split()[0]) * 1024
    raise AssertionError("the far side has no process")
