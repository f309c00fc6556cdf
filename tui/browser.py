"""Opening an address in the user's browser without showing its secret to other users of the machine.

A browser gets its address as an argument, and arguments are public. So an address with a token goes through a small
private page that leads on to it; the page is removed when the application ends.
"""

from __future__ import annotations

import html
import os
import shutil
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Mapping
from pathlib import Path


def visible(env: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Whether a browser that is opened here can be seen by the person (text browsers would take the terminal)."""
    return platform == "darwin" or bool(env.get("DISPLAY") or env.get("WAYLAND_DISPLAY") or env.get("WSL_DISTRO_NAME"))


class Browser:
    """Blocking: call it on a thread."""

    def __init__(self, env: Mapping[str, str] | None = None, opener: Callable[[str], bool] = webbrowser.open) -> None:
        self._env = os.environ if env is None else env
        self._opener = opener
        self._pages: Path | None = None

    @property
    def visible(self) -> bool:
        return visible(self._env)

    def open(self, address: str) -> bool:
        """False when there is no browser that a person could see."""
        if not self.visible:
            return False
        return self._opener(self._page(address) if "?" in address or "@" in address else address)

    def close(self) -> None:
        if self._pages is not None:
            shutil.rmtree(self._pages, ignore_errors=True)

    def _page(self, address: str) -> str:
        if self._pages is None:
            self._pages = Path(tempfile.mkdtemp(prefix="devenv-open-"))  # mode 0700
        page = self._pages / f"{len(list(self._pages.iterdir()))}.html"
        target = html.escape(address, quote=True)
        page.touch(mode=0o600)
        page.write_text(
            f'<!doctype html><meta http-equiv="refresh" content="0; url={target}"><a href="{target}">Go on</a>\n'
        )
        return page.as_uri()
