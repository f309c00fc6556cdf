"""A line of a rule file means to us what it means to Git: asked of Git itself, on drawn lines and paths."""

from __future__ import annotations

import os
import pathlib
import random
import shutil
import subprocess
from collections.abc import Mapping

import pathspec
import pytest

from devenv.sync.patterns import NeverFits, line_of, lines_of, output_of, rules_of
from devenv.sync.side.rules import Matcher

ROUNDS = int(os.environ.get("DEVENV_EXAMPLES", "400")) // 8
PIECES = [
    *("a", "b", "c", "ab", "abc", "*", "**", "?", "/", "/", "**/", "/**", "a*", "*b", "a.b", "."),
    *("[ab]", "[!a]", "[a-c]", "[^b]", "[]a]", "[[:alpha:]]", "[a-]", "[", "]", "[[:x:]]", "[b-\\c]", "[!]a]"),
    *("\\*", "\\a", "\\", "\\ ", " ", "\t", "#", "!", "\\#", "\\!", "-", "{a}", "(", ")", "+", "$", "a|b", "^"),
]
NAMES = [
    *("a", "b", "c", "ab", "abc", "a.b", "bb", "aab", "ac", "[a]", "a b", "a ", "#a", "!b", "*", "a*", "{a}"),
    *("-", "]", "+", "a|b", "\\", "^"),
]


def matcher(lines: Mapping[str, str], **more: object) -> Matcher:
    """`lines`: of a rule file, by its folder."""
    groups = []
    for folder, text in lines.items():
        rules = []
        for line in lines_of(text.encode()):
            try:
                rules += rules_of(line, folder)
            except NeverFits:
                continue
        groups.append([1, folder, rules])
    return Matcher({"groups": groups, "outputs": [], "max_file": 1, "git": False, **more})


def ignored(asked: Matcher, kinds: Mapping[str, bool]) -> dict[str, bool]:
    """Each path, as a scan asks: what is below an ignored folder is ignored."""
    found: dict[str, bool] = {}
    for path in sorted(kinds):
        parent = path.rpartition("/")[0]
        found[path] = (bool(parent) and found[parent]) or asked.ignored(path, kinds[path])
    return found


def drawn_line(draw: random.Random) -> str:
    line = "".join(draw.choice(PIECES) for _ in range(draw.randint(1, 6)))
    return draw.choice(["", "", "", "!"]) + line + draw.choice(["", "", "", "/", " ", "\\ ", "\r"])


def drawn_tree(draw: random.Random) -> dict[str, bool]:
    """Paths, and whether they are folders."""
    kinds: dict[str, bool] = {}
    for _ in range(40):
        parts = [draw.choice(NAMES) for _ in range(draw.randint(1, 4))]
        above = ["/".join(parts[:number]) for number in range(1, len(parts))]
        path = "/".join(parts)
        if path not in kinds and all(kinds.get(folder, True) for folder in above):
            kinds |= dict.fromkeys(above, True) | {path: draw.random() < 0.4}
    return kinds


def gits_answers(root: pathlib.Path, paths: list[str]) -> dict[str, bool]:
    answer = subprocess.run(
        ["git", "check-ignore", "--stdin", "-z", "-v", "-n", "--no-index"],
        cwd=root,
        input="\0".join(paths).encode(),
        stdout=subprocess.PIPE,
        env={**os.environ, "HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CEILING_DIRECTORIES": str(root.parent)},
    ).stdout
    fields = answer.decode().split("\0")[:-1]
    return {
        path: bool(source) and not pattern.startswith("!")
        for source, _, pattern, path in zip(*[iter(fields)] * 4, strict=True)
    }


def make(root: pathlib.Path, kinds: Mapping[str, bool], lines: Mapping[str, str]) -> None:
    for path, is_folder in kinds.items():
        (root / path if is_folder else (root / path).parent).mkdir(parents=True, exist_ok=True)
        if not is_folder:
            (root / path).touch()
    for folder, text in lines.items():
        (root / folder / ".gitignore").write_bytes(text.encode())


@pytest.mark.parametrize("seed", range(4))
def test_git_says_the_same(seed: int, tmp_path: pathlib.Path) -> None:
    asked, out = 0, 0
    for number in range(ROUNDS):
        draw = random.Random(f"{seed} {number}")
        root = tmp_path / "root"
        subprocess.run(["git", "init", "-q", root], check=True)
        kinds = drawn_tree(draw)
        folders = ["", *(path for path, is_folder in kinds.items() if is_folder)]
        lines = {
            folder: "\n".join(drawn_line(draw) for _ in range(draw.randint(1, 4)))
            for folder in {"", draw.choice(folders)}
        }
        make(root, kinds, lines)
        git = gits_answers(root, sorted(kinds))
        assert len(git) == len(kinds)
        assert ignored(matcher(lines), kinds) == git, (seed, number, lines)
        asked, out = asked + len(git), out + sum(git.values())
        shutil.rmtree(root)
    assert asked // 50 < out < asked // 2, "most of what was drawn says something"


@pytest.mark.parametrize("seed", range(4))
def test_pathspec_says_the_same_of_common_lines(seed: int) -> None:
    """It has corners of its own, and takes back what lies below ignored folders: so only lines that people write, and
    no `!`."""
    lines = ["*.py[cod]", "/build", "dist/", "docs/_build/", "**/a/b", "a/**", "a/**/c", "b?", "*.a*", "[Bb]in/", "ab*"]
    draw = random.Random(seed)
    for _ in range(ROUNDS * 4):
        chosen = draw.sample(lines, draw.randint(1, 5))
        kinds = drawn_tree(draw)
        spec = pathspec.GitIgnoreSpec.from_lines(chosen)
        asked = matcher({"": "\n".join(chosen)})
        found = ignored(asked, kinds)
        files = [path for path, is_folder in kinds.items() if not is_folder]
        assert {path: found[path] for path in files} == {path: spec.match_file(path) for path in files}, chosen


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("#a", "#a"),
        ("\\#a", "#a"),
        ("\\!a", "!a"),
        ("a\\ ", "a "),
        ("a  ", "a"),
        ("caf\u00e9/", "caf\u00e9"),
        ("caf?", "caf\u00e9"),
        ("a.b", "axb"),
        ("a\r", "a"),
    ],
)
def test_a_line_and_a_name(line: str, path: str) -> None:
    assert matcher({"": line}).ignored(path, True) is (not line.startswith("#") and line != "a.b")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("!", "names nothing"),
        ("/", "names nothing"),
        ("a//b", "a part without a name"),
        ("[a", r"a \[ without a \]"),
        ("a\\", "ends in a backslash"),
        ("[[:letters:]]", "no class of characters"),
        ("a/**/b/**/c/**/d/**/e/**/f", r"more than 4 times \*\*"),
    ],
)
def test_what_fits_nothing_is_told(line: str, why: str) -> None:
    with pytest.raises(NeverFits, match=why):
        rules_of(line)


@pytest.mark.parametrize("line", ["", "   ", "# a comment"])
def test_what_is_no_rule(line: str) -> None:
    assert rules_of(line) == []


@pytest.mark.parametrize("line", ["*a" * 40 + "*b", "x/" + "*a" * 40 + "*b", "**/x/**/" + "*aa*" * 20 + "/**/b"])
def test_no_pattern_takes_longer_than_names_are_long(line: str) -> None:
    """A container may write rule files. With backtracking, this test would not end."""
    asked = matcher({"": line})
    for path in ("a" * 250, "x/" + "a" * 250, "/".join(["x"] * 60) + "/" + "a" * 200):
        for depth in range(path.count("/") + 1):
            assert not asked.ignored("/".join(path.split("/")[: depth + 1]), True)


@pytest.mark.parametrize("name", [*NAMES, "a?b", "[!a]", " a", "a\\", "caf\u00e9", "tab\t", "#", "**"])
@pytest.mark.parametrize("is_folder", [False, True])
def test_the_line_of_a_path_fits_it_and_nothing_else(name: str, is_folder: bool) -> None:
    asked = matcher({"": line_of(f"d/{name}", is_folder=is_folder)})
    assert asked.ignored(f"d/{name}", is_folder)
    assert not asked.ignored(name, is_folder)
    assert not asked.ignored(f"d/{name}x", is_folder)
    assert not asked.ignored(f"d/x{name}", is_folder)
    assert not any(asked.ignored(f"d/{other}", is_folder) for other in NAMES if other != name)


def test_no_line_can_tell_a_line_break_from_other_characters() -> None:
    asked = matcher({"": line_of("d/a\nb", is_folder=False)})
    assert asked.ignored("d/a\nb", False)
    assert asked.ignored("d/a b", False)
    assert not asked.ignored("d/ab", False)


@pytest.mark.parametrize(
    ("pattern", "fits", "leads", "neither"),
    [
        ("runs/", ["runs", "runs/a", "runs/a/b"], [], ["run", "a/runs", "runsx"]),
        ("/runs/**", ["runs/a", "runs/a/b"], ["runs"], ["a"]),
        ("out/*/x.pt", ["out/a/x.pt"], ["out", "out/a"], ["out/a/y.pt", "x.pt", "out/a/b"]),
        ("out/**/x.pt", ["out/x.pt", "out/a/b/x.pt"], ["out", "out/a", "out/a/b"], ["ou"]),
        ("a/*.pt", ["a/x.pt", "a/x.pt/below"], ["a"], ["b", "a/b"]),
    ],
)
def test_outputs(pattern: str, fits: list[str], leads: list[str], neither: list[str]) -> None:
    spec = {"groups": [], "outputs": [[*output_of(pattern), 10]], "max_file": 5, "git": False}
    everything = {**spec, "groups": [[0, "", rules_of("*")]]}
    asked = Matcher(everything)
    for path in fits:
        assert not asked.ignored(path, False)
        assert (asked.too_big(path, 10), asked.too_big(path, 11)) == (False, True)
    for path in leads:
        assert asked.ignored(path, False)
        assert not asked.ignored(path, True)
        assert asked.hidden(path, True)
    for path in neither:
        assert asked.ignored(path, False)
        assert asked.ignored(path, True)
        assert (asked.too_big(path, 5), asked.too_big(path, 6)) == (False, True)
