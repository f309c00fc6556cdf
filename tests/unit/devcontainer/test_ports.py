"""Ports: what is forwarded and published, and whose attributes count (spec, *Port attributes*)."""

from __future__ import annotations

from typing import Any

import pytest

from devcontainer import ports
from devcontainer.ports import ForwardPort, PortAttributes, PortError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(3000, ForwardPort("localhost", 3000), id="a number"),
        pytest.param(0, ForwardPort("localhost", 0), id="the lowest"),
        pytest.param(65535, ForwardPort("localhost", 65535), id="the highest"),
        pytest.param("db:5432", ForwardPort("db", 5432), id="another service"),
        pytest.param("3000", ForwardPort("localhost", 3000), id="a number in quotes"),
    ],
)
def test_parse(value: Any, expected: ForwardPort) -> None:
    assert ports.parse(value) == expected


@pytest.mark.parametrize("value", [-1, 65536, "db:70000", "db", "a:b", "1-2", "", True, None, 1.5, [], "٣"])
def test_not_a_port(value: Any) -> None:
    with pytest.raises(PortError):
        ports.parse(value)


def test_merge_is_the_union_where_a_number_is_localhost() -> None:
    """As the reference prints it: `forwardPorts` [3000, "localhost:3000", "db:1"] -> [3000, "db:1"]."""
    assert ports.merge([[3000, "localhost:3000"], ["db:1", 3000, True]]) == [3000, "db:1"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(None, [], id="nothing"),
        pytest.param(80, ["127.0.0.1:80:80"], id="a number is published on loopback only"),
        pytest.param("8080:80", ["8080:80"], id="a text is passed on"),
        pytest.param([80, "0.0.0.0:90:90"], ["127.0.0.1:80:80", "0.0.0.0:90:90"], id="several"),
    ],
)
def test_app_port(value: Any, expected: list[str]) -> None:
    assert ports.publish_arguments(value) == expected


@pytest.mark.parametrize(
    "text",
    ["80", "8080:80", "127.0.0.1:8080:80", "127.0.0.1::80", "[::1]:8080:80", "8000-8010:9000-9010", "80/udp", ":80"],
)
def test_published_by_a_text(text: str) -> None:
    ports.check_published(text)


@pytest.mark.parametrize("text", ["", "web", "80:", "1:2:3:4", "80/http", "70000", "1:99999", "80-70000", "::1:80:80"])
def test_not_to_be_published(text: str) -> None:
    with pytest.raises(PortError):
        ports.check_published(text)


DECLARED: dict[str, Any] = {
    "3000": {"label": "exact", "onAutoForward": "openBrowser", "protocol": "https"},
    "db:5432": {"label": "database"},
    "4000-4010": {"label": "range"},
    r".+/server\.js": {"label": "process", "requireLocalPort": True, "elevateIfNeeded": True},
    "broken(": {"label": "never"},
    "4005": {"label": "exact in a range"},
}


@pytest.mark.parametrize(
    ("port", "command", "label"),
    [
        pytest.param(ForwardPort("localhost", 3000), "node /x/server.js", "exact", id="the port before the process"),
        pytest.param(ForwardPort("db", 5432), "", "database", id="host and port"),
        pytest.param(ForwardPort("localhost", 5432), "", "others", id="the same port elsewhere"),
        pytest.param(ForwardPort("localhost", 4010), "", "range", id="the end of a range"),
        pytest.param(ForwardPort("localhost", 4011), "", "others", id="past the range"),
        pytest.param(ForwardPort("localhost", 4005), "", "exact in a range", id="the port before the range"),
        pytest.param(ForwardPort("localhost", 9), "node /x/server.js --p", "process", id="the process"),
        pytest.param(ForwardPort("localhost", 9), "", "others", id="a process that is not known"),
        pytest.param(ForwardPort("db", 4001), "", "others", id="a range is of this container"),
    ],
)
def test_whose_attributes(port: ForwardPort, command: str, label: str) -> None:
    assert ports.attributes(port, command, DECLARED, {"label": "others"}).label == label


def test_all_attributes() -> None:
    assert ports.attributes(ForwardPort("localhost", 3000), "", DECLARED) == PortAttributes(
        "exact", "https", "openBrowser", False, False
    )
    assert ports.attributes(ForwardPort("localhost", 1), "a/server.js", DECLARED) == PortAttributes(
        "process", None, "notify", True, True
    )
    assert ports.attributes(ForwardPort("localhost", 1), "", {"1": {"label": 3, "protocol": "ftp"}}) == PortAttributes()


@pytest.mark.parametrize("key", ["3000", "db:80", "1-2", ".*python.*"])
def test_keys(key: str) -> None:
    ports.check_key(key)


@pytest.mark.parametrize("key", ["70000", "5-1", "1-70000", "db:70000", "a("])
def test_bad_keys(key: str) -> None:
    with pytest.raises(PortError):
        ports.check_key(key)
