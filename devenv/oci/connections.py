"""Connections of requests that can be ended from another thread, and that trust exactly the given certificates."""

from __future__ import annotations

import ssl
from typing import Any

import requests
import requests.adapters
import urllib3
import urllib3.connection

from devenv.oci.interrupt import Interrupt


class Adapter(requests.adapters.HTTPAdapter):
    """`tls` is None for the adapter of plain HTTP."""

    def __init__(self, interrupt: Interrupt, tls: ssl.SSLContext | None) -> None:
        self._interrupt = interrupt
        self._tls = tls
        super().__init__(pool_maxsize=8)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _pools(self._interrupt)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):  # those have connections of their own kind
            manager.pool_classes_by_scheme = _pools(self._interrupt)
        return manager

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {"ssl_context": self._tls} if host["scheme"] == "https" else {}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing: the context above verifies, and requests would add its own authorities to it."""


def _pools(interrupt: Interrupt) -> dict[str, type[urllib3.HTTPConnectionPool]]:
    class Plain(urllib3.connection.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            interrupt.watch(self.sock)

    class Secure(urllib3.connection.HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            interrupt.watch(self.sock)

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
