"""The forwards of one environment: who listens, where each connection goes, and what `devenv ports` shows.

It outlives every link. Listeners never close because a link is lost; a connection that arrives meanwhile waits a few
seconds for the next link. Whatever goes wrong with one connection ends that connection only.

Concurrency: everything runs in the loop that made it, except the relay's thread. `on_change` is called in the loop,
once per turn at most, when the table may differ.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import pathlib
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from devenv.api.views import PortView
from devenv.engine.port import ContainerSnapshot
from devenv.errors import DevenvError, LinkError, PortTaken
from devenv.forward import listener as listening
from devenv.forward.channel_relay import relay_channel
from devenv.forward.detection import Detection, Heard, by_port, dial_address, parse_listing
from devenv.forward.published import published_ports
from devenv.forward.relay import RelayThread, reset
from devenv.forward.same_user import PeerCheck
from devenv.forward.settings import ConfiguredPort, ForwardSettings
from devenv.forward.store import PortStore
from devenv.link.answers import AgentRefusal
from devenv.link.port import Channel, Tier

GRACE = 3.0  # seconds for which a connection waits for a service that is just coming up
LINK_WAIT = 5.0  # seconds for which it waits for the next link
RETRY = 0.25  # seconds between two looks, when no listing says that something has changed
MOST_CONNECTIONS = 4096  # of one forward
WATCH_INTERVAL = 0.25  # seconds
_LOCAL = ("127.0.0.1", "localhost", "::1")

_log = logging.getLogger(__name__)


class Dialer(Protocol):
    """What forwards need of a link. `Link` is one; `ExecDialer` is one for images without Python."""

    @property
    def tier(self) -> Tier: ...
    @property
    def closed(self) -> bool: ...
    async def connect(self, port: int, host: str = "127.0.0.1") -> socket.socket | Channel: ...
    async def request(self, op: str, **params: Any) -> Any: ...
    def subscribe(self, callback: Callable[[dict[str, Any]], None]) -> Callable[[], None]: ...


@dataclasses.dataclass(slots=True, eq=False)
class _Forward:
    name: str  # "8000", "db:5432", "door:debug": what the host port is remembered under
    port: int
    host: str
    label: str
    source: str
    protocol: str
    host_port: int | None = None  # asked for by number
    require_local: bool = False
    listener: listening.HostListener | None = None
    note: str = ""
    connections: int = 0
    target: Callable[[], Awaitable[int | None]] | None = None


class Forwarder:
    """`clock` is monotonic seconds. `on_note(text)` gets sentences a person should read once."""

    def __init__(
        self,
        key: str,
        store: pathlib.Path,
        settings: ForwardSettings,
        clock: Callable[[], float],
        on_change: Callable[[], None],
        on_note: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._key = key
        self._store = PortStore(store)
        self._settings = settings
        self._clock = clock
        self._on_change = on_change
        self._on_note = on_note
        self._forwards: dict[str, _Forward] = {}
        self._adopted: dict[int, list[socket.socket]] = {}
        self._heard: dict[int, list[Heard]] = {}
        self._detection = Detection(self._wants)
        self._published: Mapping[int, tuple[str, int]] = {}
        self._direct = False  # host networking: the container's loopback is the host's
        self._link: Dialer | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._changed = asyncio.Event()  # replaced at each change: who waits, waits for the next one
        self._change_planned = False
        self._timer: asyncio.TimerHandle | None = None
        self._relay = RelayThread()
        self._peers = PeerCheck()
        self._serving: set[asyncio.Task[None]] = set()
        self._closed = False
        self._retired = False  # a successor listens
        self._established = 0  # connections, those of withdrawn forwards too
        self._idle = asyncio.Event()
        self._idle.set()
        self._loop = asyncio.get_running_loop()
        self._awake = False
        listening.raise_descriptor_limit()

    # --- the configuration, the container and the link

    def configure(self, settings: ForwardSettings) -> None:
        """What the configuration says now. New ports are forwarded at once; a port that is named no more stays until
        the environment is let go of, because somebody may be using it."""
        self._settings = settings
        if self._awake:
            for configured in settings.configured:
                self._add_configured(configured)
            self._decide()
            self._change()

    def set_container(self, container: ContainerSnapshot | None) -> None:
        """Tells which ports the engine publishes, and whether the container has a network of its own.

        Configured ports are bound from the first container or link on: before, their numbers may be needed by the
        engine itself, to publish them.
        """
        if container is None:
            return
        self._published = published_ports(container)
        self._direct = container.network_mode == "host"
        self._wake()
        for forward in self._forwards.values():
            self._reconsider(forward)
        self._change()

    async def set_link(self, link: Dialer | None) -> None:
        """After a restart: same host ports, listeners stay. None: the container is down, or its agent is."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self._link = link
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
        name = _name(host, port)
        if host in _LOCAL:
            self._detection.forget(port)
        known = self._forwards.get(name)
        if known is not None:
            known.label, known.source = label or known.label, source
            known.protocol = protocol if protocol != "tcp" else known.protocol
            wanted = host_port or (port if require_local else None)
            if known.listener is not None and wanted in (None, known.listener.port):
                self._change()
                return self._view(known)
        forward = known or _Forward(name, port, host, label, source, protocol)
        forward.host_port, forward.require_local = host_port, require_local
        self._listen(forward)
        self._forwards[name] = forward
        self._change()
        return self._view(forward)

    async def expose_door(
        self, name: str, preferred: int, target: Callable[[], Awaitable[int | None]], *, label: str = ""
    ) -> PortView:
        """A host port whose target in the container is asked for at each connection; None refuses it.

        On a network of its own only: with host networking the caller must not offer a door (`Refused` is its call).
        """
        key = f"door:{name}"
        door = self._forwards.get(key)
        if door is None:
            door = _Forward(key, preferred, "127.0.0.1", label or name, "debug", "dap")
            self._listen(door)
            self._forwards[key] = door
        door.target = target
        self._change()
        return self._view(door)

    async def withdraw(self, port: int, *, host: str = "127.0.0.1") -> bool:
        """Stops a forward; established connections go on. Its host port stays remembered."""
        forward = self._forwards.pop(_name(host, port), None)
        if forward is None:
            return False
        self._stop_listening(forward)
        self._change()
        return True

    def table(self) -> list[PortView]:
        """Forwards, published ports and (host networking) direct ones, by port."""
        views = [self._view(forward) for forward in self._forwards.values()]
        shown = {forward.port for forward in self._forwards.values() if forward.host in _LOCAL}
        for port, (host, host_port) in self._published.items():
            if port not in shown:
                views.append(self._published_view(port, host, host_port))
        return sorted(views, key=lambda view: (view.port, view.container_host))

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
        for forward in self._forwards.values():
            self._stop_listening(forward)
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await asyncio.to_thread(self._relay.close)
        self._peers.close()
        self._close_adopted()

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
        self._store.freeze()
        for forward in self._forwards.values():
            self._stop_listening(forward)

    @property
    def idle(self) -> bool:
        """Whether no connection is established."""
        return not self._established

    async def wait_idle(self) -> None:
        """Returns when the last established connection has ended."""
        await self._idle.wait()

    def adopt(self, listeners: Iterable[tuple[int, int, socket.socket]]) -> None:
        """Takes listening sockets over from a predecessor. To be called before anything is exposed: a forward whose
        host port is among them uses them instead of binding anew."""
        for host_port, _, opened in listeners:
            if opened.family not in (socket.AF_INET, socket.AF_INET6) or opened.getsockname()[1] != host_port:
                opened.close()
                continue
            opened.setblocking(False)
            self._adopted.setdefault(host_port, []).append(opened)
        self._wake()

    def drop_unclaimed(self) -> None:
        """Closes adopted sockets that nothing uses, once everything is exposed again."""
        self._close_adopted()

    # --- listening

    def _wake(self) -> None:
        if not self._awake:
            self._awake = True
            for configured in self._settings.configured:
                self._add_configured(configured)

    def _add_configured(self, configured: ConfiguredPort) -> None:
        name = _name(configured.host, configured.port)
        forward = self._forwards.get(name)
        asked = (configured.host_port, configured.require_local)
        if forward is not None and forward.listener is not None and (forward.host_port, forward.require_local) == asked:
            forward.label = forward.label or configured.label
            return
        forward = forward or _Forward(
            name, configured.port, configured.host, configured.label, "configured", configured.protocol
        )
        forward.host_port, forward.require_local = asked
        self._forwards[name] = forward
        self._try_to_listen(forward)

    def _try_to_listen(self, forward: _Forward) -> None:
        try:
            self._listen(forward)
        except PortTaken as taken:
            forward.note = taken.message

    def _reconsider(self, forward: _Forward) -> None:
        """After news of the container's network: whether it is reached without us."""
        reached = self._direct or self._is_published(forward)
        if reached and forward.listener is not None:
            self._stop_listening(forward)
            forward.note = ""
        elif not reached and forward.listener is None and not forward.note:
            self._try_to_listen(forward)

    def _listen(self, forward: _Forward) -> None:
        if self._retired or self._direct or self._is_published(forward):
            self._stop_listening(forward)
            return
        exact = forward.host_port or (forward.port if forward.require_local else None)
        wanted = exact or self._store.get(forward.name) or forward.port
        if wanted in self._adopted:
            choice = listening.Choice(listening.HostListener(self._adopted.pop(wanted)), "")
        elif exact is not None:
            choice = listening.choose_exactly(exact, self._settings.bind)
        else:
            remembered = self._store.get(forward.name)
            choice = listening.choose(self._key, forward.name, forward.port, self._settings.bind, remembered)
        self._stop_listening(forward)
        forward.listener = choice.listener
        forward.note = choice.note
        self._store.put(forward.name, choice.listener.port)
        choice.listener.start(lambda connection: self._accepted(forward, connection))

    def _stop_listening(self, forward: _Forward) -> None:
        if forward.listener is not None:
            forward.listener.close()
            forward.listener = None

    def _close_adopted(self) -> None:
        for sockets in self._adopted.values():
            for opened in sockets:
                opened.close()
        self._adopted.clear()

    def _is_published(self, forward: _Forward) -> bool:
        """Whether the engine's own mapping reaches it: what listens on loopback only is not reached by it."""
        if forward.target is not None or forward.host not in _LOCAL or forward.port not in self._published:
            return False
        heard = self._heard.get(forward.port, [])
        return not heard or not all(one.loopback for one in heard)

    # --- connections

    def _accepted(self, forward: _Forward, connection: socket.socket) -> None:
        if self._settings.same_user and not self._peers.allows(connection):
            reset(connection)
            return
        if forward.connections >= MOST_CONNECTIONS:
            reset(connection)
            return
        forward.connections += 1
        self._established += 1
        self._idle.clear()
        task = self._loop.create_task(self._serve(forward, connection), name=f"forward {forward.name}")
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, forward: _Forward, connection: socket.socket) -> None:
        handed_over = False
        try:
            far = await self._dial(forward)
            if far is None:
                reset(connection)
            elif isinstance(far, socket.socket):
                handed_over = True
                self._relay.add(connection, far, lambda: self._ended_in_thread(forward))
            else:
                await relay_channel(connection, far)
        except asyncio.CancelledError:
            if not handed_over:
                reset(connection)
            raise
        except Exception:  # a defect here must not take the other connections along
            _log.exception("a forwarded connection to %s failed", forward.name)
            if not handed_over:
                reset(connection)
        finally:
            if not handed_over:
                self._ended(forward)

    def _ended_in_thread(self, forward: _Forward) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._ended, forward)

    def _ended(self, forward: _Forward) -> None:
        forward.connections -= 1
        self._established -= 1
        if not self._established:
            self._idle.set()

    async def _dial(self, forward: _Forward) -> socket.socket | Channel | None:
        """None: nothing answers. Waits for a link, and for a service that is just starting."""
        began = self._clock()
        while not self._closed:
            changed = self._changed
            link = self._link
            left = began + LINK_WAIT - self._clock()
            if link is None or link.closed:
                if left <= 0:
                    return None
                await _wait(changed, left)
                continue
            if forward.target is not None:
                port = await forward.target()
                if port is None:
                    return None
            else:
                port = forward.port
            try:
                return await link.connect(port, self._dial_host(forward, port))
            except ConnectionRefusedError:
                left = began + GRACE - self._clock()
                if left <= 0:
                    return None
                await _wait(changed, min(RETRY, left))
            except (AgentRefusal, OSError):
                return None
            except DevenvError:
                if not link.closed:
                    return None
                began = self._clock()  # the link was lost under us: the wait for the next one begins now
        return None

    def _dial_host(self, forward: _Forward, port: int) -> str:
        if forward.host not in _LOCAL:
            return forward.host
        return dial_address(self._heard.get(port, ()))

    # --- listings

    def _on_event(self, event: dict[str, Any]) -> None:
        if event.get("event") == "ports":
            self._listing(event.get("listeners"))

    def _listing(self, listing: object) -> None:
        self._heard = by_port(parse_listing(listing))
        for forward in self._forwards.values():
            if forward.port in self._published and forward.port in self._heard:
                self._reconsider(forward)
        self._detection.see(self._heard, self._clock())
        self._decide()
        self._change()

    def _lose_listing(self) -> None:
        self._heard = {}
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
            forward = _Forward(str(port), port, "127.0.0.1", "", "detected", "tcp")
            forward.note = "many ports opened at once: not forwarded by itself"
            self._forwards.setdefault(forward.name, forward)
        for port in decisions.drop:
            gone = self._forwards.get(str(port))
            if gone is not None and gone.source == "detected":
                self._stop_listening(gone)
                del self._forwards[gone.name]
        for name, forward in list(self._forwards.items()):
            # A crowded-out port has no mapping to keep.
            if forward.source == "detected" and forward.listener is None and forward.port not in self._heard:
                del self._forwards[name]
        if decisions:
            self._change()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._detection.next_due(now)
        if due is not None and not self._closed:
            self._timer = self._loop.call_later(due + 0.01, self._decide)

    def _forward_detected(self, port: int) -> None:
        line = _command_line(self._heard.get(port, ()))
        traits = self._settings.traits(port, line)
        forward = self._forwards.get(str(port))
        if forward is None or forward.listener is None:
            forward = _Forward(str(port), port, "127.0.0.1", traits.label, "detected", traits.protocol)
            forward.host_port, forward.require_local = traits.host_port, traits.require_local
            self._forwards[forward.name] = forward
            self._try_to_listen(forward)
            if forward.note and traits.auto_forward != "silent":
                self._on_note(f"port {port}: {forward.note}")

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
        if not self._change_planned and not self._closed:
            self._change_planned = True
            self._loop.call_soon(self._tell)

    def _tell(self) -> None:
        self._change_planned = False
        if not self._closed:
            self._on_change()

    # --- views

    def _view(self, forward: _Forward) -> PortView:
        heard = self._heard.get(forward.port, []) if forward.host in _LOCAL and forward.target is None else []
        process = next((one for one in heard if one.command), None)
        source, host_port, host = forward.source, None, "127.0.0.1"
        if self._direct:
            source, host_port = "direct", forward.port
        elif forward.listener is not None:
            host_port = forward.listener.port
        elif self._is_published(forward):
            source = "published"
            host, host_port = self._published[forward.port]
        return PortView(
            port=forward.port,
            host_port=host_port,
            host=host,
            container_host=forward.host,
            label=forward.label,
            source=source,
            protocol=forward.protocol,
            process=process.command_line if process else "",
            pid=process.pid if process else None,
            listening=bool(heard),
            url=_url(forward.protocol, host, host_port),
            note=forward.note or self._link_note(forward),
            tier=self._link.tier.value if self._link is not None and forward.listener is not None else "",
            connections=forward.connections,
        )

    def _link_note(self, forward: _Forward) -> str:
        """What a dialer without an agent has to say about every forward."""
        return str(getattr(self._link, "note", "")) if forward.listener is not None else ""

    def _published_view(self, port: int, host: str, host_port: int) -> PortView:
        heard = self._heard.get(port, [])
        process = next((one for one in heard if one.command), None)
        return PortView(
            port=port,
            host_port=host_port,
            host=host,
            source="published",
            process=process.command_line if process else "",
            pid=process.pid if process else None,
            listening=bool(heard),
        )


def _name(host: str, port: int) -> str:
    return str(port) if host in _LOCAL else f"{host}:{port}"


def _url(protocol: str, host: str, host_port: int | None) -> str:
    if host_port is None or protocol not in ("http", "https"):
        return ""
    return f"{protocol}://{host}:{host_port}/"


def _command_line(heard: Sequence[Heard]) -> str:
    return next((one.command_line for one in heard if one.command), "")


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
