"""`updateRemoteUserUID`: give the container's user the host user's ids, so that files in a bind mount match.

A pure function over the texts of /etc/passwd and /etc/group. It decides and edits; applying the result, and changing
the owner of the home folder, is the caller's work. Lines are matched by whole user name and whole id.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping


class Outcome(enum.StrEnum):
    """Why nothing has to be done, or cannot be."""

    CHANGED = "changed"
    SAME = "same"
    ROOT = "root"
    NUMERIC = "numeric"
    NO_USER = "no-user"
    UID_TAKEN = "uid-taken"

    @property
    def sentence(self) -> str:
        return {
            "changed": "The remote user takes the ids of the host user.",
            "same": "The remote user already has the ids of the host user.",
            "root": "The remote user is root; its ids are not changed.",
            "numeric": "The remote user is a number, not a name; its ids are not changed.",
            "no-user": "The remote user is not in the image's /etc/passwd.",
            "uid-taken": "Another user of the image has the host user's id already.",
        }[self.value]


@dataclasses.dataclass(frozen=True, slots=True)
class UidUpdate:
    """`passwd` and `group` are the texts to write, equal to the old ones unless `outcome` is CHANGED.

    `home` is what to chown from (`old_uid`, `old_gid`) to (`uid`, `gid`). `holder` names who has the uid if it is
    taken, `kept_gid` tells that the gid could not be changed because a group has it.
    """

    outcome: Outcome
    passwd: str
    group: str
    old_uid: int = -1
    old_gid: int = -1
    uid: int = -1
    gid: int = -1
    home: str = ""
    holder: str = ""
    kept_gid: bool = False


def update(passwd: str, group: str, user: str, uid: int, gid: int) -> UidUpdate:
    """Decide for `user` (name, or `name:group` as in a configuration) and the host's `uid` and `gid`.

    Rules of the reference: nothing for root, for a number, for an unknown user, for equal ids, or when another user
    holds the uid; a gid that some group has already is not taken over, and the uid alone is changed.
    """
    user = user.partition(":")[0]
    if user in ("", "root", "0"):
        return UidUpdate(Outcome.ROOT, passwd, group)
    if user.isascii() and user.isdigit():
        return UidUpdate(Outcome.NUMERIC, passwd, group)
    entry = next((fields for fields in _entries(passwd, 7) if fields[0] == user), None)
    if entry is None or not (_is_id(entry[2]) and _is_id(entry[3])):
        return UidUpdate(Outcome.NO_USER, passwd, group)
    old_uid, old_gid, home = int(entry[2]), int(entry[3]), entry[5]
    if old_uid == 0:
        return UidUpdate(Outcome.ROOT, passwd, group, old_uid, old_gid, old_uid, old_gid, home)
    if (old_uid, old_gid) == (uid, gid):
        return UidUpdate(Outcome.SAME, passwd, group, old_uid, old_gid, uid, gid, home)
    if old_uid != uid:
        holder = next((fields[0] for fields in _entries(passwd, 7) if fields[2] == str(uid)), "")
        if holder:
            return UidUpdate(Outcome.UID_TAKEN, passwd, group, old_uid, old_gid, old_uid, old_gid, home, holder)
    kept_gid = gid != old_gid and any(fields[2] == str(gid) for fields in _entries(group, 4))
    new_gid = old_gid if kept_gid else gid
    if (old_uid, old_gid) == (uid, new_gid):
        return UidUpdate(Outcome.SAME, passwd, group, old_uid, old_gid, uid, new_gid, home, kept_gid=kept_gid)
    return UidUpdate(
        Outcome.CHANGED,
        _edited(passwd, 7, lambda f: f[0] == user, {2: str(uid), 3: str(new_gid)}),
        _edited(group, 4, lambda f: f[2] == str(old_gid), {2: str(new_gid)}),
        old_uid,
        old_gid,
        uid,
        new_gid,
        home,
        kept_gid=kept_gid,
    )


def _entries(text: str, fields: int) -> list[list[str]]:
    return [parts for parts in (line.split(":") for line in text.splitlines()) if len(parts) == fields]


def _edited(text: str, fields: int, wanted: Callable[[list[str]], bool], new: Mapping[int, str]) -> str:
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        body = line.rstrip("\r\n")
        parts = body.split(":")
        if len(parts) == fields and wanted(parts):
            edited = [new.get(index, part) for index, part in enumerate(parts)]
            lines[number] = ":".join(edited) + line[len(body) :]
    return "".join(lines)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit()
