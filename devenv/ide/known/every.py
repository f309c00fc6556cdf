"""The table of editors, in the order in which they are listed."""

from __future__ import annotations

from devenv.errors import NotFound
from devenv.ide.edit import Editor
from devenv.ide.known import emacs, helix, neovim, pycharm, vscode, zed
from devenv.runs.resolve import near_matches

EVERY: tuple[Editor, ...] = (
    vscode.EDITOR,
    pycharm.EDITOR,
    pycharm.CLASSIC,
    neovim.EDITOR,
    emacs.EDITOR,
    zed.EDITOR,
    helix.EDITOR,
)
EDITORS = tuple(editor.name for editor in EVERY)
_OTHER_NAMES = {"code": "vscode", "vs-code": "vscode", "nvim": "neovim", "vim": "neovim", "hx": "helix"}


def named(name: str) -> Editor:
    """Raises NotFound for an unknown editor."""
    wanted = _OTHER_NAMES.get(name.lower(), name.lower())
    for editor in EVERY:
        if editor.name == wanted:
            return editor
    near = near_matches(name, EDITORS, [])
    hint = f"did you mean {near[0]}?" if near else "known: " + ", ".join(EDITORS)
    raise NotFound(f"no configuration for an editor called {name!r}", hint, details={"near": near})
