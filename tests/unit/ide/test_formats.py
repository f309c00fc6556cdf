"""Each editor's own format: what its editor reads, and what of the person's must not change."""

from __future__ import annotations

import json
import re
import tomllib
import xml.etree.ElementTree
from collections.abc import Mapping
from typing import Any

import pytest

from devenv.errors import NotFound
from devenv.ide.edit import FileEdit
from devenv.ide.facts import Address, Facts
from devenv.ide.known import emacs, helix, neovim, pycharm, zed
from devenv.ide.known.every import EDITORS, EVERY, named
from devenv.ide.merge import lisp
from devenv.ide.merge.outcome import Unmergeable

SESSIONS = (Address(24001, "rank0"), Address(24002, "rank1"))
PLAIN = Facts(Address(23456), 23456, "/home/ada/net", "/workspaces/net", SESSIONS)
HARD = Facts(Address(23456), 23456, '/home/ada/it\'s "a" \\ --> é', '/work/<a> & "b" \\ é')
MOVED = Facts(Address(20001), 23456, "/home/ada/net", "/workspaces/other", SESSIONS)
FILES = [pytest.param(file, id=file.path) for editor in EVERY for file in editor.files]


@pytest.mark.parametrize("editor", EVERY, ids=EDITORS)
def test_every_editor_is_told_where(editor: Any) -> None:
    text = editor.show(PLAIN)
    assert "127.0.0.1" in text
    assert ("23456" in text) == (editor.name != "pycharm-classic"), "there the IDE listens, on a port of its own"
    assert ("/workspaces/net" in text) == (editor.name != "helix")
    assert max(map(len, text.splitlines())) <= 140


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("facts", [PLAIN, HARD], ids=["plain", "hard"])
def test_writing_again_changes_nothing(file: FileEdit, facts: Facts) -> None:
    first = file.merge(None, facts, True)
    assert not first.ours
    for add in (True, False):
        again = file.merge(first.text, facts, add)
        assert again.ours
        assert again.text == first.text


@pytest.mark.parametrize("file", FILES)
def test_the_addresses_of_today_and_no_other_byte(file: FileEdit) -> None:
    before = file.merge(None, PLAIN, True).text
    after = file.merge(before, MOVED, False).text
    assert after == file.merge(None, MOVED, True).text
    assert after == before.replace("23456", "20001").replace("/workspaces/net", "/workspaces/other")


@pytest.mark.parametrize("file", FILES)
def test_nothing_is_added_unasked(file: FileEdit) -> None:
    assert file.merge(None, PLAIN, False).text == ""


def without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("//"))


@pytest.mark.parametrize("facts", [PLAIN, HARD], ids=["plain", "hard"])
def test_texts_are_what_their_editors_read(facts: Facts) -> None:
    for editor in ("vscode", "zed"):
        entry = json.loads(without_comments(named(editor).show(facts)))
        assert entry["connect"] == {"host": "127.0.0.1", "port": 23456}
        assert entry["pathMappings"][0]["remoteRoot"] == facts.remote_root
    assert helix_args(helix.show(facts)) == {}
    found = xml.etree.ElementTree.fromstring(pycharm.merge(None, facts, True).text)
    mapping = found.find(".//mapping")
    assert mapping is not None
    assert mapping.get("remote-root") == facts.remote_root
    (root,) = lisp.parse(emacs.show(facts))
    assert json.dumps(facts.remote_root, ensure_ascii=False) in [atom.text for atom in root.atoms()]


def test_an_unknown_editor() -> None:
    assert named("nvim").name == "neovim"
    with pytest.raises(NotFound) as error:
        named("neovm")
    assert "did you mean neovim" in error.value.hint
    with pytest.raises(NotFound) as error:
        named("qqq")
    assert "vscode" in error.value.hint


# --- Helix ---


def helix_args(text: str) -> Mapping[str, Any]:
    (python,) = (item for item in tomllib.loads(text)["language"] if item["name"] == "python")
    (template,) = (item for item in python["debugger"]["templates"] if item["name"] == "devenv")
    args = template["args"]
    assert isinstance(args, dict)
    return args


@pytest.mark.parametrize(
    "users",
    [
        '# mine\n[[language]]\nname = "rust"  # keep\nauto-format = true\n\n[language-server.x]\ncommand = "x"\n',
        '[[language]]\nname = "python"\nformatter = { command = "black" }\n\n[[language]]\nname = "c"\n',
        '[[language]]\nname = "python"\n[language.debugger]\nname = "debugpy"\ntransport = "stdio"\ncommand = "py"\n'
        '[[language.debugger.templates]]\nname = "source"\nrequest = "launch"\nargs = { program = "{0}" }\n',
        'language = [{ name = "python", auto-format = true }]\n',
        '[[language]]\nname = "python"\ndebugger = { name = "d", transport = "tcp", command = "c", templates = [] }\n',
    ],
    ids=["other", "python", "debugger", "inline", "inline-debugger"],
)
def test_helix_keeps_the_persons_languages(users: str) -> None:
    text = helix.merge(users, PLAIN, True).text
    assert helix_args(text) == {}
    rest = iter(text.splitlines())
    for line in users.splitlines():
        if "inline" not in line and "= [" not in line and "{ name" not in line:
            assert line in rest, text
    before, after = tomllib.loads(users), tomllib.loads(text)
    for item in before["language"]:
        (now,) = (other for other in after["language"] if other["name"] == item["name"])
        for key, value in item.items():
            if key != "debugger":
                assert now[key] == value
            else:
                assert {k: v for k, v in now[key].items() if k != "templates"} == {
                    k: v for k, v in value.items() if k != "templates"
                }
                assert now[key]["templates"][:-1] == value.get("templates", [])
    assert after.get("language-server") == before.get("language-server")
    assert helix.merge(text, PLAIN, True).text == text
    changed = text.replace("args = {}", "args = { justMyCode = false }")
    assert helix.merge(changed, MOVED, True).text == changed


@pytest.mark.parametrize(
    "text", ["[[language", "language = 3\n", 'language = ["python"]\n', '[language]\nname = "x"\n']
)
def test_helix_leaves_alone_what_it_would_not_read(text: str) -> None:
    with pytest.raises(Unmergeable):
        helix.merge(text, PLAIN, True)


# --- PyCharm ---


def test_pycharm_keeps_what_was_changed_there() -> None:
    text = pycharm.merge(None, PLAIN, True).text
    text = text.replace('"justMyCode" value="true"', "'justMyCode'  value='false'").replace(
        "<method", '<!-- mine --><option name="x" value="a > 23456" />\n    <method'
    )
    moved = pycharm.merge(text, MOVED, False).text
    assert moved == text.replace(":23456", ":20001").replace("/workspaces/net", "/workspaces/other")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<component>", "no XML"),
        ('<component><configuration name="mine" /></component>', "another run configuration"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><component>&b;</component>', "document type"),
    ],
)
def test_pycharm_leaves_alone_what_is_not_ours(text: str, reason: str) -> None:
    with pytest.raises(Unmergeable, match=reason):
        pycharm.merge(text, PLAIN, True)


# --- Neovim ---


def test_neovim_puts_itself_first_and_keeps_the_rest() -> None:
    users = "vim.opt.tabstop = 2\nreturn { mine = true }\n"
    text = neovim.merge(users, PLAIN, True).text
    assert text.endswith("end\n\n" + users)
    assert neovim.merge("#!/usr/bin/lua\n" + users, PLAIN, True).text.startswith("#!/usr/bin/lua\ndo\n")
    changed = text.replace("justMyCode = true", "justMyCode = false -- deep").replace("tabstop = 2", "tabstop = 3")
    moved = neovim.merge(changed, MOVED, False).text
    assert moved == changed.replace("23456", "20001").replace("/workspaces/net", "/workspaces/other")
    windows = neovim.merge(users.replace("\n", "\r\n"), PLAIN, True).text
    assert windows == text.replace("\n", "\r\n")
    assert neovim.merge(windows, MOVED, False).text == neovim.merge(text, MOVED, False).text.replace("\n", "\r\n")


@pytest.mark.parametrize("lost", ["kept up to date from here", "to here"])
def test_neovim_without_one_of_the_marks(lost: str) -> None:
    text = "\n".join(line for line in neovim.show(PLAIN).splitlines() if not line.endswith(lost))
    with pytest.raises(Unmergeable, match="marks"):
        neovim.merge(text, PLAIN, True)


# --- Zed ---


def test_zed_keeps_the_persons_entries() -> None:
    users = '// mine\n[\n    {"label": "x", "adapter": "Debugpy"}, // keep\n]\n'
    text = zed.merge(users, PLAIN, True).text
    assert text.startswith(users[: users.index("keep") + 4])
    ours = re.findall(r'"label": "(devenv: [^"]*)"', text)
    assert ours == ["devenv: attach", "devenv: attach rank0", "devenv: attach rank1"]
    for text in ("{}", "[", '"x"'):
        with pytest.raises(Unmergeable):
            zed.merge(text, PLAIN, True)


# --- Emacs ---

USERS = """\
;; -*- mode: lisp-data -*- (not "a list
((nil . ((fill-column . 100)  ; wide ) and "odd
         (eval . (message "a \\" ) b %s" ?\\) ?\\\\ ?a '(q . r) `(,x ,@y)))))
 (python-base-mode . ((indent-tabs-mode . nil)))
 ("tests" . ((nil . ((compile-command . [make "it"]))))))
;; the end
"""


def dape(text: str) -> str:
    at = text.index("(dape-command")
    form = lisp.parse(text[at : at + text[at:].index(":justMyCode t))") + len(":justMyCode t))")])[0]
    return re.sub(r"\s+", " ", form.text)


EXPECTED = dape(emacs.show(PLAIN))


@pytest.mark.parametrize(
    "users",
    [
        USERS,
        USERS.replace("python-base-mode", "sh-mode"),
        USERS.replace("(python-base-mode . ((indent-tabs-mode . nil)))", "(python-base-mode (indent-tabs-mode . nil))"),
        USERS.replace("(python-base-mode . ((indent-tabs-mode . nil)))", "(python-base-mode . nil)"),
        USERS.replace("\n", "\r\n"),
        "()",
        "nil ; nothing yet\n",
    ],
)
def test_emacs_adds_one_pair_and_nothing_else(users: str) -> None:
    text = emacs.merge(users, PLAIN, True).text
    assert dape(text) == EXPECTED
    assert len(lisp.parse(text)) == 1
    at = text.index("(dape-command")
    ours = text[at : at + text[at:].index(":justMyCode t))") + len(":justMyCode t))")]
    rest = text.replace(ours, "")
    for wrapping in ("(python-base-mode . ())", "(python-base-mode . ( ))", "(())"):
        if users.strip("\n") not in rest:
            rest = rest.replace(wrapping, "()" if wrapping == "(())" else "")
    assert re.sub(r"[\s()]", "", rest).replace("python-base-mode.", "") == re.sub(r"[\s()]", "", users).replace(
        "python-base-mode.", ""
    ).replace("nil;", ";" if users.startswith("nil") else "nil;")
    assert emacs.merge(text, PLAIN, True).text == text
    moved = emacs.merge(text, MOVED, False).text
    assert moved == text.replace("23456", "20001").replace("/workspaces/net", "/workspaces/other")
    assert ("\n" in ours.replace("\r\n", "")) == ("\r\n" not in users)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("((nil . ((a . b))", r"line 1: this '\(' is never closed"),
        ("((a . b))\n)", r"line 2: '\)' has no beginning"),
        ("(a) (b)", "not one list"),
        ("42", "not one list"),
        ('((python-mode . ((dape-command . (debugpy :program "x")))))', "a dape-command of its own"),
        ("(" * 200, "too many parentheses"),
    ],
)
def test_emacs_leaves_alone_what_is_not_ours(text: str, reason: str) -> None:
    with pytest.raises(Unmergeable, match=reason):
        emacs.merge(text, PLAIN, True)
