"""Who the container's user is, and `updateRemoteUserUID`: the host user's ids for it, before the container starts.

The account files are read from and written to the created container as archives, so that no shell is needed and no
process sees the old ids. The decision and the edit are pure (`devcontainer.uid`). What remains after the start is the
owner of the home folder's files; mounts below the home folder are never touched.
"""

from __future__ import annotations

import asyncio
import dataclasses
import io
import pwd
import sys
import tarfile

from devcontainer import uid as accounts
from devcontainer.merge import Merged
from devenv.engine.port import Engine, EngineInfo
from devenv.environment.shape import is_root
from devenv.errors import EngineError

_PASSWD, _GROUP = "/etc/passwd", "/etc/group"

REOWN = (
    "home=$1; command -v find >/dev/null || exit 0; "
    'find "$home" -xdev \\( -user "$2" -o -group "$3" \\) -exec chown -h "$4:$5" {} +'
)
"""For `sh -c` as root: home, old uid, old gid, new uid, new gid. Stays on the home's file system: a data set that is
mounted below it belongs to the host."""


@dataclasses.dataclass(frozen=True, slots=True)
class HostUser:
    uid: int
    gid: int

    @classmethod
    def of(cls, uid: int) -> HostUser:
        try:
            return cls(uid, pwd.getpwuid(uid).pw_gid)
        except KeyError:
            return cls(uid, uid)  # an account that only another machine knows


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """The remote user in the container. `chown` is (old uid, old gid, new uid, new gid) when its home must follow."""

    uid: int
    gid: int
    home: str
    shell: str = ""
    chown: tuple[int, int, int, int] | None = None
    note: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class _Files:
    passwd: bytes | None
    group: bytes | None

    @property
    def texts(self) -> tuple[str, str]:
        return _text(self.passwd), _text(self.group)


def applies(
    merged: Merged, info: EngineInfo, user: str, host: HostUser, default: bool | None = None, *, mapped: bool = False
) -> bool:
    """Whether ids are to be changed at all: on a local Linux engine without id mapping, for an ordinary host user.

    `default` stands for `updateRemoteUserUID` where the configuration does not say. `mapped`: `host` is what a rootless
    engine has made of the host's user in this container.
    """
    said = merged.update_remote_user_uid if merged.update_remote_user_uid is not None else default
    return (
        said is not False
        and sys.platform == "linux"
        and info.is_local_socket
        and (mapped or not (info.rootless or info.userns_remap))
        and host.uid != 0
        and not is_root(user)
        and not user.partition(":")[0].isdigit()
    )


async def examine(
    engine: Engine, container: str, user: str, host: HostUser, *, update: bool
) -> tuple[Account | None, bytes | None]:
    """(the user as it will be, an archive for /etc that makes it so) of a created container; nothing is written.

    Without `update`, or when nothing has to change, the archive is None. Account None: there is no such user.
    """
    if is_root(user):
        return Account(0, 0, "/root"), None
    files = await _read(engine, container)
    passwd, group = files.texts
    if not update:
        return lookup(passwd, group, user), None
    result = accounts.update(passwd, group, user, host.uid, host.gid)
    account = _account(result, passwd, group, user, host)
    if account is None or account.chown is None:
        return account, None
    return account, _archive(files, result.passwd, result.group)


def plan_accounts(passwd: str, group: str, user: str, host: HostUser) -> tuple[Account | None, str, str]:
    """(account, new passwd, new group) for a read-only root, where only an image can carry the change."""
    result = accounts.update(passwd, group, user, host.uid, host.gid)
    return _account(result, passwd, group, user, host), result.passwd, result.group


def _account(result: accounts.UidUpdate, passwd: str, group: str, user: str, host: HostUser) -> Account | None:
    current = lookup(result.passwd, result.group, user)
    if current is None:
        return None
    if result.outcome is accounts.Outcome.CHANGED:
        ids = (result.old_uid, result.old_gid, result.uid, result.gid)
        return dataclasses.replace(current, chown=ids)
    if result.outcome is accounts.Outcome.UID_TAKEN:
        return dataclasses.replace(
            current,
            note=f"user {user} keeps uid {current.uid}: {host.uid}, yours, belongs to {result.holder} in the image; "
            f'set "remoteUser": "{result.holder}" to own the files that you make',
        )
    return current


def lookup(passwd: str, group: str, user: str) -> Account | None:
    """A user by name or number (`name:group` as in the configuration). A number needs no entry."""
    name, _, wanted_group = user.partition(":")
    for line in passwd.splitlines():
        fields = line.split(":")
        if len(fields) == 7 and fields[2].isdigit() and name in (fields[0], fields[2]):
            gid = _gid(group, wanted_group) if wanted_group else int(fields[3] or 0)
            return Account(int(fields[2]), gid, fields[5] or "/", fields[6])
    if name.isdigit():
        return Account(int(name), _gid(group, wanted_group) if wanted_group else 0, "/")
    return None


def ordinary(passwd: str) -> list[str]:
    """Names of the accounts that a person could work as: the ids of people, and a shell."""
    found = []
    for line in passwd.splitlines():
        fields = line.split(":")
        if len(fields) != 7 or fields[6].endswith(("/nologin", "/false")):
            continue
        if fields[2].isdigit() and 1000 <= int(fields[2]) < 60000:
            found.append(fields[0])
    return found


def _gid(group: str, wanted: str) -> int:
    if wanted.isdigit():
        return int(wanted)
    for line in group.splitlines():
        fields = line.split(":")
        if len(fields) >= 3 and fields[0] == wanted and fields[2].isdigit():
            return int(fields[2])
    return 0


async def read_accounts(engine: Engine, container: str) -> tuple[str, str]:
    """The texts of /etc/passwd and /etc/group; "" for a file that is not there."""
    return (await _read(engine, container)).texts


async def _read(engine: Engine, container: str) -> _Files:
    async with asyncio.TaskGroup() as tasks:
        passwd = tasks.create_task(engine.get_archive(container, _PASSWD))
        group = tasks.create_task(engine.get_archive(container, _GROUP))
    return _Files(passwd.result(), group.result())


async def reown(engine: Engine, container: str, account_home: str, ids: tuple[int, int, int, int]) -> None:
    """Gives the home folder's files to the user's new ids, as root in the running container."""
    words = [str(number) for number in ids]
    result = await engine.exec_capture(
        container, ["/bin/sh", "-c", REOWN, "sh", account_home, *words], user="0", timeout=600.0
    )
    if result.exit_code:
        said = (result.stderr or result.stdout).decode("utf-8", "replace").strip().splitlines()
        raise EngineError(
            f"the home folder {account_home} cannot be given to uid {ids[2]}: {said[-1] if said else 'no reason'}",
            'set "updateRemoteUserUID": false to leave the ids alone',
        )


def _text(archive: bytes | None) -> str:
    if archive is None:
        return ""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is not None:
                return file.read().decode("utf-8", "surrogateescape")
    return ""


def _archive(files: _Files, passwd: str, group: str) -> bytes:
    """Both files with new content and the mode that they had. They are root's: Podman's archives name the container's
    user as the owner of everything."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as out:
        for name, old, text in (("passwd", files.passwd, passwd), ("group", files.group, group)):
            if old is None:
                continue
            with tarfile.open(fileobj=io.BytesIO(old)) as tar:
                entry = next(iter(tar))
            entry.name = name
            entry.type = tarfile.REGTYPE
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            data = text.encode("utf-8", "surrogateescape")
            entry.size = len(data)
            out.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
