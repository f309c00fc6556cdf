"""How each editor attaches to the environment's debugger: its configuration as text, ready to paste. Pure.

Every one connects to the stable host port; `connect` is given in full, because debugpy hands it to child sessions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from devenv.debug.launch_json import Entry
from devenv.errors import NotFound
from devenv.runs.resolve import near_matches

if TYPE_CHECKING:
    from devenv.runs.workspace import WorkspacePaths


def _text(value: str) -> str:
    """A quoted string as Lua, TOML, Emacs Lisp and JSON all read it."""
    return json.dumps(value, ensure_ascii=False)


def _vscode(port: int, workspace: WorkspacePaths) -> str:
    entry = Entry(port=port, preferred=port, remote_root=workspace.container).to_json(port)
    return "// an entry of configurations in .vscode/launch.json; `devenv debug` adds it by itself\n" + json.dumps(
        entry, indent=2
    )


def _neovim(port: int, workspace: WorkspacePaths) -> str:
    return f"""-- nvim-dap, with the adapter that nvim-dap-python defines
require('dap').run({{
  type = 'python', request = 'attach', name = 'devenv: attach',
  connect = {{ host = '127.0.0.1', port = {port} }},
  pathMappings = {{ {{ localRoot = {_text(workspace.host)}, remoteRoot = {_text(workspace.container)} }} }},
  justMyCode = true,
}})"""


def _emacs(port: int, workspace: WorkspacePaths) -> str:
    return f""";; dape
(dape '(modes nil host "127.0.0.1" port {port} :type "python" :request "attach"
        :connect (:host "127.0.0.1" :port {port})
        :pathMappings [(:localRoot {_text(workspace.host)} :remoteRoot {_text(workspace.container)})]
        :justMyCode t))"""


def _helix(port: int, workspace: WorkspacePaths) -> str:
    return f"""# .helix/languages.toml; then  :debug-remote 127.0.0.1:{port} devenv
# Helix does not join child processes: start with  devenv debug --no-subprocess
[[language]]
name = "python"
[language.debugger]
name = "debugpy"
transport = "tcp"
command = "true"
args = []
[[language.debugger.templates]]
name = "devenv"
request = "attach"
completion = []
[language.debugger.templates.args]
connect = {{ host = "127.0.0.1", port = {port} }}
pathMappings = [ {{ localRoot = {_text(workspace.host)}, remoteRoot = {_text(workspace.container)} }} ]"""


def _zed(port: int, workspace: WorkspacePaths) -> str:
    entry = {
        "label": "devenv: attach",
        "adapter": "Debugpy",
        "request": "attach",
        "connect": {"host": "127.0.0.1", "port": port},
        "pathMappings": [{"localRoot": workspace.host, "remoteRoot": workspace.container}],
    }
    return "// an entry of .zed/debug.json\n" + json.dumps(entry, indent=2, ensure_ascii=False)


def _pycharm(port: int, workspace: WorkspacePaths) -> str:
    remote = quoteattr(workspace.container)
    return f"""<!-- .run/devenv attach.run.xml (PyCharm 2025.3 or later).
     By hand: Run | Edit Configurations | Attach to DAP; remote address 127.0.0.1:{port},
     local path: the project, remote path as below. -->
<component name="ProjectRunConfigurationManager">
  <configuration default="false" name="devenv: attach" type="PythonDapAttachConfiguration">
    <option name="remoteAddress" value="127.0.0.1:{port}" />
    <option name="localRoot" value="$PROJECT_DIR$" />
    <option name="remoteRoot" value={remote} />
    <option name="justMyCode" value="true" />
    <PathMappingSettings>
      <option name="pathMappings">
        <list><mapping local-root="$PROJECT_DIR$" remote-root={remote} /></list>
      </option>
    </PathMappingSettings>
    <method v="2" />
  </configuration>
</component>"""


_SHOWN: Mapping[str, Callable[[int, WorkspacePaths], str]] = {
    "vscode": _vscode,
    "neovim": _neovim,
    "emacs": _emacs,
    "helix": _helix,
    "zed": _zed,
    "pycharm": _pycharm,
}
EDITORS = tuple(_SHOWN)


def show(editor: str, *, port: int, workspace: WorkspacePaths) -> str:
    """The editor's configuration for a debugger on 127.0.0.1:`port`. Raises NotFound for an unknown editor."""
    if editor not in _SHOWN:
        near = near_matches(editor, EDITORS, [])
        hint = f"did you mean {near[0]}?" if near else "known: " + ", ".join(EDITORS)
        raise NotFound(f"no configuration for an editor called {editor!r}", hint, details={"near": near})
    return _SHOWN[editor](port, workspace)
