"""`updateRemoteUserUID` (spec, *updateRemoteUserUID*; rules of the reference, its unanchored match corrected)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcontainer import uid
from devcontainer.uid import Outcome

PASSWD = """root:x:0:0:root:/root:/bin/bash
barfoo:x:1002:1002::/home/barfoo:/bin/sh
foo:x:1000:1000:Foo,,,:/home/foo:/bin/bash
ubuntu:x:1001:1001::/home/ubuntu:/bin/bash
+::::::
"""
GROUP = """root:x:0:
foo:x:1000:
docker:x:999:foo,barfoo
ubuntu:x:1001:
"""


def test_both_ids_change_on_the_users_own_lines_only() -> None:
    result = uid.update(PASSWD, GROUP, "foo", 3001, 3002)
    assert result.outcome is Outcome.CHANGED
    assert result.passwd == PASSWD.replace("foo:x:1000:1000:Foo", "foo:x:3001:3002:Foo")
    assert result.group == GROUP.replace("foo:x:1000:", "foo:x:3002:")
    assert (result.old_uid, result.old_gid, result.uid, result.gid) == (1000, 1000, 3001, 3002)
    assert result.home == "/home/foo"


UNCHANGED = [
    pytest.param("root", 3001, 3001, Outcome.ROOT, id="root"),
    pytest.param("0", 3001, 3001, Outcome.ROOT, id="root by number"),
    pytest.param("", 3001, 3001, Outcome.ROOT, id="no user is root"),
    pytest.param("1000", 3001, 3001, Outcome.NUMERIC, id="a number"),
    pytest.param("1000:1000", 3001, 3001, Outcome.NUMERIC, id="a number with a group"),
    pytest.param("nobody-here", 3001, 3001, Outcome.NO_USER, id="not in passwd"),
    pytest.param("fo", 3001, 3001, Outcome.NO_USER, id="the beginning of a name is another name"),
    pytest.param(".*", 3001, 3001, Outcome.NO_USER, id="a name is no pattern"),
    pytest.param("foo", 1000, 1000, Outcome.SAME, id="the ids are right already"),
    pytest.param("foo", 1001, 1001, Outcome.UID_TAKEN, id="another user has the uid"),
]


@pytest.mark.parametrize(("user", "new_uid", "new_gid", "outcome"), UNCHANGED)
def test_nothing_is_changed(user: str, new_uid: int, new_gid: int, outcome: Outcome) -> None:
    result = uid.update(PASSWD, GROUP, user, new_uid, new_gid)
    assert (result.outcome, result.passwd, result.group) == (outcome, PASSWD, GROUP)
    assert result.outcome.sentence.endswith(".")


def test_who_has_the_uid_is_named() -> None:
    assert uid.update(PASSWD, GROUP, "foo", 1001, 5).holder == "ubuntu"


def test_the_user_may_come_with_a_group() -> None:
    assert uid.update(PASSWD, GROUP, "foo:docker", 3001, 3001).outcome is Outcome.CHANGED


def test_a_gid_that_a_group_has_is_not_taken_over() -> None:
    result = uid.update(PASSWD, GROUP, "foo", 3001, 999)
    assert (result.outcome, result.uid, result.gid, result.kept_gid) == (Outcome.CHANGED, 3001, 1000, True)
    assert result.passwd == PASSWD.replace("foo:x:1000:1000:Foo", "foo:x:3001:1000:Foo")
    assert result.group == GROUP


def test_only_the_gid_differs_and_is_taken() -> None:
    result = uid.update(PASSWD, GROUP, "foo", 1000, 999)
    assert (result.outcome, result.kept_gid) == (Outcome.SAME, True)


def test_only_the_gid_differs() -> None:
    result = uid.update(PASSWD, GROUP, "foo", 1000, 4000)
    assert (result.outcome, result.uid, result.gid) == (Outcome.CHANGED, 1000, 4000)


def test_another_name_of_root_is_root() -> None:
    assert uid.update("admin:x:0:0::/:/bin/sh\n", GROUP, "admin", 3001, 3001).outcome is Outcome.ROOT


@given(st.text(alphabet="fo:x01\n"), st.text(alphabet="fo:x01\n"))
def test_odd_files_are_never_damaged(passwd: str, group: str) -> None:
    result = uid.update(passwd, group, "foo", 3001, 3001)
    assert result.passwd.count("\n") == passwd.count("\n")
    assert result.passwd.count(":") == passwd.count(":")
    assert result.group.count(":") == group.count(":")


def test_line_ends_and_a_missing_last_one_stay() -> None:
    result = uid.update("foo:x:1:1::/h:/s", "g:x:1:\r\nh:x:2:", "foo", 7, 8)
    assert (result.passwd, result.group) == ("foo:x:7:8::/h:/s", "g:x:8:\r\nh:x:2:")
