"""Steps made on a real file system, beside others who write there, and with crashes at every point."""

from __future__ import annotations

import functools
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings

from devenv.sync.core.changes import steps
from devenv.sync.core.entries import Entry, Kind, folder, link
from devenv.sync.core.entries import file as file_entry
from devenv.sync.side import apply, renaming
from devenv.sync.side.apply import CHANGED, NOT_THERE, Applier
from devenv.sync.side.scan import Scanner
from tests.unit.sync.trees import ROOT


def digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


def f(text: bytes, executable: bool = False) -> tuple[Any, ...]:
    return ("f", digest(text), executable)


class Place:
    """A root with a scanner, as one side has them."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        root.mkdir(exist_ok=True)
        self.scanner = Scanner(str(root), lambda path, is_folder: path == apply.OWN)

    def write(self, path: str, text: bytes) -> pathlib.Path:
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(text)
        return full

    def scan(self) -> dict[str, Any]:
        tree = self.scanner.scan()
        assert tree is not None
        children = dict(tree[1])
        children.pop(apply.OWN, None)
        return children

    def applier(self) -> Applier:
        return Applier(str(self.root), self.scanner.key)

    def apply(self, *wanted: Any, contents: tuple[bytes, ...] = (), cycle: str = "c1") -> list[str]:
        with self.applier() as applier:
            for text in contents:
                assert applier.stage(digest(text), [text])
            results = applier.apply(wanted, cycle)
            applier.clear()
            return results

    @property
    def own(self) -> dict[str, bytes]:
        """What is in our folder, by path."""
        base = self.root / apply.OWN
        return {
            str(path.relative_to(base)): path.read_bytes()
            for path in base.rglob("*")
            if path.is_file() and not path.is_symlink()
        }


@pytest.fixture
def place(tmp_path: pathlib.Path) -> Place:
    return Place(tmp_path / "root")


def test_creating_replacing_deleting(place: Place) -> None:
    place.write("edit.py", b"old")
    place.write("gone/deep/x", b"x")
    (place.root / "points").symlink_to("edit.py")
    place.scan()
    done = place.apply(
        ("gone/deep/x", f(b"x"), None),
        ("gone/deep", ("d", {}), None),
        ("gone", ("d", {}), None),
        ("edit.py", f(b"old"), f(b"new")),
        ("points", ("l", "edit.py"), ("l", "new/a")),
        ("new", None, ("d", {})),
        ("new/a", None, f(b"new", True)),
        ("new/l", None, ("l", "/elsewhere")),
        contents=(b"new",),
    )
    assert done == [""] * 8
    assert place.scan() == {
        "edit.py": f(b"new"),
        "points": ("l", "new/a"),
        "new": ("d", {"a": f(b"new", True), "l": ("l", "/elsewhere")}),
    }
    assert place.own == {"trash/c1/edit.py": b"old", "trash/c1/gone/deep/x": b"x"}
    assert os.readlink(place.root / ".devenv/trash/c1/points") == "edit.py"
    assert (place.root / "edit.py").stat().st_mode & 0o777 == 0o644
    assert (place.root / "new/a").stat().st_mode & 0o777 == 0o755


def test_the_executable_bit_alone_needs_no_content(place: Place) -> None:
    tool = place.write("tool", b"t")
    tool.chmod(0o640)
    place.scan()
    assert place.apply(("tool", f(b"t"), f(b"t", True))) == [""]
    assert tool.stat().st_mode & 0o777 == 0o750
    place.scan()
    assert place.apply(("tool", f(b"t", True), f(b"t"))) == [""]
    assert tool.stat().st_mode & 0o777 == 0o640


def test_what_was_not_seen_is_left_alone(place: Place) -> None:
    for name in ("edited", "deleted", "moded"):
        place.write(name, b"seen")
    place.write("there", b"unseen")
    place.write("full/new", b"unseen")
    place.scan()
    for name in ("edited", "deleted", "moded"):
        place.write(name, b"unseen")
    done = place.apply(
        ("edited", f(b"seen"), f(b"new")),
        ("deleted", f(b"seen"), None),
        ("moded", f(b"seen"), f(b"seen", True)),
        ("there", None, f(b"new")),
        ("full", ("d", {}), None),
        ("none", f(b"seen"), f(b"new")),
        ("none/below", None, f(b"new")),
        contents=(b"new",),
    )
    assert done == [CHANGED] * 7
    assert {path.read_bytes() for path in place.root.iterdir() if path.is_file()} == {b"unseen"}
    assert place.own == {}


Save = Callable[[pathlib.Path], object]


def in_place(path: pathlib.Path) -> None:
    path.write_bytes(b"mine!")


def by_renaming(path: pathlib.Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"mine!")
    other.replace(path)


@pytest.mark.parametrize("save", [in_place, by_renaming])
@pytest.mark.parametrize("deletes", [True, False], ids=["deleted", "replaced"])
def test_an_editor_that_saves_at_the_last_moment_wins(
    save: Save, deletes: bool, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the last look and the move."""
    target = place.write("a", b"seen")
    place.scan()
    for name in ("exchange", "take"):
        real = getattr(renaming, name)

        def moved(*args: Any, real: Any = real) -> None:
            if "a" in (args[1], args[3]) and target.exists() and target.read_bytes() == b"seen":
                save(target)
            real(*args)

        monkeypatch.setattr(renaming, name, moved)
    done = place.apply(("a", f(b"seen"), None if deletes else f(b"new")), contents=(b"new",))
    assert done == [CHANGED]
    assert target.read_bytes() == b"mine!"
    assert place.own == {}


def test_a_file_that_appears_at_the_last_moment_is_not_overwritten(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.scan()
    real = renaming.move

    def moved(*args: Any) -> None:
        place.write("a", b"mine!")
        real(*args)

    monkeypatch.setattr(renaming, "move", moved)
    assert place.apply(("a", None, f(b"new")), contents=(b"new",)) == [CHANGED]
    assert (place.root / "a").read_bytes() == b"mine!"


@pytest.mark.parametrize("path", ["out/x", "deep/out/x"])
def test_a_link_in_the_way_is_never_followed(path: str, place: Place, tmp_path: pathlib.Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "old").write_bytes(b"canary")
    (place.root / "deep").mkdir()
    (place.root / path).parent.symlink_to(outside)
    place.scan()
    info = os.lstat(outside / "old")
    key = (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
    with Applier(str(place.root), lambda path: key) as applier:
        assert applier.stage(digest(b"new"), [b"new"])
        wanted = [
            (path, None, f(b"new")),
            (path.replace("x", "old"), f(b"canary"), f(b"new")),
            (path.replace("x", "old"), f(b"canary"), None),
        ]
        assert applier.apply(wanted, "c") == [CHANGED] * 3
    assert {item.name: item.read_bytes() for item in outside.iterdir()} == {"old": b"canary"}


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/x", "a//x", "./x", ".devenv/stage/x", "a\0b", ""])
def test_paths_that_are_none(path: str, place: Place, tmp_path: pathlib.Path) -> None:
    place.scan()
    (result,) = place.apply((path, None, f(b"new")), contents=(b"new",))
    assert result and result != CHANGED
    assert not (tmp_path / "x").exists()


def test_content_that_is_not_what_its_digest_says(place: Place) -> None:
    with place.applier() as applier:
        assert not applier.stage(digest(b"right"), [b"wro", b"ng"])
        assert not applier.has(digest(b"right"))
        assert applier.stage(digest(b"right"), [b"ri", b"ght"])
        assert applier.has(digest(b"right"))
    (place.root / ".devenv/stage" / digest(b"right").hex()).write_bytes(b"rotten")
    with place.applier() as applier:  # what another process staged is read again
        assert applier.apply([("a", None, f(b"right")), ("b", None, f(b"never staged"))], "c") == [
            "what was staged is not what it was",
            NOT_THERE,
        ]
        assert not applier.has(digest(b"right"))
    assert place.scan() == {}


def test_bytecode_knows_old_from_new(place: Place) -> None:
    """Python compares the second and the size of a source with what its bytecode was made of."""
    now = int(time.time())
    source = place.write("m.py", b"X = 1\n")
    os.utime(source, (now, now))
    run = [sys.executable, "-c", "import m; print(m.X)"]
    assert subprocess.run(run, cwd=place.root, capture_output=True, check=True).stdout == b"1\n"
    place.scan()
    while int(time.time()) == now - 1:
        pass
    os.utime(source, (int(time.time()), int(time.time())))
    subprocess.run(run, cwd=place.root, capture_output=True, check=True)
    place.scan()
    assert place.apply(("m.py", f(b"X = 1\n"), f(b"X = 2\n")), contents=(b"X = 2\n",)) == [""]
    assert subprocess.run(run, cwd=place.root, capture_output=True, check=True).stdout == b"2\n"


def test_a_full_disk_leaves_everything_as_it_was(place: Place) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root, to mount a small file system")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place.root)], check=True)
    try:
        place.write("a", b"seen" * 1000)
        place.scan()
        big = os.urandom(200_000)
        with place.applier() as applier:
            assert applier.stage(digest(big), [big])
            done = applier.apply([("a", f(b"seen" * 1000), f(big)), ("b", None, f(big))], "c")
            assert done == ["No space left on device"] * 2
            with pytest.raises(OSError, match="No space left"):
                applier.stage(digest(big * 2), [big, big])
            applier.clear()
        assert place.scan() == {"a": f(b"seen" * 1000)}
        assert place.own == {}
    finally:
        subprocess.run(["umount", str(place.root)], check=True)


@pytest.mark.parametrize("missing", ["exchange", "both"])
def test_a_file_system_that_cannot_exchange(missing: str, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(*args: Any) -> None:
        raise renaming.Unsupported(22, "renameat2")

    monkeypatch.setattr(renaming, "exchange" if missing == "exchange" else "_call", cannot)
    place.write("a", b"seen")
    place.write("b", b"seen")
    place.scan()
    with place.applier() as applier:
        assert applier.stage(digest(b"new"), [b"new"])
        done = applier.apply([("b", f(b"seen"), None), ("a", f(b"seen"), f(b"new")), ("c", None, f(b"new"))], "c1")
        assert (done, applier.weak) == (["", "", ""], True)
        applier.clear()
    assert place.scan() == {"a": f(b"new"), "c": f(b"new")}
    assert place.own == {"trash/c1/a": b"seen", "trash/c1/b": b"seen"}


# any two trees


def text_of(entry: Entry) -> bytes:
    return b"content " + entry.digest


def real(entry: Entry) -> Entry:
    """The tree with the digests of what `build` writes."""
    if entry.kind is Kind.FILE:
        return file_entry(digest(text_of(entry)), entry.executable)
    return folder({name: real(child) for name, child in entry.children.items()}) if entry.children else entry


def build(root: pathlib.Path, entry: Entry) -> None:
    for name, child in entry.children.items():
        path = root / name
        if child.kind is Kind.FOLDER:
            path.mkdir()
            build(path, child)
        elif child.kind is Kind.LINK:
            path.symlink_to(child.target)
        else:
            path.write_bytes(text_of(child))
            path.chmod(0o755 if child.executable else 0o644)


def node(entry: Entry | None) -> tuple[Any, ...] | None:
    if entry is None:
        return None
    match entry.kind:
        case Kind.FOLDER:
            return ("d", {name: node(child) for name, child in entry.children.items()})
        case Kind.LINK:
            return ("l", entry.target)
        case _:
            return ("f", entry.digest, entry.executable)


def contents(*trees: Entry) -> Iterator[bytes]:
    for tree in trees:
        for child in tree.children.values():
            if child.kind is Kind.FILE:
                yield text_of(child)
            yield from contents(child)


@settings(max_examples=150, deadline=None)
@given(ROOT, ROOT)
def test_a_side_becomes_what_it_should_be(before: Entry, after: Entry) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        place = Place(pathlib.Path(temporary, "root"))
        build(place.root, before)
        place.scan()
        todo = [(step.path, node(step.before), node(step.after)) for step in steps(real(before), real(after))]
        results = place.apply(*todo, contents=tuple(set(contents(after))))
        assert results == [""] * len(todo)
        assert ("d", place.scan()) == node(real(after))
        kept = set(place.own.values()) | {path.read_bytes() for path in place.root.rglob("*") if path.is_file()}
        assert kept >= set(contents(before))


class Crash(BaseException):
    """The process is gone at this point."""


def dies_at(patch: pytest.MonkeyPatch, point: int) -> None:
    """Before or after (in turns) the call of that number, and does nothing more."""
    left = [point]
    calls = {os: ("open", "mkdir", "fsync", "fchmod", "symlink", "unlink"), renaming: ("move", "exchange")}
    for module, names in calls.items():
        for name in names:
            patch.setattr(module, name, functools.partial(_call, left, point % 2 == 0, getattr(module, name)))


def _call(left: list[int], late: bool, real: Callable[..., Any], *args: Any, **more: Any) -> Any:
    left[0] -= 1
    if left[0] < 0 or (left[0] == 0 and not late):
        left[0] = -1
        raise Crash
    return real(*args, **more)


def test_a_crash_at_any_point_loses_nothing(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, three, four = (file_entry(name) for name in (b"1", b"2", b"3", b"4"))
    run = file_entry(b"3", executable=True)
    before = folder({"a": one, "b": two, "d": folder({"x": three}), "l": link("a")})
    after = folder({"a": four, "d": folder({"x": run, "y": four}), "l": link("b")})
    todo = [(step.path, node(step.before), node(step.after)) for step in steps(real(before), real(after))]
    crashed, point = True, 0
    while crashed:
        point += 1
        crashed = False
        place = Place(tmp_path / f"root{point}")
        build(place.root, before)
        place.scan()
        with monkeypatch.context() as patch:
            dies_at(patch, point)
            try:
                place.apply(*todo, contents=tuple(set(contents(after))))
            except Crash:
                crashed = True
        again = Place(place.root)
        now = again.scan()
        for name in ("a", "b", "l"):  # each is what it was or what it should be
            outcomes = [node(real(tree.children[name])) for tree in (before, after) if name in tree.children]
            assert now.get(name) in ([*outcomes, None] if name == "b" else outcomes), (point, name)
        with again.applier() as applier:
            applier.clear()
        kept = set(again.own.values()) | {path.read_bytes() for path in place.root.rglob("*") if path.is_file()}
        assert kept >= set(contents(before)), point
        assert not list((place.root / ".devenv/stage").iterdir())
    assert point > 30
