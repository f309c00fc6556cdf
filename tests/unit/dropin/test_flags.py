"""Command lines as the reference reads them: what each value becomes, what is refused, what is told."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devenv.dropin import checks, flags, tables

READ: list[tuple[str, str, dict[str, Any]]] = [
    ("nothing given", "up", {"workspace-folder": "", "log-level": "info", "id-label": [], "prebuild": False}),
    ("defaults that are no nothing", "up", {"mount-workspace-git-root": True, "dotfiles-target-path": "~/dotfiles"}),
    ("other defaults", "features test", {"project-folder": ".", "base-image": "ubuntu:focal"}),
    ("a level of its own", "features resolve-dependencies", {"log-level": "error"}),
    ("value behind", "up --workspace-folder /x", {"workspace-folder": "/x"}),
    ("value with equals sign", "up --workspace-folder=/x=y", {"workspace-folder": "/x=y"}),
    ("camel case", "up --workspaceFolder /x", {"workspace-folder": "/x"}),
    ("value with a dash in front", "up --workspace-folder=-x", {"workspace-folder": "-x"}),
    ("a negative number is a value", "up --workspace-folder -5.5", {"workspace-folder": "-5.5"}),
    ("a switch", "up --prebuild", {"prebuild": True}),
    ("a switch with word", "up --prebuild true", {"prebuild": True}),
    (
        "a switch with false",
        "up --prebuild=false --mount-workspace-git-root false",
        {"mount-workspace-git-root": False},
    ),
    ("the last one counts", "up --prebuild true --prebuild false", {"prebuild": False}),
    ("a name that begins with no", "build --no-cache", {"no-cache": True}),
    ("a lockfile that is not refused", "up --no-lockfile=false --frozen-lockfile", {"frozen-lockfile": True}),
    ("repeated", "up --id-label a=b --id-label c=d", {"id-label": ["a=b", "c=d"]}),
    ("once", "build --image-name a", {"image-name": ["a"]}),
    ("a free word", "build path", {"path": "path"}),
    ("a free word behind two dashes", "build -- --x", {"path": "--x"}),
    ("numbers", "up --terminal-rows 0x10 --terminal-columns 8e1", {"terminal-rows": 16, "terminal-columns": 80}),
    ("a flag before the command", "--log-level debug up", {"log-level": "debug"}),
    ("a switch before the command", "--oci-auth-hardening up", {"oci-auth-hardening": True}),
    ("several words", "features test -f a b c -q", {"features": ["a", "b", "c"], "quiet": True}),
    ("several words, twice", "features test -f a --features=b c", {"features": ["a", "b", "c"]}),
    ("letters together", "features package x -fo out", {"force-clean-output-folder": True, "output-folder": "out"}),
    ("a letter with its value", "features test -p./src", {"project-folder": "./src"}),
    ("a letter with equals sign", "features test -i=img", {"base-image": "img"}),
    ("a letter with a number", "upgrade -v1 -f x", {"target-version": "1", "feature": "x"}),
    ("features of a template are one text", "templates apply -t x -f '[1, 2]'", {"features": "[1, 2]"}),
    ("two free words", "features info tags x", {"mode": "tags", "feature": "x"}),
    ("no help", "up --help=false", {"workspace-folder": ""}),
]


@pytest.mark.parametrize(("line", "values"), [case[1:] for case in READ], ids=[case[0] for case in READ])
def test_read(line: str, values: dict[str, Any]) -> None:
    found = flags.parse(shlex.split(line))
    checks.check(found)
    assert found.warnings == []
    assert {name: found.values[name] for name in values} == values


REFUSED: list[tuple[str, str, tuple[str, ...]]] = [
    ("unknown", "up --no-such", ("unknown argument --no-such",)),
    ("mistyped", "up --workspace-foldr x", ("--workspace-foldr; did you mean --workspace-folder?",)),
    ("of another command", "build --override-config x", ("unknown argument --override-config",)),
    ("all that is unknown", "up --a --b c d", ("argument --a", "argument --b", "argument d")),
    ("a letter", "up -x", ("unknown argument -x",)),
    ("letters", "features test -iimg", ("argument -m", "argument -g")),
    ("a word too many", "up positional", ("unknown argument positional",)),
    ("an empty word", "up ''", ('unknown argument ""',)),
    ("a lone dash", "up --workspace-folder -", ("unknown argument -",)),
    ("no negation", "up --no-prebuild", ("--no-prebuild; did you mean --prebuild?",)),
    (
        "not among the choices",
        "up --log-level debgu",
        ("'debgu' is not one of debug, info, trace; did you mean debug?",),
    ),
    ("an empty choice", "up --log-level=", ("'' is not one of",)),
    ("a switch takes no other word", "up --prebuild maybe", ("unknown argument maybe",)),
    ("one of a pair", "up --terminal-rows 3", ("--terminal-rows needs --terminal-columns",)),
    ("the other of a pair", "exec --terminal-columns 3 ls", ("--terminal-columns needs --terminal-rows",)),
    ("given twice", "up --config a --config b", ("--config is given twice",)),
    ("label without value", "up --id-label a=", ("--id-label 'a=' is not NAME=VALUE",)),
    ("label without name", "exec --id-label =b ls", ("'=b' is not NAME=VALUE",)),
    ("empty label", "up --id-label=", ("--id-label '' is not NAME=VALUE",)),
    ("variable without value", "set-up --container-id x --remote-env A", ("--remote-env 'A' is not NAME=VALUE",)),
    ("mount of another type", "up --mount type=tmpfs,source=a,target=/b", ("is not type=bind|volume",)),
    ("mount without source", "up --mount type=volume,source=,target=/b", ("is not type=bind|volume",)),
    ("mount with more", "up --mount type=bind,source=/a,target=/b,readonly", ("is not type=bind|volume",)),
    ("mount of three words", "up --mount a,b,c", ("is not type=bind|volume",)),
    ("two lockfile wishes", "build --no-lockfile --frozen-lockfile", ("exclude each other",)),
    ("older name of the wish", "up --no-lockfile --experimental-frozen-lockfile", ("exclude each other",)),
    ("host without hardening", "up --allow-cross-origin-auth-host a=b", ("needs --oci-auth-hardening",)),
    ("one host", "up --oci-auth-hardening --allow-cross-origin-auth-host a", ("is not REGISTRY-HOST=AUTH-HOST",)),
    ("no host", "up --oci-auth-hardening --allow-cross-origin-auth-host", ("needs a value",)),
    ("a path", "up --oci-auth-hardening --allow-cross-origin-auth-host a/x=b", ("is not REGISTRY-HOST=AUTH-HOST",)),
    ("no port", "up --oci-auth-hardening --allow-cross-origin-auth-host a:x=b", ("is not REGISTRY-HOST=AUTH-HOST",)),
    ("container of set-up", "set-up", ("--container-id is missing",)),
    ("all that is missing", "features publish", ("<target> is missing", "--namespace is missing")),
    ("no template", "templates apply", ("--template-id is missing",)),
    ("no command to execute", "exec --workspace-folder x", ("the command to execute is missing",)),
    ("unknown before the command of exec", "exec --no-such ls", ("unknown argument --no-such",)),
    ("unknown mode", "features info tag x", ("'tag' is not one of manifest, tags", "did you mean tags?")),
    ("feature without version", "upgrade -f x", ("--feature and --target-version belong together",)),
    ("version without feature", "upgrade -v 1", ("--feature and --target-version belong together",)),
    ("no version", "upgrade -f x -v 1.2.3.4", ("'1.2.3.4' is not X, X.Y or X.Y.Z",)),
    ("scenarios only, of features", "features test --global-scenarios-only -f a", ("exclude each other",)),
    ("scenarios only, and not", "features test --global-scenarios-only --skip-scenarios", ("exclude each other",)),
    ("unknown command", "upp", ("unknown command 'upp'; did you mean up?",)),
    ("unknown command of a group", "features packge", ("unknown command 'packge'; did you mean package?",)),
]


@pytest.mark.parametrize(("line", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused(line: str, words: tuple[str, ...]) -> None:
    with pytest.raises(flags.Misuse) as caught:
        checks.check(flags.parse(shlex.split(line)))
    assert len(caught.value.problems) == len(words) or "mode" in caught.value.problems[0]
    for word in words:
        assert word in str(caught.value)


TOLD = [
    ("a text without value", "up --config --log-level debug", "--config has no value"),
    ("a choice without value", "up --log-level", "--log-level has no value"),
    ("a switch that is neither", "up --build-no-cache=1", "--build-no-cache=1 counts as false"),
    ("a number that is none", "up --terminal-rows x --terminal-columns 80", "'x' is no number of rows"),
    ("a number below one", "up --terminal-rows -3 --terminal-columns 80", "'-3' is no number of rows"),
    ("an endless number", "up --terminal-rows 1e999 --terminal-columns 80", "'1e999' is no number of rows"),
]


@pytest.mark.parametrize(("line", "words"), [case[1:] for case in TOLD], ids=[case[0] for case in TOLD])
def test_taken_and_told(line: str, words: str) -> None:
    found = flags.parse(shlex.split(line))
    checks.check(found)
    assert len(found.warnings) == 1
    assert words in found.warnings[0]


EXEC = [
    ("its own flags", "exec --workspace-folder /x ls -la --help", ["ls", "-la", "--help"]),
    ("two dashes", "exec --workspace-folder /x -- ls -la", ["ls", "-la"]),
    ("two dashes later are the command's", "exec ls -- -x", ["ls", "--", "-x"]),
    ("words that look like numbers stay", "exec echo 1e3 0x10 007", ["echo", "1e3", "0x10", "007"]),
    ("a dash", "exec - ls", ["-", "ls"]),
    ("an empty word", "exec '' x", ["", "x"]),
    ("names of commands", "exec up exec", ["up", "exec"]),
    ("a switch before it", "exec --mount-workspace-git-root env", ["env"]),
    ("a flag before exec", "--oci-auth-hardening exec ls -la", ["ls", "-la"]),
]


@pytest.mark.parametrize(("line", "words"), [case[1:] for case in EXEC], ids=[case[0] for case in EXEC])
def test_exec_stops_at_the_first_word(line: str, words: list[str]) -> None:
    assert flags.parse(shlex.split(line)).words == words


ASKED = [
    ("up --help --nonsense", "help", "up"),
    ("--help", "help", ""),
    ("--help up", "help", "up"),
    ("exec --help ls", "help", "exec"),
    ("features test x --version", "version", "features test"),
    ("--version", "version", ""),
]


@pytest.mark.parametrize(("line", "asks", "command"), ASKED)
def test_help_and_version_need_nothing_else(line: str, asks: str, command: str) -> None:
    found = flags.parse(shlex.split(line))
    assert (found.asks, found.command) == (asks, command)


@pytest.mark.parametrize("command", tables.COMMANDS)
def test_every_flag_of_a_command_has_a_kind_and_a_default(command: str) -> None:
    needed = {"exec": ["ls"]}.get(command, [])
    words = ["tags" if name == "mode" else "x" for name in tables.POSITIONAL.get(command, ())]
    required = [f"--{tables.REQUIRED[command]}=x"] if command in tables.REQUIRED else []
    found = flags.parse([*command.split(), *required, *words, *needed])
    assert found.command == command
    assert set(found.values) >= set(flags.flags_of(command)) - {"help", "version"}


@given(st.sampled_from(sorted(tables.COMMANDS)), st.lists(st.text(max_size=12), max_size=6))
def test_any_words_are_read_or_refused(command: str, words: list[str]) -> None:
    try:
        checks.check(flags.parse([*command.split(), *words]))
    except flags.Misuse as misuse:
        assert misuse.problems


@given(st.lists(st.text(), min_size=1))
def test_exec_passes_any_words(words: list[str]) -> None:
    assert flags.parse(["exec", "--", *words]).words == words
