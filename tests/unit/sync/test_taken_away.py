"""What is taken away on a side goes to the trash as it was seen, or stays where it was."""

from __future__ import annotations

import errno
import hashlib
import os
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from devenv.sync.side import renaming
from devenv.sync.side.apply import CHANGED
from devenv.sync.side.place import Place


def f(text: bytes) -> tuple[Any, ...]:
    return ("f", hashlib.sha256(text).digest(), False)


def apply(place: Place, before: bytes, after: bytes | None) -> list[str]:
    steps = [("a", f(before), None if after is None else f(after))]
    with place.receive(steps) as coming:
        if after is not None:
            assert coming.applier.contents.keep(f(after)[1], after)
        return place.apply(steps, "c1", coming)


def trash(root: pathlib.Path) -> list[str]:
    return [str(path.relative_to(root)) for path in (root / ".devenv" / "trash").rglob("*") if path.is_file()]


@pytest.mark.parametrize("after", [None, b"new"], ids=["deleted", "replaced"])
def test_who_has_it_open_may_write_until_it_is_in_the_trash(
    after: bytes | None, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"seen")
    place, real = Place(str(tmp_path)), renaming.take
    place.scan(None)
    editor = os.open(tmp_path / "a", os.O_WRONLY)

    def take(old_folder: int, old: str, new_folder: int, new: str) -> None:
        if new == "a":
            os.write(editor, b"written late")
        real(old_folder, old, new_folder, new)

    monkeypatch.setattr(renaming, "take", take)
    assert apply(place, b"seen", after) == [CHANGED]
    assert ((tmp_path / "a").read_bytes(), trash(tmp_path)) == (b"written late", [])
    os.close(editor)
    place.close()


def test_another_mode_of_ours_is_nothing_for_which_a_newer_content_goes(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editor saves ahead of the exchange, and somebody makes the file executable ahead of the one that takes it
    back."""
    target, newer = tmp_path / "a", tmp_path / "newer"
    target.write_bytes(b"seen")
    place, real, saved = Place(str(tmp_path)), renaming.exchange, []
    place.scan(None)

    def exchange(*args: Any) -> None:
        if saved:
            target.chmod(0o755)
        else:
            newer.write_bytes(b"newer")
            saved.append(newer.replace(target))
        real(*args)

    monkeypatch.setattr(renaming, "exchange", exchange)
    assert apply(place, b"seen", b"new") == [CHANGED]
    assert (target.read_bytes(), trash(tmp_path)) == (b"newer", [])
    place.close()


def test_without_exchanging_a_newer_file_of_the_name_is_not_taken_for_the_old_one(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editor puts its file in the place of the one that goes, whenever a name is taken away."""
    target = tmp_path / "a"
    target.write_bytes(b"seen")
    place = Place(str(tmp_path))
    place.scan(None)

    def cannot(*_: object) -> None:
        raise renaming.Unsupported(errno.EINVAL, "renameat2")

    def late(real: Callable[..., None]) -> Callable[..., None]:
        def call(*args: Any, **named: Any) -> None:
            if args[0] == "a" and target.read_bytes() == b"seen":
                newer = tmp_path / "newer"
                newer.write_bytes(b"newer")
                newer.replace(target)
            real(*args, **named)

        return call

    monkeypatch.setattr(renaming, "_call", cannot)
    for name in ("unlink", "rename"):
        monkeypatch.setattr(os, name, late(getattr(os, name)))
    assert apply(place, b"seen", None) == [CHANGED]
    assert (target.read_bytes(), trash(tmp_path)) == (b"newer", [])
    place.close()
