"""Features in the text of a devcontainer.json."""

from __future__ import annotations

import pytest

from devcontainer.features import edit
from devcontainer.jsonc import JsoncError
from devcontainer.jsonc.edit import EditError

TEXT = """\
{
  // which image
  "image": "x", /* here */
  "features": {
    "ghcr.io/x/a:1": {"o": "1"}, // keep
    "./b": {}
  }
}
"""


def test_added_and_kept() -> None:
    found = edit.add(TEXT, {"ghcr.io/x/c": {"v": "2"}, "ghcr.io/x/a:1": {"o": "2"}, "./d": None})
    assert '"ghcr.io/x/a:1": {"o": "2"}, // keep' in found
    assert '"./b": {},\n    "ghcr.io/x/c": {' in found
    assert '"./d": {}' in found
    assert "// which image" in found
    assert "/* here */" in found


def test_added_where_there_are_none() -> None:
    assert edit.add('{\n\t"image": "x"\n}', {"./a": {}}) == '{\n\t"image": "x",\n\t"features": {\n\t\t"./a": {}\n\t}\n}'


def test_nothing_to_add() -> None:
    assert edit.add(TEXT, {}) == TEXT


@pytest.mark.parametrize(("text", "error"), [("{", JsoncError), ('{"features": []}', EditError)])
def test_not_added(text: str, error: type[ValueError]) -> None:
    with pytest.raises(error):
        edit.add(text, {"./a": {}})


@pytest.mark.parametrize("feature", ["ghcr.io/x/a", "ghcr.io/x/a:7"])
def test_another_version(feature: str) -> None:
    assert edit.set_version(TEXT, feature, "2.1") == TEXT.replace("x/a:1", "x/a:2.1")


@pytest.mark.parametrize("text", [TEXT, "{}", '{"features": 3}'])
def test_a_version_of_what_is_not_there(text: str) -> None:
    assert edit.set_version(text, "ghcr.io/x/zz", "2") == text
