"""The changes to debugpy fit the one that is installed, and leave alone what they do not know."""

from __future__ import annotations

import ast
import pathlib

from devenv.debug.cache import DebugpyCache
from devenv.debug.tuning import tune
from devenv.debug.versions import Interpreter, choose

SOCKETS = "debugpy/common/sockets.py"
MESSAGING = "debugpy/common/messaging.py"
PYDEVD = "debugpy/_vendored/pydevd/pydevd.py"
COMM = "debugpy/_vendored/pydevd/_pydevd_bundle/pydevd_comm.py"


def test_it_fits_our_own_debugpy(tmp_path: pathlib.Path) -> None:
    cache = DebugpyCache(tmp_path)
    tree = cache.tree(choose(Interpreter("", (3, 11, 0), "any", None), cache.own))
    for name in (SOCKETS, COMM):
        text = (tree / name).read_text()
        assert text.count("TCP_NODELAY, 1)") == 1, "debugpy has changed: look at devenv/debug/tuning.py"
        ast.parse(text)
    text = (tree / PYDEVD).read_text()
    known = ("_ready_unseen", "if not (self._on_configuration_done_event", "            if self.pydb_disposed:\n")
    assert [text.count(words) for words in known] == [3, 1, 1], "debugpy has changed: look at devenv/debug/tuning.py"
    assert (tree / MESSAGING).read_text().count("MAX_BODY_SIZE = 0x3FFFFFFF") == 1
    ast.parse(text)


def test_what_is_otherwise_stays(tmp_path: pathlib.Path) -> None:
    (tmp_path / SOCKETS).parent.mkdir(parents=True)
    (tmp_path / SOCKETS).write_text("import socket\n")
    assert tune(tmp_path) == []
    assert (tmp_path / SOCKETS).read_text() == "import socket\n"
