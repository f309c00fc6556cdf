"""Builds by the engine's own BuildKit through its API, without Buildx: for builds that need a folder and nothing else.

Starting Buildx and its session with the engine takes about 0.15 s, which a build of small steps feels. Without that
session nothing of this machine can be asked for meanwhile: no registry's credentials, no further folder, no secret. So
this way is for images that start from one that the engine has.
"""

from __future__ import annotations

import asyncio
import base64
import concurrent.futures
import contextlib
import json
import logging
import os
import pathlib
import tarfile
import tempfile
import uuid
from collections.abc import Callable
from typing import Any

from devenv.engine import build_trace
from devenv.engine.build import failure, log_file
from devenv.engine.build_log import RawJsonLog
from devenv.engine.masking import Mask, MaskedProgress
from devenv.engine.port import BuildRequest, Progress

log = logging.getLogger(__name__)

_BUILDKIT = 2  # the API's number for it
_IN_MEMORY = 16 * 1024**2
_TRACE, _IMAGE = "moby.buildkit.trace", "moby.image.id"


Post = Callable[..., Any]
"""(path, **options of `requests.post`): a request to the engine, at its API's version."""


class Unsuited(Exception):
    """The engine does not build in this way; another has to be taken."""


def suits(request: BuildRequest) -> bool:
    """Whether a build needs nothing but its folder and what the engine has."""
    more = (
        request.target,
        request.cache_from,
        request.labels,
        request.options,
        request.pull,
        request.secret_args,
        request.cache_to,
        request.platforms,
        request.push,
        request.output,
        request.contexts,
    )
    inside = pathlib.PurePath(request.dockerfile).is_relative_to(request.context)
    return request.base_is_local and inside and not any(more)


async def build(post: Post, request: BuildRequest, progress: Progress, threads: concurrent.futures.Executor) -> str:
    """Returns the image's id. Raises `BuildFailed`, and `Unsuited` before anything was told or done.

    When cancelled, the engine is told to give the build up.
    """
    mask = Mask(request.masked)
    shown = MaskedProgress(progress, mask) if request.masked else progress
    loop = asyncio.get_running_loop()
    name = uuid.uuid4().hex
    with log_file(request.log_path, append=request.append_log, mask=mask) as write:
        reader = _Reader(RawJsonLog(shown, write))

        def take(line: bytes) -> None:
            loop.call_soon_threadsafe(reader.feed, line)

        work = loop.run_in_executor(threads, _send, post, request, name, take)
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await loop.run_in_executor(threads, _give_up, post, name)
            with contextlib.suppress(Exception):
                await work
            raise
        await asyncio.sleep(0)  # lines that were handed over last
        reader.log.finish()
        if reader.error or not reader.image:
            raise failure(reader.log, reader.error, 1, what=request.dockerfile, log_path=request.log_path, mask=mask)
        return reader.image


class _Reader:
    """The messages of one build."""

    def __init__(self, log: RawJsonLog) -> None:
        self.log = log
        self.image = ""
        self.error = ""

    def feed(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            return
        if not isinstance(message, dict):
            return
        if said := message.get("error"):
            self.error = str(said)
        elif message.get("id") == _IMAGE:
            self.image = str((message.get("aux") or {}).get("ID", ""))
        elif message.get("id") == _TRACE:
            with contextlib.suppress(ValueError, TypeError):
                self.log.status(build_trace.decode(base64.b64decode(message.get("aux") or "")))


def _send(post: Post, request: BuildRequest, name: str, take: Callable[[bytes], None]) -> None:
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as body:
        _pack(pathlib.Path(request.context), body)
        body.seek(0)
        parameters: dict[str, Any] = {
            "version": _BUILDKIT,
            "buildid": name,
            "t": list(request.tags),
            "dockerfile": os.path.relpath(request.dockerfile, request.context),
            "buildargs": json.dumps(dict(request.args)),
            "nocache": int(request.no_cache),
        }
        answer = post(
            "/build",
            data=body,
            params=parameters,
            headers={"Content-Type": "application/x-tar"},
            stream=True,
            timeout=(60, None),
        )
        with answer:
            if answer.status_code != 200:
                log.info("the engine does not build through its API: %s %s", answer.status_code, answer.text[:200])
                raise Unsuited
            for line in answer.iter_lines(chunk_size=None):
                take(line)


def _give_up(post: Post, name: str) -> None:
    with contextlib.suppress(Exception):
        post("/build/cancel", params={"id": name}, timeout=10)


def _pack(folder: pathlib.Path, file: Any) -> None:
    """As Buildx would send it: nobody's files, so that the same content is the same layer."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = entry.mtime = 0
        entry.uname = entry.gname = ""
        return entry

    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name, filter=plain)
