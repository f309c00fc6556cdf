"""`devenv devcontainer` beside the reference dev container CLI, flag for flag, on equal projects of the same image.

Features are built anew in each round that is about them: their scripts get a new comment, so that no cache of either
holds them.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import Figure, Goal
from tests.benchmarks.ground import Ground, Place
from tests.kit.project import Content
from tests.kit.rig import node_program

OURS = ("devenv", "devcontainer")


def measure(ground: Ground, scale: float) -> Iterator[Figure]:
    theirs = (str(node_program("devcontainer")),)
    yield from _warm(ground, theirs, scale)
    yield from _with_features(ground, theirs, scale)


def _warm(ground: Ground, theirs: tuple[str, ...], scale: float) -> Iterator[Figure]:
    mine, peer = ground.place("dropin"), ground.place("dropin-reference")

    def both(verb: str, *words: str) -> tuple[list[str], list[str]]:
        at = "--workspace-folder"
        return [*OURS, verb, at, str(mine.folder), *words], [*theirs, verb, at, str(peer.folder), *words]

    up, execute, read = both("up"), both("exec", "true"), both("read-configuration", "--include-merged-configuration")
    times = mine.pairs(max(3, int(10 * scale)), *up, warm=1)
    yield Figure.of("drop-in up, warm", "s", times[0], "devcontainer up", times[1], Goal(0.2))
    times = mine.pairs(max(5, int(20 * scale)), *execute)
    yield Figure.of("drop-in exec true", "ms", times[0], "devcontainer exec", times[1], Goal(0.1), scale=1e3)
    plain = ["devenv", "exec", "--", "true"]
    times = mine.pairs(max(5, int(20 * scale)), plain, execute[1])
    yield Figure.of("exec -- true", "ms", times[0], "devcontainer exec", times[1], Goal(0.1), scale=1e3)
    times = mine.pairs(max(5, int(20 * scale)), *read)
    yield Figure.of(
        "drop-in read-configuration, merged", "ms", times[0], "devcontainer …", times[1], Goal(0.5), scale=1e3
    )


def _with_features(ground: Ground, theirs: tuple[str, ...], scale: float) -> Iterator[Figure]:
    rounds = max(3, int(7 * scale))
    at = "--workspace-folder"
    for user, name in (("", "ids to be changed"), ("root", "as root")):
        mine, peer = _project(ground, "features", user), _project(ground, "features-reference", user)
        ours, reference = [*OURS, "up", at, str(mine.folder)], [*theirs, "up", at, str(peer.folder)]
        before = {0: [_down(mine), _new(mine.folder)], 1: [_removed(peer), _new(peer.folder)]}
        times = mine.pairs(rounds, ours, reference, warm=1, before=before)
        yield Figure.of(f"up, cold, two local features ({name})", "s", times[0], "devcontainer up", times[1], Goal(0.7))
    for name, seconds in (("nothing", 0), ("3 s each", 3)):
        mine, peer = _project(ground, "user", "root", seconds), _project(ground, "user-reference", "root", seconds)
        again = "--remove-existing-container"
        ours = [*OURS, "up", at, str(mine.folder), again]
        reference = [*theirs, "up", at, str(peer.folder), again]
        before = {
            index: [_new(place.folder), _user(place.folder, "root"), command, _user(place.folder, "dev")]
            for index, (place, command) in enumerate(((mine, ours), (peer, reference)))
        }
        times = mine.pairs(max(2, rounds // 2) if seconds else rounds, ours, reference, warm=1, before=before)
        yield Figure.of(
            f"rebuild, only remoteUser changed (features take {name})",
            "s",
            times[0],
            "devcontainer up",
            times[1],
            Goal(0.3),
        )


def _project(ground: Ground, name: str, user: str, seconds: int = 0) -> Place:
    files: dict[str, Content] = {}
    for feature in ("first", "second"):
        manifest: dict[str, Any] = {"id": feature, "version": "1.0.0", "name": feature}
        files[f".devcontainer/{feature}/devcontainer-feature.json"] = manifest
        files[f".devcontainer/{feature}/install.sh"] = f"#!/bin/sh\n# nonce\nsleep {seconds}\n"
    users = {"remoteUser": user} if user else {}
    return ground.place(name, files, features={"./first": {}, "./second": {}}, **users)


def _new(folder: Path) -> list[str]:
    nonce = '"s/^# nonce.*/# nonce $(cat /proc/sys/kernel/random/uuid)/"'
    return ["sh", "-c", f"sed -i {nonce} {shlex.quote(str(folder))}/.devcontainer/*/install.sh"]


def _user(folder: Path, user: str) -> list[str]:
    change = f's/"remoteUser": "[a-z]*"/"remoteUser": "{user}"/'
    return ["sed", "-i", change, str(folder / ".devcontainer" / "devcontainer.json")]


def _down(place: Place) -> list[str]:
    return ["devenv", "down", "--force", "--volumes", "--folder", str(place.folder)]


def _removed(place: Place) -> list[str]:
    label = f"label=devcontainer.local_folder={place.folder}"
    return ["sh", "-c", f"docker ps -aq --filter {shlex.quote(label)} | xargs -r docker rm -f"]
