"""What a collection is published with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from devcontainer import publishing


def test_names() -> None:
    assert publishing.archive_name("feature", "tool") == "devcontainer-feature-tool.tgz"
    assert publishing.manifest_name("template") == "devcontainer-template.json"


def test_the_list_of_a_collection() -> None:
    text = publishing.collection_text("feature", [{"id": "a"}, {"id": "b"}])
    assert json.loads(text) == {
        "sourceInformation": {"source": "devcontainer-cli"},
        "features": [{"id": "a"}, {"id": "b"}],
    }
    assert text.startswith('{\n    "sourceInformation": {\n        "source"')
    assert "templates" in json.loads(publishing.collection_text("template", []))


def test_annotations() -> None:
    assert publishing.registry_annotations({"id": "a", "n": "ä"}) == {"dev.containers.metadata": '{"id":"a","n":"ä"}'}


def test_a_feature_with_older_ids_says_its_present_one() -> None:
    assert publishing.published_feature({"id": "a", "legacyIds": ["b"]})["currentId"] == "a"
    assert publishing.published_feature({"id": "a", "legacyIds": []}) == {"id": "a", "legacyIds": []}
    assert publishing.manifest_text({"id": "a"}) == '{\n    "id": "a"\n}'


FILES = [".devcontainer/devcontainer.json", ".github/dependabot.yml", "docs/a", "docs/b"]


def test_a_template_says_what_is_in_it() -> None:
    raw = {"id": "t", "optionalPaths": [".github/*", "docs/*", "x"]}
    configuration: dict[str, Any] = {"image": "i", "features": {"GHCR.io/x/a:1": {}, "./b": {}, "node": {}}}
    assert publishing.published_template(raw, configuration, FILES) == {
        "id": "t",
        "optionalPaths": [".github/dependabot.yml", "docs/*", "x"],
        "type": "image",
        "files": FILES,
        "fileCount": 4,
        "featureIds": ["ghcr.io/x/a"],
    }


@pytest.mark.parametrize(
    ("configuration", "kind"),
    [
        ({"build": {"dockerfile": "D"}}, "dockerfile"),
        ({"dockerFile": "D"}, "dockerfile"),
        ({"dockerComposeFile": "c"}, "dockerCompose"),
    ],
)
def test_kinds_of_templates(configuration: dict[str, Any], kind: str) -> None:
    assert publishing.published_template({}, configuration, [])["type"] == kind


def test_a_template_that_is_made_from_nothing() -> None:
    with pytest.raises(ValueError, match="neither 'image'"):
        publishing.published_template({}, {}, [])
