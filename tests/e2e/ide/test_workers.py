"""Programs that start their own kind: a server whose reloader starts it anew at each save, DataLoader workers. Under a
client that comes for child processes, and under one that does not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.daily.site import Background, Site
from tests.e2e.ide.place import attached, debugging, door, line_of, own_name, place
from tests.kit.command import Shell
from tests.kit.dap import DapClient
from tests.kit.fixtures import Images
from tests.kit.project import Content
from tests.kit.users import User
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users]

LISTENS = "grep -q ':1F8D 00000000:0000 0A' /proc/net/tcp"  # port 8077
SERVER = """\
from werkzeug.serving import run_simple
from werkzeug.wrappers import Request, Response


@Request.application
def answers(request):
    text = "first to " + request.path
    return Response(text)


if __name__ == "__main__":
    run_simple("127.0.0.1", 8077, answers, use_reloader=True, reloader_interval=0.1, reloader_type="stat")
"""
FILES: dict[str, Content] = {
    "server.py": SERVER,
    "loader.py": """\
from torch.utils.data import DataLoader, Dataset


class Squares(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        square = index * index
        if index == 3:
            square += 100
        return square


if __name__ == "__main__":
    for method in ("fork", "spawn"):
        loader = DataLoader(Squares(), num_workers=2, multiprocessing_context=method)
        print(method, [int(batch) for batch in loader], flush=True)
""",
    "ask.py": """\
import sys
import urllib.request

print(urllib.request.urlopen("http://127.0.0.1:8077" + sys.argv[1], timeout=60).read().decode(), flush=True)
""",
}


@pytest.fixture(scope="module")
def mill(alice: User, shell: Callable[..., Shell], images: Images) -> Iterator[Site]:
    with place(shell, alice, own_name("mill"), images.torch, FILES) as site:
        yield site


@contextlib.contextmanager
def ignoring(site: Site) -> Iterator[DapClient]:
    """A client that knows nothing of child processes, as many do."""
    with DapClient(door(site)) as client:
        client._adopt = lambda configuration: None  # type: ignore[method-assign]
        client.initialize()
        attach = client.send("attach")
        client.event("initialized")
        client.request("configurationDone")
        client.answer(attach, "attach")
        yield client


@contextlib.contextmanager
def asking(site: Site, path: str) -> Iterator[Background]:
    with site.background("exec", "--", "python", "ask.py", path) as running:
        yield running


def served(site: Site, path: str) -> str:
    """What the server answers, as soon as it does."""
    return eventually(lambda: site.exec("python", "ask.py", path).ok().out.strip(), f"an answer to {path}")


def stops(site: Site, client: DapClient, source: Path, path: str) -> tuple[DapClient, str]:
    """The child whose handler of a request stops, and the answer that was given afterwards."""
    eventually(lambda: site.exec("sh", "-c", LISTENS).ok(), "the server")
    with asking(site, path) as request:
        child, stop = client.stopped_child()
        frame = child.frames(stop["threadId"])[0]
        assert (frame["source"]["path"], frame["name"]) == (str(source), "answers")
        assert child.evaluate("request.path", frame["id"]) == f"'{path}'"
        child.resume(stop["threadId"])
        assert request.wait() == 0
        return child, request.out.decode().strip()


def test_a_server_that_is_started_anew_at_each_save(mill: Site) -> None:
    source = mill.write("server.py", SERVER)
    line = line_of(source, "return Response")
    with debugging(mill, "server.py"), attached(mill, {source: [line]}) as (client, _):
        child, said = stops(mill, client, source, "/a")
        assert said == "first to /a"
        mill.write("server.py", SERVER.replace("first", "second"))
        child.event("terminated")
        client.children.remove(child)
        child.close()
        _, said = stops(mill, client, source, "/b")
        assert said == "second to /b"


def test_the_server_answers_a_client_that_ignores_its_children(mill: Site) -> None:
    mill.write("server.py", SERVER)
    with debugging(mill, "server.py"), ignoring(mill):
        assert served(mill, "/a") == "first to /a"
        mill.write("server.py", SERVER.replace("first", "second"))
        eventually(lambda: served(mill, "/b") == "second to /b", "the new answer")


def printed(site: Site, run: str, text: str) -> None:
    eventually(lambda: text in site.devenv("logs", run).out, f"{text!r} of {run}", every=0.3)


def test_workers_of_a_loader(mill: Site) -> None:
    source = mill.path("loader.py")
    with (
        debugging(mill, "loader.py") as run,
        attached(mill, {source: [line_of(source, "square += 100")]}) as (client, _),
    ):
        for method in ("fork", "spawn"):
            child, stop = client.stopped_child()
            frame = child.frames(stop["threadId"])[0]
            assert (frame["source"]["path"], child.evaluate("index", frame["id"])) == (str(source), "3")
            child.resume(stop["threadId"])
            printed(mill, run, f"{method} [0, 1, 4, 109]")
            for worker in client.children:
                worker.close()
            client.children.clear()
        client.event("terminated")


def test_workers_that_no_client_comes_for(mill: Site) -> None:
    with debugging(mill, "loader.py") as run, ignoring(mill) as client:
        client.event("terminated", timeout=60)
        mill.devenv("logs", run).ok().says(r"fork \[0, 1, 4, 109\]", r"spawn \[0, 1, 4, 109\]")
