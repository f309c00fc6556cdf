"""The forwards of one environment: who listens, where each connection goes, and what `devenv ports` shows.

It outlives every link. Listeners never close because a link is lost; a connection that arrives meanwhile waits a few
seconds for the next link. Whatever goes wrong with one connection ends that connection only.

Concurrency: everything runs in the loop that made it, except the relay's thread. `on_change` is called in the loop,
once per turn at most, when the table may differ.
"""

from __future__ import annotations

import asyncio
import pathlib
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from devenv.api.views import PortView
from devenv.engine.port import ContainerSnapshot
from devenv.errors import LinkError, PortTaken
from devenv.forward import listener as listening
from devenv.forward.connections import Connections, Dialer
from devenv.forward.detection import Detection, Heard, by_port, parse_listing
from devenv.forward.host_ports import HostPorts, stop_listening
from devenv.forward.openings import Openings
from devenv.forward.published import published_ports
from devenv.forward.settings import ConfiguredPort, ForwardSettings, Traits
from devenv.forward.store import PortStore
from devenv.forward.table import LOCAL, Destination, Forward, Place, command_line, is_told, name_of, port_view
from devenv.link.answers import AgentRefusal

WATCH_INTERVAL = 0.25  # seconds


class Forwarder:
    """`clock` is monotonic seconds, `now` seconds since the epoch. `on_note(text)` gets sentences a person should
    read once."""

    def __init__(
        self,
        key: str,
        store: pathlib.Path,
        settings: ForwardSettings,
        clock: Callable[[], float],
        on_change: Callable[[], None],
        on_note: Callable[[str], None] = lambda text: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._ports = HostPorts(key, PortStore(store))
        self._settings = settings
        self._clock = clock
        self._on_change = on_change
        self._on_note = on_note
        self._forwards: dict[str, Forward] = {}
        self._heard: dict[int, list[Heard]] = {}
        self._detection = Detection(self._wants)
        self._openings = Openings(store.with_name("openings.json"), clock, now)
        self._following: list[Callable[[PortView], None]] = []
        self._published: Mapping[int, tuple[str, int]] = {}
        self._direct = False  # host networking: the container's loopback is the host's
        self._link: Dialer | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._change_planned = False
        self._timer: asyncio.TimerHandle | None = None
        self._connections = Connections(clock)
        self._connections.same_user = settings.same_user
        self._closed = False
        self._retired = False  # a successor listens
        self._loop = asyncio.get_running_loop()
        self._awake = False
        listening.raise_descriptor_limit()

    # --- the configuration, the container and the link

    def configure(self, settings: ForwardSettings) -> None:
        """What the configuration says now. New ports are forwarded at once; a port that is named no more stays until
        the environment is let go of, because somebody may be using it. One whose number was taken is tried again."""
        self._settings = settings
        self._connections.same_user = settings.same_user
        if self._awake:
            for configured in settings.configured:
                self._add_configured(configured)
            for forward in list(self._forwards.values()):
                if forward.source == "detected":
                    self._review(forward)
            self._decide()
            self._change()

    def set_container(self, container: ContainerSnapshot, *, here: bool = True) -> None:
        """Tells which ports the engine publishes, and whether the container has a network of its own. Of an engine that
        is not `here`, neither counts: its machine's ports are not this one's.

        Configured ports are bound from the first container or link on: before, their numbers may be needed by the
        engine itself, to publish them.
        """
        self._published = published_ports(container) if here else {}
        self._direct = here and container.network_mode == "host"
        self._openings.container(f"{container.id} {container.started_at}")
        self._wake()
        for forward in self._forwards.values():
            self._reconsider(forward)
        self._change()

    async def set_link(self, link: Dialer | None) -> None:
        """After a restart: same host ports, listeners stay. None: the container is down, or its agent is."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self._link = self._connections.link = link
        if link is None:
            self._lose_listing()
            return
        self._wake()
        self._unsubscribe = link.subscribe(self._on_event)
        try:
            answer = await link.request("ports.list")
            await link.request("ports.watch", interval=WATCH_INTERVAL)
        except AgentRefusal:
            answer = {}
        except LinkError:
            if self._link is link:
                await self.set_link(None)
            return
        if self._link is link:
            span = answer.get("ephemeral") if isinstance(answer, dict) else None
            if isinstance(span, list) and len(span) == 2 and all(isinstance(bound, int) for bound in span):
                self._detection.ephemeral = (span[0], span[1])
            self._listing(answer.get("listeners") if isinstance(answer, dict) else [])

    # --- what is forwarded

    async def expose(
        self,
        port: int,
        *,
        host: str = "127.0.0.1",
        host_port: int | None = None,
        label: str = "",
        source: str = "configured",
        protocol: str = "tcp",
        require_local: bool = False,
    ) -> PortView:
        """Forwards `port` until `withdraw` or `close`; again with the same port changes what is said about it.

        Raises PortTaken when `host_port` (or with `require_local` the port itself) is taken; it names the holder.
        """
        name = name_of(host, port)
        if host in LOCAL:
            self._detection.forget(port)
        known = self._forwards.get(name)
        if known is not None:
            known.label, known.source = label or known.label, source
            known.protocol = protocol if protocol != "tcp" else known.protocol
            wanted = host_port or (port if require_local else None)
            if known.listener is not None and wanted in (None, known.listener.port):
                self._change()
                return self._view(known)
        forward = known or Forward(name, port, host, label, source, protocol)
        forward.host_port, forward.require_local = host_port, require_local
        self._listen(forward)
        self._forwards[name] = forward
        self._change()
        return self._view(forward)

    async def expose_door(
        self, name: str, preferred: int, target: Callable[[], Awaitable[Destination | None]], *, label: str = ""
    ) -> PortView:
        """A host port whose target in the container is asked for at each connection; None refuses it.

        On a network of its own only: with host networking the caller must not offer a door (`Refused` is its call).
        """
        key = f"door:{name}"
        door = self._forwards.get(key)
        if door is None:
            door = Forward(key, preferred, "127.0.0.1", label or name, "debug", "dap")
            self._listen(door)
            self._forwards[key] = door
        door.target = target
        self._change()
        return self._view(door)

    def close_door(self, name: str) -> None:
        """Established connections go on. Its host port stays remembered."""
        door = self._forwards.pop(f"door:{name}", None)
        if door is not None:
            stop_listening(door)
            self._change()

    async def withdraw(self, port: int, *, host: str = "127.0.0.1") -> bool:
        """Stops a forward; established connections go on. Its host port stays remembered."""
        forward = self._forwards.pop(name_of(host, port), None)
        if forward is None:
            return False
        stop_listening(forward)
        self._change()
        return True

    def table(self) -> list[PortView]:
        """Forwards, published ports and (host networking) direct ones, by port."""
        views = [self._view(forward) for forward in self._forwards.values()]
        shown = {forward.port for forward in self._forwards.values() if forward.host in LOCAL}
        for port, (host, host_port) in self._published.items():
            if port not in shown:
                published = Forward(str(port), port, "127.0.0.1", "", "published", "tcp")
                traits = self._settings.traits(port, command_line(self._heard.get(port, ())))
                place = Place("published", host_port, host)
                views.append(port_view(published, place, self._heard.get(port, []), traits, self._openings.since(port)))
        return sorted(views, key=lambda view: (view.port, view.container_host))

    def release(self, *, numbers: bool = False) -> None:
        """The environment was removed: its ports are free for others. The next container has them again, with the same
        numbers unless these are forgotten too."""
        stop_listening(*self._forwards.values())
        self._forwards.clear()
        self._ports.release(numbers=numbers)
        self._openings.forget()
        self._published, self._direct, self._awake = {}, False, False
        self._change()

    async def close(self) -> None:
        """Closes listeners and resets connections. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if self._timer is not None:
            self._timer.cancel()
        stop_listening(*self._forwards.values())
        await self._connections.close()
        self._ports.drop_unclaimed()

    # --- what begins to listen

    def on_opening(self, listener: Callable[[PortView], None]) -> Callable[[], None]:
        """`listener` hears of each server that begins on a port which the project names and does not want silent,
        once for each start, until the returned function is called."""
        self._following.append(listener)
        return lambda: self._following.remove(listener)

    def claim_opening(self, port: int, since: float) -> bool:
        """Whether the caller opens the browser for this start of the server on `port`; the first one that asks does."""
        once = self._traits(port).auto_forward == "openBrowserOnce"
        return self._openings.claim(port, since, once=once)

    def _tell_openings(self) -> None:
        for forward in list(self._forwards.values()):
            if forward.local and self._openings.news(forward.port) and is_told(forward, self._traits(forward.port)):
                for listener in list(self._following):
                    listener(self._view(forward))

    def _traits(self, port: int) -> Traits:
        return self._settings.traits(port, command_line(self._heard.get(port, ())))

    # --- hand-over to a successor

    def export_listeners(self) -> list[tuple[int, int, socket.socket]]:
        """(host port, container port, listening socket), to be sent with SCM_RIGHTS. Our own stay open until `close`,
        so that no connection is refused in between; call `stop_accepting` once the successor has them."""
        return [
            (forward.listener.port, forward.port, opened)
            for forward in self._forwards.values()
            if forward.listener is not None
            for opened in forward.listener.sockets
        ]

    def stop_accepting(self) -> None:
        """Established connections stay with this process until they end. It listens and writes ports never again."""
        self._retired = True
        self._ports.freeze()
        self._openings.freeze()
        stop_listening(*self._forwards.values())

    @property
    def idle(self) -> bool:
        """Whether no connection is established."""
        return self._connections.idle

    async def wait_idle(self) -> None:
        """Returns when the last established connection has ended."""
        await self._connections.wait_idle()

    def adopt(self, listeners: Iterable[tuple[int, int, socket.socket]]) -> None:
        """Takes listening sockets over from a predecessor. To be called before anything is exposed: a forward whose
        host port is among them uses them instead of binding anew."""
        self._ports.adopt(listeners)
        self._wake()

    def drop_unclaimed(self) -> None:
        """Closes adopted sockets that nothing uses, once everything is exposed again."""
        self._ports.drop_unclaimed()

    # --- listening

    def _wake(self) -> None:
        if not self._awake:
            self._awake = True
            for configured in self._settings.configured:
                self._add_configured(configured)

    def _add_configured(self, configured: ConfiguredPort) -> None:
        name = name_of(configured.host, configured.port)
        forward = self._forwards.get(name)
        asked = (configured.host_port, configured.require_local)
        if forward is not None and forward.listener is not None and (forward.host_port, forward.require_local) == asked:
            forward.label = forward.label or configured.label
            return
        forward = forward or Forward(
            name, configured.port, configured.host, configured.label, "configured", configured.protocol
        )
        forward.host_port, forward.require_local = asked
        self._forwards[name] = forward
        self._try_to_listen(forward)

    def _try_to_listen(self, forward: Forward) -> None:
        try:
            self._listen(forward)
        except PortTaken as taken:
            forward.note = taken.message

    def _reconsider(self, forward: Forward) -> None:
        """After news of the container's network: whether it is reached without us."""
        reached = self._direct or self._is_published(forward)
        if reached and forward.listener is not None:
            stop_listening(forward)
            forward.note = ""
        elif not reached and forward.listener is None and not forward.note:
            self._try_to_listen(forward)

    def _listen(self, forward: Forward) -> None:
        if self._retired or self._direct or self._is_published(forward):
            stop_listening(forward)
            return
        listener = self._ports.listen(forward, self._settings.bind)
        listener.start(lambda connection: self._connections.accept(forward, connection))

    def _is_published(self, forward: Forward) -> bool:
        """Whether the engine's own mapping reaches it: what listens on loopback only is not reached by it."""
        if forward.target is not None or forward.host not in LOCAL or forward.port not in self._published:
            return False
        heard = self._heard.get(forward.port, [])
        return not heard or not all(one.loopback for one in heard)

    # --- listings

    def _on_event(self, event: dict[str, Any]) -> None:
        if event.get("event") == "ports":
            self._listing(event.get("listeners"))

    def _listing(self, listing: object) -> None:
        self._heard = self._connections.heard = by_port(parse_listing(listing))
        self._openings.see({port: command_line(heard) for port, heard in self._heard.items()})
        for forward in self._forwards.values():
            if forward.port in self._published and forward.port in self._heard:
                self._reconsider(forward)
        self._detection.see(self._heard, self._clock())
        self._decide()
        self._change()

    def _lose_listing(self) -> None:
        self._heard = self._connections.heard = {}
        self._detection.suspend()
        self._decide()
        self._change()

    def _wants(self, port: int, command_line: str) -> bool:
        if self._direct or not self._settings.detect or port in self._settings.ignore:
            return False
        known = self._forwards.get(str(port))
        if known is not None and known.source != "detected":
            return False
        return self._settings.traits(port, command_line).auto_forward != "ignore"

    def _decide(self) -> None:
        """Applies what detection has decided, and comes back when it will have more."""
        now = self._clock()
        decisions = self._detection.decide(now)
        for port in decisions.forward:
            self._forward_detected(port)
        for port in decisions.crowded:
            forward = Forward(str(port), port, "127.0.0.1", "", "detected", "tcp")
            forward.note = "many ports opened at once: not forwarded by itself"
            self._forwards.setdefault(forward.name, forward)
        for port in decisions.drop:
            gone = self._forwards.get(str(port))
            if gone is not None and gone.source == "detected":
                stop_listening(gone)
                del self._forwards[gone.name]
        for name, forward in list(self._forwards.items()):
            # A crowded-out port has no mapping to keep.
            if forward.source == "detected" and forward.listener is None and forward.port not in self._heard:
                del self._forwards[name]
        self._tell_openings()
        if decisions:
            self._change()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._detection.next_due(now)
        if due is not None and not self._closed:
            self._timer = self._loop.call_later(due + 0.01, self._decide)

    def _forward_detected(self, port: int) -> None:
        traits = self._traits(port)
        forward = self._forwards.get(str(port))
        if forward is None or forward.listener is None:
            forward = Forward(str(port), port, "127.0.0.1", "", "detected", "tcp")
            forward.host_port, forward.require_local = traits.host_port, traits.require_local
            self._forwards[forward.name] = forward
            self._try_to_listen(forward)
            if forward.note and traits.auto_forward != "silent":
                self._on_note(f"port {port}: {forward.note}")

    def _review(self, forward: Forward) -> None:
        """A port that was found, after an edit of what is said about it."""
        traits = self._traits(forward.port)
        if traits.auto_forward == "ignore" or forward.port in self._settings.ignore:
            stop_listening(forward)
            del self._forwards[forward.name]
            return
        if (forward.host_port, forward.require_local) != (traits.host_port, traits.require_local):
            forward.host_port, forward.require_local = traits.host_port, traits.require_local
            if forward.exact is not None and (forward.listener is None or forward.listener.port != forward.exact):
                self._try_to_listen(forward)
        elif forward.listener is None and forward.exact is not None:
            self._try_to_listen(forward)

    def _change(self) -> None:
        self._connections.news()
        if not self._change_planned and not self._closed:
            self._change_planned = True
            self._loop.call_soon(self._tell)

    def _tell(self) -> None:
        self._change_planned = False
        if not self._closed:
            self._on_change()

    def _view(self, forward: Forward) -> PortView:
        heard = self._heard.get(forward.port, []) if forward.local else []
        traits = self._traits(forward.port) if forward.local else Traits()
        since = self._openings.since(forward.port) if forward.local else None
        return port_view(forward, self._place(forward), heard, traits, since)

    def _place(self, forward: Forward) -> Place:
        if self._direct:
            return Place("direct", forward.port)
        if forward.listener is not None:
            link = self._link
            note = str(getattr(link, "note", ""))  # what a dialer without an agent has to say about every forward
            return Place(forward.source, forward.listener.port, tier=link.tier.value if link else "", note=note)
        if self._is_published(forward):
            host, host_port = self._published[forward.port]
            return Place("published", host_port, host)
        return Place(forward.source, None)
