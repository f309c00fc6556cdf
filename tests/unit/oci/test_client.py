"""The client against a server that refuses, hangs, breaks off, lies and redirects."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devenv.errors import (
    DigestMismatch,
    RegistryBusy,
    RegistryDenied,
    RegistryError,
    RegistryFailed,
    RegistryMissing,
    RegistryTimeout,
    RegistryUnreachable,
    RegistryUntrusted,
)
from devenv.oci import manifest, names
from devenv.oci.client import Client
from devenv.oci.digests import sha256
from tests.kit.connect_proxy import proxying
from tests.kit.scripted_server import Reply, Request, ScriptedServer, certificate, scripted

Make = Callable[..., Client]

BLOB = b"the files of a feature " * 500
LAYER = manifest.Descriptor("application/x", sha256(BLOB), len(BLOB))
MANIFEST = manifest.build("application/vnd.devcontainers", [LAYER], {"k": "v"})
OK = Reply(200, MANIFEST.raw, {"Docker-Content-Digest": MANIFEST.digest, "Content-Type": manifest.OCI_MANIFEST})
PATH = "/v2/a/b/manifests/1"
BLOB_PATH = f"/v2/a/b/blobs/{LAYER.digest}"
TAGS = "/v2/a/b/tags/list"


BASIC = {"WWW-Authenticate": 'Basic realm="r"'}


def auth(user: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


def with_login(host: str) -> dict[str, str]:
    return {"DEVCONTAINERS_OCI_AUTH": f"{host}|alice|secret-word"}


def test_a_manifest_is_its_bytes(server: ScriptedServer, client: Make) -> None:
    server.on("GET", PATH, OK)
    found = client().registry(server.host).manifest("a/b", "1")
    assert (found.raw, found.digest, found.layers) == (MANIFEST.raw, MANIFEST.digest, [LAYER])
    assert manifest.OCI_MANIFEST in server.requests[0].headers["accept"]


def test_a_registry_that_names_no_digest_is_fine(server: ScriptedServer, client: Make) -> None:
    server.on("GET", PATH, Reply(200, MANIFEST.raw))
    assert client().registry(server.host).manifest("a/b", "1").digest == MANIFEST.digest


@pytest.mark.parametrize("asked", ["1", MANIFEST.digest])
def test_other_bytes_than_announced_are_refused(server: ScriptedServer, client: Make, asked: str) -> None:
    wrong = Reply(200, MANIFEST.raw + b" ", {"Docker-Content-Digest": MANIFEST.digest})
    server.on("GET", f"/v2/a/b/manifests/{asked}", wrong)
    with pytest.raises(DigestMismatch, match=MANIFEST.digest):
        client().registry(server.host).manifest("a/b", asked)


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[]", b""])
def test_a_manifest_that_is_none(server: ScriptedServer, client: Make, body: bytes) -> None:
    server.on("GET", PATH, Reply(200, body))
    with pytest.raises(RegistryFailed, match="not a JSON object"):
        client().registry(server.host).manifest("a/b", "1")


def test_a_missing_tag_names_the_nearest(server: ScriptedServer, client: Make) -> None:
    server.on("GET", TAGS, Reply(200, json.dumps({"tags": ["1", "1.2", "1.2.3", "latest"]}).encode()))
    with pytest.raises(RegistryMissing) as caught:
        client().registry(server.host).manifest("a/b", "1.2.4")
    assert "did you mean 1.2.3?" in caught.value.hint
    assert f"{server.host}/a/b:1.2.4" in caught.value.message


def test_a_missing_repository(server: ScriptedServer, client: Make) -> None:
    with pytest.raises(RegistryMissing) as caught:
        client().registry(server.host).manifest("a/b", "1")
    assert "docker login" in caught.value.hint


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_without_an_offer(server: ScriptedServer, client: Make, status: int) -> None:
    server.on("GET", PATH, Reply(status))
    with pytest.raises(RegistryDenied, match="anonymously"):
        client().registry(server.host).manifest("a/b", "1")


@pytest.mark.parametrize(("status", "kind"), [(500, RegistryFailed), (503, RegistryFailed), (429, RegistryBusy)])
def test_a_failure_is_tried_again_and_then_told(
    server: ScriptedServer, client: Make, status: int, kind: type[RegistryError]
) -> None:
    server.on("GET", PATH, Reply(status))
    with pytest.raises(kind):
        client().registry(server.host).manifest("a/b", "1")
    assert len(server.asked("GET", PATH)) == 3


@pytest.mark.parametrize("first", [Reply(500), Reply(429, headers={"Retry-After": "0"}), Reply(200, b"abcdef", cut=3)])
def test_a_failure_that_passes_is_not_told(server: ScriptedServer, client: Make, first: Reply) -> None:
    server.on("GET", PATH, first, OK)
    assert client().registry(server.host).manifest("a/b", "1").digest == MANIFEST.digest


def test_a_long_wait_is_an_error_at_once(server: ScriptedServer, client: Make) -> None:
    server.on("GET", PATH, Reply(429, headers={"Retry-After": "3600"}))
    with pytest.raises(RegistryBusy, match="asks to wait 3600 s"):
        client().registry(server.host).manifest("a/b", "1")
    assert len(server.asked("GET", PATH)) == 1


def test_a_registry_that_hangs(server: ScriptedServer, client: Make) -> None:
    server.on("GET", PATH, Reply(hang=True))
    with pytest.raises(RegistryTimeout, match=r"no answer for 0\.3 s"):
        client().registry(server.host).manifest("a/b", "1")
    assert len(server.asked("GET", PATH)) == 1


def test_a_registry_that_trickles(server: ScriptedServer, client: Make) -> None:
    server.on("GET", PATH, Reply(200, b"x" * 10_000, trickle=0.1))
    with pytest.raises(RegistryTimeout, match="no whole answer"):
        client().registry(server.host).manifest("a/b", "1")


def test_nobody_there(client: Make) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(RegistryUnreachable, match="refused"):
            client().registry(host).manifest("a/b", "1")


def test_a_name_that_means_nothing(client: Make) -> None:
    with pytest.raises((RegistryUnreachable, RegistryTimeout)) as caught:
        client().registry("registry.invalid").manifest("a/b", "1")
    assert "registry.invalid" in caught.value.message


def test_a_resolver_that_hangs(client: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(names, "resolve", late)
    with pytest.raises(RegistryTimeout, match="no connection within 2 s"):
        client().registry("registry.example").manifest("a/b", "1")


def test_a_proxy_that_is_not_there(client: Make) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        proxy = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(RegistryUnreachable) as caught:
            client({"HTTPS_PROXY": f"http://bob:hidden@{proxy}"}).registry("ghcr.io").manifest("a/b", "1")
    assert proxy in caught.value.message and "ghcr.io" in caught.value.message
    assert "hidden" not in caught.value.message


def test_through_a_proxy(client: Make, tmp_path: Path) -> None:
    authority, context = certificate(tmp_path, "registry.example")
    with scripted(context) as server, proxying(server.port) as proxy:
        server.on("GET", PATH, lambda request: OK if request.authorization else Reply(401, headers=BASIC))
        env = {
            **with_login("registry.example"),
            "HTTPS_PROXY": f"http://bob:hidden@{proxy.host}",
            "SSL_CERT_FILE": str(authority),
        }
        one = client(env)
        assert one.registry("registry.example").manifest("a/b", "1").digest == MANIFEST.digest
        assert set(proxy.asked) == {("registry.example:443", auth("bob", "hidden"))}
        assert [request.authorization for request in server.requests] == ["", auth("alice", "secret-word")]
        assert all("proxy-authorization" not in request.headers for request in server.requests)
        one.close()


def test_an_answer_without_end_is_cut_off(server: ScriptedServer, client: Make) -> None:
    server.on("GET", PATH, Reply(200, b" " * (5 * 1024 * 1024)))
    with pytest.raises(RegistryFailed, match="larger than"):
        client().registry(server.host).manifest("a/b", "1")


class TestBlobs:
    def test_comes_with_progress(self, server: ScriptedServer, client: Make, tmp_path: Path) -> None:
        server.on("GET", BLOB_PATH, Reply(200, BLOB))
        seen: list[tuple[int, int]] = []
        target = tmp_path / "blob"
        length = client().registry(server.host).blob("a/b", LAYER.digest, target, seen=lambda *at: seen.append(at))
        assert (target.read_bytes(), length, seen[-1]) == (BLOB, len(BLOB), (len(BLOB), len(BLOB)))

    def test_cut_in_the_middle_then_whole(self, server: ScriptedServer, client: Make, tmp_path: Path) -> None:
        server.on("GET", BLOB_PATH, Reply(200, BLOB, cut=100), Reply(503), Reply(200, BLOB))
        client().registry(server.host).blob("a/b", LAYER.digest, tmp_path / "blob", size=len(BLOB))
        assert (tmp_path / "blob").read_bytes() == BLOB

    @pytest.mark.parametrize(
        ("reply", "kind"),
        [
            pytest.param(Reply(200, BLOB, cut=100), RegistryUnreachable, id="always cut"),
            pytest.param(Reply(200, BLOB[:-1] + b"!"), DigestMismatch, id="other bytes"),
            pytest.param(Reply(200, BLOB[:-1]), DigestMismatch, id="too short"),
            pytest.param(Reply(200, BLOB + b"more"), RegistryFailed, id="too long"),
            pytest.param(Reply(404), RegistryMissing, id="not there"),
            pytest.param(Reply(500), RegistryFailed, id="always failing"),
            pytest.param(Reply(429), RegistryBusy, id="always busy"),
            pytest.param(Reply(200, BLOB, trickle=0.5), RegistryTimeout, id="stops sending"),
        ],
    )
    def test_leaves_no_file_behind(
        self, server: ScriptedServer, client: Make, tmp_path: Path, reply: Reply, kind: type[RegistryError]
    ) -> None:
        server.on("GET", BLOB_PATH, reply)
        with pytest.raises(kind):
            client().registry(server.host).blob("a/b", LAYER.digest, tmp_path / "blob", size=len(BLOB))
        assert list(tmp_path.iterdir()) == []


class TestCredentials:
    def test_stay_with_their_host(
        self, server: ScriptedServer, other: ScriptedServer, client: Make, tmp_path: Path
    ) -> None:
        """Blob storage is another host: it gets the request and no Authorization."""
        moved = Reply(307, headers={"Location": f"{other.url}/stored?signature=x"})

        def registry(request: Request) -> Reply:
            challenge = {"WWW-Authenticate": 'Basic realm="r"'}
            return moved if request.authorization else Reply(401, headers=challenge)

        server.on("GET", BLOB_PATH, registry)
        other.on("GET", "/stored", Reply(200, BLOB))
        client(with_login(server.host)).registry(server.host).blob("a/b", LAYER.digest, tmp_path / "blob")
        assert [one.authorization for one in server.requests] == ["", auth("alice", "secret-word")]
        assert [one.authorization for one in other.requests] == [""]

    def test_a_challenge_after_a_redirect_gets_no_answer(
        self, server: ScriptedServer, other: ScriptedServer, client: Make
    ) -> None:
        server.on("GET", PATH, Reply(307, headers={"Location": f"{other.url}/elsewhere"}))
        other.on("GET", "/elsewhere", Reply(401, headers={"WWW-Authenticate": 'Basic realm="give"'}))
        env = {"DEVCONTAINERS_OCI_AUTH": f"{server.host}|alice|secret-word,{other.host}|alice|secret-word"}
        with pytest.raises(RegistryDenied):
            client(env).registry(server.host).manifest("a/b", "1")
        assert all(not one.authorization for one in server.requests + other.requests)

    def test_rejected_ones_are_named_by_kind(self, server: ScriptedServer, client: Make) -> None:
        server.on("GET", PATH, Reply(401, headers={"WWW-Authenticate": 'Basic realm="r"'}))
        with pytest.raises(RegistryDenied) as caught:
            client(with_login(server.host)).registry(server.host).manifest("a/b", "1")
        assert "DEVCONTAINERS_OCI_AUTH" in caught.value.message
        assert "secret-word" not in f"{caught.value.message} {caught.value.hint} {caught.value.details}"
        assert len(server.requests) == 2

    @pytest.mark.parametrize(
        "realm", ["http://auth.example/token", "ftp://auth.example", "http://[", "http://10.0.0.1/token"]
    )
    def test_are_not_sent_to_an_issuer_by_plain_http(self, server: ScriptedServer, client: Make, realm: str) -> None:
        server.on("GET", PATH, Reply(401, headers={"WWW-Authenticate": f'Bearer realm="{realm}",service="s"'}))
        with pytest.raises(RegistryUntrusted, match="wants its credentials"):
            client(with_login(server.host)).registry(server.host).manifest("a/b", "1")


def issuing(server: ScriptedServer, **token: Any) -> Reply:
    """The registry's side of tokens: `Bearer good` is let in, everything else is sent to /token."""
    challenge = f'Bearer realm="{server.url}/token",service="reg",scope="repository:a/b:pull"'

    def registry(request: Request) -> Reply:
        fine = request.authorization == "Bearer good"
        return OK if fine else Reply(401, headers={"WWW-Authenticate": challenge})

    server.on("GET", PATH, registry)
    server.on(
        "GET", TAGS, lambda request: Reply(200, b'{"tags": ["1"]}') if request.authorization else registry(request)
    )
    return Reply(200, json.dumps(token or {"token": "good", "expires_in": 300}).encode())


class TestTokens:
    def test_anonymous(self, server: ScriptedServer, client: Make) -> None:
        server.on("GET", "/token", issuing(server))
        registry = client().registry(server.host)
        registry.manifest("a/b", "1")
        registry.manifest("a/b", "1")
        registry.tags("a/b")
        (asked,) = server.asked("GET", "/token")
        assert asked.authorization == ""
        assert "service=reg" in asked.query and "scope=repository%3Aa%2Fb%3Apull" in asked.query

    def test_with_a_password(self, server: ScriptedServer, client: Make) -> None:
        server.on("GET", "/token", issuing(server, access_token="good"))
        client(with_login(server.host)).registry(server.host).manifest("a/b", "1")
        assert server.asked("GET", "/token")[0].authorization == auth("alice", "secret-word")
        assert all("secret-word" not in one.query for one in server.requests)

    def test_with_an_identity_token(self, server: ScriptedServer, client: Make, tmp_path: Path) -> None:
        entry = {"auths": {server.host: {"auth": "", "identitytoken": "refresh-me"}}}
        (tmp_path / "config.json").write_text(json.dumps(entry))
        server.on("POST", "/token", issuing(server))
        client({"DOCKER_CONFIG": str(tmp_path)}).registry(server.host).manifest("a/b", "1")
        (asked,) = server.asked("POST", "/token")
        assert b"refresh_token=refresh-me" in asked.body and b"grant_type=refresh_token" in asked.body
        assert asked.authorization == ""

    def test_rejected_credentials_are_a_note_where_none_are_needed(
        self, server: ScriptedServer, client: Make, notes: list[str]
    ) -> None:
        good = issuing(server)
        server.on("GET", "/token", lambda request: Reply(401) if request.authorization else good)
        client(with_login(server.host)).registry(server.host).manifest("a/b", "1")
        assert len(notes) == 1 and "DEVCONTAINERS_OCI_AUTH" in notes[0]

    def test_refused(self, server: ScriptedServer, client: Make) -> None:
        issuing(server)
        server.on("GET", "/token", Reply(403))
        with pytest.raises(RegistryDenied, match="a token of"):
            client(with_login(server.host)).registry(server.host).manifest("a/b", "1")

    @pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"token": 3}', b'{"token": "\xc3\xbc"}', b"<html>"])
    def test_an_issuer_that_gives_none(self, server: ScriptedServer, client: Make, body: bytes) -> None:
        issuing(server)
        server.on("GET", "/token", Reply(200, body))
        with pytest.raises(RegistryFailed, match="no token"):
            client().registry(server.host).manifest("a/b", "1")

    def test_one_that_is_not_accepted_is_asked_for_once_more(self, server: ScriptedServer, client: Make) -> None:
        server.on("GET", "/token", issuing(server, token="bad"))
        registry = client().registry(server.host)
        with pytest.raises(RegistryDenied):
            registry.manifest("a/b", "1")
        server.on("GET", "/token", issuing(server))
        assert registry.manifest("a/b", "1").digest == MANIFEST.digest

    def test_an_old_one_is_replaced(self, server: ScriptedServer, client: Make) -> None:
        server.on("GET", "/token", issuing(server, token="good", expires_in=1))
        registry = client().registry(server.host)
        registry.manifest("a/b", "1")
        registry.manifest("a/b", "1")
        assert len(server.asked("GET", "/token")) == 2

    def test_the_issuer_may_not_redirect(self, server: ScriptedServer, other: ScriptedServer, client: Make) -> None:
        issuing(server)
        server.on("GET", "/token", Reply(307, headers={"Location": f"{other.url}/token"}))
        with pytest.raises(RegistryFailed):
            client(with_login(server.host)).registry(server.host).manifest("a/b", "1")
        assert other.requests == []


class TestTags:
    def test_pages_are_put_together(self, server: ScriptedServer, client: Make) -> None:
        def page(request: Request) -> Reply:
            if "last=b" in request.query:
                return Reply(200, b'{"tags": ["c"]}')
            return Reply(200, b'{"tags": ["a", "b"]}', {"Link": f'<{TAGS}?n=2&last=b>; rel="next"'})

        server.on("GET", TAGS, page)
        assert client().registry(server.host).tags("a/b") == ["a", "b", "c"]

    def test_a_list_does_not_go_on_elsewhere(self, server: ScriptedServer, other: ScriptedServer, client: Make) -> None:
        server.on("GET", TAGS, Reply(200, b'{"tags": null}', {"Link": f'<{other.url}/x>; rel="next"'}))
        assert client().registry(server.host).tags("a/b") == []
        assert other.requests == []

    def test_a_list_that_never_ends(self, server: ScriptedServer, client: Make) -> None:
        server.on("GET", TAGS, Reply(200, b'{"tags": ["a"]}', {"Link": f'<{TAGS}?x>; rel="next"'}))
        assert client().registry(server.host).tags("a/b") == ["a"]

    @pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"tags": 3}'])
    def test_no_list(self, server: ScriptedServer, client: Make, body: bytes) -> None:
        server.on("GET", TAGS, Reply(200, body))
        with pytest.raises(RegistryFailed, match="no list of tags"):
            client().registry(server.host).tags("a/b")


class TestRedirects:
    def test_without_end(self, server: ScriptedServer, client: Make) -> None:
        server.on("GET", PATH, Reply(302, headers={"Location": PATH}))
        with pytest.raises(RegistryFailed, match="too often"):
            client().registry(server.host).manifest("a/b", "1")

    @pytest.mark.parametrize(
        ("target", "kind"),
        [("ftp://x/y", RegistryFailed), ("http://10.0.0.1/x", RegistryUntrusted), ("http://[", RegistryFailed)],
    )
    def test_to_where_nothing_is_fetched(
        self, server: ScriptedServer, client: Make, target: str, kind: type[RegistryError]
    ) -> None:
        server.on("GET", PATH, Reply(302, headers={"Location": target}))
        with pytest.raises(kind):
            client().registry(server.host).manifest("a/b", "1")


class TestPush:
    UPLOADS = "/v2/a/b/blobs/uploads/"

    def test_what_is_there_is_not_sent(self, server: ScriptedServer, client: Make) -> None:
        server.on("HEAD", BLOB_PATH, Reply(200))
        assert client().registry(server.host).push_blob("a/b", BLOB, LAYER.digest) is False
        assert [one.method for one in server.requests] == ["HEAD"]

    def test_in_one_piece(self, server: ScriptedServer, client: Make) -> None:
        server.on("POST", self.UPLOADS, Reply(202, headers={"Location": "/upload/1?state=x"}))
        server.on("PUT", "/upload/1", Reply(201))
        assert client().registry(server.host).push_blob("a/b", BLOB, LAYER.digest) is True
        (put,) = server.asked("PUT", "/upload/1")
        assert put.body == BLOB
        assert put.query == f"state=x&digest={LAYER.digest.replace(':', '%3A')}"

    def test_an_upload_to_another_host_takes_no_credentials(
        self, server: ScriptedServer, other: ScriptedServer, client: Make
    ) -> None:
        def head(request: Request) -> Reply:
            return Reply(404 if request.authorization else 401, headers={"WWW-Authenticate": "Basic"})

        server.on("HEAD", BLOB_PATH, head)
        server.on("POST", self.UPLOADS, Reply(202, headers={"Location": f"{other.url}/u"}))
        other.on("PUT", "/u", Reply(201))
        client(with_login(server.host)).registry(server.host).push_blob("a/b", BLOB, LAYER.digest)
        assert server.asked("POST", self.UPLOADS)[0].authorization
        assert [one.authorization for one in other.requests] == [""]

    @pytest.mark.parametrize(
        ("reply", "kind"),
        [(Reply(202), RegistryFailed), (Reply(200), RegistryFailed), (Reply(403), RegistryDenied)],
    )
    def test_an_upload_that_is_not_offered(
        self, server: ScriptedServer, client: Make, reply: Reply, kind: type[RegistryError]
    ) -> None:
        server.on("POST", self.UPLOADS, reply)
        with pytest.raises(kind):
            client().registry(server.host).push_blob("a/b", BLOB, LAYER.digest)

    def test_a_manifest_under_each_tag(self, server: ScriptedServer, client: Make) -> None:
        for tag in ("1", "latest"):
            server.on("PUT", f"/v2/a/b/manifests/{tag}", Reply(201, headers={"Docker-Content-Digest": MANIFEST.digest}))
        assert client().registry(server.host).push_manifest("a/b", MANIFEST, ["1", "latest"]) == MANIFEST.digest
        assert [one.body for one in server.requests] == [MANIFEST.raw, MANIFEST.raw]
        assert server.requests[0].headers["content-type"] == manifest.OCI_MANIFEST

    def test_a_registry_that_stores_something_else(self, server: ScriptedServer, client: Make) -> None:
        server.on("PUT", PATH, Reply(201, headers={"Docker-Content-Digest": sha256(b"else")}))
        with pytest.raises(DigestMismatch):
            client().registry(server.host).push_manifest("a/b", MANIFEST, ["1"])


class TestTls:
    def test_an_unknown_authority_is_refused_and_a_named_one_accepted(self, client: Make, tmp_path: Path) -> None:
        authority, context = certificate(tmp_path)
        target = tmp_path / "file"
        with scripted(context) as server:
            server.on("GET", "/f", Reply(200, b"content"))
            with pytest.raises(RegistryUntrusted) as caught:
                client().download(f"{server.url}/f", target)
            assert "SSL_CERT_FILE" in caught.value.hint
            for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
                assert client({name: str(authority)}).download(f"{server.url}/f", target) == sha256(b"content")

    def test_a_server_without_tls(self, server: ScriptedServer, client: Make, tmp_path: Path) -> None:
        with pytest.raises(RegistryUntrusted, match="no encrypted connection"):
            client().download(f"https://{server.host}/f", tmp_path / "file")

    @pytest.mark.parametrize("content", [None, "no certificate"])
    def test_authorities_that_cannot_be_read(self, client: Make, tmp_path: Path, content: str | None) -> None:
        if content is not None:
            (tmp_path / "ca.pem").write_text(content)
        with pytest.raises(RegistryUntrusted, match="cannot be read"):
            client({"SSL_CERT_FILE": str(tmp_path / "ca.pem")}).download("https://127.0.0.1:1/f", tmp_path / "file")

    def test_no_way_back_to_plain_http(self, server: ScriptedServer, client: Make, tmp_path: Path) -> None:
        authority, context = certificate(tmp_path)
        with scripted(context) as secure:
            secure.on("GET", "/f", Reply(302, headers={"Location": f"{server.url}/f"}))
            with pytest.raises(RegistryUntrusted, match="plain HTTP"):
                client({"SSL_CERT_FILE": str(authority)}).download(f"{secure.url}/f", tmp_path / "file")
        assert server.requests == []


def test_cookies_are_not_kept(server: ScriptedServer, client: Make) -> None:
    server.on("GET", PATH, Reply(200, OK.body, {"Set-Cookie": "a=b"}))
    registry = client().registry(server.host)
    registry.manifest("a/b", "1")
    registry.manifest("a/b", "1")
    assert all("cookie" not in one.headers for one in server.requests)


def test_the_processs_own_environment_is_not_used(
    server: ScriptedServer, client: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login own password own\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    server.on("GET", PATH, OK)
    client().registry(server.host).manifest("a/b", "1")
    assert server.requests[0].authorization == ""
