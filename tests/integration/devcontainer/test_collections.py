"""README files, packed manifests and applied templates beside those of `@devcontainers/cli`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from devcontainer import documentation, publishing, templates
from devcontainer.jsonc import parse
from tests.kit import registry, rig

pytestmark = pytest.mark.node

FEATURES: dict[str, dict[str, Any]] = {
    "whole": {
        "id": "whole",
        "version": "1.2.3",
        "name": "The whole thing",
        "description": "All that can be said, in *Markdown* | with a bar",
        "options": {
            "version": {"type": "string", "proposals": ["a"], "default": "latest", "description": "Which one"},
            "empty": {"type": "string", "default": "", "description": ""},
            "no": {"type": "boolean", "default": False, "description": "No"},
            "yes": {"type": "boolean", "default": True},
            "bare": {},
            "10": {"type": "string", "default": "ten"},
        },
        "customizations": {"vscode": {"extensions": ["ms-python.python", "x.y"]}},
    },
    "old": {"id": "old", "version": "0.1.0", "name": "Old", "deprecated": True, "legacyIds": ["older", "oldest"]},
    "renamed": {"id": "renamed", "version": "3.0.0", "name": "Renamed", "legacyIds": ["before"]},
    "unkept": {"id": "unkept", "version": "3.0.0", "name": "Unkept", "deprecated": True, "description": None},
    "bare": {"id": "bare"},
    "nameless": {"version": "1.0.0"},
}
NOTES = {"whole": "## Notes\n\nSome *more* words.\n"}
TEMPLATE: dict[str, Any] = {
    "id": "start",
    "version": "2.0.0",
    "name": "Start",
    "description": "To begin with",
    "optionalPaths": ["extra/*", ".github/*"],
    "options": {
        "variant": {"type": "string", "proposals": ["12", "11"], "default": "12"},
        "flag": {"type": "boolean", "default": True},
        "none": {"type": "string", "default": ""},
    },
}
CONFIGURATION = """\
{
    // a comment that stays
    "image": "base:${templateOption:variant}",
    "features": {"GHCR.io/devcontainers/features/node:1": {}},
    "containerEnv": {"A": "${templateOption: none }", "B": "${templateOption:unknown}", "C": "${templateOption:flag}"}
}
"""
FILES = {
    "devcontainer-template.json": json.dumps(TEMPLATE),
    "README.md": "about the template",
    "NOTES.md": "## Notes\n",
    ".devcontainer/devcontainer.json": CONFIGURATION,
    "docs/README.md": "${templateOption:variant}",
    "extra/a": "a",
    "extra/deep/b": "b",
    ".github/only.yml": "x",
    "plain.txt": "ä ${templateOption:variant}\r\n",
}


def run(*arguments: str, home: Path) -> str:
    done = subprocess.run(
        [str(rig.node_program("devcontainer")), *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("where", [("o", "r"), ("", "")], ids=["with links", "without links"])
def test_readme_files_of_features(tmp_path: Path, where: tuple[str, str]) -> None:
    source = tmp_path / "src"
    for name, raw in FEATURES.items():
        write(source / name, {"devcontainer-feature.json": json.dumps(raw)})
    write(source, {f"{name}/NOTES.md": text for name, text in NOTES.items()})
    owner, repository = where
    links = ["--github-owner", owner, "--github-repo", repository]
    run("features", "generate-docs", "-p", str(source), "-r", "r.io", "-n", "a/b", *links, home=tmp_path)
    ours = documentation.generate_docs(
        "feature",
        FEATURES,
        NOTES,
        registry="r.io",
        namespace="a/b",
        owner=owner,
        repository=repository,
        source=str(source),
    )
    theirs = {file.parent.name: file.read_text() for file in source.glob("*/README.md")}
    assert ours == theirs
    assert set(theirs) == {"whole", "old", "renamed", "unkept", "bare"}


def test_readme_files_of_templates(tmp_path: Path) -> None:
    write(tmp_path / "src" / "start", FILES)
    run("templates", "generate-docs", "-p", str(tmp_path / "src"), home=tmp_path)
    [ours] = documentation.generate_docs("template", {"start": TEMPLATE}, {"start": FILES["NOTES.md"]}).values()
    assert (tmp_path / "src" / "start" / "README.md").read_text() == ours


def test_packed_features(tmp_path: Path) -> None:
    whole = {name: raw for name, raw in FEATURES.items() if "name" in raw}
    for name, raw in whole.items():
        write(tmp_path / "src" / name, {"devcontainer-feature.json": json.dumps(raw), "install.sh": ""})
    run("features", "package", str(tmp_path / "src"), "-o", str(tmp_path / "out"), home=tmp_path)
    text = (tmp_path / "out" / publishing.COLLECTION_FILE).read_text()
    order = [raw["id"] for raw in json.loads(text)["features"]]
    assert publishing.collection_text("feature", [publishing.published_feature(whole[name]) for name in order]) == text
    archives = {file.name for file in (tmp_path / "out").glob("*.tgz")}
    assert archives == {publishing.archive_name("feature", name) for name in whole}


@pytest.mark.registry
def test_published_templates(tmp_path: Path) -> None:
    write(tmp_path / "src" / "start", FILES)
    with registry.running(tmp_path / "registry") as running:
        run("templates", "publish", str(tmp_path / "src"), "-r", running.host, "-n", "x/templates", home=tmp_path)
        theirs = json.loads(run("templates", "metadata", f"{running.host}/x/templates/start", home=tmp_path))
    configuration = parse(CONFIGURATION).value
    assert isinstance(configuration, dict)
    ours = publishing.published_template(TEMPLATE, configuration, list(FILES))
    assert {**ours, "files": sorted(FILES)} == {**theirs, "files": sorted(theirs["files"])}


@pytest.mark.registry
@pytest.mark.parametrize(
    ("args", "omit"),
    [
        pytest.param({}, [], id="the defaults"),
        pytest.param({"variant": "11", "flag": "false"}, ["extra/*"], id="without a folder"),
        pytest.param({"none": "$& x"}, ["plain.txt", ".github/*"], id="without a file"),
    ],
)
def test_applied(tmp_path: Path, args: dict[str, str], omit: list[str]) -> None:
    write(tmp_path / "src" / "start", FILES)
    (tmp_path / "workspace").mkdir()
    with registry.running(tmp_path / "registry") as running:
        run("templates", "publish", str(tmp_path / "src"), "-r", running.host, "-n", "x/templates", home=tmp_path)
        listed = run(
            *("templates", "apply", "-w", str(tmp_path / "workspace"), "-t", f"{running.host}/x/templates/start:2"),
            *("-a", json.dumps(args), "--omit-paths", json.dumps(omit)),
            home=tmp_path,
        )
    manifest = templates.load(json.dumps(TEMPLATE))
    ours = templates.apply({f"./{name}": text.encode() for name, text in FILES.items()}, manifest, args, omit)
    assert ours == files_below(tmp_path / "workspace")
    assert {f"./{name}" for name in ours} == set(json.loads(listed)["files"])
