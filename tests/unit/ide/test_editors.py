from __future__ import annotations

import json
import tomllib
import xml.etree.ElementTree

import pytest

from devenv.errors import NotFound
from devenv.ide.editors import EDITORS, show
from devenv.runs.workspace import WorkspacePaths

PLAIN = WorkspacePaths("/home/ada/net", "/workspaces/net")
HARD = WorkspacePaths('/home/ada/it\'s "a" \\ --> é', '/work/<a> & "b"')


@pytest.mark.parametrize("editor", EDITORS)
def test_every_editor_is_told_where(editor: str) -> None:
    text = show(editor, port=23456, workspace=PLAIN)
    assert "127.0.0.1" in text
    assert "23456" in text
    assert "/workspaces/net" in text
    assert max(map(len, text.splitlines())) <= 120


def without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("//"))


@pytest.mark.parametrize("workspace", [PLAIN, HARD])
def test_texts_are_what_their_editors_read(workspace: WorkspacePaths) -> None:
    for editor in ("vscode", "zed"):
        entry = json.loads(without_comments(show(editor, port=1, workspace=workspace)))
        assert entry["connect"] == {"host": "127.0.0.1", "port": 1}
        assert entry["pathMappings"][0]["remoteRoot"] == workspace.container
    helix = tomllib.loads(show("helix", port=1, workspace=workspace))
    args = helix["language"][0]["debugger"]["templates"][0]["args"]
    assert args["pathMappings"] == [{"localRoot": workspace.host, "remoteRoot": workspace.container}]
    pycharm = xml.etree.ElementTree.fromstring(show("pycharm", port=1, workspace=workspace))
    mapping = pycharm.find(".//mapping")
    assert mapping is not None
    assert mapping.get("remote-root") == workspace.container


def test_an_unknown_editor() -> None:
    with pytest.raises(NotFound) as error:
        show("neovm", port=1, workspace=PLAIN)
    assert "did you mean neovim" in error.value.hint
    with pytest.raises(NotFound) as error:
        show("qqq", port=1, workspace=PLAIN)
    assert "vscode" in error.value.hint
