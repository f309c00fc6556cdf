"""One environment with the notebook stack for the whole folder, trained once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.daily.site import Site
from tests.e2e.ide.place import own_name, place
from tests.e2e.web.servers import NOTEBOOK, SERVE, SETTINGS, TRAIN
from tests.kit.command import Shell
from tests.kit.fixtures import Images
from tests.kit.users import User


@pytest.fixture(scope="session")
def lab(alice: User, shell: Callable[..., Shell], images: Images) -> Iterator[Site]:
    """Jupyter and TensorBoard are installed; only Jupyter and an own server are declared."""
    files = {"devenv.yaml": SETTINGS, "serve.py": SERVE, "learn.py": TRAIN, "sums.ipynb": NOTEBOOK}
    with place(shell, alice, own_name("lab"), images.torch, files) as site:
        yield site
