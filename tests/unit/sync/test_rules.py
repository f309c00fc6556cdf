"""What is synchronised of a project: its files read, in their order of strength, and their changes noticed."""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

import pytest

from devenv.config import OutputConfig, SyncConfig
from devenv.sync import rules
from devenv.sync.core.merge import Mode
from devenv.sync.ruler import ProjectRules
from devenv.sync.rules import Rules, collect, is_rule_file, mode_of
from devenv.sync.side.rules import Matcher


def project(root: pathlib.Path, files: dict[str, str]) -> pathlib.Path:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def kept(found: Rules, *paths: str) -> list[str]:
    """Those that are synchronised; folders are written with a slash at their end."""
    matcher = Matcher(json.loads(json.dumps(found.spec)))

    def ignored(path: str) -> bool:
        parts = path.rstrip("/").split("/")
        above = any(matcher.ignored("/".join(parts[:number]), True) for number in range(1, len(parts)))
        return above or matcher.ignored("/".join(parts), path.endswith("/"))

    return [path for path in paths if not ignored(path)]


def test_the_defaults(tmp_path: pathlib.Path) -> None:
    found = collect(tmp_path)
    assert kept(found, "a.py", "src/", ".env", ".gitignore", ".github/", "README.md~x", "venv/", "a/4913b") == [
        *("a.py", "src/", ".env", ".gitignore", ".github/", "README.md~x", "venv/", "a/4913b")
    ]
    noise = [".a.py.swp", "4913", "a/.#b", "#a#", "a~", "x/.DS_Store", "._a", ".nfs0001", "a.py___jb_tmp___"]
    made = ["__pycache__/", "a/b/__pycache__/c.pyc", ".venv/", "web/node_modules/x/y.js", ".mypy_cache/", ".tox/"]
    assert kept(found, *noise, *made) == []


GITS = [".git", ".GIT", ".Git", "git~1", "GIT~1", ".g\u200cit", "\ufeff.git", ".git.", ".git "]


@pytest.mark.parametrize(
    "name", ["git", ".gitignore", ".gitt", "a.git", ".github", "x.git", "git~12", "\u200c", "..git"]
)
def test_what_is_only_nearly_gits(name: str, tmp_path: pathlib.Path) -> None:
    assert kept(collect(tmp_path), f"{name}/", f"a/{name}") == [f"{name}/", f"a/{name}"]


@pytest.mark.parametrize("name", [*GITS, ".devenv"])
def test_what_no_rule_brings_back(name: str, tmp_path: pathlib.Path) -> None:
    found = collect(
        project(tmp_path, {".devenvignore": f"!{name}\n!{name}/\n!*\n"}), SyncConfig(outputs=[f"{name}/", "a/"])
    )
    assert kept(found, f"{name}/", name, f"{name}/hooks/x") == []
    assert kept(found, f"a/{name}/", f"a/{name}") == ([f"a/{name}/", f"a/{name}"] if name == ".devenv" else [])


def test_a_default_is_taken_back(tmp_path: pathlib.Path) -> None:
    found = collect(project(tmp_path, {".devenvignore": "!node_modules/\n!*~\n"}))
    assert kept(found, "node_modules/", "a~", ".venv/") == ["node_modules/", "a~"]


def test_from_weak_to_strong(tmp_path: pathlib.Path) -> None:
    project(
        tmp_path,
        {
            ".gitignore": "*.a\n*.b\n*.c\n*.d\n/only\n",
            "in/.gitignore": "!*.a\n*.e\n/only2\n",
            ".devenvignore": "!*.c\n*.f\n",
            "in/.devenvignore": "*.c\n!*.d\n",
        },
    )
    found = collect(tmp_path, SyncConfig(ignore=["!*.b", "*.f", "*.g", "!*.e"]))
    assert found.sources.keys() == {".gitignore", "in/.gitignore", ".devenvignore", "in/.devenvignore"}
    assert kept(found, *["x.a", "x.b", "x.c", "x.d", "x.e", "x.f", "x.g", "only", "only2"]) == [
        "x.b",
        "x.c",
        "x.e",
        "only2",
    ]
    assert kept(found, *["in/x.a", "in/x.b", "in/x.c", "in/x.d", "in/x.e", "in/x.f", "in/only", "in/only2"]) == [
        *("in/x.a", "in/x.b", "in/x.d", "in/x.e", "in/only")
    ]


def test_rule_files_in_ignored_folders_are_not_read(tmp_path: pathlib.Path) -> None:
    project(tmp_path, {".gitignore": "out/\n", "out/.gitignore": "!*", "a/b/.gitignore": "x", ".git/.gitignore": "y"})
    found = collect(tmp_path)
    assert found.sources.keys() == {".gitignore", "a/b/.gitignore"}
    assert found.folders == {"", "a", "a/b"}


def test_links_are_not_followed(tmp_path: pathlib.Path) -> None:
    project(tmp_path, {"elsewhere/rules": "*", "a/x": ""})
    (tmp_path / "a/.gitignore").symlink_to("../elsewhere/rules")
    (tmp_path / "b").symlink_to("elsewhere")
    os.mkfifo(tmp_path / ".devenvignore")
    found = collect(tmp_path)
    assert kept(found, "a/x", "y") == ["a/x", "y"]
    assert found.folders == {"", "a", "elsewhere"}
    assert sorted((pathlib.Path(p.file).name, p.message) for p in found.problems) == [
        (".devenvignore", "is not used: it is no file"),
        (".gitignore", "is not used: Too many levels of symbolic links"),
    ]


def test_lines_that_mean_nothing_are_told_with_their_place(tmp_path: pathlib.Path) -> None:
    project(tmp_path, {".gitignore": "ok\n# [\n\n[\n", "a/.devenvignore": "x\\\n"})
    found = collect(tmp_path, SyncConfig(ignore=["!", "b"], outputs=["a//b", "runs"]))
    told = [(os.path.relpath(p.file, tmp_path), p.line, p.key, p.message) for p in found.problems]
    assert told == [
        ("devenv.yaml", 0, "sync.ignore.0", "'!' fits nothing: it names nothing"),
        ("devenv.yaml", 0, "sync.outputs.0", "'a//b' fits nothing: it has a part without a name"),
        (".gitignore", 4, "", "'[' fits nothing: it has a [ without a ]"),
        ("a/.devenvignore", 1, "", "'x\\\\' fits nothing: it ends in a backslash"),
    ]
    assert kept(found, "ok", "b", "runs/") == ["runs/"]
    assert mode_of(SyncConfig(outputs=["a//b"])) is Mode.TWO_WAY_SAFE


def test_what_a_container_writes_is_limited(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MOST_RULES", len(rules.DEFAULTS) + 2)
    project(tmp_path, {".gitignore": "a\nb\n", "x/.gitignore": "c\n", "y/.gitignore": "d" * (rules.MOST_BYTES + 1)})
    found = collect(tmp_path)
    assert kept(found, "a", "x/c") == ["x/c"]
    assert sorted(p.message.partition(":")[0] for p in found.problems) == [
        f"has more rules than {rules.MOST_RULES} in all; they are not used",
        "is not used",
    ]


def test_a_project_that_is_gone_has_the_rules_of_its_settings(tmp_path: pathlib.Path) -> None:
    found = collect(tmp_path / "gone", SyncConfig(ignore=["a"]))
    assert (found.sources, found.folders, found.problems) == ({}, frozenset(), ())
    assert kept(found, "a", "b") == ["b"]


def test_outputs_come_out_of_ignored_folders(tmp_path: pathlib.Path) -> None:
    config = SyncConfig(outputs=["runs/*/metrics.json", OutputConfig(pattern="ckpt/", max="1k")], max_file="1m")
    found = collect(project(tmp_path, {".gitignore": "runs/\nckpt/\n*.json\n"}), config)
    wanted = ["runs/", "runs/a/", "runs/a/metrics.json", "ckpt/", "ckpt/deep/x"]
    assert kept(found, *wanted, "runs/a/other", "runs/x", "runs/a/b/metrics.json", "x.json", "a/runs/") == wanted
    matcher = found.matcher()
    assert [matcher.too_big("ckpt/x", size) for size in (1024, 1025)] == [False, True]
    assert [matcher.too_big(path, (1 << 20) + 1) for path in ("a", "runs/a/metrics.json")] == [True, True]
    assert [matcher.too_big(path, 1 << 20) for path in ("a", "runs/a/metrics.json")] == [False, False]


def test_git_is_copied_as_it_is(tmp_path: pathlib.Path) -> None:
    project(tmp_path, {".gitignore": "build\nlogs/\n.git\n"})
    found = collect(tmp_path, SyncConfig(git="host-to-container"))
    copied = [".git/", ".git/HEAD", ".git/logs/", ".git/logs/HEAD", ".git/refs/heads/build"]
    assert kept(found, *copied, ".GIT/", "sub/.git/", "sub/.git", "build") == copied
    assert kept(collect(tmp_path), *copied) == []


def test_modes_by_path() -> None:
    assert mode_of(SyncConfig()) is Mode.TWO_WAY_SAFE
    assert mode_of(SyncConfig(mode="host-to-container")) is Mode.TO_CONTAINER
    of = mode_of(SyncConfig(mode="two-way-prefer-host", git="host-to-container", outputs=["runs/*.txt", "/out"]))
    assert callable(of)
    assert [of(path) for path in ("", "a", "runs", "runs/x", ".gitignore", "a/.git")] == [Mode.PREFER_HOST] * 6
    assert [of(path) for path in (".git", ".git/a/b", ".git/index.lock")] == [Mode.TO_CONTAINER] * 3
    assert of(".git/index") is Mode.OVER_CONTAINER, "`git status` writes it"
    assert [of(path) for path in ("runs/a.txt", "out", "out/a/b")] == [Mode.TO_HOST] * 3


@pytest.mark.parametrize("path", [".gitignore", "a/b/.gitignore", ".devenvignore", "a/.devenvignore", "devenv.yaml"])
def test_rule_files(path: str) -> None:
    assert is_rule_file(path)


@pytest.mark.parametrize("path", ["a/devenv.yaml", "gitignore", ".gitignore/a", "x.gitignore"])
def test_no_rule_files(path: str) -> None:
    assert not is_rule_file(path)


# when they have to be read again


class Settings:
    def __init__(self) -> None:
        self.now = SyncConfig()

    def __call__(self) -> SyncConfig:
        return self.now


@pytest.fixture
def ruler(tmp_path: pathlib.Path) -> ProjectRules:
    project(tmp_path, {".gitignore": "a\nout/\n", "src/.gitignore": "b\n", "src/deep/x": "", "out/x": ""})
    made = ProjectRules(tmp_path, Settings())
    assert made.stale([])
    made.collect()
    return made


def test_nothing_changed(ruler: ProjectRules, tmp_path: pathlib.Path) -> None:
    (tmp_path / "src/new.py").touch()
    (tmp_path / "out/.gitignore").write_text("x")
    (tmp_path / "src/plain/deep").mkdir(parents=True)
    assert not ruler.stale(["", "src", "src/deep", "out", "gone", "src/plain"])


@pytest.mark.parametrize(
    ("change", "dirty"),
    [
        pytest.param(lambda root: (root / ".gitignore").write_text("b\nout/\n"), "", id="edited"),
        pytest.param(lambda root: (root / "src/.gitignore").unlink(), "src", id="deleted"),
        pytest.param(lambda root: (root / "src").rename(root / "source"), "", id="moved away"),
        pytest.param(lambda root: (root / "src/deep/.gitignore").touch(), "src/deep", id="new"),
        pytest.param(lambda root: (root / ".devenvignore").touch(), "", id="of ours"),
        pytest.param(lambda root: project(root, {"src/n/m/.gitignore": "x"}), "src", id="in a new folder"),
        pytest.param(lambda root: (root / "devenv.yaml").touch(), "", id="settings"),
    ],
)
def test_a_change_is_seen_where_it_was_made(
    change: Any, dirty: str, ruler: ProjectRules, tmp_path: pathlib.Path
) -> None:
    before = ruler.collect()
    change(tmp_path)
    assert not ruler.stale(["src/deep/none"])
    assert ruler.stale([dirty])
    after = ruler.collect()
    assert after is not before
    assert not ruler.stale(["", "src", "source", "src/deep"])


def test_settings_are_read_at_every_collection(tmp_path: pathlib.Path) -> None:
    settings = Settings()
    ruler = ProjectRules(tmp_path, settings)
    assert ruler.mode() is Mode.TWO_WAY_SAFE
    before = ruler.collect()
    assert ruler.collect() == before
    settings.now = SyncConfig(mode="container-to-host")
    assert ruler.collect() != before
    settings.now = SyncConfig(mode="container-to-host", ignore=["["])
    assert ruler.collect() != before
    assert ruler.mode() is Mode.TO_HOST
    assert [problem.key for problem in ruler.problems] == ["sync.ignore.0"]
