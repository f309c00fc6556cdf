"""The metadata label (spec, *Image metadata*); the bytes are those that @devcontainers/cli 0.89.0 wrote."""

from __future__ import annotations

from typing import Any

import pytest

from devcontainer import metadata, model

CONFIG = """{"image":"python:3.11","remoteUser":"root","name":"n","containerEnv":{"ID":"${devcontainerId}"},
"remoteEnv":{"Z":null,"B":"é\\u2028"},"portsAttributes":{"x":{"label":"1"},"3000":{"label":"a"},"12":{}},"mounts":[],
"forwardPorts":[1.0],"postCreateCommand":["a b","c"], "waitFor":"onCreateCommand","capAdd":["SYS_PTRACE"],
"init":true}"""

LABEL = (
    '[{"postCreateCommand":["a b","c"],"waitFor":"onCreateCommand","mounts":[],'
    '"containerEnv":{"ID":"${devcontainerId}"},"init":true,"capAdd":["SYS_PTRACE"],"remoteUser":"root","remoteEnv":{"Z":null,"B":"é\u2028"},'
    '"portsAttributes":{"12":{},"3000":{"label":"a"},"x":{"label":"1"}},"forwardPorts":[1]}]'
)


def test_written_as_the_reference_writes() -> None:
    config = model.load(CONFIG, "devcontainer.json")
    assert metadata.write(metadata.for_new([], config.raw)) == LABEL


def test_read_back_in_order_and_unsubstituted() -> None:
    (entry,) = metadata.read(LABEL)
    assert entry["containerEnv"] == {"ID": "${devcontainerId}"}
    assert metadata.write([entry]) == LABEL


@pytest.mark.parametrize(
    ("label", "entries", "complaints"),
    [
        pytest.param(None, [], 0, id="no label"),
        pytest.param("", [], 0, id="an empty label"),
        pytest.param('{"init":true}', [{"init": True}], 0, id="a single object, the older form"),
        pytest.param('[{"id":"./f"},{"init":true}]', [{"id": "./f"}, {"init": True}], 0, id="several"),
        pytest.param("[1,{},null]", [{}], 1, id="entries that are not objects"),
        pytest.param("3", [], 1, id="a number"),
        pytest.param("[{]", [], 1, id="not JSON"),
        pytest.param("[" * 5000, [], 1, id="a hostile depth"),
    ],
)
def test_read(label: str | None, entries: list[Any], complaints: int) -> None:
    said: list[str] = []
    assert metadata.read(label, said.append) == entries
    assert len(said) == complaints
    assert metadata.read(label) == entries, "nobody has to listen"


RAW: dict[str, Any] = {
    "image": "x",
    "remoteUser": "u",
    "remoteEnv": {},
    "init": True,
    "initializeCommand": "x",
    "features": {},
}


def test_a_new_container_has_the_entries_of_the_image_first() -> None:
    assert metadata.for_new([{"id": "f"}, {}], RAW) == [{"id": "f"}, {"init": True, "remoteUser": "u", "remoteEnv": {}}]


def test_of_an_existing_container_the_file_changes_three_things() -> None:
    """spec, *existing container*: all else is what was baked in at creation."""
    assert metadata.for_existing([{"init": False}], RAW) == [{"init": False}, {"remoteUser": "u", "remoteEnv": {}}]
    assert metadata.for_existing([{"init": False}], {"image": "x"}) == [{"init": False}]
