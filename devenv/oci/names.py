"""Host names within a time limit. The system's resolver has none that a caller could set."""

from __future__ import annotations

import socket
import threading


def resolve(host: str, port: int, seconds: float) -> None:
    """Raises socket.gaierror when the name means nothing, TimeoutError when nobody says so in time.

    A resolver that hangs keeps its thread until the system gives up; nobody waits for that.
    """
    outcome: list[BaseException] = []
    done = threading.Event()

    def ask() -> None:
        try:
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            outcome.append(error)
        finally:
            done.set()

    threading.Thread(target=ask, name=f"resolve {host}", daemon=True).start()
    if not done.wait(seconds):
        raise TimeoutError(f"{host} did not resolve within {seconds:g} s")
    if outcome and isinstance(outcome[0], UnicodeError):
        raise socket.gaierror(socket.EAI_NONAME, "not a host name")
    if outcome:
        raise outcome[0]
