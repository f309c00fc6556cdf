"""`updateRemoteUserUID` for a container whose root is read-only: nothing can be written into it, so a small image
on top of the wanted one carries the account files."""

from __future__ import annotations

import asyncio
import pathlib
import shlex
import tempfile

from devenv.engine.port import BuildRequest, Engine, ImageSnapshot, Progress
from devenv.environment.inside import users
from devenv.environment.inside.users import Account, HostUser

_SCRATCH = "devenv.scratch"


def image_name(key: str) -> str:
    return f"devenv-{key}-uid:latest"


async def derive(
    engine: Engine, image: ImageSnapshot, reference: str, key: str, user: str, host: HostUser, progress: Progress
) -> tuple[str, Account | None]:
    """(reference to create from, the account there). The reference is the given one when nothing has to change."""
    for left in await engine.find({_SCRATCH: key}):  # of an `up` that was killed here
        await engine.remove(left.id, force=True, volumes=True)
    probe = await engine.create(
        ["--pull", "never", "--label", f"{_SCRATCH}={key}", "--entrypoint", "/bin/sh", reference]
    )
    try:
        passwd, group = await users.read_accounts(engine, probe)
    finally:
        await engine.remove(probe, force=True, volumes=True)
    account, new_passwd, new_group = users.plan_accounts(passwd, group, user, host)
    if account is None or account.chown is None:
        return reference, account
    ids = [str(number) for number in account.chown]
    command = shlex.join(["/bin/sh", "-c", users.REOWN, "sh", account.home, *ids])
    with tempfile.TemporaryDirectory(prefix="devenv-uid-") as folder:
        context = pathlib.Path(folder)
        await asyncio.to_thread(_write, context, reference, new_passwd, new_group, command, image.user)
        request = BuildRequest(context=str(context), dockerfile=str(context / "Dockerfile"), tags=(image_name(key),))
        await engine.build(request, progress)
    return image_name(key), account


def _write(context: pathlib.Path, reference: str, passwd: str, group: str, command: str, user: str) -> None:
    (context / "passwd").write_text(passwd, encoding="utf-8", errors="surrogateescape")
    (context / "group").write_text(group, encoding="utf-8", errors="surrogateescape")
    for name in ("passwd", "group"):
        (context / name).chmod(0o644)
    (context / "Dockerfile").write_text(
        f"FROM {reference}\nUSER 0\nCOPY passwd group /etc/\nRUN {command}\nUSER {user or '0'}\n", encoding="utf-8"
    )
