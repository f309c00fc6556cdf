"""launch.json and tasks.json are the user's: every byte that is not ours stays, and merging twice is merging once."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import pytest

from devcontainer.jsonc import parse
from devenv.ide.facts import NAME, Address, Facts
from devenv.ide.known.vscode import ALL, CURRENT, merge_attach, merge_launch, merge_tasks, task
from devenv.ide.merge.outcome import Unmergeable

FACTS = Facts(Address(23456), 23456, "/home/ada/net", "/workspaces/net")
MOVED = Facts(Address(20001), 23456, "/home/ada/net", "/workspaces/net")
RANKS = Facts(Address(23456), 23456, "/home/ada/net", "/workspaces/net", (Address(24001, "rank0"), Address(24002, "b")))

USERS = """{
  // Use IntelliSense
  "version": "0.2.0",
  "configurations": [
    {   "name": "Mine", "type":"node",
        "request": "launch" /* keep */ },  // the last one
  ],
  "compounds": []
}
"""


def entries(text: str, key: str = "configurations") -> dict[str, dict[str, Any]]:
    value = parse(text).value
    assert isinstance(value, dict)
    found = value[key]
    assert isinstance(found, list)
    return {str(item.get("name", item.get("label"))): item for item in found if isinstance(item, dict)}


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_a_missing_file_is_made(text: str | None) -> None:
    merged = merge_attach(text, FACTS, True)
    assert json.loads(merged.text) == {
        "version": "0.2.0",
        "configurations": [
            {
                "name": "devenv: attach",
                "type": "debugpy",
                "request": "attach",
                "connect": {"host": "127.0.0.1", "port": 23456},
                "pathMappings": [{"localRoot": "${workspaceFolder}", "remoteRoot": "/workspaces/net"}],
                "justMyCode": True,
                "subProcess": True,
            }
        ],
    }
    assert merge_attach(text, FACTS, False).text == (text or "")


def test_comments_and_entries_stay_byte_for_byte() -> None:
    text = merge_attach(USERS, FACTS, True).text
    assert len(entries(text)) == 2
    start = text.rindex("{", 0, text.index(f'"name": "{NAME}"'))
    kept = USERS.split("// the last one")
    assert text.startswith(kept[0] + "// the last one")
    assert text.endswith(kept[1].lstrip("\n"))
    assert text[:start].count("Mine") == 1


@pytest.mark.parametrize("facts", [FACTS, RANKS], ids=["door", "sessions"])
@pytest.mark.parametrize(
    "text",
    [
        None,
        "{}",
        '{"configurations": []}',
        '{"configurations": [], // none\n}',
        USERS,
        USERS.replace("\n", "\r\n"),
        "\ufeff" + USERS,
        '{"configurations":[{"name":"a","type":"node"}]}',
    ],
)
def test_merging_again_changes_nothing(text: str | None, facts: Facts) -> None:
    for merge in (merge_attach, merge_launch):
        first = merge(text, facts, True)
        assert not first.ours
        assert entries(first.text)[NAME]["connect"] == {"host": "127.0.0.1", "port": 23456}
        for add in (True, False):
            again = merge(first.text, facts, add)
            assert again.ours
            assert again.text == first.text


def test_an_entry_of_the_users_that_fits_is_enough() -> None:
    text = """{"configurations": [{"name": "Container", "type": "python", "request": "attach", "justMyCode": false,
      "connect": {"host": "localhost", "port": 23456},
      "pathMappings": [{"localRoot": "x", "remoteRoot": "/workspaces/net"}]}]}"""
    assert merge_attach(text, FACTS, True).text == text
    assert set(entries(merge_launch(text, FACTS, True).text)) == {"Container", CURRENT}


def test_our_entry_follows_the_port_and_keeps_what_was_changed_in_it() -> None:
    text = merge_launch(USERS, FACTS, True).text
    text = text.replace('"justMyCode": true', '"justMyCode": false, // deep').replace("net", "old")
    text = text.replace('"host": "127.0.0.1"', '"host": "localhost" /* mine */')
    merged = merge_launch(text, MOVED, False).text
    for name in (NAME, CURRENT):
        entry = entries(merged)[name]
        assert entry["connect"] == {"host": "localhost", "port": 20001}
        assert entry["pathMappings"] == [{"localRoot": "${workspaceFolder}", "remoteRoot": "/workspaces/net"}]
        assert entry["justMyCode"] is False
    assert merged.count("// deep") == 2
    assert merged.count("/* mine */") == 2
    kept = re.sub(r'"port": \d+|"remoteRoot": "[^"]*"', "", merged)
    assert kept == re.sub(r'"port": \d+|"remoteRoot": "[^"]*"', "", text)


def test_correcting_adds_nothing() -> None:
    assert merge_launch(USERS, FACTS, False).text == USERS
    only = merge_attach(USERS, FACTS, True).text
    assert merge_launch(only, FACTS, False).text == only
    assert merge_tasks('{"tasks": []}', FACTS, False).text == '{"tasks": []}'


def test_sessions_have_entries_of_their_own_and_a_compound() -> None:
    text = merge_launch(USERS, RANKS, True).text
    assert {name: entry.get("connect", {}).get("port") for name, entry in entries(text).items()} == {
        "Mine": None,
        "devenv: attach": 23456,
        "devenv: attach rank0": 24001,
        "devenv: attach b": 24002,
        CURRENT: 23456,
    }
    assert entries(text, "compounds")[ALL]["configurations"] == ["devenv: attach rank0", "devenv: attach b"]
    # They come and go: the compound joins those that there are.
    fewer = Facts(Address(23456), 23456, "/home/ada/net", "/workspaces/net", (Address(24009, "rank0"),))
    text = merge_launch(text, fewer, False).text
    assert entries(text)["devenv: attach rank0"]["connect"]["port"] == 24009
    assert entries(text, "compounds")[ALL]["configurations"] == ["devenv: attach rank0"]
    # Who has nothing of ours, or the entry that `devenv debug` adds, gets nothing unasked.
    assert merge_launch(USERS, RANKS, False).text == USERS
    only = merge_attach(USERS, RANKS, True).text
    assert merge_launch(only, RANKS, False).text == only
    assert set(entries(only)) == {"Mine", NAME}


def test_ranks_come_with_the_attach_entry() -> None:
    joined = dataclasses.replace(RANKS, joined=True)
    text = merge_attach(USERS, joined, True).text
    assert set(entries(text)) == {"Mine", NAME, "devenv: attach rank0", "devenv: attach b"}
    assert set(entries(text, "compounds")) == {ALL}
    assert merge_attach(text, RANKS, True).text == text  # the next run has none: theirs stay
    assert merge_attach(USERS, joined, False).text == USERS
    assert set(entries(merge_attach(USERS, joined.for_team(), True).text)) == {"Mine", NAME}


@pytest.mark.parametrize(
    "text",
    ['{"configurations": [', '{"configurations": [{}] "x": 1}', "[]", '{"configurations": {}}', "nonsense", '"text"'],
)
def test_what_cannot_be_read_is_never_touched(text: str) -> None:
    for add in (True, False):
        with pytest.raises(Unmergeable):
            merge_launch(text, FACTS, add)


def test_the_task_is_known_by_its_label_and_the_persons_changes_stay() -> None:
    users = '{\n\t"version": "2.0.0",\n\t"tasks": [\n\t\t{"label": "build", "command": "make"}, // ours\n\t]\n}\n'
    text = merge_tasks(users, FACTS, True).text
    assert set(entries(text, "tasks")) == {"build", CURRENT}
    assert text.startswith(
        '{\n\t"version": "2.0.0",\n\t"tasks": [\n\t\t{"label": "build", "command": "make"}, // ours\n'
    )
    changed = text.replace('"${file}"', '"--no-wait", "${file}"')
    assert merge_tasks(changed, FACTS, True).text == changed
    assert json.loads(merge_tasks(None, FACTS, True).text) == {"version": "2.0.0", "tasks": [task()]}
    assert json.loads(merge_tasks('{"tasks": []}', FACTS, True).text)["version"] == "2.0.0"


def test_f5_starts_the_task_that_ends_with_the_ready_line() -> None:
    assert entries(merge_launch(None, FACTS, True).text)[CURRENT]["preLaunchTask"] == task()["label"]
    background = task()["problemMatcher"]["background"]
    assert re.search(background["endsPattern"], "devenv: debugger ready at 127.0.0.1:23456; the program waits for it")
    pattern = re.search(task()["problemMatcher"]["pattern"]["regexp"], "devenv: error: 'ls' is not a Python program")
    assert pattern and pattern[1] == "'ls' is not a Python program"


def test_attributes_are_those_that_the_extension_knows() -> None:
    """The attributes of debugpy's attach, and what VS Code itself reads of any entry."""
    debugpy = {"connect", "pathMappings", "justMyCode", "subProcess"}
    general = {"name", "type", "request", "preLaunchTask"}
    for name, entry in entries(merge_launch(None, RANKS, True).text).items():
        assert set(entry) <= debugpy | general, name
        assert isinstance(entry["connect"]["port"], int)
    assert set(task()) <= {
        "label", "type", "command", "args", "options", "isBackground", "presentation", "problemMatcher",
    }  # fmt: skip
