"""Our order of installation beside that of `@devcontainers/cli`, on the same configurations.

Features in folders, and features that the reference itself has published in a registry of this machine.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from devcontainer import collation
from devcontainer.features import lockfile, manifest, reference, report
from devcontainer.features.graph import Fetched, Resolution
from devcontainer.features.order import CycleError
from devcontainer.features.reference import LocalReference, OciReference
from tests.kit import registry, rig

pytestmark = pytest.mark.node


def graph(*edges: str, **more: Any) -> dict[str, Any]:
    """ "a>b" is a hard edge from a to b, "a~b" a soft one, "a" a feature alone."""
    found: dict[str, Any] = {}
    for edge in edges:
        name, kind, other = re.fullmatch(r"([^>~]+)([>~]?)(.*)", edge).groups()  # type: ignore[union-attr]
        raw = found.setdefault(name, {"id": name.rpartition("/")[2]})
        if kind == ">":
            raw.setdefault("dependsOn", {})[f"./{other}"] = {}
        elif kind == "~":
            raw.setdefault("installsAfter", []).append(f"./{other}")
        if other:
            found.setdefault(other, {"id": other.rpartition("/")[2]})
    return {name: {**raw, **more.get(name, {})} for name, raw in found.items()}


def asked(*names: str) -> dict[str, Any]:
    return {f"./{name}": {} for name in names}


OPTIONS = {"options": {"version": {"type": "string", "default": "1"}, "o": {"type": "string"}}}

LOCAL: list[Any] = [
    pytest.param(graph("a"), asked("a"), [], id="one"),
    pytest.param(graph("b", "a", "c"), asked("c", "a", "b"), [], id="three, by name"),
    pytest.param(graph("a>b", "b>c", "c>d"), asked("a"), [], id="a chain"),
    pytest.param(graph("a>b", "a>c", "b>d", "c>d"), asked("a"), [], id="a diamond"),
    pytest.param(graph("a>b", "c>b"), asked("c", "b", "a"), [], id="a dependency that is asked for too"),
    pytest.param(graph("a~b", "b"), asked("a", "b"), [], id="soft"),
    pytest.param(graph("a~b", "b"), asked("a"), [], id="soft and absent"),
    pytest.param(graph("a~b", "b~c", "c"), asked("a", "c"), [], id="soft through what is absent"),
    pytest.param(graph("a~b", "a>c", "c~d", "b", "d"), asked("a", "b", "d"), [], id="soft and hard"),
    pytest.param(graph("a", "b", "c"), asked("a", "b", "c"), ["./c", "./a"], id="override"),
    pytest.param(graph("a>c", "b", "c"), asked("a", "b"), ["./a"], id="override of what must wait"),
    pytest.param(graph("a~b", "b", "c"), asked("a", "b", "c"), ["./a", "./c"], id="override against a soft edge"),
    pytest.param(graph("a", "b", "c>d"), asked("a", "b", "c"), ["./d", "./b"], id="override of a dependency"),
    pytest.param(graph("B", "a", "A", "b"), asked("B", "a", "A", "b"), [], id="upper and lower case"),
    pytest.param(
        graph("a_b", "a-b", "a.b", "ab", "a1", "10", "9"),
        asked("a_b", "a-b", "a.b", "ab", "a1", "10", "9"),
        [],
        id="signs",
    ),
    pytest.param(graph("é", "e", "f", "z"), asked("é", "e", "f", "z"), [], id="letters with marks"),
    pytest.param(graph("s/b", "a", "s/a>a"), asked("s/b", "s/a"), [], id="folders in folders"),
    pytest.param(graph("a", "b"), {"./a": {"o": "x"}, "./b": "2"}, [], id="options"),
    pytest.param(
        graph("a", "b>a", "c", a=OPTIONS, c={"dependsOn": {"./a": {"o": "1", "version": "2"}}}),
        {"./c": {}, "./b": {}, "./a": {"o": "1"}},
        [],
        id="one feature with three sets of options",
    ),
    pytest.param(
        graph("a", "b", "c", b={"dependsOn": {"./a": "x"}}, c={"dependsOn": {"./a": {"version": "x"}}}),
        asked("b", "c"),
        [],
        id="a text and an object",
    ),
    pytest.param(
        graph("a", "b", "c", b={"dependsOn": {"./a": {"f": True}}}, c={"dependsOn": {"./a": {"f": False}}}),
        asked("b", "c"),
        [],
        id="true and false",
    ),
    pytest.param(
        graph(
            "a",
            "b",
            "c",
            b={"dependsOn": {"./a": {"x": "1", "y": "B"}}},
            c={"dependsOn": {"./a": {"x": "1", "y": "a"}}},
        ),
        asked("c", "b"),
        [],
        id="by the values of options",
    ),
    pytest.param(
        graph("a", "b", c={"dependsOn": {"./a": {"Y": "1"}, "./x/../a": {"x": "1"}}}) | {"c": {"id": "c"}},
        asked("c", "b"),
        [],
        id="by the names of options",
    ),
    pytest.param(graph("a~b", "b", "d>b", "b~e", "e>f"), asked("a", "d", "e"), ["./d"], id="all together"),
    pytest.param(graph("a>b", "b>a"), asked("a"), [], id="a cycle"),
    pytest.param(graph("a~b", "b~a"), asked("a", "b"), [], id="a soft cycle"),
    pytest.param(graph("a>a"), asked("a"), [], id="itself"),
    pytest.param(graph("a>b", "b~a"), asked("a"), [], id="a cycle of both kinds"),
]


def run(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(rig.node_program("devcontainer")), *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@dataclasses.dataclass(frozen=True)
class Project:
    """A workspace on disk, read by both."""

    folder: Path
    features: Mapping[str, Any]
    override: list[str]

    @property
    def configuration(self) -> Path:
        return self.folder / ".devcontainer" / "devcontainer.json"

    def write(self, local: Mapping[str, Any], image: str = "scratch") -> None:
        config = {"image": image, "features": self.features, "overrideFeatureInstallOrder": self.override}
        self.configuration.parent.mkdir(parents=True)
        self.configuration.write_text(json.dumps(config))
        for name, raw in local.items():
            place = self.configuration.parent / name
            place.mkdir(parents=True, exist_ok=True)
            (place / manifest.FILE).write_text(json.dumps(raw))
            (place / "install.sh").write_text("#!/bin/sh\n")

    def local_folder(self, found: LocalReference) -> str:
        return reference.local_folder(found, str(self.configuration), str(self.folder))

    def resolve(self) -> Resolution:
        folder = str(self.configuration.parent)
        resolution = Resolution(self.features, override_order=self.override, folder=folder)
        while wanted := resolution.wanted():
            for one in wanted:
                resolution.provide(one, self._fetch(one))
        return resolution

    def _fetch(self, wanted: reference.FeatureReference) -> Fetched:
        if isinstance(wanted, LocalReference):
            file = Path(self.local_folder(wanted)) / manifest.FILE
            return Fetched(manifest.load(file.read_text(), str(file)))
        assert isinstance(wanted, OciReference)
        body = get(f"http://{wanted.registry}/v2/{wanted.repository}/manifests/{wanted.reference}")
        oci = json.loads(body)
        raw = json.loads(oci["annotations"][manifest.ANNOTATION])
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        return Fetched(manifest.from_value(raw), digest, oci_manifest=oci)


def get(url: str) -> bytes:
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=accept), timeout=30) as answer:
        body = answer.read()
    assert isinstance(body, bytes)
    return body


def same_graph(ours: str, theirs: str) -> None:
    """The ids of nodes are hashes of what only the reference holds; names, priorities and edges must be equal."""
    assert sorted(re.sub(r"\b[0-9a-f]{6}\[", "[", ours).split("\n")) == sorted(
        re.sub(r"\b[0-9a-f]{6}\[", "[", theirs).split("\n")
    )


def compare(project: Project, home: Path) -> None:
    """Order, graph and the features' configuration."""
    resolution = project.resolve()
    theirs = run("features", "resolve-dependencies", "--workspace-folder", str(project.folder), home=home)
    try:
        steps = resolution.install_order()
    except CycleError:
        assert theirs.returncode == 1, theirs.stdout
        return
    assert theirs.returncode == 0, theirs.stderr
    picture, _, listed = theirs.stdout.partition("\n{")
    assert report.install_order(steps) == json.loads("{" + listed)
    same_graph(report.graph(resolution.graph(), resolution.priority).strip(), picture.strip())

    read = run(
        "read-configuration",
        "--workspace-folder",
        str(project.folder),
        "--include-features-configuration",
        home=home,
    )
    assert read.returncode == 0, read.stderr
    configuration = json.loads(read.stdout)["featuresConfiguration"]
    ours = report.features_configuration(steps, configuration["dstFolder"], project.local_folder)
    assert json.loads(json.dumps(ours)) == configuration


@pytest.mark.parametrize(("local", "features", "override"), LOCAL)
def test_features_in_folders(
    tmp_path: Path, local: dict[str, Any], features: dict[str, Any], override: list[str]
) -> None:
    project = Project(tmp_path / "w", features, override)
    project.write(local)
    compare(project, tmp_path)


COLLECTION: dict[str, Any] = {
    "tool": {"version": "1.2.0", **OPTIONS},
    "after": {"version": "1.0.0", "installsAfter": ["REGISTRY/x/features/tool", "REGISTRY/x/features/absent"]},
    "after-old": {"version": "1.0.0", "installsAfter": ["REGISTRY/x/features/former"]},
    "needs": {"version": "1.0.0", "dependsOn": {"REGISTRY/x/features/tool:1": {"o": "x"}}},
    "present": {"version": "2.0.0", "legacyIds": ["former"], "extensions": ["a.b"], "postCreateCommand": "true"},
    "absent": {"version": "1.0.0"},
}

PUBLISHED: list[Any] = [
    pytest.param({"tool:1": {}, "after": {}}, [], id="soft"),
    pytest.param({"after": {}, "needs": {}, "tool": {}}, [], id="soft and hard"),
    pytest.param({"after-old": {}, "present": {}}, [], id="after an old name"),
    pytest.param({"after-old": {}, "former:2": {}}, [], id="installed by the old name"),
    pytest.param({"former:2": {}, "present:2": {}}, [], id="by both names"),
    pytest.param({"tool:1": {}, "tool:1.2": {}, "TOOL:1.2.0": {}}, [], id="one version by three tags"),
    pytest.param({"needs": {}, "absent": {}, "after": {}}, ["absent", "needs:1", "after"], id="override"),
]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The host of a registry in which the reference has published the collection."""
    folder = tmp_path_factory.mktemp("published")
    with registry.running(folder / "registry") as running:
        for name, raw in COLLECTION.items():
            place = folder / "src" / name
            place.mkdir(parents=True)
            text = json.dumps({"id": name, "name": name, **raw}).replace("REGISTRY", running.host)
            (place / manifest.FILE).write_text(text)
            (place / "install.sh").write_text("#!/bin/sh\n")
        done = run("features", "publish", str(folder / "src"), "-r", running.host, "-n", "x/features", home=folder)
        assert done.returncode == 0, done.stderr
        yield running.host


def from_registry(folder: Path, host: str, features: Mapping[str, Any], override: list[str]) -> Project:
    prefix = f"{host}/x/features/"
    named = {name if name.startswith(".") else prefix + name: given for name, given in features.items()}
    return Project(folder, named, [prefix + name for name in override])


@pytest.mark.registry
@pytest.mark.parametrize(("features", "override"), PUBLISHED)
def test_features_in_a_registry(tmp_path: Path, published: str, features: dict[str, Any], override: list[str]) -> None:
    project = from_registry(tmp_path / "w", published, features, override)
    project.write({})
    compare(project, tmp_path)


@pytest.mark.registry
def test_the_lockfile_has_the_same_bytes(tmp_path: Path, published: str) -> None:
    features = {"needs": {}, "TOOL:1": "7", "after:1.0": {}, "./local": {}}
    project = from_registry(tmp_path / "w", published, features, [])
    project.write({"local": {"id": "local"}})
    written = run("upgrade", "--workspace-folder", str(project.folder), home=tmp_path)
    assert written.returncode == 0, written.stderr
    theirs = Path(lockfile.path(str(project.configuration))).read_text()
    assert lockfile.write(lockfile.from_steps(project.resolve().install_order())) == theirs
    assert lockfile.write(lockfile.read(theirs)) == theirs


def test_texts_are_ordered_as_by_javascript() -> None:
    """Every pair of printable ASCII characters, alone and within a text."""
    characters = [chr(code) for code in range(0x20, 0x7F)]
    texts = [*characters, *(f"a{char}B" for char in characters), *(f"A{char}b" for char in characters), "1.10", "1.9"]
    program = "const t = JSON.parse(process.argv[1]); console.log(JSON.stringify(t.sort((a, b) => a.localeCompare(b))))"
    done = subprocess.run(
        ["node", "-e", program, json.dumps(texts)], capture_output=True, text=True, check=True, timeout=60
    )
    assert sorted(texts, key=collation.key) == json.loads(done.stdout)
