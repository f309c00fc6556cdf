"""What requests and urllib3 raise, as errors for people. Decided by types alone."""

from __future__ import annotations

import socket
import ssl
import urllib.parse
from collections.abc import Iterator

import requests
import urllib3.exceptions as errors

from devenv.errors import RegistryError, RegistryTimeout, RegistryUnreachable, RegistryUntrusted
from devenv.oci.network import TIMEOUT_VARIABLE, Limits


class AskLater(Exception):
    """Asking again from the start may help. `shown` is what a person is told when it does not."""

    def __init__(self, shown: RegistryError, retry_after: str | None = None) -> None:
        super().__init__(shown.message)
        self.shown = shown
        self.retry_after = retry_after


def connection_error(error: BaseException, url: str, proxy: str | None, limits: Limits) -> Exception:
    causes = list(_causes(error))
    through = f" through the proxy {shown(proxy)}" if proxy else ""
    details = {"registry": host(url)}

    def unreachable(reason: str, hint: str) -> RegistryUnreachable:
        return RegistryUnreachable(f"{host(url)} cannot be reached{through}: {reason}", hint, details=details)

    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return RegistryUntrusted(
                f"{host(url)}: its certificate is not accepted: {cause.verify_message}",
                "name your organisation's authorities with SSL_CERT_FILE (a PEM file)",
                details=details,
            )
        if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            continue  # a connection that broke, not one that is not trusted
        if isinstance(cause, ssl.SSLError):
            return RegistryUntrusted(
                f"{host(url)}{through}: no encrypted connection: {cause.reason or cause.strerror}",
                "is it a registry that speaks plain HTTP? only localhost may",
                details=details,
            )
        if isinstance(cause, socket.gaierror):
            return unreachable(f"its name does not resolve ({cause.strerror})", "is this machine on the network?")
        if isinstance(cause, errors.ReadTimeoutError):
            return timeout(url, f"connected, but no answer for {limits.read:g} s{through}")
        if isinstance(cause, TimeoutError) or (
            isinstance(cause, errors.ConnectTimeoutError) and not isinstance(cause, errors.NewConnectionError)
        ):
            return timeout(url, f"no connection within {limits.connect:g} s{through}")
        if isinstance(cause, requests.exceptions.InvalidSchema):
            return unreachable("this kind of proxy is not supported", "use an http or https proxy")
    for cause in causes:
        if isinstance(cause, errors.ProtocolError | ConnectionResetError | BrokenPipeError | ssl.SSLError):
            return AskLater(
                RegistryUnreachable(
                    f"{host(url)}: the connection broke in the middle{through}", "try again", details=details
                )
            )
    reason = next((c.strerror for c in causes if isinstance(c, OSError) and c.strerror), type(causes[-1]).__name__)
    return unreachable(reason, "is this machine on the network, and the registry running?")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was made from: libraries keep the first one as cause, `reason` or argument."""
    seen: set[int] = set()
    queue: list[BaseException] = [error]
    while queue:
        one = queue.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        for part in (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args):
            if isinstance(part, BaseException):
                queue.append(part)


def timeout(url: str, what: str) -> RegistryTimeout:
    return RegistryTimeout(
        f"{host(url)}: {what}", f"try again, or allow more with {TIMEOUT_VARIABLE}", details={"registry": host(url)}
    )


def host(url: str) -> str:
    return urllib.parse.urlsplit(url).netloc.rpartition("@")[2]


def shown(url: str) -> str:
    """An address without secrets: no user, password or query (blob storage signs addresses there)."""
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{host(url)}{parts.path}".removesuffix("/")
