from __future__ import annotations

import re

import pytest

from devenv.errors import NotFound
from devenv.runs.workspace import WorkspacePaths
from devenv.services.kernels import Kernel, choose, is_meant

PATHS = WorkspacePaths("/home/ada/net", "/workspaces/net")
SUMS = Kernel(41, "/workspaces/net/sums.ipynb")
DEEP = Kernel(55, "/workspaces/net/notes/sums.ipynb")
AWAY = Kernel(60, "/data/away.ipynb")
NOBODY = Kernel(72, "")
ALL = [SUMS, DEEP, AWAY, NOBODY]


@pytest.mark.parametrize(
    ("target", "found", "meant"),
    [
        ("kernel", [NOBODY], NOBODY),
        ("sums.ipynb", ALL, SUMS),
        ("./sums.ipynb", ALL, SUMS),
        ("notes/sums.ipynb", ALL, DEEP),
        ("../notes/sums.ipynb", ALL, DEEP),
        ("/home/ada/net/sums.ipynb", ALL, SUMS),
        ("/home/ada/net/notes/sums.ipynb", ALL, DEEP),
        ("/workspaces/net/notes/sums.ipynb", ALL, DEEP),
        ("/data/away.ipynb", ALL, AWAY),
        ("/mnt/here/away.ipynb", ALL, AWAY),
        ("away.ipynb", ALL, AWAY),
        ("sums.ipynb", [DEEP, AWAY], DEEP),
    ],
)
def test_which_kernel_is_meant(target: str, found: list[Kernel], meant: Kernel) -> None:
    assert is_meant(target)
    assert choose(found, target, PATHS) == meant


@pytest.mark.parametrize(
    ("target", "found", "said"),
    [
        ("kernel", [], "no Jupyter kernel runs"),
        (
            "kernel",
            [SUMS, AWAY, NOBODY],
            r"3 kernels run: sums.ipynb \(process 41\), /data/away.ipynb .*no notebook \(",
        ),
        ("ms.ipynb", ALL, "no kernel runs ms.ipynb: there is sums.ipynb"),
        ("/home/ada/net/away.ipynb", ALL, "no kernel runs /home/ada/net/away.ipynb"),
        ("sums.ipynb", [DEEP, Kernel(9, "/x/sums.ipynb")], r"2 kernels run sums.ipynb: .*55\), /x/sums.ipynb"),
        ("kernel", [Kernel(pid, "") for pid in range(11)], "and 3 more$"),
    ],
)
def test_what_is_said_when_it_is_not_clear(target: str, found: list[Kernel], said: str) -> None:
    with pytest.raises(NotFound) as refused:
        choose(found, target, PATHS)
    assert re.search(said, refused.value.message)


@pytest.mark.parametrize("target", ["train.py", "41", "last", "", "kernels"])
def test_other_words_mean_no_kernel(target: str) -> None:
    assert not is_meant(target)


@pytest.mark.parametrize(
    ("told", "notebook", "name"),
    [
        ("/w/a.ipynb", "/w/a.ipynb", "a.ipynb"),
        ("/w/./b/../a.ipynb", "/w/a.ipynb", "a.ipynb"),
        ("/w/a-jvsc-1f3a0d52-7f3e-4a52-9c53-5d0b9b1f7c11.ipynb", "/w/a.ipynb", "a.ipynb"),
        ("/w/34361149-e3d8-4dbc-9302-0e86431b3e8c", "", "kernel"),
        ("", "", "kernel"),
    ],
)
def test_names_that_servers_give(told: str, notebook: str, name: str) -> None:
    kernel = Kernel.of({"pid": 7, "notebook": told})
    assert (kernel.notebook, kernel.name) == (notebook, name)
