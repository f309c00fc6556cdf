"""What is said about features, with the place in devcontainer.json."""

from __future__ import annotations

from devcontainer import model
from devcontainer.features import review
from devcontainer.problem import Severity
from tests.unit.devcontainer.features import graphs

R = "ghcr.io/x/"


def test_names_are_found_with_their_position() -> None:
    text = """{
      "image": "i",
      "features": {
        "ghcr.io/x/a:1": {},
        "nod": {},
        "golang": "1",
        "gradle": {}
      },
      "overrideFeatureInstallOrder": ["x/y"]
    }"""
    found = model.load(text, "d.json").problems
    assert [(problem.line, problem.severity) for problem in found] == [
        (5, Severity.ERROR),
        (6, Severity.WARNING),
        (7, Severity.WARNING),
        (9, Severity.ERROR),
    ]
    assert "did you mean 'node'?" in found[0].hint
    assert "ghcr.io/devcontainers/features/go:1" in found[1].message
    assert "installGradle" in found[2].message
    assert found[3].key == "overrideFeatureInstallOrder.0"


def test_options_are_checked_where_they_stand() -> None:
    world = {R + "a": {"options": {"kind": {"type": "string", "enum": ["x"]}}}}
    resolution = graphs.resolution(world, {R + "a": {"kind": "y"}})
    [issue] = review.issues(resolution, resolution.install_order())
    assert issue.path == ("features", R + "a", "kind")
    assert issue.severity is Severity.ERROR


def test_options_of_a_dependency_are_nobodys_here() -> None:
    world = {
        "./a": {"dependsOn": {"./b": {"kind": "y"}, "./c": 3}},
        "./b": {"options": {"kind": {"type": "string", "enum": ["x"]}}},
        "./c": {},
    }
    resolution = graphs.resolution(world, {"./a": {}})
    found = list(review.issues(resolution, resolution.install_order()))
    assert {issue.severity for issue in found} == {Severity.WARNING}
    assert sorted(issue.message.partition(";")[0] for issue in found) == [
        "another feature needs './b'",
        "another feature needs './c'",
    ]


def test_old_features() -> None:
    world = {R + "old": {"id": "old", "currentId": "new", "legacyIds": ["old"], "deprecated": True}}
    world[R + "old"]["documentationURL"] = "https://d"
    resolution = graphs.resolution(world, {R + "old": {}})
    deprecated, renamed = review.issues(resolution, resolution.install_order())
    assert deprecated.hint == "see https://d"
    assert "'new'" in renamed.message


def test_an_order_without_effect() -> None:
    resolution = graphs.resolution({"./a": {}}, {"./a": {}}, ["./b"])
    [issue] = review.issues(resolution, resolution.install_order())
    assert issue.path == ("overrideFeatureInstallOrder",)
    assert "'./b' is not installed" in issue.message


def test_nothing_to_say() -> None:
    resolution = graphs.resolution({"./a": {}}, {"./a": {}}, ["./a"])
    assert list(review.issues(resolution, resolution.install_order())) == []
