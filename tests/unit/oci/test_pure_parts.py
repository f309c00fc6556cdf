"""Addresses, challenges, digests, manifests and the words of refusals: no connection anywhere."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devenv.errors import (
    DigestMismatch,
    RegistryBusy,
    RegistryDenied,
    RegistryFailed,
    RegistryMissing,
    UsageError,
)
from devenv.oci import address, answers, challenge, digests, manifest
from devenv.oci.network import Limits, Network


@pytest.mark.parametrize(
    ("registry", "base"),
    [
        pytest.param("ghcr.io", "https://ghcr.io", id="a registry"),
        pytest.param("example.com:8443", "https://example.com:8443", id="with a port"),
        pytest.param("localhost:5000", "http://localhost:5000", id="this machine by name"),
        pytest.param("127.0.0.1:5000", "http://127.0.0.1:5000", id="this machine by address"),
        pytest.param("127.9.9.9", "http://127.9.9.9", id="anywhere in 127.0.0.0/8"),
        pytest.param("[::1]:5000", "http://[::1]:5000", id="this machine, IPv6"),
        pytest.param("10.0.0.1:5000", "https://10.0.0.1:5000", id="a private address is not this machine"),
        pytest.param("localhost.example.com", "https://localhost.example.com", id="a name that begins like it"),
        pytest.param("docker.io", "https://registry-1.docker.io", id="Docker Hub"),
    ],
)
def test_base_url(registry: str, base: str) -> None:
    assert address.base_url(registry) == base


@pytest.mark.parametrize("url", ["ftp://x/y", "nothing", "https:///path", ""])
def test_an_origin_is_a_web_address(url: str) -> None:
    with pytest.raises(ValueError, match="web address"):
        address.origin(url)


def test_usual_ports_make_no_difference() -> None:
    assert address.origin("https://A.example/x") == address.origin("https://a.example:443/y")
    assert address.origin("http://a.example") != address.origin("https://a.example")
    assert str(address.origin("https://[::1]:443/x")) == "https://[::1]"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(
            'Bearer realm="https://auth.example/token",service="reg",scope="repository:a/b:pull,push"',
            ("bearer", {"realm": "https://auth.example/token", "service": "reg", "scope": "repository:a/b:pull,push"}),
            id="a comma inside quotes",
        ),
        pytest.param('Basic realm="x"', ("basic", {"realm": "x"}), id="basic"),
        pytest.param("basic", ("basic", {}), id="basic without anything"),
        pytest.param(
            'Basic realm="a b", Bearer realm=https://t, service=s',
            ("bearer", {"realm": "https://t", "service": "s"}),
            id="two challenges, the token wins",
        ),
        pytest.param(r'Bearer realm="q\"r"', ("bearer", {"realm": 'q"r'}), id="an escaped quote"),
        pytest.param('Negotiate, Basic realm="x"', ("basic", {"realm": "x"}), id="one that we do not speak"),
        pytest.param('Bearer service="x"', None, id="a token without an issuer"),
        pytest.param("", None, id="nothing"),
        pytest.param('=,"', None, id="nonsense"),
    ],
)
def test_challenges(header: str, expected: tuple[str, dict[str, str]] | None) -> None:
    found = challenge.choose(header)
    assert (None if found is None else tuple(found)) == expected


@given(st.text())
def test_any_header_can_be_read(header: str) -> None:
    challenge.parse(header)


def test_digests_are_compared() -> None:
    good = digests.sha256(b"x")
    digests.verify(b"x", good, "it")
    with pytest.raises(DigestMismatch) as caught:
        digests.verify(b"y", good, "it")
    assert good in caught.value.message and caught.value.details["found"] == digests.sha256(b"y")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sha256:" + "a" * 64, True),
        ("sha512:" + "a" * 128, True),
        ("sha256:" + "A" * 64, False),
        ("sha256:" + "a" * 63, False),
        ("md5:" + "a" * 32, False),
        ("latest", False),
    ],
)
def test_what_a_digest_is(text: str, expected: bool) -> None:
    assert digests.is_digest(text) is expected
    if not expected:
        with pytest.raises(ValueError, match="not a digest"):
            digests.start(text)


def test_a_manifest_keeps_its_bytes() -> None:
    layer = manifest.Descriptor("application/x", digests.sha256(b"l"), 1, {manifest.TITLE: "a.tgz"})
    made = manifest.build("application/vnd.devcontainers", [layer], {"k": "ü"})
    read = manifest.Manifest(made.raw, made.digest)
    assert (read.layers, read.annotations) == ([layer], {"k": "ü"})
    assert read.layers[0].title == "a.tgz"
    assert read.config is not None and read.config.media_type == "application/vnd.devcontainers"
    assert digests.sha256(made.raw) == made.digest


@pytest.mark.parametrize(
    "layer",
    [{}, {"digest": "latest", "size": 1}, {"digest": digests.sha256(b""), "size": -1}, {"digest": 3}, "x", None],
)
def test_a_layer_without_digest_or_size_is_refused(layer: object) -> None:
    raw = json.dumps({"layers": [layer]}).encode()
    with pytest.raises(ValueError, match="usable digest"):
        _ = manifest.Manifest(raw, "").layers


def test_a_manifest_may_have_no_layers_and_odd_annotations() -> None:
    read = manifest.Manifest(b'{"annotations": {"a": 1, "b": "c"}, "config": []}', "")
    assert (read.layers, read.annotations, read.config) == ([], {"b": "c"}, None)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, RegistryDenied), (403, RegistryDenied), (404, RegistryMissing), (429, RegistryBusy), (418, RegistryFailed)]
    + [(status, RegistryFailed) for status in (500, 502, 503)],
)
def test_each_status_has_an_error(status: int, kind: type[Exception]) -> None:
    attempt = answers.Attempt("r.example", "r.example/a:1", ["GITHUB_TOKEN"])
    body = b'{"errors": [{"code": "DENIED", "message": "requested access\\nis denied"}]}'
    error = answers.refusal(status, body, {"Retry-After": "30"}, attempt)
    assert type(error) is kind
    assert "requested access is denied" in error.message and "\n" not in error.message
    assert error.hint
    assert error.details["codes"] == ["DENIED"]


def test_a_refusal_names_what_was_tried() -> None:
    named = answers.denied(answers.Attempt("r.example", "r.example/a", ["Docker configuration"]), "no access")
    nobody = answers.denied(answers.Attempt("r.example", "r.example/a"), "no access")
    assert "credentials: Docker configuration" in named.message
    assert "anonymously" in nobody.message and "docker login r.example" in nobody.hint


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"errors": 1}', b'{"errors": ["x"]}', b"\xff"])
def test_an_error_body_may_be_anything(body: bytes) -> None:
    assert answers.error_codes(body) == []


def test_a_strangers_words_fit_a_line() -> None:
    assert answers.one_line("a\x1b[31m\n\tb") == "a [31m b"
    assert len(answers.one_line("x" * 500)) == 200


@pytest.mark.parametrize(
    ("env", "url", "proxy"),
    [
        pytest.param({"HTTPS_PROXY": "http://p:1"}, "https://ghcr.io", "http://p:1", id="for https"),
        pytest.param({"https_proxy": "p:1"}, "https://ghcr.io", "http://p:1", id="without a scheme"),
        pytest.param({"https_proxy": "a:1", "HTTPS_PROXY": "b:1"}, "https://x.io", "http://a:1", id="lower case wins"),
        pytest.param({"ALL_PROXY": "http://p:1"}, "https://ghcr.io", "http://p:1", id="for everything"),
        pytest.param({"HTTP_PROXY": "http://p:1"}, "https://ghcr.io", None, id="not for https"),
        pytest.param({"ALL_PROXY": "http://p:1"}, "http://localhost:5000", None, id="never for this machine"),
        pytest.param({"ALL_PROXY": "p:1", "NO_PROXY": "ghcr.io"}, "https://ghcr.io", None, id="excepted by name"),
        pytest.param({"ALL_PROXY": "p:1", "no_proxy": ".corp"}, "https://r.corp:8443", None, id="excepted by suffix"),
        pytest.param({"ALL_PROXY": "p:1", "no_proxy": "*"}, "https://r.corp", None, id="excepted all"),
        pytest.param({"ALL_PROXY": "p:1", "no_proxy": "10.0.0.0/8"}, "https://10.1.2.3", None, id="excepted by range"),
        pytest.param({"ALL_PROXY": "p:1", "no_proxy": "x,10.0.0.0/8"}, "https://11.1.2.3", "http://p:1", id="no match"),
    ],
)
def test_proxies(env: dict[str, str], url: str, proxy: str | None) -> None:
    assert Network.from_env(env).proxy_for(url) == proxy


def test_secrets_of_proxies_are_not_shown() -> None:
    assert "secret" not in repr(Network.from_env({"https_proxy": "http://u:secret@p:1"}))


def test_the_time_limit_can_be_set() -> None:
    assert Limits.from_env({}) == Limits()
    assert Limits.from_env({"DEVENV_REGISTRY_TIMEOUT": "2"}).connect == 2
    assert Limits.from_env({"DEVENV_REGISTRY_TIMEOUT": "90"}).read == 90


@pytest.mark.parametrize("text", ["soon", "-1", "0", "nan", "inf"])
def test_a_time_limit_is_a_number(text: str) -> None:
    with pytest.raises(UsageError, match="DEVENV_REGISTRY_TIMEOUT"):
        Limits.from_env({"DEVENV_REGISTRY_TIMEOUT": text})
