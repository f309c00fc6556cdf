"""Rules at work over two real folders: edited while both sides are in step (c58); outputs; Git's own files."""

from __future__ import annotations

import itertools
import pathlib
import subprocess
import tempfile
from collections.abc import AsyncIterator
from typing import Any

import pytest

from devenv.config import OutputConfig, SyncConfig
from devenv.sync.core.merge import Why
from devenv.sync.endpoint import LocalEndpoint
from devenv.sync.rules import collect, mode_of
from devenv.sync.session import Report, Session
from devenv.sync.store import Store


class Both:
    def __init__(self, base: pathlib.Path) -> None:
        self.host, self.container = base / "host", base / "container"
        for root in (self.host, self.container):
            root.mkdir()
        self.config = SyncConfig()
        self._ends = LocalEndpoint(self.host), LocalEndpoint(self.container)
        names = itertools.count()
        self._session = Session(*self._ends, Store(base / "ancestor"), lambda: f"c{next(names)}")

    async def cycle(self) -> Report:
        """With the rules as they are now."""
        rules = collect(self.host, self.config)
        for end in self._ends:
            await end.use_rules(rules.spec)
        self._session.use_mode(mode_of(self.config))
        report = await self._session.cycle()
        assert report.settled
        return report

    async def close(self) -> None:
        for end in self._ends:
            await end.close()


@pytest.fixture
async def both() -> AsyncIterator[Both]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        made = Both(pathlib.Path(folder))
        yield made
        await made.close()


def make(root: pathlib.Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def files(root: pathlib.Path) -> dict[str, str]:
    found = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}
    return {
        name: path.read_text(errors="surrogateescape")
        for name, path in found.items()
        if not name.startswith(".devenv/")
    }


def told(report: Report) -> list[tuple[str, Why]]:
    return [(conflict.path, conflict.why) for conflict in report.conflicts]


async def test_a_new_rule_deletes_nothing_and_a_rule_less_merges_as_at_first(both: Both) -> None:
    make(both.host, {"data/a": "1", "data/b": "1", "data/deep/c": "1", "src": "1"})
    await both.cycle()
    assert files(both.container) == files(both.host)
    make(both.host, {".gitignore": "data/\n"})
    assert told(await both.cycle()) == []
    assert files(both.container) == files(both.host), "the rule has arrived, and nothing is gone"
    (both.host / "data/a").unlink()
    make(both.host, {"data/b": "host's"})
    make(both.container, {"data/deep/c": "container's", "data/new": "2"})
    assert told(await both.cycle()) == []
    assert files(both.container)["data/a"] == "1"
    assert "data/new" not in files(both.host)
    (both.host / ".gitignore").unlink()
    assert told(await both.cycle()) == [("data/b", Why.BOTH_CHANGED), ("data/deep/c", Why.BOTH_CHANGED)]
    one, other = files(both.host), files(both.container)
    assert (one["data/a"], one["data/new"]) == ("1", "2"), "what one side deleted while nobody looked comes back"
    assert (one["data/b"], other["data/b"]) == ("host's", "1")
    assert (one["data/deep/c"], other["data/deep/c"]) == ("1", "container's")


async def test_a_rule_that_is_written_in_the_container_counts_when_it_is_here(both: Both) -> None:
    make(both.host, {"a.log": "1"})
    await both.cycle()
    make(both.container, {".gitignore": "*.log\n", "b.log": "2"})
    await both.cycle()
    make(both.container, {"c.log": "3"})
    await both.cycle()
    assert files(both.host).keys() == {".gitignore", "a.log", "b.log"}


async def test_outputs_come_back_one_way_up_to_their_size(both: Both) -> None:
    both.config = SyncConfig(outputs=[OutputConfig(pattern="runs/", max="5")])
    make(both.host, {".gitignore": "runs/\n", "runs/mine": "1", "src": "1"})
    make(both.container, {"runs/1/log": "1", "runs/1/model": "123456"})
    assert told(await both.cycle()) == []
    assert files(both.host).keys() == {".gitignore", "src", "runs/mine", "runs/1/log"}
    assert files(both.container).keys() == {".gitignore", "src", "runs/1/log", "runs/1/model"}
    make(both.container, {"runs/1/log": "12"})
    await both.cycle()
    assert files(both.host)["runs/1/log"] == "12"
    make(both.host, {"runs/1/log": "mine"})
    assert told(await both.cycle()) == [("runs/1/log", Why.ONLY_ONE_WAY)]
    assert files(both.container)["runs/1/log"] == "12"


async def test_an_output_that_grows_over_its_size_is_told_and_nothing_is_lost(both: Both) -> None:
    both.config = SyncConfig(outputs=[OutputConfig(pattern="runs/", max="5")])
    make(both.container, {"runs/log": "1"})
    await both.cycle()
    make(both.container, {"runs/log": "1234567"})
    assert told(await both.cycle()) == [("runs/log", Why.IN_THE_WAY)]
    assert (files(both.host)["runs/log"], files(both.container)["runs/log"]) == ("1", "1234567")


async def test_a_setting_that_makes_a_folder_an_output_uploads_nothing(both: Both) -> None:
    make(both.host, {".gitignore": "runs/\n", "runs/mine": "1"})
    make(both.container, {"runs/theirs": "2"})
    await both.cycle()
    both.config = SyncConfig(outputs=["runs/"])
    await both.cycle()
    assert files(both.host).keys() == {".gitignore", "runs/mine", "runs/theirs"}
    assert files(both.container).keys() == {".gitignore", "runs/theirs"}


async def test_git_sees_the_same_commit_inside_and_waits_for_its_locks(both: Both) -> None:
    def git(root: pathlib.Path, *arguments: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "safe.directory=*"]
        return subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True, text=True).stdout

    both.config = SyncConfig(git="host-to-container")
    git(both.host, "init", "-q")
    make(both.host, {"src": "1", ".gitignore": "logs\n*.tmp\n"})
    git(both.host, "add", ".")
    git(both.host, "commit", "-qm", "one")
    assert told(await both.cycle()) == []
    assert git(both.container, "log", "--format=%H %s") == git(both.host, "log", "--format=%H %s")
    assert git(both.container, "status", "--porcelain") == ""
    make(both.host, {"src": "2", ".git/index.lock": ""})
    await both.cycle()
    assert files(both.container)["src"] == "2"
    assert ".git/index.lock" not in files(both.container)
    (both.host / ".git/index.lock").unlink()
    git(both.host, "commit", "-qam", "two")
    assert told(await both.cycle()) == [], "that `git status` has written the index inside is nothing to tell"
    assert git(both.container, "status", "--porcelain") == ""
    assert git(both.container, "log", "--format=%s").split() == ["two", "one"]
    before = files(both.host)
    git(both.container, "commit", "-q", "--allow-empty", "-m", "inside")
    report = await both.cycle()
    assert files(both.host) == before
    assert {conflict.why for conflict in report.conflicts} == {Why.ONLY_ONE_WAY}


@pytest.mark.parametrize("path", [".git/hooks/pre-commit", ".GIT/config", "sub/.git/config", "git~1/config"])
@pytest.mark.parametrize("more", [{}, {"git": "host-to-container"}, {"outputs": ["sub/"]}])
async def test_nothing_of_gits_comes_from_the_container(path: str, more: dict[str, Any], both: Both) -> None:
    both.config = SyncConfig(**more)
    make(both.host, {".devenvignore": "!*\n!.git\n", ".git/config": "host's"})
    await both.cycle()
    make(both.container, {path: "planted", "sub/x": "1"})
    await both.cycle()
    assert files(both.host) == {".devenvignore": "!*\n!.git\n", ".git/config": "host's", "sub/x": "1"}
