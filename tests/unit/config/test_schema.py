"""The published JSON Schema is generated from the types and is current."""

from __future__ import annotations

import pathlib
import re

import jsonschema
import pytest
import yaml

from devenv.config.schema import FILE, published, schema

DOCUMENT = pathlib.Path(__file__).parents[3] / "docs" / "sync.md"


def test_the_published_file_is_current() -> None:
    assert FILE.read_text(encoding="utf-8") == published(), "run `python -m devenv.config`"


def test_it_is_a_valid_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_every_key_is_described() -> None:
    """An editor shows the description beside the key."""
    sections = [schema(), *(section for section in schema()["$defs"].values() if "properties" in section)]
    missing = [
        f"{section['title']}.{key}"
        for section in sections
        for key, value in section["properties"].items()
        if "description" not in value and "$ref" not in value
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        pytest.param("runs: {a: {script: x.py, args: [--epochs, 3, yes]}}", True, id="numbers as an editor reads them"),
        pytest.param("runs: {a: {script: x.py, env: {A: 1}}}", True, id="numbers in the environment"),
        pytest.param("ports: {'8000': {label: x}, ignore: [1]}", True, id="ports beside settings"),
        pytest.param("runs: {a: {script: x.py, module: y}}", False, id="two forms"),
        pytest.param("runs: {a: {script: null}}", False, id="nothing"),
        pytest.param("services: {a: {kind: command}}", False, id="a command service without command"),
        pytest.param("other: 1", False, id="an unknown key"),
    ],
)
def test_what_an_editor_would_say(text: str, valid: bool) -> None:
    value = yaml.safe_load(text)
    assert jsonschema.Draft202012Validator(schema()).is_valid(value) is valid


def test_the_documented_settings_of_sync_are_these() -> None:
    table = re.findall(r"^\| `([a-z-]+)` \| `([^`]*)`", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    defaults = {key: value["default"] for key, value in schema()["$defs"]["SyncConfig"]["properties"].items()}
    assert dict(table) == {key: str(value) for key, value in defaults.items()}
