"""Features of a configuration on its image: what a person is told on the way."""

from __future__ import annotations

import json

import pytest

from devenv.errors import FeatureError
from tests.unit.environment.conftest import IMAGE, Site


def local(site: Site, name: str, **more: object) -> None:
    folder = site.root / ".devcontainer" / name
    folder.mkdir(parents=True)
    (folder / "devcontainer-feature.json").write_text(
        json.dumps({"id": name, "version": "1.0.0", "name": name.upper(), **more})
    )
    (folder / "install.sh").write_text("true\n")


async def test_a_feature_of_the_project_is_looked_through(site: Site) -> None:
    local(site, "a", instalsAfter=[])
    site.configure('{"image": "' + IMAGE + '",\n "features": {"./a": {}}}')
    result = await site.up()
    (told,) = [text for text in site.told.notes if "instalsAfter" in text]
    assert "a/devcontainer-feature.json:1:" in told and "did you mean 'installsAfter'?" in told
    assert not [note for note in result.notes if "instalsAfter" in note]


async def test_one_that_is_not_there_is_told_with_its_line(site: Site) -> None:
    site.configure('{"image": "' + IMAGE + '",\n "features": {"./a": {}}}')
    with pytest.raises(FeatureError, match=r"devcontainer\.json:2:15: the feature './a' does not exist"):
        await site.up()
