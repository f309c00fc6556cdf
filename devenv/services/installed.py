"""Which servers the environment's own interpreter has: one short process in the container."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from devenv.delivery.inspect import collect
from devenv.errors import DevenvError

if TYPE_CHECKING:
    from devenv.link.port import Link

MODULES = ("jupyterlab", "notebook", "jupyter_server", "tensorboard")

_SCRIPT = """
import importlib.util, json, sys
def has(name):
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
print("\\n" + json.dumps([name for name in sys.argv[1:] if has(name)]))
"""


async def installed(link: Link, python: str | None, env: Mapping[str, str]) -> frozenset[str]:
    """Those of `MODULES` that `python` can import; nothing is imported, so this takes as long as Python's start."""
    if python is None:
        return frozenset()
    try:
        channel = await link.spawn([python, "-c", _SCRIPT, *MODULES], env=env, cwd="/")
    except DevenvError:
        return frozenset()
    try:
        await channel.send_eof()
        out, _, _ = await collect(channel)
    finally:
        await channel.close()
    try:
        names = json.loads(out.decode("utf-8", "replace").strip().splitlines()[-1])
    except (IndexError, ValueError):
        return frozenset()
    return frozenset(name for name in names if name in MODULES)
