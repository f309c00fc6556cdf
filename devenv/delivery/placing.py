"""Putting a folder into a container without network there and without touching the user's environment.

With the mounted link folder the tree lies on the host and is only read in the container (a read-only root is fine);
otherwise it is sent over the link into the agent's own state folder. Either way a tree appears whole or not at all.
"""

from __future__ import annotations

import asyncio
import pathlib
from typing import TYPE_CHECKING

from devenv.delivery.trees import copy_tree, tar_of

if TYPE_CHECKING:
    from devenv.link.port import Link

MOUNTED_PAYLOAD = "/run/devenv/payload"


class Placing:
    """Places folders into one container.

    `payload_dir` is the host side of the mounted payload folder, or None when the container has no such mount.
    """

    def __init__(self, payload_dir: pathlib.Path | None) -> None:
        self.payload_dir = payload_dir

    async def place(self, link: Link, tree: pathlib.Path, name: str, *, link_files: bool = False) -> str:
        """Puts a host folder into the container under `name` (whose contents never change) and returns its path there.

        `link_files`: the files are world-readable already, so hard links may stand for copies.
        """
        if self.payload_dir is not None:
            await asyncio.to_thread(copy_tree, tree, self.payload_dir / name, link=link_files)
            return f"{MOUNTED_PAYLOAD}/{name}"
        destination = f"{link.hello.state_dir.rstrip('/')}/payload/{name}"
        found = await link.request("stat", paths=[destination])
        if not found.get(destination):
            await link.unpack(destination, await asyncio.to_thread(tar_of, tree))
        return destination
