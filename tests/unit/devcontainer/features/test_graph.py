"""The resolution's manner: what it asks for, what it says when it is not told, what a step holds."""

from __future__ import annotations

import pytest

from devcontainer.features import graph, manifest
from devcontainer.features.graph import Fetched, MissingFeatureError, Resolution, ResolutionError
from devcontainer.features.reference import FeatureReferenceError, LocalReference, OciReference, parse
from tests.unit.devcontainer.features import graphs

R = "ghcr.io/x/"


def test_everything_is_asked_for_once_and_in_waves() -> None:
    world = {
        R + "a": {"dependsOn": {R + "c:1": {}}, "installsAfter": [R + "never"]},
        R + "b": {"dependsOn": {R + "c:1": {"o": "1"}, R + "C:1": "2"}},
        R + "c": {},
    }
    found = Resolution({R + "a": {}, R + "b": {}})
    assert [reference.written for reference in found.wanted()] == [R + "a", R + "b"]
    assert found.wanted() == found.wanted(), "asking changes nothing"
    for one in found.wanted():
        found.provide(one, graphs.find(world, one))
    [only] = found.wanted()
    assert only == parse(R + "c:1")
    assert found.asked_by(only) == (R + "a",)
    found.provide(only, graphs.find(world, only))
    assert found.wanted() == []
    assert len(found.install_order()) == 5


def test_nothing_is_wanted_for_no_features() -> None:
    found = Resolution({})
    assert found.wanted() == []
    assert found.install_order() == ()


def test_what_could_not_be_had_is_named_with_who_needs_it() -> None:
    found = Resolution({"./a": {}})
    with pytest.raises(MissingFeatureError, match=r"'\./a', of the configuration") as caught:
        found.install_order()
    assert caught.value.missing == (parse("./a"),)
    found.provide(parse("./a"), Fetched(manifest.from_value({"dependsOn": {"./b": {}}})))
    with pytest.raises(MissingFeatureError, match=r"'\./b', needed by '\./a'"):
        found.install_order()


def test_the_way_to_a_dependency() -> None:
    world = {"./a": {"dependsOn": {"./b": {}}}, "./b": {"dependsOn": {"./c": {}}}}
    found = Resolution({"./a": {}})
    for name in ("./a", "./b"):
        found.provide(parse(name), graphs.find(world, parse(name)))
    assert found.asked_by(parse("./c")) == ("./a", "./b")
    assert found.asked_by(parse("./a")) == ()


@pytest.mark.parametrize(("features", "override"), [({"x/y": {}}, []), ({"./a": {}}, ["nope"])])
def test_a_name_of_nothing_is_refused_at_once(features: dict[str, object], override: list[str]) -> None:
    with pytest.raises(FeatureReferenceError):
        Resolution(features, override_order=override)  # type: ignore[arg-type]


def test_a_dependency_that_names_nothing_says_whose_it_is() -> None:
    with pytest.raises(FeatureReferenceError, match=r"feature './a' depends on another: 'x' names no feature"):
        graphs.order({"./a": {"dependsOn": {"x": {}}}}, {"./a": {}})


def test_a_soft_dependency_that_names_nothing_is_no_matter() -> None:
    assert graphs.order({"./a": {"installsAfter": ["x"]}}, {"./a": {}}) == ["./a"]


def test_a_collection_without_end() -> None:
    found = Resolution({R + "f:0": {}})
    with pytest.raises(ResolutionError, match=f"more than {graph.MAX_FEATURES}"):
        for number in range(graph.MAX_FEATURES + 2):
            [one] = found.wanted()
            following = manifest.from_value({"dependsOn": {f"{R}f:{number + 1}": {}}})
            found.provide(one, Fetched(following, f"sha256:{number:064x}"))


def test_a_step() -> None:
    raw = {
        "id": "tool",
        "version": "2.0.0",
        "options": {"version": {"type": "string", "default": "9"}, "flag": {"type": "boolean", "default": False}},
        "dependsOn": {"./b": {}},
        "installsAfter": [R + "c", R + "absent"],
    }
    world = {R + "folder": raw, "./b": {"id": "../b"}, R + "c": {}}
    b, c, a = graphs.steps(world, {R + "folder:2": "8", R + "c": {}})
    assert (a.written, a.given, a.values) == (R + "folder:2", "8", {"version": "8", "flag": False})
    assert isinstance(a.reference, OciReference)
    assert a.digest is not None
    assert a.consecutive_id == "tool_2"
    assert a.depends_on == ("./b",)
    assert a.soft_after == (R + "c",)
    assert a.by_user
    assert isinstance(b.reference, LocalReference)
    assert (b.digest, b.by_user) == (None, False)
    assert b.consecutive_id == "b_0", "an id that is no file name is replaced by the name of the reference"
    assert c.consecutive_id == "c_1"


def test_what_the_caller_adds_comes_back() -> None:
    found = Resolution({"./a": {}})
    found.provide(parse("./a"), Fetched(manifest.from_value({}), source="/some/folder", oci_manifest={"x": 1}))
    [step] = found.install_order()
    assert (step.source, step.oci_manifest) == ("/some/folder", {"x": 1})


def test_additional_features_come_last_and_give_way() -> None:
    found = graphs.resolution({"./a": {}, "./b": {}}, {"./b": {"o": "1"}}, additional={"./b": {}, "./a": {}})
    assert [(step.written, step.given) for step in found.install_order()] == [("./a", {}), ("./b", {"o": "1"})]
    assert [node.reference.written for node in found.graph()] == ["./b", "./a"]


def test_an_order_that_names_what_is_not_installed() -> None:
    found = graphs.resolution({"./a": {}}, {"./a": {}}, ["./b", "./a"])
    assert found.unused_override() == ("./b",)


def test_old_names() -> None:
    world = {"ghcr.io/devcontainers/features/node": {}, "ghcr.io/devcontainers/features/java": {}}
    one, two = graphs.steps(world, {"node": {}, "maven": {}, "gradle": {}})
    assert (one.written, one.given) == (
        "ghcr.io/devcontainers/features/java:1",
        {"installMaven": True, "installGradle": True},
    )
    assert (two.written, two.consecutive_id) == ("node", "node_1")
    with pytest.raises(FeatureReferenceError):
        Resolution({"node": {}}, map_bare_ids=False)


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"java": "17", "gradle": {}}, {"java": {"version": "17", "installGradle": True}}),
        (
            {"jupyterlab": {}, "ghcr.io/devcontainers/features/python:1": {"a": "b"}},
            {"ghcr.io/devcontainers/features/python:1": {"a": "b", "installJupyterlab": True}},
        ),
        ({"./a": {}}, {"./a": {}}),
    ],
)
def test_features_that_became_options(features: dict[str, object], expected: dict[str, object]) -> None:
    assert graph.with_present_names(features) == expected  # type: ignore[arg-type]
