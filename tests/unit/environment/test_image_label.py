"""The label of an image that somebody else made: what of it counts, and what is said of the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from devenv.environment import image_label
from devenv.errors import ConfigError
from tests.unit.environment.conftest import Site

LABEL = "devcontainer.metadata"


def labelled(value: Any) -> dict[str, Any]:
    text = value if isinstance(value, str) else json.dumps(value)
    return {"User": "", "Env": ["PATH=/bin"], "Labels": {LABEL: text}}


@pytest.mark.parametrize(
    ("value", "words", "entries"),
    [
        pytest.param([{"init": True}], None, [{"init": True}], id="nothing wrong"),
        pytest.param("not json", "is not JSON: column 1", [], id="no JSON"),
        pytest.param(["x", {"init": True}], "not objects", [{"init": True}], id="a text among entries"),
        pytest.param(
            [{"capAdd": "X"}], "entry 1: capAdd: must be an array, not a text", [{"capAdd": "X"}], id="a wrong type"
        ),
        pytest.param(
            [{"init": True, "containerEnv": {"A": "${localEnv}"}}],
            "entry 1: containerEnv: '${localEnv}' cannot be resolved",
            [{"init": True}],
            id="a variable without a name",
        ),
    ],
)
async def test_what_is_wrong_is_told_and_left_out(site: Site, value: Any, words: str | None, entries: Any) -> None:
    site.engine.set_image("labelled", labelled(value))
    site.configure({"image": "labelled"})
    result = await site.up()
    told = [note for note in result.notes if LABEL in note]
    assert len(told) == (words is not None)
    assert words is None or (told[0].startswith("image labelled: ") and words in told[0])
    assert image_label.entries(labelled(value)["Labels"]) == entries
    assert (await site.up()).container.id == result.container.id


@pytest.mark.parametrize(
    ("config", "label", "where"),
    [
        pytest.param('{"image": "labelled",\n"remoteUser": "ghost"}', [], ":2:1: remoteUser: ", id="remoteUser"),
        pytest.param('{"image": "labelled",\n"containerUser": "ghost"}', [], ":2:1: containerUser: ", id="container"),
        pytest.param('{"image": "labelled"}', [{"remoteUser": "ghost"}], "image labelled: ", id="the image's label"),
    ],
)
async def test_a_user_that_is_not_there_is_told_where_it_is_named(
    site: Site, config: str, label: Any, where: str
) -> None:
    site.engine.set_image("labelled", labelled(label))
    site.configure(config)
    with pytest.raises(ConfigError) as caught:
        await site.up()
    assert where in str(caught.value) and "ghost" in str(caught.value)
