"""`devenv test`: pytest inside, its results as they come; with --watch again on every save."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.daily.site import Site
from tests.e2e.ide.place import attached, debugging, line_of, own_name, place
from tests.kit.command import Shell
from tests.kit.fixtures import Images
from tests.kit.project import Content
from tests.kit.tmux import Tmux
from tests.kit.users import User
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users]

FILES: dict[str, Content] = {
    "sums.py": "def add(left, right):\n    return left + right\n",
    "words.py": "def shout(word):\n    return word.upper()\n",
    "tests/test_sums.py": """\
from sums import add


def test_small():
    assert add(1, 2) == 3


def test_large():
    assert add(100, 200) == 300
""",
    "tests/test_words.py": """\
import pathlib
from words import shout


def test_shout():
    assert shout("a") == "A"


def test_writes_files():
    pathlib.Path("report.json").write_text("{}")
    pathlib.Path("written.py").write_text("value = 1")
    pathlib.Path("outputs").mkdir(exist_ok=True)
    pathlib.Path("outputs/result.json").write_text("{}")
""",
    "conftest.py": "import sys, pathlib\nsys.path.insert(0, str(pathlib.Path(__file__).parent))\n",
    ".gitignore": "scratch/\n",
    "scratch/notes.py": "",
    "data/set.json": "{}\n",
    "devenv.yaml": "test: {paths: [tests], ignore: [vendored/]}\n",
    "vendored/lib.py": "",
}


@pytest.fixture(scope="module")
def bench(alice: User, shell: Callable[..., Shell], images: Images) -> Iterator[Site]:
    with place(shell, alice, own_name("tested"), images.torch, FILES, git=True) as site:
        yield site


@pytest.fixture(autouse=True)
def _only_the_projects_tests(bench: Site) -> Iterator[None]:
    yield
    for path in bench.path("tests").glob("test_*.py"):
        if f"tests/{path.name}" not in FILES:
            path.unlink()
    for name in ("sums.py", "words.py"):
        bench.write(name, str(FILES[name]))


def test_results_arguments_and_exit_codes(bench: Site) -> None:
    bench.devenv("test").ok().says(r"4 passed")
    bench.devenv("test", "--", "-k", "small").ok().says("1 passed, 3 deselected")
    bench.devenv("test", "tests/test_words.py").ok().says("2 passed")
    bench.devenv("test", "tests/test_words.py::test_nothing").failed(4)
    bench.devenv("test", "-k", "nowhere").failed(5)
    bench.write("tests/test_bad.py", "def test_bad():\n    assert 1 == 2, 'one is not two'\n")
    bench.devenv("test").failed(1).says("one is not two", "1 failed, 4 passed")


def test_each_result_is_a_line_of_json(bench: Site) -> None:
    bench.write("tests/test_bad.py", "def test_bad():\n    assert 1 == 2, 'one is not two'\n")
    lines = bench.devenv("test", "--json").failed(1).json_lines()
    events = [line["event"] for line in lines if line["type"] == "event"]
    outcomes = {event["id"]: event["outcome"] for event in events if event["e"] == "test"}
    assert outcomes == {
        "tests/test_bad.py::test_bad": "failed",
        "tests/test_sums.py::test_small": "passed",
        "tests/test_sums.py::test_large": "passed",
        "tests/test_words.py::test_shout": "passed",
        "tests/test_words.py::test_writes_files": "passed",
    }
    (bad,) = (event for event in events if event["e"] == "test" and event["outcome"] == "failed")
    assert "one is not two" in bad["message"]
    assert bad["line"] == 2
    assert (lines[-1]["type"], lines[-1]["exit"]) == ("result", 1)
    view = bench.status()["tests"]
    assert (view["passed"], view["failed"]) == (4, 1)
    assert {test["file"] for test in view["tests"] if test["outcome"] == "failed"} == {
        str(bench.path("tests/test_bad.py"))
    }


@pytest.mark.parametrize("words", [("--module", "pytest", "-q"), ("pytest", "-q")], ids=["module", "program"])
def test_a_test_is_debugged(bench: Site, words: tuple[str, ...]) -> None:
    source = bench.path("tests/test_sums.py")
    with (
        debugging(bench, *words) as run,
        attached(bench, {source: [line_of(source, "add(100, 200)")], bench.path("sums.py"): [2]}) as (client, _),
    ):
        for expected in ((1, 2), (100, 200)):
            while client.frames(thread := client.stopped("breakpoint")["threadId"])[0]["name"] != "add":
                client.resume(thread)
            frame = client.frames(thread)[0]
            assert frame["source"]["path"] == str(bench.path("sums.py"))
            assert client.evaluate("(left, right)", frame["id"]) == repr(expected)
            client.resume(thread)
        client.event("terminated")
        bench.devenv("logs", run).ok().says("4 passed")


def test_a_watch_runs_what_a_save_affects(bench: Site) -> None:
    with Tmux(bench.shell, "bash", "--norc", columns=100, rows=200) as tmux:
        tmux.type("PS1='ready$ '; devenv test --watch -- -v; echo over $?")
        tmux.keys("Enter")
        tmux.wait_for("4 passed", 60)

        # Nothing that a test wrote, that is ignored or that is data starts another run; a real save comes through.
        for name in ("scratch/notes.py", "vendored/lib.py", "data/set.json", "data/new.json"):
            bench.write(name, "changed = 1\n")
        bench.write("sums.py", "def add(left, right):\n    return left + right if left < 50 else 0\n")
        screen = tmux.wait_for("1 failed, 1 passed", 60)
        assert len(re.findall(r"devenv: testing everything", screen)) == 1, screen
        assert len(re.findall(r"devenv: testing", screen)) == 2, screen
        assert "devenv: testing tests/test_sums.py" in screen

        # The one that failed runs first, and all of them once it passes.
        bench.write("sums.py", "def add(left, right):\n    return left + right\n")
        screen = tmux.wait_for("devenv: testing everything\n", 60)

        def everything() -> bool:
            return tmux.screen().count("4 passed") == 2

        eventually(everything, "the whole run", 60)
        again = tmux.screen().split("1 failed, 1 passed")[1]
        assert re.search(r"testing tests/test_sums.py\n[\s\S]*2 passed[\s\S]*devenv: testing everything", again), again
        assert re.findall(r"::(\w+) PASSED", again)[:2] == ["test_large", "test_small"]

        bench.write("tests/test_new.py", "from words import shout\n\ndef test_new():\n    assert shout('b') == 'C'\n")
        tmux.wait_for("devenv: testing tests/test_new.py", 60)
        tmux.wait_for("test_new.py::test_new FAILED", 60)
        tmux.wait_for("FAILED tests/test_new.py::test_new - ", 60)
        # Another file's change takes the failed one along, first of all.
        bench.write("words.py", "def shout(word):\n    return word.upper().replace('B', 'C')\n")
        eventually(lambda: "5 passed" in tmux.screen(), "all tests", 60)
        last = tmux.screen().split("FAILED tests/test_new.py::test_new - ")[1]
        assert re.findall(r"::(\w+) PASSED", last)[0] == "test_new"
        eventually(lambda: bench.status()["tests"]["passed"] == 5, "the results in `devenv status`")

        tmux.keys("C-c")
        tmux.wait_for("over 130", 30)
        tmux.type("stty -a | grep -o ' -*echo '; echo fine")
        tmux.keys("Enter")
        assert " echo" in tmux.wait_for("\nfine", 30)
    assert not [view for view in bench.json("runs")["runs"] if view["ended"] is None]


def test_a_save_during_a_run_ends_it_and_starts_the_next(bench: Site) -> None:
    bench.write("tests/test_slow.py", "import time\n\ndef test_slow():\n    print('slow began')\n    time.sleep(300)\n")
    with Tmux(bench.shell, "devenv", "test", "--watch", "--", "-s", columns=100, rows=100) as tmux:
        tmux.wait_for("slow began", 60)
        bench.write("tests/test_slow.py", "def test_slow():\n    print('fast began')\n")
        tmux.wait_for("fast began", 60)
        tmux.wait_for("5 passed", 60)
        tmux.keys("C-c")
        assert tmux.exit_code() == 130


def test_a_terminal_that_is_closed_ends_the_watch_and_its_run(bench: Site) -> None:
    bench.write("tests/test_slow.py", "import time\n\ndef test_slow():\n    print('slow began')\n    time.sleep(300)\n")
    with bench.shell.terminal("devenv", "test", "--watch", "--", "-s") as terminal:
        terminal.expect("slow began")
        terminal.hang_up()

        eventually(
            lambda: not [view for view in bench.json("runs")["runs"] if view["ended"] is None], "the end of the tests"
        )
