"""How a client reaches the network: proxies, certificate authorities, time limits. Read from the client's environment.

The supervisor's own environment is never looked at, and nothing is connected here.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import math
import pathlib
import ssl
import urllib.parse
import urllib.request
from collections.abc import Mapping

from devenv.errors import RegistryUntrusted, UsageError
from devenv.oci.address import is_loopback

TIMEOUT_VARIABLE = "DEVENV_REGISTRY_TIMEOUT"

# Where systems keep the authorities that their administrator trusts; the first that exists counts.
_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine, macOS
)


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, except `retries`. A registry that hangs is an error after `connect` or `read`, never later."""

    connect: float = 5.0  # to resolve the name, and again to connect
    read: float = 15.0  # without one byte
    answer: float = 60.0  # for a whole small answer (manifest, token, list), however slowly it comes
    retries: int = 2  # after 429, 5xx or a connection that broke
    pause: float = 0.5  # before the first retry, doubled each time, unless the registry names its own
    patience: float = 20.0  # spent on pauses in all; a Retry-After beyond it is an error at once

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Limits:
        """`DEVENV_REGISTRY_TIMEOUT` (seconds) is the time without a byte, and bounds the time to connect."""
        text = env.get(TIMEOUT_VARIABLE, "")
        if not text:
            return cls()
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not (0 < seconds < math.inf):
            raise UsageError(f"{TIMEOUT_VARIABLE} is {text!r}", "set it to a number of seconds, or unset it")
        return cls(connect=min(cls().connect, seconds), read=seconds, answer=max(cls().answer, seconds))


@dataclasses.dataclass(frozen=True, slots=True)
class Network:
    proxies: Mapping[str, str] = dataclasses.field(
        default_factory=dict, repr=False
    )  # a proxy's address may hold secrets
    no_proxy: str = ""
    ca_bundle: str = ""  # file or folder that replaces the system's authorities
    extra_ca: str = ""  # file with authorities beside them

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Network:
        """The variables that `curl`, Python programs and the reference's Node know, lower case before upper case."""

        def value(name: str) -> str:
            return env.get(name.lower()) or env.get(name.upper()) or ""

        proxies = {scheme: value(f"{scheme}_proxy") or value("all_proxy") for scheme in ("http", "https")}
        return cls(
            {scheme: proxy for scheme, proxy in proxies.items() if proxy},
            value("no_proxy"),
            env.get("SSL_CERT_FILE") or env.get("REQUESTS_CA_BUNDLE") or env.get("CURL_CA_BUNDLE") or "",
            env.get("NODE_EXTRA_CA_CERTS", ""),
        )

    def proxy_for(self, url: str) -> str | None:
        """The proxy for an address. This machine itself is never asked for through one."""
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
        proxy = self.proxies.get(parts.scheme)
        if not proxy or is_loopback(host) or self._direct(host, parts.port):
            return None
        return proxy if "://" in proxy else f"http://{proxy}"

    def _direct(self, host: str, port: int | None) -> bool:
        if not self.no_proxy:
            return False
        where = f"{host}:{port}" if port else host
        if urllib.request.proxy_bypass_environment(where, {"no": self.no_proxy}):  # type: ignore[attr-defined]
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in _ranges(self.no_proxy))

    def tls(self) -> ssl.SSLContext:
        """Raises RegistryUntrusted when the environment names authorities that cannot be read."""
        # Not create_default_context: it looks into this process's environment.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _load(context, self.ca_bundle or _system_bundle())
        if self.extra_ca:
            _load(context, self.extra_ca)
        return context


def _ranges(no_proxy: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    found = []
    for part in no_proxy.split(","):
        try:
            found.append(ipaddress.ip_network(part.strip(), strict=False))
        except ValueError:
            continue  # a name: compared above
    return found


def _system_bundle() -> str:
    compiled = ssl.get_default_verify_paths().openssl_cafile
    for path in (*_SYSTEM_BUNDLES, compiled):
        if path and pathlib.Path(path).is_file():
            return path
    import certifi  # what requests brings along, for systems without authorities of their own

    return certifi.where()


def _load(context: ssl.SSLContext, path: str) -> None:
    try:
        if pathlib.Path(path).is_dir():
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or "it holds no certificates"
        raise RegistryUntrusted(
            f"the certificate authorities in {path} cannot be read: {reason}",
            "correct SSL_CERT_FILE, REQUESTS_CA_BUNDLE or NODE_EXTRA_CA_CERTS, or unset it",
            details={"file": path},
        ) from error
