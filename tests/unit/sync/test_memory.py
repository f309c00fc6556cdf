"""What is known across restarts: under the same rules nobody is asked again, and under others everybody."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from devenv.sync.side.place import Place
from devenv.sync.side.rules import Matcher
from tests.unit.sync.test_place import aged, place, root

__all__ = ["place", "root"]


def ruled(*endings: str, most: int = 100) -> dict[str, Any]:
    """Files that end so are not synchronised, and none of more bytes."""
    rules = [[True, False, "", True, "end", ending] for ending in endings]
    return {"groups": [[1, "", rules]], "outputs": [], "max_file": most, "git": False}


def kinds(place: Place) -> dict[str, str]:
    tree = place.scan(None)
    assert tree is not None
    return {name: child[0] for name, child in tree[1].items() if name != ".devenv"}


def test_of_what_is_as_it_was_nobody_asks_the_rules(
    root: pathlib.Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.use_rules(ruled(".log"))
    for name in ("a.py", "b.py", "c.log", "grows.py"):
        (root / name).write_text(name)
    aged(place)
    place.close()
    (root / "new.log").write_text("new")
    (root / "grows.py").write_text("x" * 200)
    asked = []
    real = Matcher.ignored

    def noted(self: Matcher, path: str, is_folder: bool) -> bool:
        asked.append(path)
        return real(self, path, is_folder)

    monkeypatch.setattr(Matcher, "ignored", noted)
    again = Place(str(root))
    again.use_rules(ruled(".log"))
    assert kinds(again) == {"a.py": "f", "b.py": "f", "c.log": "u", "grows.py": "u", "new.log": "u"}
    assert (set(asked), again.scanner.hashed) == ({".devenv", "c.log", "grows.py", "new.log"}, 0)


@pytest.mark.parametrize("later", [ruled(".py"), ruled(most=1)])
@pytest.mark.parametrize("how", ["the next process", "the same one", "before it had looked again"])
def test_other_rules_are_asked_about_everything(
    how: str, later: dict[str, Any], root: pathlib.Path, place: Place
) -> None:
    place.use_rules(ruled())
    (root / "a.py").write_text("a.py")
    aged(place)
    assert kinds(place) == {"a.py": "f"}
    if how == "before it had looked again":
        place.use_rules(later)
        place._unsaved = 1
    if how != "the same one":
        place.close()
        place = Place(str(root))
    place.use_rules(later)
    assert kinds(place) == {"a.py": "u"}
    assert kinds(place) == {"a.py": "u"}
