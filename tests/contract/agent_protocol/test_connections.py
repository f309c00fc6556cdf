"""Connections into the container, as channels and as descriptors."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from .client import CREDIT, AgentError, Channel, Client
from .conftest import Connect

Serve = Callable[[Callable[[socket.socket], None]], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server on loopback; each connection is given to the function, in a thread."""
    stop: list[socket.socket] = []
    accepted: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(handle: Callable[[socket.socket], None], family: int = socket.AF_INET) -> int:
        listener = socket.create_server(
            ("::1" if family == socket.AF_INET6 else "127.0.0.1", 0), family=family, backlog=512
        )
        stop.append(listener)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    accepted.append(sock)
                    with sock, contextlib.suppress(OSError):
                        handle(sock)

        thread = threading.Thread(target=accept)
        thread.start()
        threads.append(thread)
        return int(listener.getsockname()[1])

    yield serve
    for listener in [*stop, *accepted]:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(30)


def echo(sock: socket.socket) -> None:
    while data := sock.recv(1 << 16):
        sock.sendall(data)


def dial(client: Client, port: int, host: str = "127.0.0.1") -> Channel:
    channel = client.channel()
    client.request("connect", channel=channel.id, port=port, host=host, pass_fd=False)
    return channel


def test_echo_with_half_close(agent: Client, serve: Serve) -> None:
    data = os.urandom(3 << 20)
    channel = dial(agent, serve(echo))
    channel.send(data)
    channel.eof()
    assert channel.wait() == {}
    assert channel.out == data


def test_far_side_ends_first(agent: Client, serve: Serve) -> None:
    got: list[bytes] = []

    def half(sock: socket.socket) -> None:
        sock.sendall(b"bye")
        sock.shutdown(socket.SHUT_WR)
        while data := sock.recv(1 << 16):
            got.append(data)
        done.set()

    done = threading.Event()
    channel = dial(agent, serve(half))
    agent.until(lambda: 1 in channel.ended, "EOF")
    assert channel.out == b"bye" and channel.result is None
    channel.send(b"still here")
    channel.eof()
    assert channel.wait() == {}
    assert done.wait(30)
    assert b"".join(got) == b"still here"


def test_a_reset_is_told_on_its_channel_only(agent: Client, serve: Serve) -> None:
    def reset(sock: socket.socket) -> None:
        sock.recv(1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    channel, other = dial(agent, serve(reset)), dial(agent, serve(echo))
    channel.send(b"x")
    assert channel.wait() == {"errno": errno.ECONNRESET}
    other.send(b"alive")
    other.expect(b"alive")


def test_giving_up_resets_the_connection(agent: Client, serve: Serve) -> None:
    seen: list[str] = []
    done = threading.Event()

    def watch(sock: socket.socket) -> None:
        try:
            while sock.recv(1 << 16):
                pass
            seen.append("end")
        except ConnectionResetError:
            seen.append("reset")
        done.set()

    channel = dial(agent, serve(watch))
    channel.send(b"x")
    channel.close()
    assert channel.wait() == {"closed": True}
    assert done.wait(30)
    assert seen == ["reset"]


@pytest.mark.parametrize("pass_fd", [False, True])
def test_why_it_could_not_connect(python: str, connect: Connect, door: pathlib.Path, pass_fd: bool) -> None:
    agent = connect(python, direct=door)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refused
        for host, port, code, number in [
            ("127.0.0.1", taken.getsockname()[1], "refused", errno.ECONNREFUSED),
            ("localhost", taken.getsockname()[1], "refused", errno.ECONNREFUSED),
            ("no-such-host.invalid", 80, "unreachable", None),
            ("255.255.255.255", 80, "unreachable", None),
        ]:
            params = {} if pass_fd else {"channel": agent.channel().id}
            with pytest.raises(AgentError) as caught:
                agent.request("connect", port=port, host=host, pass_fd=pass_fd, **params)
            assert caught.value.code == code, host
            assert caught.value.errno if number is None else caught.value.errno == number


def test_a_connection_that_is_not_answered(one: Client) -> None:
    """A full backlog swallows the SYN: nothing comes back, and nobody else is held up."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        slow = one.ask(
            "connect", channel=one.channel().id, port=listener.getsockname()[1], host="127.0.0.1", timeout=0.5
        )
        assert one.spawn(["true"]).wait() == {"exit": 0}
        with pytest.raises(AgentError) as caught:
            one.answer(slow)
        assert (caught.value.code, caught.value.errno) == ("timeout", errno.ETIMEDOUT)


@pytest.mark.parametrize("host", ["::1", "localhost"])
def test_ipv6(agent: Client, host: str) -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError as error:
        pytest.skip(f"no IPv6 loopback here: {error}")
    with listener:
        channel = dial(agent, listener.getsockname()[1], host)
        sock, _ = listener.accept()
        with sock:
            sock.sendall(b"six")
            channel.expect(b"six")


def test_a_name_is_resolved(agent: Client, serve: Serve) -> None:
    channel = dial(agent, serve(echo), socket.gethostname() if _resolves_to_loopback() else "localhost")
    channel.send(b"x")
    channel.expect(b"x")


def _resolves_to_loopback() -> bool:
    try:
        return socket.gethostbyname(socket.gethostname()) == "127.0.0.1"
    except OSError:
        return False


def test_exactly_one_descriptor_is_handed_over(python: str, connect: Connect, door: pathlib.Path, serve: Serve) -> None:
    agent = connect(python, direct=door)
    port = serve(echo)
    assert agent.request("connect", port=port, host="127.0.0.1", pass_fd=True) == {"fd": True}
    assert len(agent.descriptors) == 1
    with socket.socket(fileno=agent.descriptors.popleft()) as sock:
        assert (sock.family, sock.type & 0xF) == (socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(True)
        sock.settimeout(30)
        sock.sendall(b"straight")
        assert sock.recv(100) == b"straight"
    with pytest.raises(AgentError):
        connect(python).request("connect", port=port, host="127.0.0.1", pass_fd=True)


def test_descriptors_keep_their_order_among_other_replies(newest: str, connect: Connect, door: pathlib.Path) -> None:
    """Each descriptor comes with its own reply, whatever else is under way."""
    agent = connect(newest, direct=door)
    noise = agent.spawn(["head", "-c", "3000000", "/dev/zero"])
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(20)]
        asked = {
            agent.ask("connect", port=item.getsockname()[1], host="127.0.0.1", pass_fd=True): item for item in listeners
        }
        agent.until(lambda: asked.keys() <= agent.replies.keys(), "all replies")
        order = [id for id in agent.replies if id in asked]
        assert len(agent.descriptors) == len(order)
        for id in order:
            with socket.socket(fileno=agent.descriptors.popleft()) as sock:
                assert sock.getpeername() == asked[id].getsockname()
    noise.wait()


def test_the_credit_bounds_what_waits_for_a_slow_reader(agent: Client, serve: Serve) -> None:
    release = threading.Event()

    def deaf(sock: socket.socket) -> None:
        release.wait(30)

    channel = dial(agent, serve(deaf))
    channel.client.frame(4, channel.id, b"\0" + bytes(CREDIT - (1 << 19)))
    channel.client.frame(4, channel.id, b"\0" + bytes(1 << 19))
    assert agent.spawn(["true"]).wait() == {"exit": 0}
    release.set()


def test_more_than_the_credit_ends_the_conversation(agent: Client) -> None:
    from .client import Gone

    channel = agent.spawn(["sleep", "100"])
    with pytest.raises(Gone, match="more data than was granted"):
        for _ in range(4):
            agent.frame(4, channel.id, b"\0" + bytes((1 << 20) - 1))
        agent.until(lambda: False, "the end")


def test_a_thousand_connections_leave_nothing_behind(
    python: str, connect: Connect, door: pathlib.Path, serve: Serve
) -> None:
    agent = connect(python, direct=door)
    port = serve(lambda sock: sock.sendall(b"x"))

    def count() -> int:
        return len(os.listdir(f"/proc/{agent.process.pid}/fd"))

    dial(agent, port).close()
    agent.request("which", names=[])
    before = count()
    for number in range(500):
        agent.request("connect", port=port, host="127.0.0.1", pass_fd=True)
        os.close(agent.descriptors.popleft())
        channel = dial(agent, port)
        if number % 2:
            channel.eof()
        else:
            channel.close()
        channel.wait()
    agent.request("which", names=[])
    assert count() <= before
