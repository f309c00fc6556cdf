"""The declared options: what each command line means, and what a wrong one says."""

from __future__ import annotations

import pytest

from devenv.cli.main import VERBS
from devenv.cli.options import BadUsage, Option, Verb
from devenv.cli.verbs.help import GROUPS, load


def verb(positional: tuple[str, ...] = ("args...",)) -> Verb:
    options = (
        Option("-d --detach", ""),
        Option("--no-wait", "", "no-flag", key="wait"),
        Option("-n --name", "", "text"),
        Option("--tail", "", "int"),
        Option("-e --env", "", "pairs"),
        Option("--add", "", "list"),
        Option("-m --module", "", "last"),
    )
    return Verb("try", "", lambda values: 0, options, positional)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param("-d x", {"detach": True, "args": ["x"]}, id="a flag"),
        pytest.param("--no-wait x", {"wait": False, "args": ["x"]}, id="a negative flag"),
        pytest.param("-n a x", {"name": "a", "args": ["x"]}, id="a value in the next word"),
        pytest.param("--name=a=b x", {"name": "a=b", "args": ["x"]}, id="a value after the first ="),
        pytest.param("--tail 12", {"tail": 12, "args": []}, id="a number"),
        pytest.param("-e A=1 -e B=x=y", {"env": {"A": "1", "B": "x=y"}, "args": []}, id="pairs collect"),
        pytest.param("--add 1 --add 2", {"add": ["1", "2"], "args": []}, id="lists collect"),
        pytest.param("train.py -d --name", {"args": ["train.py", "-d", "--name"]}, id="the program's own options"),
        pytest.param("-- -d", {"args": ["-d"]}, id="after -- nothing is ours"),
        pytest.param("-d -m mod -d x", {"detach": True, "module": "mod", "args": ["-d", "x"]}, id="a module's own"),
        pytest.param("--module=mod -- -d", {"module": "mod", "args": ["-d"]}, id="a module, and -- for clarity"),
        pytest.param("-", {"args": ["-"]}, id="a lone dash is a word"),
    ],
)
def test_a_command_line_means(words: str, expected: dict[str, object]) -> None:
    assert verb().parse(words.split()) == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--detatch", "unknown option --detatch"),
        ("--name", "needs a value"),
        ("--tail many", "is not a number"),
        ("-e A", "is not NAME=VALUE"),
        ("--detach=yes", "takes no value"),
    ],
)
def test_a_wrong_command_line_says_what(words: str, message: str) -> None:
    with pytest.raises(BadUsage, match=message):
        verb().parse(words.split())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("-k loader -x", {"args": ["-k", "loader", "-x"]}),
        ("-d --maxfail=1 -d", {"detach": True, "args": ["--maxfail=1", "-d"]}),
    ],
)
def test_another_programs_options_need_no_dashes_where_the_verb_says_so(
    words: str, expected: dict[str, object]
) -> None:
    foreign = verb()
    foreign.foreign = True
    assert foreign.parse(words.split()) == expected
    with pytest.raises(BadUsage, match="unknown option --detatch"):
        foreign.parse(["--detatch"])


def test_the_nearest_option_is_named() -> None:
    with pytest.raises(BadUsage) as caught:
        verb().parse(["--detatch"])
    assert caught.value.hint == "did you mean --detach?"


def test_positionals_in_order() -> None:
    two = verb(("action", "name?"))
    assert two.parse(["start", "jupyter"]) == {"action": "start", "name": "jupyter"}
    assert two.parse(["list", "-d"]) == {"action": "list", "detach": True}
    with pytest.raises(BadUsage, match="ACTION is missing"):
        two.parse([])
    with pytest.raises(BadUsage, match="one word too many"):
        two.parse(["a", "b", "c"])


def test_every_verb_loads_and_stands_in_the_help_once() -> None:
    listed = [name for _, names in GROUPS for name in names]
    assert sorted(listed) == sorted(VERBS)
    for name in VERBS:
        assert load(name).name == name
        assert f"usage: devenv {name}" in load(name).help()


def test_a_list_of_words_may_have_options_after_it() -> None:
    several = verb(("action?", "editor*"))
    assert several.parse(["write", "vim", "-d", "emacs"]) == {
        "action": "write",
        "editor": ["vim", "emacs"],
        "detach": True,
    }
    assert several.parse([]) == {"editor": []}
    assert "[ACTION] [EDITOR ...]" in several.help()


@pytest.mark.parametrize(
    ("name", "words", "told"),
    [
        ("forward", "x", "is not PORT"),
        ("forward", "0", "1 to 65535"),
        ("forward", "--reverse 65536:80", "1 to 65535"),
        ("ide", "write", "EDITOR is missing"),
        ("ide", "list vscode", "one word too many"),
    ],
)
def test_wrong_before_anybody_is_asked(name: str, words: str, told: str) -> None:
    found = load(name)
    with pytest.raises(BadUsage) as error:
        found.run(found.parse(words.split()))
    assert told in error.value.message + error.value.hint
