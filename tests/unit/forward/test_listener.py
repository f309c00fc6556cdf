"""Host ports: which one, where, and what is said when it is not the expected one."""

from __future__ import annotations

import json
import os
import pathlib
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from devenv.errors import ExitCode, PortTaken
from devenv.forward import listener
from devenv.forward.holder import find_holder
from devenv.forward.store import PortStore

LISTENS = """
import socket, sys
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen()
print(s.getsockname()[1], flush=True)
sys.stdin.read()
"""
LOOPBACK = ("127.0.0.1", "::1")


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_both_loopbacks_have_the_same_real_port() -> None:
    made = listener.bind(0, LOOPBACK)
    try:
        assert made.port > 0
        assert {one.getsockname()[1] for one in made.sockets} == {made.port}
        assert [one.getsockname()[0] for one in made.sockets] == (["127.0.0.1", "::1"] if has_ipv6() else ["127.0.0.1"])
    finally:
        made.close()


def test_an_address_that_this_machine_has_not_is_passed_over() -> None:
    made = listener.bind(0, ("127.0.0.1", "2001:db8::1"))
    assert len(made.sockets) == 1
    made.close()


def test_the_expected_number_when_it_is_free() -> None:
    port = free_port()
    choice = listener.choose("key", str(port), port, LOOPBACK, None)
    assert (choice.listener.port, choice.note) == (port, "")
    choice.listener.close()


def test_a_taken_number_gives_a_stable_other_one_and_names_the_holder(taken: int) -> None:
    choice = listener.choose("key", str(taken), taken, LOOPBACK, None)
    assert choice.listener.port in range(20000, 30000)
    assert choice.listener.port == listener.alternative("key", str(taken))
    assert f"{taken} is taken by" in choice.note
    assert f"pid {os.getpid()}" in choice.note
    choice.listener.close()


def test_the_remembered_number_is_tried_first(taken: int) -> None:
    remembered = free_port()
    choice = listener.choose("key", str(taken), taken, LOOPBACK, remembered)
    assert choice.listener.port == remembered
    choice.listener.close()


def test_one_loopback_taken_counts_as_taken() -> None:
    if not has_ipv6():
        pytest.skip("this machine has no ::1")
    with socket.socket(socket.AF_INET6) as holder:
        holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        holder.bind(("::1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        choice = listener.choose("key", str(port), port, LOOPBACK, None)
        assert choice.listener.port != port
        choice.listener.close()


def test_an_explicit_number_that_is_taken_is_an_error_that_names_the_holder(taken: int) -> None:
    with pytest.raises(PortTaken) as caught:
        listener.choose_exactly(taken, LOOPBACK)
    assert caught.value.code is ExitCode.PORT
    assert caught.value.details["holder"]["pid"] == os.getpid()
    assert f"host port {taken} is taken by" in caught.value.message


def test_a_privileged_number_without_privilege_suggests_another(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(address: str, port: int) -> socket.socket:
        if port < 1024:
            raise PermissionError(13, "Permission denied")
        made = socket.socket()
        made.bind(("127.0.0.1", 0))
        return made

    monkeypatch.setattr(listener, "_bind_one", denied)
    with pytest.raises(PortTaken) as caught:
        listener.choose_exactly(80, ("127.0.0.1",))
    assert "needs privilege" in caught.value.message
    assert "8080" in caught.value.hint
    choice = listener.choose("key", "80", 80, ("127.0.0.1",), None)
    assert "80 needs privilege" in choice.note
    choice.listener.close()


def test_alternatives_differ_by_environment_and_attempt() -> None:
    assert listener.alternative("a", "8000") == listener.alternative("a", "8000")
    assert len({listener.alternative("a", "8000", attempt) for attempt in range(10)}) > 5
    assert listener.alternative("a", "8000") != listener.alternative("b", "8000")


def test_the_descriptor_limit_goes_up() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        listener.raise_descriptor_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= before[0]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_foreign_process_is_named_by_its_command() -> None:
    script = LISTENS
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdin is not None
        port = int(process.stdout.readline())
        holder = find_holder(port)
        process.stdin.close()
    assert holder is not None
    assert holder.pid == process.pid
    assert "python" in str(holder)


def test_nobody_holds_a_free_port() -> None:
    assert find_holder(free_port()) is None


def test_without_a_view_of_processes_only_the_user_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "net").mkdir()
    row = "0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4242 1 0 100 0 0 10 0"
    (tmp_path / "net" / "tcp").write_text(f"head\n{row}\n")
    holder = find_holder(8080, tmp_path)
    assert holder is not None
    assert str(holder) == "a process of root"


def test_the_store_remembers(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "env" / "ports.json"
    PortStore(path).put("8000", 20001)
    assert PortStore(path).get("8000") == 20001
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["ports.json"]
    assert json.loads(path.read_text())["version"] == 1


@pytest.mark.parametrize("content", ["", "{", "[]", '{"ports": 3}', '{"ports": {"8000": "x", "9000": 99999}}'])
def test_a_broken_store_is_as_good_as_none(tmp_path: pathlib.Path, content: str) -> None:
    path = tmp_path / "ports.json"
    path.write_text(content)
    assert PortStore(path).get("8000") is None
