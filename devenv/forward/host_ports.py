"""Which port of this machine a forward listens on: the one it had, one that a predecessor hands over, or a new one."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence

from devenv.forward import listener as listening
from devenv.forward.store import PortStore
from devenv.forward.table import Forward


class HostPorts:
    def __init__(self, key: str, store: PortStore) -> None:
        self._key = key
        self._store = store
        self._adopted: dict[int, list[socket.socket]] = {}

    def adopt(self, listeners: Iterable[tuple[int, int, socket.socket]]) -> None:
        """(host port, container port, listening socket) of a predecessor. What is none of them is closed."""
        for host_port, _, opened in listeners:
            if opened.family not in (socket.AF_INET, socket.AF_INET6) or opened.getsockname()[1] != host_port:
                opened.close()
                continue
            opened.setblocking(False)
            self._adopted.setdefault(host_port, []).append(opened)

    def drop_unclaimed(self) -> None:
        for sockets in self._adopted.values():
            for opened in sockets:
                opened.close()
        self._adopted.clear()

    def listen(self, forward: Forward, bind: Sequence[str]) -> listening.HostListener:
        """Gives the forward its listener and what is to be said of its number. Raises PortTaken; then nothing has
        changed."""
        exact = forward.exact
        wanted = exact or self._store.get(forward.name) or forward.port
        if wanted in self._adopted:
            choice = listening.Choice(listening.HostListener(self._adopted.pop(wanted)), "")
        elif exact is not None:
            choice = listening.choose_exactly(exact, bind)
        else:
            choice = listening.choose(self._key, forward.name, forward.port, bind, self._store.get(forward.name))
        stop_listening(forward)
        forward.listener = choice.listener
        forward.note = choice.note
        self._store.put(forward.name, choice.listener.port)
        return choice.listener

    def release(self, *, numbers: bool) -> None:
        """Nobody listens any more; with `numbers` no port is remembered either."""
        self.drop_unclaimed()
        if numbers:
            self._store.forget()

    def freeze(self) -> None:
        """Another process writes the numbers down from now on."""
        self._store.freeze()


def stop_listening(*forwards: Forward) -> None:
    for forward in forwards:
        if forward.listener is not None:
            forward.listener.close()
            forward.listener = None
