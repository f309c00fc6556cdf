"""The order of installation: rounds, priorities, equality, cycles (spec, *Feature installation order*)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devcontainer.features import manifest, order
from devcontainer.features.graph import InstallStep, Resolution
from devcontainer.features.order import CycleError, Node
from devcontainer.features.reference import FeatureReferenceError, parse
from tests.unit.devcontainer.features import graphs

R = "ghcr.io/x/"

ORDERS: list[Any] = [
    pytest.param({"./b": {}, "./a": {}}, {"./b": {}, "./a": {}}, [], ["./a", "./b"], id="by name"),
    pytest.param(
        {"./a": {"dependsOn": {"./b": {}}}, "./b": {"dependsOn": {"./c": {}}}, "./c": {}},
        {"./a": {}},
        [],
        ["./c", "./b", "./a"],
        id="dependsOn is fetched, and what that depends on",
    ),
    pytest.param(
        {"./a": {"installsAfter": ["./b", "./c"]}, "./b": {}},
        {"./a": {}, "./b": {}},
        [],
        ["./b", "./a"],
        id="installsAfter orders what is there and fetches nothing",
    ),
    pytest.param(
        {R + "a": {"installsAfter": [R + "b:9"]}, R + "b": {}},
        {R + "a:1": {}, R + "b:2": {}},
        [],
        [R + "b:2", R + "a:1"],
        id="installsAfter does not look at versions",
    ),
    pytest.param(
        {R + "a": {"installsAfter": [R + "b"]}, R + "b": {"installsAfter": [R + "c"]}, R + "c": {}},
        {R + "a": {}, R + "c": {}},
        [],
        [R + "a", R + "c"],
        id="installsAfter goes one level, not through what is absent",
    ),
    pytest.param(
        {R + "a": {"installsAfter": [R + "old"]}, R + "new": {"legacyIds": ["old"]}},
        {R + "a": {}, R + "new": {}},
        [],
        [R + "new", R + "a"],
        id="an old id means the feature of the new one",
    ),
    pytest.param(
        {R + "a": {"installsAfter": [R + "new"]}, R + "zold": {"id": "new", "legacyIds": ["zold"]}},
        {R + "a": {}, R + "zold": {}},
        [],
        [R + "zold", R + "a"],
        id="a new id means the feature installed under its old one",
    ),
    pytest.param(
        {R + "a": {"installsAfter": ["ghcr.io/y/b"]}, R + "b": {}},
        {R + "a": {}, R + "b": {}},
        [],
        [R + "a", R + "b"],
        id="the same id of another collection is another feature",
    ),
    pytest.param(
        {"./a": {}, "./b": {}, "./c": {}},
        {"./a": {}, "./b": {}, "./c": {}},
        ["./c", "./b"],
        ["./c", "./b", "./a"],
        id="an order given by the user",
    ),
    pytest.param(
        {"./a": {"dependsOn": {"./c": {}}}, "./b": {}, "./c": {}},
        {"./a": {}, "./b": {}},
        ["./a"],
        ["./b", "./c", "./a"],
        id="which breaks no dependency",
    ),
    pytest.param(
        {"./a": {}, "./b": {}},
        {"./a": {}, "./b": {}},
        ["./nope", "./b"],
        ["./b", "./a"],
        id="and may name what is not installed",
    ),
    pytest.param(
        {R + "a": {}, R + "b": {}},
        {R + "a:1": {}, R + "b:1": {}},
        [R + "b"],
        [R + "b:1", R + "a:1"],
        id="without looking at versions",
    ),
    pytest.param(
        {"./a": {}, "./b": {"dependsOn": {"./a": {"o": "1"}}}},
        {"./a": {}, "./b": {}},
        [],
        ["./a {}", "./a {'o': '1'}", "./b {}"],
        id="one feature with two sets of options is installed twice, the fewest options first",
    ),
    pytest.param(
        {"./a": {}, "./b": {"dependsOn": {"./a": {"o": True}}}, "./c": {"dependsOn": {"./a": {"o": False}}}},
        {"./b": {}, "./c": {}},
        [],
        ["./a {'o': False}", "./a {'o': True}", "./b {}", "./c {}"],
        id="false before true",
    ),
    pytest.param(
        {"./a": {}, "./b": {"dependsOn": {"./x/../a/": {}}}},
        {"./b": {}, "./a": {}},
        [],
        ["./a", "./b"],
        id="one folder by two names is one feature",
    ),
    pytest.param(
        {R + "new": {"legacyIds": ["old"]}, R + "old": {"id": "new", "legacyIds": ["old"]}},
        {R + "old": {}, R + "new": {}},
        [],
        [R + "old"],
        id="what is published under two ids is one feature",
    ),
    pytest.param(
        {R + "a:1.9": {"version": "1.9.0"}, R + "a:1.10": {"version": "1.10.0"}},
        {R + "a:1.9": {}, R + "a:1.10": {}},
        [],
        [R + "a:1.10", R + "a:1.9"],
        id="tags are compared as texts, as the reference does",
    ),
    pytest.param(
        {"./a": {}, R + "a": {}, "https://h/devcontainer-feature-a.tgz": {}},
        {"./a": {}, "https://h/devcontainer-feature-a.tgz": {}, R + "a": {}},
        [],
        ["./a", R + "a", "https://h/devcontainer-feature-a.tgz"],
        id="of different kinds: as written",
    ),
    pytest.param(
        {"./B": {}, "./a": {}, "./A": {}, "./b": {}, "./a_b": {}, "./a-b": {}, "./a.b": {}, "./10": {}, "./9": {}},
        {"./B": {}, "./a": {}, "./A": {}, "./b": {}, "./a_b": {}, "./a-b": {}, "./a.b": {}, "./10": {}, "./9": {}},
        [],
        ["./10", "./9", "./a", "./A", "./a_b", "./a-b", "./a.b", "./b", "./B"],
        id="lower case first, punctuation before digits before letters",
    ),
    pytest.param(
        {"./b": {}, "../x": {}, "./s/y": {}},
        {"./b": {}, "../x": {}, "./s/y": {}},
        [],
        ["./b", "./s/y", "../x"],
        id="folders above by where they lie",
    ),
]


@pytest.mark.parametrize(("world", "features", "override", "expected"), ORDERS)
def test_order(world: graphs.World, features: dict[str, Any], override: list[str], expected: list[str]) -> None:
    steps = graphs.steps(world, features, override, folder="/w/.devcontainer/conf")
    assert [_told(step, expected) for step in steps] == expected


@pytest.mark.parametrize(("world", "features", "override", "expected"), ORDERS)
def test_the_order_does_not_hang_on_that_of_providing(
    world: graphs.World, features: dict[str, Any], override: list[str], expected: list[str]
) -> None:
    found = Resolution(features, override_order=override, folder="/w/.devcontainer/conf")
    while wanted := found.wanted():
        one = wanted[-1]  # one at a time, the last first
        found.provide(one, graphs.find(world, one))
    assert [_told(step, expected) for step in found.install_order()] == expected


def _told(step: InstallStep, expected: list[str]) -> str:
    """With the options where they matter."""
    return f"{step.written} {step.given}" if " {" in expected[0] else step.written


CYCLES: list[Any] = [
    pytest.param({"./a": {"dependsOn": {"./a": {}}}}, ("./a", "./a"), "dependsOn", id="itself"),
    pytest.param(
        {"./a": {"dependsOn": {"./b": {}}}, "./b": {"dependsOn": {"./a": {}}}},
        ("./a", "./b", "./a"),
        "dependsOn",
        id="two",
    ),
    pytest.param(
        {"./a": {"dependsOn": {"./b": {}}}, "./b": {"dependsOn": {"./c": {}}}, "./c": {"dependsOn": {"./b": {}}}},
        ("./b", "./c", "./b"),
        "dependsOn",
        id="one that the first only leads to",
    ),
    pytest.param(
        {"./a": {"dependsOn": {"./b": {}}}, "./b": {"installsAfter": ["./a"]}},
        ("./a", "./b", "./a"),
        "installsAfter",
        id="by a soft edge",
    ),
    pytest.param({"./a": {"installsAfter": ["./a"]}}, ("./a", "./a"), "installsAfter", id="after itself"),
]


@pytest.mark.parametrize(("world", "cycle", "hint"), CYCLES)
def test_cycles_are_named(world: graphs.World, cycle: tuple[str, ...], hint: str) -> None:
    with pytest.raises(CycleError, match=" -> ".join(cycle)) as caught:
        graphs.order(world, {"./a": {}})
    assert caught.value.cycle == cycle
    assert hint in caught.value.hint


def test_what_is_done_already_is_not_part_of_a_cycle() -> None:
    world = {"./a": {}, "./b": {"dependsOn": {"./a": {}, "./c": {}}}, "./c": {"dependsOn": {"./b": {}}}}
    with pytest.raises(CycleError) as caught:
        graphs.order(world, {"./b": {}})
    assert set(caught.value.cycle) == {"./b", "./c"}


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        pytest.param({}, {}, True, id="no options"),
        pytest.param({"a": "1"}, {"a": "2"}, False, id="another value"),
        pytest.param({"a": "true"}, {"a": True}, True, id="true and 'true' set the same variable"),
        pytest.param({"a": "false"}, {"a": True}, False, id="false and 'true' do not"),
        pytest.param({"a": "1"}, {"b": "1"}, False, id="another name"),
        pytest.param("1", {"version": "1"}, False, id="a text and an object, as the reference has it"),
        pytest.param("1", "1", True, id="texts"),
        pytest.param(True, "true", False, id="true and a text"),
    ],
)
def test_equality_of_options(one: Any, other: Any, equal: bool) -> None:
    assert order.same_options(one, other) is equal
    assert order.same_options(other, one) is equal


def test_equality_without_digests_is_by_name_and_version() -> None:
    def node(written: str, digest: str | None = None, given: Any = None) -> Node:
        return Node(parse(written), given or {}, manifest.from_value({"id": "a"}), digest)

    assert order.same(node(R + "a:1"), node(R + "a:1"))
    assert not order.same(node(R + "a:1"), node(R + "a:2"))
    assert order.same(node(R + "a:1", "d"), node(R + "b:2", "d"))
    tarball = "https://h/devcontainer-feature-a.tgz"
    assert order.same(node(tarball), node(tarball))
    assert order.same(node(tarball, "d"), node("https://g/devcontainer-feature-a.tgz", "d"))
    assert not order.same(node(tarball, "d"), node("./a", "d"))


IDS = tuple("abcde")
EDGES = st.lists(st.sampled_from(IDS), max_size=3, unique=True)
TEXTS = st.sampled_from([{}, {"o": "1"}, {"o": "2"}, {"p": "1", "o": "1"}, "v", "w"])
GIVEN = TEXTS | st.sampled_from([{"o": True}, {"o": False}, True])


@st.composite
def worlds(draw: st.DrawFn, given: st.SearchStrategy[Any], *, cycles: bool) -> dict[str, dict[str, Any]]:
    prefix = draw(st.sampled_from(["./", R]))
    found: dict[str, dict[str, Any]] = {}
    for place, identity in enumerate(IDS):
        allowed = IDS if cycles else IDS[:place]
        hard = draw(st.dictionaries(st.sampled_from(allowed), given, max_size=2)) if allowed else {}
        soft = draw(st.lists(st.sampled_from(allowed), max_size=2, unique=True)) if allowed else []
        found[prefix + identity] = {
            "dependsOn": {prefix + name: options for name, options in hard.items()},
            "installsAfter": [prefix + name for name in soft],
        }
    return found


@st.composite
def configurations(
    draw: st.DrawFn, given: st.SearchStrategy[Any] = GIVEN, *, cycles: bool
) -> tuple[dict[str, dict[str, Any]], dict[str, Any], list[str]]:
    world = draw(worlds(given, cycles=cycles))
    features = draw(st.dictionaries(st.sampled_from(list(world)), given, min_size=1, max_size=4))
    return world, features, draw(st.lists(st.sampled_from(list(world)), max_size=3, unique=True))


@given(configurations(cycles=False))
def test_every_edge_is_respected(configuration: tuple[Any, Any, Any]) -> None:
    world, features, override = configuration
    found = graphs.steps(world, features, override)
    place = {(step.written, str(step.given)): number for number, step in enumerate(found)}
    assert len(place) == len(found), "nothing is installed twice with the same options"
    for step in found:
        for written, given_to in step.manifest.depends_on.items():
            assert place[written, str(given_to)] < place[step.written, str(step.given)]
        for written in step.soft_after:
            assert any(before.written == written for before in found[: place[step.written, str(step.given)]])
    assert {(written, str(value)) for written, value in features.items()} <= set(place)


@given(configurations(cycles=True))
def test_any_graph_has_an_order_or_a_cycle(configuration: tuple[Any, Any, Any]) -> None:
    world, features, override = configuration
    try:
        first = graphs.order(world, features, override)
    except CycleError as error:
        assert error.cycle[0] == error.cycle[-1]
        for one, other in itertools.pairwise(error.cycle):
            assert other in world[one]["dependsOn"] or other in world[one]["installsAfter"]
        return
    assert graphs.order(world, features, override) == first


@settings(max_examples=50)
@given(configurations(TEXTS, cycles=False), st.randoms(use_true_random=False))
def test_the_order_does_not_hang_on_that_of_the_configuration(
    configuration: tuple[Any, Any, Any], shuffler: Any
) -> None:
    """Where options of one name have one type: a text and true are equal to the reference, so the first one stays."""
    world, features, override = configuration
    shuffled = list(features.items())
    shuffler.shuffle(shuffled)

    def told(found: tuple[InstallStep, ...]) -> list[tuple[str, str]]:
        return [(step.written, str(step.given)) for step in found]

    assert told(graphs.steps(world, features, override)) == told(graphs.steps(world, dict(shuffled), override))


REFERENCES = st.sampled_from(
    ["./a", "./b", R + "a", R + "b:1", "node", "x", "/x", "https://h/devcontainer-feature-a.tgz"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(
    st.dictionaries(REFERENCES | st.text(max_size=5), VALUES, max_size=4),
    st.lists(REFERENCES, max_size=2),
    st.dictionaries(REFERENCES, VALUES, max_size=3) | VALUES,
    st.lists(REFERENCES, max_size=3) | VALUES,
)
def test_any_features_are_ordered_or_refused_in_words(
    features: Any, override: Any, depends_on: Any, after: Any
) -> None:
    raw = {"id": "a", "dependsOn": depends_on, "installsAfter": after}
    try:
        found = Resolution(features, override_order=override)
        while wanted := found.wanted():
            for one in wanted:
                found.provide(one, graphs.Fetched(manifest.from_value(raw), "sha256:" + "0" * 64))
        found.install_order()
    except (FeatureReferenceError, CycleError) as error:
        assert error.message
        assert "\n" not in error.message.replace("\\n", "")
