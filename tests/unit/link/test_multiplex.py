"""The host's half of the protocol against a scripted far side: credit, order, violations, silence."""

from __future__ import annotations

import array
import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from devenv.errors import LinkError, NotFound
from devenv.link.answers import AgentRefusal
from devenv.link.channel import MAX_WINDOW
from devenv.link.codec import HEADER, INITIAL_CREDIT, WINDOW, FrameReader, Kind, data_header, encode
from devenv.link.direct_tier import DirectTransport
from devenv.link.multiplex import Multiplex


class FarSide:
    """The other end of the socket, frame by frame."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        connection.setblocking(False)
        self._reader = FrameReader()
        self._frames: list[tuple[int, int, bytes]] = []

    async def next(self, *, but: tuple[int, ...] = (Kind.PING,)) -> tuple[int, int, bytes]:
        """The next (channel, kind, payload) that is not of the kinds `but`."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            while True:
                while self._frames:
                    frame = self._frames.pop(0)
                    if frame[1] not in but:
                        return frame
                piece = await loop.sock_recv(self.socket, 1 << 20)
                assert piece, "the host has closed"
                self._frames += [
                    (frame.channel, frame.kind, bytes(frame.payload)) for frame in self._reader.feed(piece)
                ]

    async def request(self) -> dict[str, Any]:
        channel, kind, payload = await self.next(but=(Kind.PING, Kind.WINDOW))
        assert (channel, kind) == (0, Kind.REQUEST)
        found = json.loads(payload)
        assert isinstance(found, dict)
        return found

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def reply(self, number: int, result: Any = None, **error: Any) -> None:
        body = {"id": number, "ok": False, "error": error} if error else {"id": number, "ok": True, "result": result}
        await self.send(encode(Kind.REPLY, 0, json.dumps(body).encode()))

    def send_with(self, data: bytes, *descriptors: int) -> None:
        packed = array.array("i", descriptors)
        self.socket.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, packed)])

    async def ended(self) -> bool:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            try:
                while await loop.sock_recv(self.socket, 1 << 20):
                    pass
            except ConnectionResetError:
                pass
        return True


class Pair:
    def __init__(self, **options: Any) -> None:
        near, far = socket.socketpair()
        self.paused = False
        self.far = FarSide(far)
        self.transport = DirectTransport(near)

        async def is_paused() -> bool:
            return self.paused

        self.multiplex = Multiplex(self.transport, FrameReader(), is_paused=is_paused, **options)
        self.multiplex.start()

    async def close(self) -> None:
        await self.multiplex.close()
        self.far.socket.close()


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    made = Pair()
    yield made
    await made.close()


def tcp() -> tuple[socket.socket, socket.socket]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        near = socket.create_connection(server.getsockname())
        return near, server.accept()[0]


async def test_replies_find_their_requests_in_any_order(pair: Pair) -> None:
    asked = [asyncio.create_task(pair.multiplex.request("stat", paths=[str(number)])) for number in range(3)]
    seen = [await pair.far.request() for _ in range(3)]
    for request in reversed(seen):
        await pair.far.reply(request["id"], request["paths"])
    assert await asyncio.gather(*asked) == [["0"], ["1"], ["2"]]


@pytest.mark.parametrize(
    ("code", "kind"),
    [("not-found", NotFound), ("no-cwd", NotFound), ("not-executable", AgentRefusal), ("new-word", AgentRefusal)],
)
async def test_an_error_is_an_exception_and_the_link_lives(pair: Pair, code: str, kind: type[Exception]) -> None:
    asked = asyncio.create_task(pair.multiplex.request("spawn"))
    request = await pair.far.request()
    await pair.far.reply(request["id"], code=code, message="why", errno=2)
    with pytest.raises(kind, match="why"):
        await asked
    assert not pair.multiplex.closed


async def test_a_sender_stops_at_its_credit_and_goes_on_with_more(pair: Pair) -> None:
    channel = pair.multiplex.open_channel()
    sending = asyncio.create_task(channel.send(b"x" * (INITIAL_CREDIT + 5)))
    taken = 0
    while taken < INITIAL_CREDIT:
        number, kind, payload = await pair.far.next()
        assert (number, kind, payload[0]) == (channel.number, Kind.DATA, 0)
        taken += len(payload) - 1
    assert taken == INITIAL_CREDIT
    await asyncio.sleep(0.05)
    assert not sending.done()
    await pair.far.send(encode(Kind.WINDOW, channel.number, WINDOW.pack(100)))
    assert len((await pair.far.next())[2]) == 6
    await sending


async def test_credit_is_granted_only_for_what_was_read(pair: Pair) -> None:
    channel = pair.multiplex.open_channel()
    half = INITIAL_CREDIT // 2
    await pair.far.send((data_header(channel.number, 1, half) + bytes(half)) * 2)
    pong = asyncio.create_task(pair.multiplex.request("x"))
    await pair.far.request()
    received = await channel.recv()
    assert received is not None and len(received[1]) == half
    number, kind, payload = await pair.far.next()
    assert (number, kind) == (channel.number, Kind.WINDOW)
    assert WINDOW.unpack(payload)[0] >= half
    pong.cancel()


async def test_more_than_the_credit_ends_the_link(pair: Pair) -> None:
    channel = pair.multiplex.open_channel()
    half = INITIAL_CREDIT // 2
    await pair.far.send(
        (data_header(channel.number, 1, half) + bytes(half)) * 2 + data_header(channel.number, 1, 1) + b"x"
    )
    await asyncio.wait_for(pair.multiplex.wait_closed(), 10)
    assert await pair.far.ended()


async def test_the_window_grows_on_a_long_round_trip(pair: Pair) -> None:
    pair.multiplex.round_trip = 10.0
    channel = pair.multiplex.open_channel()
    granted = sent = 0
    while granted + INITIAL_CREDIT - sent < MAX_WINDOW:
        block = min(200_000, INITIAL_CREDIT + granted - sent)
        await pair.far.send(data_header(channel.number, 1, block) + bytes(block))
        sent += block
        while block:
            received = await channel.recv()
            assert received is not None
            block -= len(received[1])
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(0.02):
                _, _, payload = await pair.far.next()
                granted += WINDOW.unpack(payload)[0]
        except TimeoutError:
            pass
    assert granted + INITIAL_CREDIT - sent <= MAX_WINDOW + INITIAL_CREDIT


async def test_urgent_frames_overtake_bulk_data_but_never_split_a_frame(pair: Pair) -> None:
    channel = pair.multiplex.open_channel()
    for _ in range(2):
        pair.multiplex.transport.write(data_header(channel.number, 0, 900_000), bytes(900_000))
    asked = asyncio.create_task(pair.multiplex.request("signal"))
    assert [(await pair.far.next())[1] for _ in range(3)] == [Kind.DATA, Kind.REQUEST, Kind.DATA]
    asked.cancel()


async def test_the_end_of_a_channel(pair: Pair) -> None:
    channel = pair.multiplex.open_channel()
    frames = data_header(channel.number, 1, 2) + b"hi" + encode(Kind.EOF, channel.number, b"\x01")
    await pair.far.send(frames + encode(Kind.CLOSE, channel.number, b'{"exit":0}'))
    assert [await channel.recv() for _ in range(3)] == [(1, b"hi"), (1, b""), None]
    assert channel.result == {"exit": 0}
    with pytest.raises(BrokenPipeError):
        await channel.send(b"x")


async def test_a_given_up_channel_still_gives_credit_so_that_nobody_hangs(pair: Pair) -> None:
    channel = pair.multiplex.open_channel()
    await channel.close()
    assert (await pair.far.next())[1] == Kind.CLOSE
    await pair.far.send(data_header(channel.number, 1, INITIAL_CREDIT // 2) + bytes(INITIAL_CREDIT // 2))
    assert (await pair.far.next())[1] == Kind.WINDOW
    assert await channel.recv() is None


async def test_a_received_socket_works(pair: Pair) -> None:
    near, far = tcp()
    asked = asyncio.create_task(pair.multiplex.request_descriptor("connect", pass_fd=True))
    request = await pair.far.request()
    body = json.dumps({"id": request["id"], "ok": True, "result": {"fd": True}}).encode()
    pair.far.send_with(encode(Kind.REPLY, 0, body), near.fileno())
    near.close()
    received = await asked
    received.send(b"through")
    assert far.recv(10) == b"through"
    received.close()
    far.close()


def _pipe() -> list[int]:
    return list(os.pipe())


def _udp() -> list[int]:
    return [socket.socket(socket.AF_INET, socket.SOCK_DGRAM).detach()]


def _unix() -> list[int]:
    return [one.detach() for one in socket.socketpair()]


def _listening() -> list[int]:
    made = socket.socket()
    made.listen()
    return [made.detach()]


def _two_tcp() -> list[int]:
    return [one.detach() for one in tcp()]


@pytest.mark.parametrize("make", [_pipe, _udp, _unix, _listening, _two_tcp])
async def test_any_other_descriptor_ends_the_link_and_is_closed(pair: Pair, make: Callable[[], list[int]]) -> None:
    descriptors = make()
    asked = asyncio.create_task(pair.multiplex.request_descriptor("connect", pass_fd=True))
    request = await pair.far.request()
    before = len(os.listdir("/proc/self/fd"))
    body = json.dumps({"id": request["id"], "ok": True, "result": {"fd": True}}).encode()
    send = descriptors if make is _two_tcp else descriptors[:1]
    pair.far.send_with(encode(Kind.REPLY, 0, body), *send)
    if make is _two_tcp:
        (await asyncio.gather(asked, return_exceptions=True))[0].close()  # type: ignore[union-attr]
        await asyncio.wait_for(pair.multiplex.wait_closed(), 10)
    else:
        with pytest.raises(LinkError):
            await asked
    assert pair.multiplex.closed
    assert await pair.far.ended()
    assert len(os.listdir("/proc/self/fd")) == before - 1  # the link's own
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.mark.parametrize(
    "attack",
    [
        "no descriptor",
        "unasked descriptor",
        "descriptor beside data",
        "reply to nobody",
        "huge frame",
        "no json",
        "list",
    ],
)
async def test_what_breaks_the_protocol_ends_the_link(pair: Pair, attack: str) -> None:
    near, far = tcp()
    asked = asyncio.create_task(pair.multiplex.request_descriptor("connect", pass_fd=True))
    plain = asyncio.create_task(pair.multiplex.request("stat"))
    ids = {request["op"]: request["id"] for request in [await pair.far.request(), await pair.far.request()]}

    def reply(number: int, result: Any) -> bytes:
        return encode(Kind.REPLY, 0, json.dumps({"id": number, "ok": True, "result": result}).encode())

    if attack == "no descriptor":
        await pair.far.send(reply(ids["connect"], {"fd": True}))
    elif attack == "unasked descriptor":
        pair.far.send_with(reply(ids["stat"], {"fd": True}), near.fileno())
    elif attack == "descriptor beside data":
        pair.far.send_with(encode(Kind.PING, 0, bytes(8)), near.fileno())
    elif attack == "reply to nobody":
        pair.far.send_with(reply(999, {"fd": True}), near.fileno())
    elif attack == "huge frame":
        await pair.far.send(HEADER.pack(1 << 30, 0, Kind.EVENT))
    else:
        await pair.far.send(encode(Kind.EVENT, 0, b"{" if attack == "no json" else b"[]"))
    await asyncio.wait_for(pair.multiplex.wait_closed(), 10)
    for task in (asked, plain):
        with pytest.raises(LinkError):
            await task
    with pytest.raises(LinkError):
        pair.multiplex.open_channel()
    near.close()
    far.close()


async def test_a_cancelled_request_closes_the_socket_that_comes_late(pair: Pair) -> None:
    near, far = tcp()
    asked = asyncio.create_task(pair.multiplex.request_descriptor("connect", pass_fd=True))
    request = await pair.far.request()
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    body = json.dumps({"id": request["id"], "ok": True, "result": {"fd": True}}).encode()
    pair.far.send_with(encode(Kind.REPLY, 0, body), near.fileno())
    near.close()
    far.settimeout(10)
    assert await asyncio.to_thread(far.recv, 1) == b""
    assert not pair.multiplex.closed
    far.close()


async def test_later_versions_may_say_more(pair: Pair) -> None:
    await pair.far.send(encode(77, 0, b"?") + encode(Kind.DATA, 999, b"\x01x") + encode(Kind.PING, 0, b"12345678"))
    assert await pair.far.next() == (0, Kind.PONG, b"12345678")
    assert not pair.multiplex.closed


async def test_a_listener_that_fails_harms_nobody(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[dict[str, Any]] = []
    stop = pair.multiplex.subscribe(lambda event: 1 / 0)  # type: ignore[arg-type,return-value]
    pair.multiplex.subscribe(seen.append)
    await pair.far.send(encode(Kind.EVENT, 0, b'{"event":"ports"}') + encode(Kind.PING, 0, bytes(8)))
    await pair.far.next()
    assert seen == [{"event": "ports"}]
    assert "listener" in caplog.text
    stop()


async def test_a_silent_far_side_is_given_up() -> None:
    pair = Pair(ping_every=0.02, dead_after=0.06)
    asked = asyncio.create_task(pair.multiplex.request("stat"))
    with pytest.raises(LinkError, match="not answered"):
        await asyncio.wait_for(asked, 10)
    await pair.close()


async def test_a_paused_container_keeps_its_link() -> None:
    pair = Pair(ping_every=0.02, dead_after=0.06)
    pair.paused = True
    await asyncio.sleep(0.3)
    assert not pair.multiplex.closed
    pair.paused = False
    await asyncio.wait_for(pair.multiplex.wait_closed(), 10)
    await pair.close()


async def test_any_byte_is_a_sign_of_life() -> None:
    pair = Pair(ping_every=0.05, dead_after=0.15)
    for _ in range(20):
        await pair.far.send(encode(Kind.EVENT, 0, b"{}"))
        await asyncio.sleep(0.02)
    assert not pair.multiplex.closed
    await pair.close()


async def test_a_request_that_fits_no_frame_is_refused_here(pair: Pair) -> None:
    with pytest.raises(LinkError, match="1 MiB"):
        await pair.multiplex.request("spawn", env={"BIG": "x" * (1 << 20)})
    assert not pair.multiplex.closed
