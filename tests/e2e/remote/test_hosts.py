"""Environments on another machine: named once, found by every verb afterwards, there again after whatever happens."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.remote.conftest import COUNT, SERVE, Far, counted, page
from tests.kit import installed
from tests.kit.command import Shell
from tests.kit.engine import Docker
from tests.kit.fixtures import Images
from tests.kit.project import give_to
from tests.kit.remote_host import RemoteHost
from tests.kit.users import User
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users, pytest.mark.timeout(240)]

Make = Callable[..., Far]


def supervisor_of(user: User) -> int:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if entry.stat().st_uid == user.uid and b"devenv.supervisor" in words:
                    return int(entry.name)
            except OSError:
                continue
    raise AssertionError("no supervisor runs")


@pytest.mark.usefixtures("own_settings")
def test_the_first_hour(far: Make, gpu_box: RemoteHost, engine: Docker) -> None:
    here = far("first")
    here.devenv("host", "add", "gpu-box").ok().says("gpu-box is ssh://gpu-box|gpu-box is gpu-box")
    here.devenv("host", "rm", "gpu-box").ok()
    here.devenv("host", "add", "box", "gpu-box").ok().says("devenv host check box")
    here.devenv("host", "check", "box").ok().says(
        "ssh +ssh://gpu-box, as dev", "Docker 20", r"round trip +[0-9.]+ ms", "GB free"
    )
    here.devenv("up", "--host", "box").ok().says(r"host +box \([0-9.]+ ms away\)")
    assert here.devenv("exec", "--", "pwd").ok().out == "/workspaces/first\n"
    assert gpu_box.docker("ps", "--quiet"), "the container is there"
    assert not engine.of_folder(here.shell.cwd), "and not here"
    assert here.status()["host"] == "box"
    here.devenv("ls").ok().says(r"first +running .* box")
    here.devenv("host", "ls").ok().says(r"\* +local", r"box +ssh://gpu-box +ssh +yes +[0-9.]+ ms +first")
    here.put("count.py", COUNT)
    here.devenv("run", "--detach", "count.py").ok()
    eventually(lambda: here.runs()[0]["size"] > 10, "output of the run", 30)
    here.devenv("kill").ok()
    lines = counted(here.devenv("logs").ok().out)
    assert lines == list(range(len(lines)))
    here.put("serve.py", SERVE)
    here.devenv("run", "--detach", "serve.py").ok()
    assert page(here.host_port(8899)) == "served"
    here.devenv("down", "--force").ok()
    assert here.status()["host"] == "", "the next one of this folder may be anywhere"
    here.devenv("host", "rm", "box").ok()
    here.devenv("up", "--host", "bo x").failed(64).says("no ssh destination")


@pytest.mark.usefixtures("own_settings")
def test_what_is_in_the_way_is_one_line_and_what_to_do(far: Make, gpu_box: RemoteHost) -> None:
    here = far("wrong")
    here.devenv("up", "--host", "outside").failed(69).says(
        "outsider may not use /var/run/docker.sock", "usermod -aG docker"
    )
    here.devenv("up", "--host", "me@nowhere.invalid").failed(69).says("nobody knows a machine of that name")
    here.devenv("host", "check", "outside").failed(69).says("ok +ssh", "!! +socket")
    assert here.status()["host"] == "", "a host that was never reached is not remembered"


@pytest.mark.usefixtures("own_settings", "gpu_box")
def test_a_folder_of_this_machine_cannot_be_mounted_there(far: Make) -> None:
    here = far("mounting", mounts=["source=/no/such/folder,target=/data,type=bind"])
    here.devenv("up", "--host", "gpu-box").failed(69).says("/no/such/folder", "the engine's machine").silent_about(
        "on this machine to mount"
    )


@pytest.mark.usefixtures("own_settings", "gpu_box")
def test_the_default_is_for_new_environments_only(far: Make) -> None:
    old, new = far("old"), far("new")
    old.devenv("up", "--host", "gpu-box").ok()
    old.devenv("host", "add", "nowhere", "me@nowhere.invalid").ok()
    old.devenv("host", "use", "nowhere").ok()
    assert old.devenv("exec", "--", "pwd").ok().out == "/workspaces/old\n"
    new.devenv("up").failed(69).says("nowhere.invalid")
    old.devenv("up", "--host", "local").failed(77).says(
        "old is on gpu-box, and not on local", "devenv down --host gpu-box"
    )
    old.devenv("host", "use", "local").ok()
    new.devenv("status").ok().says("new: absent")


@pytest.mark.usefixtures("own_settings")
def test_a_killed_supervisor_finds_its_hosts_again(far: Make, gpu_box: RemoteHost, alice: User) -> None:
    here = far("killed")
    here.devenv("up", "--host", "gpu-box").ok()
    here.put("serve.py", SERVE)
    here.put("count.py", COUNT)
    here.devenv("run", "--detach", "serve.py").ok()
    here.devenv("run", "--detach", "count.py").ok()
    port = here.host_port(8899)
    os.kill(supervisor_of(alice), signal.SIGKILL)
    here.shell.run("devenv", "ls").ok().says(r"killed +running .* gpu-box")
    eventually(lambda: page(port) == "served", "the same port, by itself", 30)
    here.devenv("kill", "count.py").ok()
    lines = counted(here.devenv("logs", "count.py").ok().out)
    assert lines == list(range(len(lines))), "a line was lost or doubled"


@pytest.mark.usefixtures("own_settings")
def test_a_network_that_is_gone_for_a_while(far: Make, gpu_box: RemoteHost) -> None:
    here = far("cut")
    here.devenv("up", "--host", "gpu-box").ok()
    here.put("serve.py", SERVE)
    here.put("count.py", COUNT)
    here.devenv("run", "--detach", "serve.py").ok()
    here.devenv("run", "--detach", "count.py").ok()
    port = here.host_port(8899)
    with gpu_box.cut():
        # It ends when ssh gives up: four times five seconds without an answer.
        here.devenv("exec", "--", "true", timeout=60).failed()
    eventually(lambda: here.status()["status"] == "running", "it is there again", 60, every=0.5)
    eventually(lambda: page(port) == "served", "the same port", 30)
    here.devenv("kill", "count.py").ok()
    lines = counted(here.devenv("logs", "count.py").ok().out)
    assert lines == list(range(len(lines))), "a line was lost or doubled"
    assert len(lines) > 20 * 20, "what was printed meanwhile is there"


@pytest.mark.usefixtures("own_settings")
def test_an_engine_with_certificates(far: Make, other_box: RemoteHost, alice: User, tmp_path: Path) -> None:
    here = far(
        "certified", runArgs=["--ulimit", "memlock=65536", "--ulimit", "stack=8388608", "--ulimit", "nofile=1024"]
    )
    certificates = other_box.certificates(alice.home / "certificates", alice)
    here.devenv("host", "add", "rack", f"tcp://{other_box.address}:2376", "--tls", str(certificates)).ok()
    here.devenv("host", "check", "rack").ok().says("Docker 26")
    here.devenv("up", "--host", "rack").ok()
    assert here.devenv("exec", "--", "pwd").ok().out == "/workspaces/certified\n"
    here.devenv("host", "ls").ok().says(r"rack +tcp://\S+ +tcp +yes .*certified")
    here.devenv("down", "--force", "--volumes").ok()


@pytest.mark.usefixtures("own_settings")
def test_a_docker_context_over_ssh(far: Make, other_box: RemoteHost, alice: User) -> None:
    folder = alice.home / ".docker/contexts/meta" / hashlib.sha256(b"faraway").hexdigest()
    folder.mkdir(parents=True)
    meta = {"Name": "faraway", "Endpoints": {"docker": {"Host": "ssh://other-box"}}}
    (folder / "meta.json").write_text(json.dumps(meta))
    give_to(alice.home / ".docker", alice)
    here = far("context")
    here.devenv("up", "--host", "faraway").ok().says("host +faraway")
    here.devenv("exec", "--", "true").ok()
    here.devenv("down", "--force", "--volumes").ok()
    by_docker = here.having(DOCKER_CONTEXT="faraway")
    by_docker.devenv("up").ok().says("context: running")
    assert here.devenv("exec", "--", "pwd").ok().out == "/workspaces/context\n"


def test_two_machines_at_once(
    far: Make, gpu_box: RemoteHost, other_box: RemoteHost, shell: Callable[..., Shell]
) -> None:
    one, two = far("one"), far("two")
    one.devenv("up", "--host", "gpu-box").ok()
    two.devenv("up", "--host", "other-box").ok()
    one.devenv("ls").ok().says(r"one +running .* gpu-box", r"two +running .* other-box")
    with gpu_box.cut():
        two.devenv("exec", "--", "true").ok()
        two.devenv("status").ok()


@pytest.mark.usefixtures("own_settings")
def test_an_image_without_python_there(far: Make, other_box: RemoteHost, images: Images) -> None:
    """No agent runs in it: this machine's `docker` command is the client's, and must mean the other machine."""
    here = far("bare", image=images.busybox)
    here.devenv("up", "--host", "other-box").ok()
    assert here.devenv("exec", "--", "sh", "-c", "echo $((6 * 7)); pwd").ok().out == "42\n/workspaces/bare\n"


@pytest.mark.usefixtures("own_settings")
def test_a_newer_supervisor_takes_over_what_is_there(far: Make, gpu_box: RemoteHost) -> None:
    newer = far("newer")
    older = Far(dataclasses.replace(newer.shell, path=(installed.bin_folder("0.0.1"),)))
    newer.devenv("supervisor", "stop")
    older.devenv("up", "--host", "gpu-box").ok()
    older.put("serve.py", SERVE)
    older.devenv("run", "--detach", "serve.py").ok()
    port = older.host_port(8899)
    with socket.create_connection(("127.0.0.1", port), 10) as established:
        assert newer.status()["host"] == "gpu-box"
        assert newer.host_port(8899) == port
        established.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert established.recv(15) == b"HTTP/1.0 200 OK"
    assert page(port) == "served"
    gpu_box.hang_up()
    eventually(lambda: page(port) == "served", "the successor connects again, and nobody takes its socket away", 30)
    newer.devenv("exec", "--", "true").ok()
