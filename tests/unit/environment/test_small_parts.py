"""Accounts, Git's trust, the writable layer, markers that are due, records and the link folder."""

from __future__ import annotations

import os
import pathlib
import stat

import pytest

from devenv.atomic_file import write_atomic
from devenv.engine.fake import FakeEngine
from devenv.environment import adopt, link_folder
from devenv.environment.inside import git_safety, users, writable_layer
from devenv.environment.inside.users import HostUser
from devenv.environment.records import Record, RecordFile
from devenv.lifecycle import hooks

PASSWD = "root:x:0:0:root:/root:/bin/bash\ndev:x:1000:1001::/home/dev:/bin/zsh\nsvc:x:1002:1002::/:/usr/sbin/nologin\n"
GROUP = "root:x:0:\ndev:x:1001:\nml:x:2000:dev\n"


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("dev", (1000, 1001, "/home/dev")),
        ("1000", (1000, 1001, "/home/dev")),
        ("dev:ml", (1000, 2000, "/home/dev")),
        ("dev:55", (1000, 55, "/home/dev")),
        ("4321", (4321, 0, "/")),
        ("4321:66", (4321, 66, "/")),
        ("nobody-here", None),
    ],
)
def test_lookup(user: str, expected: tuple[int, int, str] | None) -> None:
    found = users.lookup(PASSWD, GROUP, user)
    assert (found and (found.uid, found.gid, found.home)) == expected


def test_lookup_in_nothing() -> None:
    assert users.lookup("", "", "dev") is None
    assert users.lookup("broken line\n", "", "7") is not None


def test_people_among_the_accounts() -> None:
    assert users.ordinary(PASSWD) == ["dev"]


def test_plan_accounts_for_a_read_only_root() -> None:
    account, passwd, group = users.plan_accounts(PASSWD, GROUP, "dev", HostUser(3001, 3002))
    assert account is not None and account.chown == (1000, 1001, 3001, 3002)
    assert "dev:x:3001:3002:" in passwd and "dev:x:3002:" in group


def test_the_home_that_is_given_away_stops_at_mounts() -> None:
    assert "-xdev" in users.REOWN and "-h" in users.REOWN


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "/w"}),
        (
            {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "a.b", "GIT_CONFIG_VALUE_0": "c"},
            {"GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_1": "safe.directory", "GIT_CONFIG_VALUE_1": "/w"},
        ),
        ({"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "/w"}, {}),
        ({"GIT_CONFIG_COUNT": "many"}, {}),
    ],
    ids=["nothing there", "after the user's own", "there already", "the user's own is broken"],
)
def test_git_safety(env: dict[str, str], expected: dict[str, str]) -> None:
    assert git_safety.variables(env, ["/w"]) == expected


@pytest.mark.parametrize(
    ("changes", "mounts", "expected"),
    [
        ([("A", "/data"), ("A", "/data/x"), ("A", "/data/x/y")], [], ["/data"]),
        ([("C", "/home"), ("C", "/home/dev"), ("A", "/home/dev/model")], [], ["/home/dev/model"]),
        ([("A", "/workspaces"), ("A", "/workspaces/p")], ["/workspaces/p"], []),
        ([("A", "/tmp/x"), ("A", "/usr/sbin/docker-init"), ("A", "/run/devenv")], [], []),
        ([("A", "/sbin"), ("A", "/sbin/docker-init")], [], []),
        ([("A", "/sbin"), ("A", "/sbin/docker-init"), ("A", "/sbin/mine")], [], ["/sbin/mine"]),
        ([("A", "/a"), ("A", "/ab")], [], ["/a", "/ab"]),
        ([("D", "/etc/x"), ("A", "/opt/__pycache__")], [], []),
    ],
    ids=[
        "only the top",
        "below changed folders",
        "mount points",
        "fleeting",
        "the init's folder",
        "and what is beside it",
        "no false parents",
        "nobody's work",
    ],
)
def test_added_roots(changes: list[tuple[str, str]], mounts: list[str], expected: list[str]) -> None:
    assert writable_layer.added_roots(changes, mounts) == expected


async def test_what_is_due() -> None:
    engine = FakeEngine({"x": {}})
    container = await engine.inspect(await engine.create(["x"]))
    assert container is not None
    stages = [stage.value for stage in hooks.due({}, {}, container)]
    assert stages == ["onCreateCommand", "updateContentCommand", "postCreateCommand", "postStartCommand"]
    done = dict.fromkeys(stages[:3], container.created) | {stages[3]: container.started_at}
    assert hooks.due({}, done, container) == []
    assert [s.value for s in hooks.due({}, {**done, "postStartCommand": "earlier"}, container)] == ["postStartCommand"]
    assert hooks.due({}, {**done, "postCreateCommand": ""}, container) == []  # the reference: empty means done


def test_lines_of_hooks_are_whole_and_bounded() -> None:
    seen: list[tuple[str, str]] = []
    tail = hooks.LineTail(lambda text, stream: seen.append((text, stream)))
    tail.feed(b"one\ntw", "stdout")
    tail.feed(b"err\n", "stderr")
    tail.feed(b"o\r\n\xff", "stdout")
    tail.finish()
    assert seen == [("one", "stdout"), ("err", "stderr"), ("two", "stdout"), ("\ufffd", "stdout")]
    tail.feed(b"x" * 200_000, "stdout")
    assert len(seen) == 5
    for n in range(100):
        tail.feed(f"{n}\n".encode(), "stdout")
    assert len(tail.lines) == 20 and tail.lines[-1] == "99"


def test_records_survive_and_unknown_fields_are_ignored(tmp_path: pathlib.Path) -> None:
    file = RecordFile(tmp_path)
    assert file.load() == Record()
    file.save(Record(container="abc", chown=[1, 2, 3, 4]))
    assert file.load().chown == [1, 2, 3, 4]
    (tmp_path / "record.json").write_text('{"v": 9, "container": "x", "later": true}')
    assert file.load().container == "x"
    (tmp_path / "record.json").write_text('{"v": ')
    assert file.load() == Record()


def test_an_atomic_write_has_its_mode_and_leaves_nothing(tmp_path: pathlib.Path) -> None:
    os.umask(os.umask(0o000))
    write_atomic(tmp_path / "x.json", "1")
    write_atomic(tmp_path / "x.json", "2")
    assert (tmp_path / "x.json").read_text() == "2" and [p.name for p in tmp_path.iterdir()] == ["x.json"]
    assert stat.S_IMODE((tmp_path / "x.json").stat().st_mode) == 0o600


def test_the_link_folder_has_its_modes_under_any_umask(tmp_path: pathlib.Path) -> None:
    before = os.umask(0o077)
    try:
        inner = link_folder.ensure(tmp_path / "envs/abc")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(p.stat().st_mode) for p in (inner.parent.parent, inner.parent, inner, inner / "payload")]
    assert modes == [0o700, 0o700, 0o755, 0o755]
    nonce = inner / "nonce"
    text = nonce.read_text()
    assert stat.S_IMODE(nonce.stat().st_mode) == 0o644 and len(text) == 32
    link_folder.ensure(tmp_path / "envs/abc")
    assert nonce.read_text() == text


def test_ours_others_and_nobodys() -> None:
    ours = {"devenv.owner": "1@a", "devenv.key": "k"}
    assert adopt.is_ours(ours, "1@a") and not adopt.is_foreign(ours, "1@a")
    assert adopt.is_foreign(ours, "2@a") and not adopt.is_ours(ours, "2@a")
    assert not adopt.is_foreign({}, "1@a") and not adopt.is_ours({}, "1@a")


def test_made_by_compose_alone() -> None:
    project = {"com.docker.compose.project": "p"}
    assert adopt.is_by_compose(project) and not adopt.is_by_compose({})
    assert not adopt.is_by_compose({**project, "devcontainer.local_folder": "/p"})
