"""Jupyter kernels: a debugger comes into the one that a notebook has, stops in a project module that a cell calls, and
leaves; the kernel answers all the same."""

from __future__ import annotations

import contextlib
import json
import re
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.daily.site import Background, Site
from tests.e2e.ide.place import attached, door, line_of, own_name, place
from tests.kit.command import Shell
from tests.kit.fixtures import Images
from tests.kit.project import Content
from tests.kit.users import User
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users]

FILES: dict[str, Content] = {
    "devenv.yaml": "services:\n  jupyter: {kind: jupyter}\n",
    "sums.py": """\
def double(number):
    answer = number * 2
    return answer
""",
    # One message to a kernel by its own protocol, as a front end sends it: KERNEL CHANNEL JSON.
    "say.py": """\
import json
import sys

import jupyter_client

client = jupyter_client.BlockingKernelClient(connection_file=jupyter_client.find_connection_file(sys.argv[1]))
client.load_connection_file()
client.start_channels()
client.wait_for_ready(60)
if sys.argv[2] == "cell":
    reply = client.execute_interactive(sys.argv[3], timeout=60)
    print("cell:", reply["content"]["status"], flush=True)
else:
    request = {"type": "request", "seq": 1, "command": sys.argv[2], "arguments": json.loads(sys.argv[3])}
    reply = client.session.msg("debug_request", request)
    client.control_channel.send(reply)
    print("debugger:", client.get_control_msg(timeout=30)["content"].get("success"), flush=True)
client.stop_channels()
""",
    "long.ipynb": json.dumps(
        {
            "cells": [
                {
                    "cell_type": "code",
                    "execution_count": None,
                    "id": "one",
                    "metadata": {},
                    "outputs": [],
                    "source": ["import time\n", "time.sleep(600)"],
                }
            ],
            "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    ),
}


class Lab:
    """Jupyter's server, as its front end sees it through the forward."""

    def __init__(self, site: Site) -> None:
        site.devenv("services", "start", "jupyter", timeout=120).ok()
        where, _, token = site.devenv("open", "--print", "jupyter").ok().out.strip().partition("?token=")
        self.site = site
        self._root = where.split("/lab")[0] + "/api/"
        self._token = token

    def ask(self, path: str, method: str = "GET", body: Any = None) -> Any:
        request = urllib.request.Request(
            self._root + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"token {self._token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            said = answer.read()
        return json.loads(said) if said else None

    @contextlib.contextmanager
    def notebook(self, path: str) -> Iterator[str]:
        """A kernel for a notebook, begun as JupyterLab does it: the name comes when the kernel runs. Its id."""
        asked = {"path": str(uuid.uuid4()), "type": "notebook", "name": "", "kernel": {"name": "python3"}}
        session = self.ask("sessions", "POST", asked)
        self.ask(f"sessions/{session['id']}", "PATCH", {"path": path, "name": path.split("/")[-1]})
        try:
            self.say(session["kernel"]["id"], "cell", "1")
            yield session["kernel"]["id"]
        finally:
            self.ask(f"sessions/{session['id']}", "DELETE")

    def say(self, kernel: str, what: str, text: str) -> str:
        return self.site.exec("python", "say.py", kernel, what, text).ok().out

    @contextlib.contextmanager
    def cell(self, kernel: str, code: str) -> Iterator[Background]:
        with self.site.background("exec", "--", "python", "say.py", kernel, "cell", code) as running:
            yield running


@pytest.fixture(scope="module")
def lab(alice: User, shell: Callable[..., Shell], images: Images) -> Iterator[Lab]:
    with place(shell, alice, own_name("kernels"), images.torch, FILES) as site:
        yield Lab(site)


def visit(lab: Lab, kernel: str) -> None:
    """A cell calls the project; the debugger stops there, looks, lets go, leaves; the cell ends, and the next one."""
    source = lab.site.path("sums.py")
    with attached(lab.site, {source: [line_of(source, "answer =")]}) as (client, _):
        with lab.cell(kernel, "import sums\nprint('doubled', sums.double(21))") as cell:
            thread = client.stopped("breakpoint")["threadId"]
            called, calling = client.frames(thread)[:2]
            assert (called["source"]["path"], called["line"]) == (str(source), 2)
            assert client.evaluate("number", called["id"]) == "21"
            # The cell is in no file, and shown all the same.
            reference = calling["source"]["sourceReference"]
            shown = client.request("source", sourceReference=reference, source=calling["source"])["content"]
            assert "sums.double(21)" in shown
            client.resume(thread)
            cell.expect("doubled 42\ncell: ok")
            assert cell.wait() == 0
        client.disconnect()
    assert lab.say(kernel, "cell", "print(sums.double(4))") == "8\ncell: ok\n"


POOL = """\
import multiprocessing, sums
with multiprocessing.get_context("fork").Pool(1) as pool:
    print("pool", pool.map(sums.double, [5]))
"""


def visit_worker(lab: Lab, kernel: str) -> None:
    """The same in a process that a cell starts."""
    source = lab.site.path("sums.py")
    with attached(lab.site, {source: [line_of(source, "return answer")]}) as (client, _):
        with lab.cell(kernel, POOL) as cell:
            child, stop = client.stopped_child()
            assert child.evaluate("answer", child.frames(stop["threadId"])[0]["id"]) == "10"
            child.resume(stop["threadId"])
            cell.expect("pool [10]\ncell: ok")
        for worker in client.children:
            worker.close()
        client.children.clear()
        client.disconnect()


def ports(lab: Lab) -> dict[str, int]:
    return {view["name"]: view["port"] for view in lab.site.json("debug", "--list")["sessions"]}


def test_the_only_kernel_and_one_of_several(lab: Lab) -> None:
    lab.site.devenv("debug", "--attach", "kernel").failed(66).says("no Jupyter kernel")
    with lab.notebook("first.ipynb") as first:
        lab.site.devenv("debug", "--attach", "kernel").ok().says(
            rf"debugger ready at 127.0.0.1:{door(lab.site)}: in first.ipynb \(process \d+\)", "the program goes on"
        )
        visit(lab, first)
        visit_worker(lab, first)
        with lab.notebook("notes/first.ipynb") as second, lab.notebook("third.ipynb"):
            several = lab.site.devenv("debug", "--attach", "kernel").failed(66)
            several.says(r"3 kernels run: first.ipynb \(process \d+\), notes/first.ipynb \(process \d+\), third")
            lab.site.devenv("debug", "--attach", "fourth.ipynb").failed(66).says("no kernel runs fourth.ipynb")
            answer = lab.site.json("debug", "--attach", "notes/first.ipynb")["attached"]
            assert re.search(rf"notes/first.ipynb \(process {answer['pid']}\)", several.err)
            visit(lab, second)
            before = ports(lab)
            lab.site.devenv("debug", "--attach", "first.ipynb").ok().says("as before")
            assert ports(lab) == before
            assert set(before) == {"first.ipynb", "first.ipynb 2"}


def test_a_notebook_that_is_executed_without_a_server(lab: Lab) -> None:
    with lab.site.background("exec", "--", "jupyter", "execute", "long.ipynb"):

        def debugged() -> bool:
            lab.site.devenv("debug", "--attach", "long.ipynb").ok().says(r"in long.ipynb \(process \d+\)")
            return True

        eventually(debugged, "the notebook's kernel")
        lab.site.devenv("stack", "long.ipynb").ok().says("long.ipynb: 1 process")


def test_beside_the_kernel_s_own_debugger(lab: Lab) -> None:
    greeting = json.dumps({"clientID": "lab", "adapterID": "debugpy", "pathFormat": "path"})
    with lab.notebook("theirs.ipynb") as kernel:
        assert "debugger: True" in lab.say(kernel, "initialize", greeting)
        lab.site.devenv("debug", "--attach", "theirs.ipynb").failed(78).says("only one", "restart the kernel")
        assert lab.say(kernel, "cell", "print(6 * 7)") == "42\ncell: ok\n"
    with lab.notebook("ours.ipynb") as kernel:
        lab.say(kernel, "debugInfo", "{}")  # every front end asks for it
        lab.site.devenv("debug", "--attach", "ours.ipynb").ok()
        assert "debugger: False" in lab.say(kernel, "initialize", greeting)
        visit(lab, kernel)
