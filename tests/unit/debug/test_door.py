from __future__ import annotations

import pytest

from devenv.debug.door import check_network, door_port
from devenv.errors import Refused


def test_the_port_is_the_names_alone() -> None:
    # Fixed for ever: committed launch.json files hold it.
    assert door_port("digits-pytorch") == DIGITS
    assert door_port(" Digits-PyTorch ") == DIGITS
    assert door_port("cafe\u0301") == door_port("caf\u00e9")


DIGITS = 22538


@pytest.mark.parametrize("name", ["", "a", "\udcff", "x" * 5000, *(f"project-{n}" for n in range(200))])
def test_every_name_has_a_port_in_range(name: str) -> None:
    assert 20000 <= door_port(name) <= 29999


def test_host_network_is_refused_unless_allowed() -> None:
    for mode in ("bridge", "default", "none", "container:abc", "hosted"):
        check_network(mode)
    with pytest.raises(Refused, match="host's network"):
        check_network("host")
    check_network("host", allowed=True)
