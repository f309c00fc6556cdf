"""When a server has begun to listen, who is told of it, and who opens the browser."""

from __future__ import annotations

import dataclasses
import pathlib

import pytest

from devenv.api.views import PortView
from devenv.forward.detection import KEEP
from devenv.forward.openings import Openings, sentence


@dataclasses.dataclass
class Clock:
    time: float = 1000.0

    def __call__(self) -> float:
        return self.time


@dataclasses.dataclass
class World:
    """One environment's openings; `restart` is the next supervisor over the same file."""

    path: pathlib.Path
    clock: Clock = dataclasses.field(default_factory=Clock)

    def openings(self, start: str = "c 1") -> Openings:
        made = Openings(self.path, self.clock, self.clock)
        made.container(start)
        return made


@pytest.fixture
def world(tmp_path: pathlib.Path) -> World:
    return World(tmp_path / "env" / "openings.json")


def test_a_server_is_news_once(world: World) -> None:
    openings = world.openings()
    openings.see({8000: "python app.py"})
    assert openings.since(8000) == 1000.0
    assert [openings.news(8000), openings.news(8000), openings.news(1)] == [True, False, False]


@pytest.mark.parametrize(
    ("gone", "command", "news"),
    [
        pytest.param(KEEP - 1, "python app.py", False, id="a reloader comes back"),
        pytest.param(KEEP - 1, "python other.py", True, id="another program on the port"),
        pytest.param(KEEP + 1, "python app.py", True, id="the same one, much later"),
    ],
)
def test_what_comes_back(world: World, gone: float, command: str, news: bool) -> None:
    openings = world.openings()
    openings.see({8000: "python app.py"})
    assert openings.news(8000)
    openings.see({})
    assert openings.since(8000) is None and not openings.news(8000)
    world.clock.time += gone
    openings.see({8000: command})
    assert openings.news(8000) is news
    assert openings.since(8000) == (world.clock.time if news else 1000.0)


def test_the_next_supervisor_tells_nothing_again(world: World) -> None:
    world.openings().see({8000: "app"})
    later = world.openings()
    later.see({8000: "app"})
    assert later.since(8000) is None and not later.news(8000)
    later.see({8000: "app", 9000: "new"})
    assert later.news(9000) and not later.news(8000)


def test_a_container_that_was_started_again_is_all_news(world: World) -> None:
    openings = world.openings("c 1")
    openings.see({8000: "app"})
    assert openings.news(8000)
    openings.container("c 2")
    openings.see({8000: "app"})
    assert openings.news(8000)
    next_one = world.openings("c 3")
    next_one.see({8000: "app"})
    assert next_one.news(8000)


def test_one_of_several_front_ends_opens_the_browser(world: World) -> None:
    openings = world.openings()
    openings.see({8000: "app"})
    since = openings.since(8000)
    assert since is not None
    assert [openings.claim(8000, since, once=False) for _ in range(3)] == [True, False, False]
    assert not openings.claim(8000, since - 1, once=False), "an older start"
    assert not openings.claim(9000, since, once=False), "nothing listens there"


def test_each_start_opens_it_but_once_means_once(world: World) -> None:
    openings = world.openings()
    granted = []
    for once in (False, False, True):
        world.clock.time += KEEP + 1
        openings.see({})
        world.clock.time += KEEP + 1
        openings.see({8000: "app"})
        since = openings.since(8000)
        assert since is not None
        granted.append(openings.claim(8000, since, once=once))
    assert granted == [True, True, False]


def test_once_is_remembered_until_the_environment_is_removed(world: World) -> None:
    def claimed(start: str) -> bool:
        openings = world.openings(start)
        openings.see({8000: "app"})
        since = openings.since(8000)
        assert since is not None
        return openings.claim(8000, since, once=True)

    assert [claimed("c 1"), claimed("c 2")] == [True, False]
    world.openings("c 3").forget()
    assert not world.path.exists()
    assert claimed("c 4")


def test_a_retired_one_writes_nothing(world: World) -> None:
    openings = world.openings()
    before = world.path.read_text()
    openings.freeze()
    openings.container("c 9")
    openings.forget()
    assert world.path.read_text() == before


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"start": 1}', '{"start": "c 1", "opened": [null]}', "\x00"])
def test_a_file_that_is_no_good_is_as_none(world: World, content: str) -> None:
    world.path.parent.mkdir()
    world.path.write_text(content)
    openings = world.openings()
    openings.see({8000: "app"})
    assert openings.news(8000)


def view(**more: object) -> PortView:
    return PortView(**{"port": 8000, "host_port": 8001, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("port", "text"),
    [
        (view(), "port 8000 is at 127.0.0.1:8001"),
        (view(label="API", url="http://127.0.0.1:8001/"), "port 8000 (API) is at http://127.0.0.1:8001/"),
        (view(auto_forward="openBrowser"), "port 8000 is at http://127.0.0.1:8001/"),
        (
            view(host_port=None, note="8000 is taken by sshd (pid 12, root)"),
            "port 8000 is not forwarded: 8000 is taken by sshd (pid 12, root)",
        ),
        (view(secret_url="http://127.0.0.1:8001/?token=s3cret"), "port 8000 is at 127.0.0.1:8001"),
    ],
)
def test_what_is_said(port: PortView, text: str) -> None:
    assert sentence(port) == text
