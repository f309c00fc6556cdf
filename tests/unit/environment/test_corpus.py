"""Configurations as projects have them, and broken ones: problems with a line, never a traceback."""

from __future__ import annotations

import copy
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devcontainer import jsonc, merge, metadata, model
from devcontainer.model import Kind
from devenv.engine.fake import FakeEngine
from devenv.engine.port import ExecResult
from devenv.environment import target as targets
from devenv.environment.plan import UpOptions
from devenv.errors import DevenvError
from tests.unit.environment.conftest import FILES, Site

CORPUS = sorted((pathlib.Path(__file__).parents[2] / "corpus").glob("*.jsonc"))
NAMES = [file.stem for file in CORPUS]

DOCKERFILE = "FROM python:3.11 AS dev\nUSER dev\n"
PROJECT = {"name": "p", "services": {name: {"image": "python:3.11"} for name in ("app", "web", "db", "development")}}


class AnyImage(FakeEngine):
    """Every image is here, and Compose knows every project."""

    async def image(self, reference: str) -> Any:
        self.set_image(reference, {"User": "dev", "Env": ["PATH=/bin"]})
        return await super().image(reference)


def compose(words: list[str]) -> ExecResult:
    return ExecResult(0, json.dumps(PROJECT).encode(), b"")


def place(site: Site, text: str | bytes) -> None:
    """A project with this configuration and the files that one may name."""
    folder = site.root / ".devcontainer"
    folder.mkdir(exist_ok=True)
    for name in ("Dockerfile", "../Dockerfile"):
        (folder / name).write_text(DOCKERFILE)
    for name in ("docker-compose.yml", "docker-compose.extend.yml", "../docker-compose.yml"):
        (folder / name).write_text("services: {}\n")
    (folder / "devcontainer.json").write_bytes(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)


async def planned(site: Site) -> Any:
    engine = AnyImage({}, files=FILES)
    engine.on_compose = compose
    site.engine = engine
    target = await site.target()
    return await site.rooms(engine).plan(target, site.ctx, UpOptions(gpu_missing_refuses=False))


@pytest.mark.parametrize("file", CORPUS, ids=NAMES)
async def test_it_is_read_without_an_error_and_planned(site: Site, file: pathlib.Path) -> None:
    text = file.read_bytes().decode("utf-8-sig")
    config = model.load(text, file.name)
    assert config.errors == ()
    assert all(problem.line > 0 for problem in config.problems)
    entry = config.metadata_entry
    assert metadata.read(metadata.write([entry])) == [entry]
    place(site, file.read_bytes())
    plan = await planned(site)
    assert plan.steps and bool(plan.override) is (config.kind is Kind.COMPOSE)
    if config.kind is not Kind.COMPOSE:
        assert "--entrypoint" in plan.create


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, child in children for found in paths(child, (*path, key)))]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 70000)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(
        ["${localEnv}", "${localEnv:X:y:z}", "type=bind,target", "8gb", "docker-compose.yml", "../..", "\x00"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def broken(draw: st.DrawFn) -> str:
    """A configuration of the corpus with up to three values replaced, keys renamed or members taken out."""
    file = draw(st.sampled_from(CORPUS))
    value = copy.deepcopy(jsonc.parse(file.read_text(encoding="utf-8-sig")).value)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(paths(value)))
        if not path:
            continue
        parent: Any = value
        for step in path[:-1]:
            parent = parent[step]
        what = draw(st.sampled_from(["replace", "remove", "rename"]))
        if what == "replace":
            parent[path[-1]] = draw(JSON)
        elif isinstance(parent, dict):
            taken = parent.pop(path[-1])
            if what == "rename":
                parent[draw(st.text(max_size=10))] = taken
    return json.dumps(value)


async def tolerated(site: Site, text: str | bytes) -> None:
    """Whatever is wrong is an error of ours, with one line each and no path of our sources."""
    place(site, text)
    try:
        await planned(site)
    except DevenvError as error:
        assert error.message and "Traceback" not in error.message


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=broken())
async def test_broken_values_are_problems(site: Site, text: str) -> None:
    await tolerated(site, text)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_broken_text_is_a_problem(site: Site, data: st.DataObject) -> None:
    content = data.draw(st.sampled_from(CORPUS)).read_bytes()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, 6))
        content = content[:at] + data.draw(st.binary(max_size=4)) + content[at + length :]
    await tolerated(site, content)


@settings(max_examples=200, deadline=None)
@given(label=st.recursive(JSON, st.lists, max_leaves=3) | st.text(max_size=40))
def test_a_label_of_an_image_may_be_anything(label: Any) -> None:
    said: list[str] = []
    entries = metadata.read(label if isinstance(label, str) else json.dumps(label), said.append)
    merged = merge.merge(entries)
    assert isinstance(merged.customizations, Mapping)
    merged.users("dev")


def test_nothing_of_the_corpus_is_unknown_to_the_keys() -> None:
    """The corpus has every property of the specification at least once."""
    from devcontainer.properties import PROPERTIES

    used = {key for file in CORPUS for key in jsonc.parse(file.read_text(encoding="utf-8-sig")).value or {}}  # type: ignore[union-attr]
    assert set(PROPERTIES) - used == set()
    assert targets.Choice().personal
