"""The direct tier: the agent dials a unix socket of ours in a folder it sees read-only, and hands descriptors over.

The host listens and the container dials, so no uid has to match on the two sides. Who gets in is decided by a
one-time token alone. What must not happen here: opening a path that the container can write, or believing the far
side about a descriptor without asking the kernel.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import hmac
import os
import pathlib
import secrets
import socket
import stat
from collections import deque
from collections.abc import Callable, Iterator

from devenv.link.codec import MAGIC
from devenv.link.transport import HIGH_WATER

NONCE = "nonce"
TOKEN_BYTES = 32
_NONCE_TEXT = 32  # characters that a nonce of any maker has at least
_PATH_LIMIT = 100  # of 107 that a unix socket's address takes
_FDS_PER_READ = 8
_READ = 512 << 10
_IOV = 64
_BATCH = 256 << 10  # bytes of bulk data that leave before urgent frames are looked for again
_CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


def prepare_folder(outer: pathlib.Path) -> pathlib.Path:
    """Makes `outer` (0700) and `outer/pub` (0755) with its nonce; returns `pub`, the folder to mount read-only.

    To be called before every start of the container: an engine refuses to start one whose bind source is gone.
    """
    outer.mkdir(mode=0o700, parents=True, exist_ok=True)
    outer.chmod(0o700)
    pub = outer / "pub"
    pub.mkdir(mode=0o755, exist_ok=True)
    pub.chmod(0o755)
    read_nonce(pub)
    return pub


def read_nonce(pub: pathlib.Path) -> str:
    """The folder's random name, made when it is missing. The agent proves with it that it sees this very folder."""
    path = pub / NONCE
    with contextlib.suppress(FileNotFoundError):
        text = path.read_text(encoding="ascii").strip()
        if len(text) >= _NONCE_TEXT:
            return text
    text = secrets.token_hex(TOKEN_BYTES)
    fresh = pub / f".{NONCE}-{secrets.token_hex(4)}"
    fresh.write_text(text + "\n", encoding="ascii")
    fresh.chmod(0o644)
    fresh.replace(path)
    return text


class Door:
    """Listens for one agent. The first connection that shows the token is let in, every other one is closed."""

    def __init__(self, pub: pathlib.Path, listener: socket.socket, name: str) -> None:
        self.nonce = read_nonce(pub)
        self.token = secrets.token_hex(TOKEN_BYTES)
        self.name = name
        self._pub = pub
        self._listener = listener
        self._taken = False
        self._guests: set[asyncio.Task[None]] = set()
        self._winner: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(listener, self._accept)

    @classmethod
    def open(cls, pub: pathlib.Path) -> Door:
        """Raises OSError when the folder is not there or the file system takes no socket."""
        for stale in pub.glob("link-*.sock"):
            # A supervisor that was killed leaves its socket; one that listens is left alone.
            if stat.S_ISSOCK(stale.lstat().st_mode) and not _listens(stale):
                stale.unlink(missing_ok=True)
        name = f"link-{secrets.token_hex(4)}.sock"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _address(pub, name) as address:
                listener.bind(address)
            (pub / name).chmod(0o666)
            listener.listen(8)
            listener.setblocking(False)
            return cls(pub, listener, name)
        except BaseException:
            listener.close()
            (pub / name).unlink(missing_ok=True)
            raise

    async def guest(self, timeout: float) -> socket.socket:
        """The agent's connection, past magic and token. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            connection = await asyncio.shield(self._winner)
        self._taken = True
        return connection

    async def close(self) -> None:
        """Stops listening and removes the socket file. The agent's connection, once given out, stays."""
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        (self._pub / self.name).unlink(missing_ok=True)
        for task in self._guests:
            task.cancel()
        await asyncio.gather(*self._guests, return_exceptions=True)
        if not self._winner.done():
            self._winner.cancel()
        elif not self._winner.cancelled() and not self._taken:
            self._winner.result().close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        task = asyncio.create_task(self._check(connection), name="link door")
        self._guests.add(task)
        task.add_done_callback(self._guests.discard)

    async def _check(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        wanted = MAGIC + self.token.encode("ascii")
        shown = b""
        try:
            async with asyncio.timeout(5):
                while len(shown) < len(wanted):
                    piece = await loop.sock_recv(connection, len(wanted) - len(shown))
                    if not piece:
                        break
                    shown += piece
        except (OSError, TimeoutError):
            shown = b""
        except asyncio.CancelledError:
            connection.close()
            raise
        if hmac.compare_digest(shown, wanted) and not self._winner.done():
            self._winner.set_result(connection)
        else:
            connection.close()


class DirectTransport:
    """Frames and descriptors over the agent's connection. All in callbacks of the loop: no task, no thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._loop = asyncio.get_running_loop()
        self._bulk: deque[tuple[bytes | memoryview, ...]] = deque()
        self._urgent: deque[tuple[bytes | memoryview, ...]] = deque()
        self._leaving: deque[bytes | memoryview] = deque()  # parts of frames that have begun to leave
        self._queued = 0
        self._flush_planned = False
        self._waits_for_room = False
        self._drained = asyncio.Event()
        self._drained.set()
        self._buffer = bytearray(_READ)
        self._descriptors: deque[int] = deque()
        self._on_bytes: Callable[[bytes | memoryview], None] | None = None
        self._on_lost: Callable[[str], None] | None = None
        self._lost = False
        self.received = 0
        self.sent = 0

    def start(self, on_bytes: Callable[[bytes | memoryview], None], on_lost: Callable[[str], None]) -> None:
        self._on_bytes = on_bytes
        self._on_lost = on_lost
        self._socket.setblocking(False)
        self._loop.add_reader(self._socket, self._readable)

    def write(self, *parts: bytes | memoryview, urgent: bool = False) -> None:
        if self._lost:
            return
        (self._urgent if urgent else self._bulk).append(parts)
        self._queued += sum(map(len, parts))
        if self._queued >= HIGH_WATER:
            self._drained.clear()
        if not self._flush_planned and not self._waits_for_room:
            self._flush_planned = True
            self._loop.call_soon(self._flush)

    async def drain(self) -> None:
        await self._drained.wait()

    @property
    def congested(self) -> bool:
        return self._queued >= HIGH_WATER

    def take_descriptor(self) -> int | None:
        return self._descriptors.popleft() if self._descriptors else None

    @property
    def descriptors(self) -> int:
        return len(self._descriptors)

    def abort(self) -> None:
        self._lose(None)

    async def close(self) -> None:
        self._lose(None)

    def _readable(self) -> None:
        assert self._on_bytes is not None
        try:
            size, ancillary, flags, _ = self._socket.recvmsg_into(
                [self._buffer], socket.CMSG_SPACE(4 * _FDS_PER_READ), _CLOEXEC
            )
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(f"the agent's socket broke: {error}")
            return
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds = array.array("i")
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
                self._descriptors.extend(fds)
        if flags & socket.MSG_CTRUNC:
            self._lose("the agent sent more descriptors than were asked for")
            return
        if not size:
            self._lose("the agent closed its socket")
            return
        self.received += size
        self._on_bytes(memoryview(self._buffer)[:size])

    def _flush(self) -> None:
        self._flush_planned = False
        if self._lost:
            return
        try:
            while self._take_next():
                size = self._socket.sendmsg([*self._leaving][:_IOV])
                self.sent += size
                self._queued -= size
                self._sent(size)
        except (BlockingIOError, InterruptedError):
            if not self._waits_for_room:
                self._waits_for_room = True
                self._loop.add_writer(self._socket, self._room)
        except OSError as error:
            self._lose(f"the agent's socket broke: {error}")
        if self._queued < HIGH_WATER:
            self._drained.set()

    def _room(self) -> None:
        self._loop.remove_writer(self._socket)
        self._waits_for_room = False
        self._flush()

    def _take_next(self) -> bool:
        """Whether anything is to leave. A frame that has begun goes first, then urgent ones, then bulk."""
        if not self._leaving:
            while self._urgent and len(self._leaving) < _IOV:
                self._leaving.extend(self._urgent.popleft())
            size = 0
            while self._bulk and size < _BATCH and len(self._leaving) < _IOV:
                frame = self._bulk.popleft()
                self._leaving.extend(frame)
                size += sum(map(len, frame))
        return bool(self._leaving)

    def _sent(self, size: int) -> None:
        while size:
            part = self._leaving[0]
            if size < len(part):
                self._leaving[0] = memoryview(part)[size:]
                return
            size -= len(part)
            self._leaving.popleft()
        while self._leaving and not len(self._leaving[0]):
            self._leaving.popleft()

    def _lose(self, reason: str | None) -> None:
        if self._lost:
            return
        self._lost = True
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        while self._descriptors:
            os.close(self._descriptors.popleft())
        self._bulk.clear()
        self._urgent.clear()
        self._leaving.clear()
        self._drained.set()
        if reason is not None and self._on_lost is not None:
            self._on_lost(reason)


def adopt_descriptor(descriptor: int) -> socket.socket:
    """The received descriptor as a non-blocking socket. Raises ValueError (and closes it) unless the kernel says
    that it is a connected stream socket of family INET or INET6."""
    try:
        received = socket.socket(fileno=descriptor)
    except OSError as error:
        os.close(descriptor)
        raise ValueError(f"not a socket: {error}") from None
    try:
        if received.type != socket.SOCK_STREAM:
            raise ValueError("not a stream socket")
        if received.family not in (socket.AF_INET, socket.AF_INET6):
            raise ValueError(f"family {received.family!r}")
        if received.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise ValueError("a listening socket")
        received.setblocking(False)
    except ValueError:
        received.close()
        raise
    return received


@contextlib.contextmanager
def _address(folder: pathlib.Path, name: str) -> Iterator[str]:
    """An address for `folder/name` that fits into 107 bytes, however long the folder's path is."""
    path = os.fspath(folder / name)
    if len(os.fsencode(path)) <= _PATH_LIMIT:
        yield path
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)


def _listens(path: pathlib.Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, _address(path.parent, path.name) as address:
        probe.setblocking(False)
        try:
            probe.connect(address)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True
