"""What tools print about features, in the reference's shapes (compared with it in tests/integration)."""

from __future__ import annotations

from devcontainer.features import report
from tests.unit.devcontainer.features import graphs

R = "ghcr.io/x/"
WORLD = {
    R + "a": {"id": "a", "name": "A", "dependsOn": {"./b": {"o": "1"}}, "installsAfter": [R + "c"]},
    "./b": {},
    R + "c": {"legacyIds": ["old"]},
    "https://h/devcontainer-feature-t.tgz": {"id": "t"},
}
FEATURES = {R + "a:1": {}, R + "c": "v", "https://h/devcontainer-feature-t.tgz": True}


def test_the_order() -> None:
    steps = graphs.steps(WORLD, FEATURES)
    found = report.install_order(steps)["installOrder"]
    assert found == [
        {"id": "./b", "options": {"o": "1"}},
        {"id": f"{R}c@{steps[1].digest}", "options": "v"},
        {"id": "https://h/devcontainer-feature-t.tgz", "options": True},
        {"id": f"{R}a@{steps[3].digest}", "options": {}},
    ]


def test_the_configuration() -> None:
    steps = graphs.steps(WORLD, FEATURES)
    found = report.features_configuration(steps, "/tmp/dst", lambda local: f"/w/.devcontainer/{local.path}")
    sets = found["featureSets"]
    assert isinstance(sets, list)
    sources = [entry["sourceInformation"] for entry in sets if isinstance(entry, dict)]
    assert sources[0] == {"type": "file-path", "resolvedFilePath": "/w/.devcontainer/b", "userFeatureId": "./b"}
    assert sources[2] == {
        "type": "direct-tarball",
        "tarballUri": "https://h/devcontainer-feature-t.tgz",
        "userFeatureId": "https://h/devcontainer-feature-t.tgz",
    }
    assert sources[3]["userFeatureIdWithoutVersion"] == R + "a"
    assert sources[3]["featureRef"] == {
        "scheme": "https",
        "id": "a",
        "owner": "x",
        "namespace": "x",
        "registry": "ghcr.io",
        "resource": "ghcr.io/x/a",
        "path": "x/a",
        "version": "1",
        "tag": "1",
    }
    assert found["dstFolder"] == "/tmp/dst"


def test_a_digest_and_a_registry_of_this_machine() -> None:
    digest = "sha256:" + "0" * 64
    world = {f"localhost:5000/x/a:{digest}": {}}
    [step] = graphs.steps(world, {f"localhost:5000/x/a@{digest}": {}})
    [found] = report.features_configuration([step], "/d", lambda local: "")["featureSets"]
    assert found["sourceInformation"]["featureRef"]["scheme"] == "http"
    assert found["sourceInformation"]["featureRef"]["digest"] == digest
    assert "tag" not in found["sourceInformation"]["featureRef"]


def test_the_picture() -> None:
    text = report.graph(graphs.resolution(WORLD, FEATURES).graph(), lambda node: 3)
    head, *lines = text.splitlines()
    assert head == "flowchart"
    assert sum(" --> " in line and "./b" in line for line in lines) == 1
    assert sum(" -.-> " in line and "aliases: c, old" in line for line in lines) == 1
    assert all("<br/><3>" in line for line in lines)
    assert len([line for line in lines if "->" not in line]) == 3, "one line for each of the user's"


def test_the_picture_of_a_cycle_ends() -> None:
    world = {"./a": {"dependsOn": {"./b": {}}}, "./b": {"dependsOn": {"./a": {}}}}
    text = report.graph(graphs.resolution(world, {"./a": {}}).graph())
    assert len(text.splitlines()) == 4
