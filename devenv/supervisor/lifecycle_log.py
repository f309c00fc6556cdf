"""What lifecycle commands printed the last time that any ran, kept for `devenv logs --build`. Secrets are masked by
then. A disk that is full costs the log, not the command."""

from __future__ import annotations

import contextlib
import pathlib

from devenv.supervisor.operation import Message, Operation

_NAME = "lifecycle.log"
_MOST = 4 * 1024 * 1024  # bytes


def keep(operation: Operation, folder: pathlib.Path) -> None:
    """Writes along from now on; the first line of a command replaces what an earlier operation left."""
    written = 0

    def take(message: Message) -> None:
        nonlocal written
        if not str(message.get("key", "")).startswith("hook:") or written >= _MOST:
            return
        if message["t"] == "progress" and not message.get("title"):
            return
        text = f"{message['title']}\n" if message["t"] == "progress" else f"{message['text'].rstrip()}\n"
        data = text.encode("utf-8", "replace")
        with contextlib.suppress(OSError), (folder / _NAME).open("ab" if written else "wb") as file:
            file.write(data)
        written += len(data)
        if written >= _MOST:
            with contextlib.suppress(OSError), (folder / _NAME).open("ab") as file:
                file.write(b"[what follows was not kept]\n")

    operation.listen(take)


def read(folder: pathlib.Path) -> bytes:
    try:
        return (folder / _NAME).read_bytes()
    except OSError:
        return b""
