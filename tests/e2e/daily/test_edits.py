"""A configuration in the middle of an edit: what goes on, what is refused, and what is said."""

from __future__ import annotations

import pytest

from tests.e2e.daily.conftest import Founder
from tests.kit.fixtures import Images

pytestmark = [pytest.mark.engine, pytest.mark.users]

FILE = ".devcontainer/devcontainer.json"


def test_work_goes_on_while_the_file_is_wrong(found: Founder, images: Images) -> None:
    site = found("edited", images.python_user)
    text = site.path(FILE).read_text()
    sub = site.path("sub")
    sub.mkdir()
    site.write(FILE, text.rstrip().removesuffix("}"))
    site.exec("echo", "hello").ok().says("^hello$")
    site.shell.at(sub).run("devenv", "exec", "--", "echo", "below").ok().says("^below$")
    (note,) = [note for note in site.view()["notes"] if "not closed" in note]
    assert f"{site.path(FILE)}:1:1:" in note and note.endswith("what was read before this edit still counts")
    for verb in ("up", "rebuild", "build"):
        site.devenv(verb).failed(65).says("is not closed before the end")
    site.devenv("stop").ok()
    site.write(FILE, text)
    site.devenv("up", timeout=120).ok()
    assert not [note for note in site.view()["notes"] if "not closed" in note]
    site.write(FILE, "[]")
    site.devenv("down", "--force").ok().says("is gone")
    site.devenv("status").failed(65).says("must hold one object")
