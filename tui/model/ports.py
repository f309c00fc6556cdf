"""The rows of services and forwarded ports, and what is said about one. Secret addresses never become spans."""

from __future__ import annotations

from devenv.api.views import PortView, ServiceView
from tui.model.formatting import SERVICE
from tui.model.spans import Line, Lines, Row, Span, Tone, clean, wrap
from tui.model.state import State


def port_rows(state: State) -> tuple[Row, ...]:
    """Services (`service:<name>`), then ports (`port:<number>`), each under a heading."""
    if state.snapshot is None:
        return ()
    rows: list[Row] = []
    if state.snapshot.services:
        rows.append(Row("", (Span("SERVICES", Tone.FAINT),)))
        rows += [_service(state, service) for service in state.snapshot.services]
        rows.append(Row("", ()))
    rows.append(Row("", (Span("PORTS", Tone.FAINT),)))
    ports = sorted(state.snapshot.ports, key=lambda port: (not port.listening, port.port))
    rows += [_port(port) for port in ports]
    if not ports:
        text = "No port is open. A server that starts is forwarded by itself."
        waiting = text if state.up else "Ports are forwarded once the environment is up."
        rows += [Row("", (Span(part, Tone.DIM),)) for part in wrap(waiting, 44)]
    return tuple(rows)


def elsewhere(port: PortView) -> bool:
    """Whether it is a port of another service: what listens there is not seen from the container."""
    return port.container_host != "127.0.0.1"


def key_of(port: PortView) -> str:
    """What its row is known by."""
    return f"port:{port.container_host}:{port.port}" if elsewhere(port) else f"port:{port.port}"


def address(port: PortView) -> str:
    """What a person types on this machine to reach the port; "" when it is not forwarded."""
    return f"{port.host}:{port.host_port}" if port.host_port is not None else ""


def _service(state: State, service: ServiceView) -> Row:
    symbol, tone = SERVICE.get(service.state, ("?", Tone.DIM))
    left: Line = (Span(f"{symbol} ", tone), Span(clean(service.name), Tone.STRONG))
    if not service.declared:
        left += (Span("  found", Tone.DIM),)
    if service.state in ("failed", "missing", "starting"):
        left += (Span(f"  {service.state}", tone),)
    where = _of_service(state, service)
    right: Line = (Span(address(where), Tone.INFO),) if where and service.state == "running" else ()
    return Row(f"service:{service.name}", left, right)


def _of_service(state: State, service: ServiceView) -> PortView | None:
    if state.snapshot is None or service.port is None:
        return None
    known = (port for port in state.snapshot.ports if port.host_port and not elsewhere(port))
    return next((port for port in known if port.port == service.port), None)


def _port(port: PortView) -> Row:
    tone = Tone.OK if port.listening else Tone.DIM
    name = clean(port.label or (port.process.split("/")[-1].split(" ")[0] if port.process else port.source))
    left: Line = (
        Span("● " if port.listening else "○ ", tone),
        Span(f"{port.port:<6}", Tone.PLAIN),
        Span(name, Tone.PLAIN if port.listening else Tone.DIM),
    )
    where = address(port)
    if port.note:
        left += (Span(" !", Tone.WARN),)
    return Row(key_of(port), left, (Span(where or "not forwarded", Tone.INFO if where else Tone.DIM),))


def find(state: State, key: str) -> PortView | ServiceView | None:
    """The service or port that a row stands for."""
    if state.snapshot is None:
        return None
    kind, _, name = key.partition(":")
    if kind == "service":
        return state.service(name)
    return next((port for port in state.snapshot.ports if key_of(port) == key), None)


def addresses(state: State, key: str) -> tuple[str, str]:
    """(address to show, address to copy and open) of a row; ("", "") when there is none.

    The second one may carry a token and must never be shown.
    """
    item = find(state, key)
    if item is None:
        return "", ""
    where = item if isinstance(item, PortView) else _of_service(state, item)
    plain = address(where) if where is not None else ""
    shown = item.url or (where.url if where else "") or (f"http://{plain}/" if plain else "")
    secret = item.secret_url or (where.secret_url if where else "")
    return shown, secret or shown


def detail(state: State, key: str, cells: int) -> Lines:
    """What is known of the chosen service or port."""
    item = find(state, key)
    if item is None:
        return ()
    shown, used = addresses(state, key)
    facts: list[tuple[str, str]] = [("address", shown)]
    if used != shown:
        facts.append(("token", "kept out of sight; copy and open include it"))
    if isinstance(item, ServiceView):
        facts += [("kind", item.kind), ("state", item.state), ("why", item.reason)]
        port = _of_service(state, item)
    else:
        port = item
    if port is not None:
        by = f"{port.process} (pid {port.pid})" if port.pid else port.process
        facts += [
            ("in container", f"{port.container_host}:{port.port}"),
            ("listens", "" if elsewhere(port) else by or ("yes" if port.listening else "nothing")),
            ("found by", port.source),
            ("link", f"{port.tier}, {port.connections} open" if port.tier else ""),
            ("note", port.note),
        ]
    lines: list[Line] = []
    for label, value in facts:
        if value:
            first, *rest = wrap(value, max(8, cells - 14))
            tone = Tone.WARN if label in ("note", "why") else Tone.INFO if label == "address" else Tone.PLAIN
            lines.append((Span(f"{label:<13} ", Tone.FAINT), Span(first, tone)))
            lines += [(Span(" " * 14), Span(part, tone)) for part in rest]
    return tuple(lines)
