"""What is changed in the debugpy that is delivered, and why.

debugpy writes a message in two pieces, and waits between them for the far side to acknowledge the first one, which
that puts off by 40 ms (Nagle's algorithm against delayed acknowledgements). With TCP_NODELAY on both of its sockets a
step or an evaluate takes about 1 ms instead of 46.

A program that waits for its debugger looks every few hundredths of a second whether it is ready. One that is ready and
leaves between two looks (a client that only wanted to see; debugpy's own adapter, when it lets a child go that nobody
claims) would leave it waiting for ever; the 40 ms used to hide that. It is remembered now until the program has looked.
And a thread that stops when nobody is attached any more, or yet (`breakpoint()`), goes on; one that reaches a
breakpoint between a client's attach and its last word about breakpoints stays where it is. When the adapter is killed,
a program that waits for its first debugger goes on: none can come any more.

A message of 16 MiB or more (one large value that is copied) ends the thread that reads the program in the adapter, and
the session hangs without a word: 1 GiB may pass.

A release in which a place is not found as expected stays as it is: slower, not broken.
"""

from __future__ import annotations

import pathlib
import re

REVISION = "t4"
"""Of the changes below, part of the names of trees: what is delivered under one name never changes."""

_PYDEVD = "debugpy/_vendored/pydevd/pydevd.py"
_CHANGES = (
    (
        "debugpy/_vendored/pydevd/_pydevd_bundle/pydevd_comm.py",
        re.compile(r"^(?P<indent> +)(?P<found>s\.settimeout\(None\) +# no timeout after connected)$", re.MULTILINE),
        r"\g<indent>s.setsockopt(socket_module.IPPROTO_TCP, socket_module.TCP_NODELAY, 1)\n\g<indent>\g<found>",
    ),
    (
        "debugpy/common/sockets.py",
        re.compile(r"^(?P<found>    sock = socket\.socket\([^\n]*IPPROTO_TCP\))$", re.MULTILINE),
        r"\g<found>\n    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)",
    ),
    (
        "debugpy/common/messaging.py",
        re.compile(r"^(?P<found>    MAX_BODY_SIZE = 0x)FFFFFF$", re.MULTILINE),
        r"\g<found>3FFFFFFF",
    ),
    (
        _PYDEVD,
        re.compile(r"^(?P<found>        self\._on_configuration_done_event\.set\(\))$", re.MULTILINE),
        r"        self._ready_unseen = True\n\g<found>",
    ),
    (
        _PYDEVD,
        re.compile(r"^            if self\._on_configuration_done_event\.is_set\(\):$", re.MULTILINE),
        "            if self.pydb_disposed:\n"
        "                return\n"
        "            if getattr(self, '_ready_unseen', False) or self._on_configuration_done_event.is_set():\n"
        "                self._ready_unseen = False",
    ),
    (
        _PYDEVD,
        re.compile(
            r"^(?P<indent> +)(?P<found>if info\.pydev_state != STATE_SUSPEND or \(self\.pydb_disposed.*)$", re.M
        ),
        r"\g<indent>if not (self._on_configuration_done_event.is_set()"
        r" or getattr(self, '_enable_thread_notifications', True)):\n"
        r"\g<indent>    info.pydev_state = STATE_RUN\n\g<indent>\g<found>",
    ),
)


def tune(tree: pathlib.Path) -> list[str]:
    """Changes the files below a folder that holds `debugpy`; those that are as expected."""
    changed = []
    for name, place, instead in _CHANGES:
        file = tree / name
        try:
            text = file.read_text(encoding="utf-8")
        except OSError:
            continue
        if "socket_module" in instead and "socket_module" not in text:
            continue
        new, count = place.subn(instead, text)
        if count == 1:
            file.write_text(new, encoding="utf-8")
            changed.append(name)
    return changed
