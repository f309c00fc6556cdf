"""Listening sockets on host loopback, and the choice of their port number. No connection is handled here."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import hashlib
import os
import resource
import socket
import sys
from collections.abc import Callable, Sequence

from devenv.errors import PortTaken
from devenv.forward.holder import find_holder

BACKLOG = 1024
_ALTERNATIVES = range(20000, 30000)
_PRIVILEGED = 1024
_INSTEAD = 8000  # 80 -> 8080 is what people expect
_TRIES = 64
_ACCEPTS_PER_TURN = 64
_PAUSE_WITHOUT_DESCRIPTORS = 0.1  # seconds


class HostListener:
    """The sockets of one host port. `on_accept` gets each accepted, non-blocking connection."""

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        self.sockets = tuple(sockets)
        self.port = int(self.sockets[0].getsockname()[1])
        self._loop: asyncio.AbstractEventLoop | None = None
        self._resume: list[asyncio.TimerHandle] = []

    def start(self, on_accept: Callable[[socket.socket], None]) -> None:
        self._loop = asyncio.get_running_loop()
        for listening in self.sockets:
            self._loop.add_reader(listening, self._accept, listening, on_accept)

    def close(self) -> None:
        for handle in self._resume:
            handle.cancel()
        for listening in self.sockets:
            if self._loop is not None:
                self._loop.remove_reader(listening)
            listening.close()

    def _accept(self, listening: socket.socket, on_accept: Callable[[socket.socket], None]) -> None:
        for _ in range(_ACCEPTS_PER_TURN):
            try:
                connection, _ = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self._rest(listening, on_accept)
                return
            connection.setblocking(False)
            on_accept(connection)

    def _rest(self, listening: socket.socket, on_accept: Callable[[socket.socket], None]) -> None:
        """Out of descriptors: the queue waits in the kernel instead of spinning here."""
        assert self._loop is not None
        loop = self._loop
        loop.remove_reader(listening)
        self._resume = [handle for handle in self._resume if handle.when() > loop.time()]
        self._resume.append(
            loop.call_later(_PAUSE_WITHOUT_DESCRIPTORS, loop.add_reader, listening, self._accept, listening, on_accept)
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """A listener and why it does not have the number one would expect ("" if it has)."""

    listener: HostListener
    note: str


def bind(port: int, addresses: Sequence[str]) -> HostListener:
    """Listens on every address that exists here, all with one number; 0 picks a free one. Raises OSError."""
    last: OSError | None = None
    for _ in range(8 if port == 0 else 1):
        sockets: list[socket.socket] = []
        number = port
        try:
            for address in addresses:
                opened = _bind_one(address, number)
                if opened is not None:
                    sockets.append(opened)
                    number = opened.getsockname()[1]
            if not sockets:
                raise OSError(errno.EADDRNOTAVAIL, "no loopback address exists")
            return HostListener(sockets)
        except OSError as error:
            for opened in sockets:
                opened.close()
            last = error
    assert last is not None
    raise last


def choose(key: str, name: str, wanted: int, addresses: Sequence[str], remembered: int | None) -> Choice:
    """The remembered number, else `wanted`, else a stable other one derived from environment `key` and `name`."""
    note = ""
    first = [remembered] if remembered else []
    for number in [*first, wanted]:
        try:
            return Choice(bind(number, addresses), "" if number == wanted else _why_other(wanted))
        except OSError as error:
            if number == wanted:
                note = _explain(wanted, error)
                if error.errno == errno.EACCES and wanted < _PRIVILEGED:
                    with contextlib.suppress(OSError):
                        return Choice(bind(wanted + _INSTEAD, addresses), note)
    for attempt in range(_TRIES):
        with contextlib.suppress(OSError):
            return Choice(bind(alternative(key, name, attempt), addresses), note)
    raise PortTaken(f"no host port is free for {name}: {note}", "close what holds them, or name a host port")


def choose_exactly(number: int, addresses: Sequence[str]) -> Choice:
    """`number` or PortTaken, which names the holder."""
    try:
        return Choice(bind(number, addresses), "")
    except OSError as error:
        hint = "free it, or choose another host port"
        if error.errno == errno.EACCES and number < _PRIVILEGED:
            hint = f"use {number + _INSTEAD}, which needs no privilege"
        holder = find_holder(number)
        raise PortTaken(
            f"host port {_explain(number, error)}",
            hint,
            details={"port": number, "holder": None if holder is None else dataclasses.asdict(holder)},
        ) from None


def alternative(key: str, name: str, attempt: int = 0) -> int:
    """The same for the same environment and port on every machine and day."""
    digest = hashlib.sha256(f"{key}\0{name}\0{attempt}".encode()).digest()
    return _ALTERNATIVES[int.from_bytes(digest[:4], "big") % len(_ALTERNATIVES)]


def raise_descriptor_limit() -> None:
    """Each connection takes two descriptors: the soft limit goes up to the hard one (at most 65536)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _bind_one(address: str, port: int) -> socket.socket | None:
    """None when this machine does not have the address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        opened = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT:
            return None
        raise
    try:
        if sys.platform == "darwin" and port and _answers(address, port):
            # There a specific and a wildcard address may be bound to one number by two programs.
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        # Connections of the listener before this one may still be in TIME_WAIT; a live listener still conflicts.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((address, port))
        opened.listen(BACKLOG)
        opened.setblocking(False)
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRNOTAVAIL:
            return None
        raise
    return opened


def _answers(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((address, port)) == 0


def _explain(number: int, error: OSError) -> str:
    if error.errno == errno.EACCES:
        return f"{number} needs privilege"
    if error.errno == errno.EADDRINUSE:
        return f"{number} is taken by {find_holder(number) or 'another program'}"
    return f"{number} cannot be used: {error.strerror}"


def _why_other(wanted: int) -> str:
    holder = find_holder(wanted)
    return f"{wanted} is taken by {holder}" if holder else f"kept from the time when {wanted} was taken"
