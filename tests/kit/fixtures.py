"""Fixtures of the kit: the engine, its images, users, projects, and shells in which `devenv` is on PATH."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.kit import installed, rig
from tests.kit import podman as podman_service
from tests.kit.command import Shell
from tests.kit.engine import Docker, DockerFailed, PrivateEngine, private_engine
from tests.kit.podman import Podman, RootlessPodman
from tests.kit.project import Content, write_project
from tests.kit.users import User, end_processes, make_user, remove_user, sweep_users


@dataclasses.dataclass(frozen=True, slots=True)
class Images:
    """Images that `tests/rig/images.sh` builds; its table says what each one is."""

    python: str = "devenv-rig/python:3.11"
    python_user: str = "devenv-rig/python-user:latest"
    nopython: str = "devenv-rig/nopython:latest"
    busybox: str = "devenv-rig/busybox:latest"
    torch: str = "devenv-rig/pytorch:cpu"
    python39: str = "devenv-rig/python:3.9"
    editors: str = "devenv-rig/editors:latest"


@pytest.fixture(scope="session")
def engine() -> Docker:
    """The `docker` command against the default engine. Mark the test `engine`."""
    return Docker()


@pytest.fixture(scope="session")
def images(engine: Docker) -> Images:
    """Names of the rig's images, checked to be there."""
    found = Images()
    lacking = [name for name in dataclasses.astuple(found) if not engine.exists(name)]
    if lacking:
        pytest.fail(f"images are missing ({', '.join(lacking)}): run tests/rig/images.sh", pytrace=False)
    return found


@pytest.fixture(scope="session")
def python36_image(engine: Docker) -> str:
    """An image with Python 3.6, the oldest that the agent runs on. It can be built only where pyenv has a 3.6."""
    name = "devenv-rig/python:3.6"
    if not engine.exists(name):
        pytest.skip(f"{name} is missing: pyenv install 3.6, then tests/rig/images.sh old")
    return name


@pytest.fixture
def restartable_engine(request: pytest.FixtureRequest, images: Images) -> Iterator[Callable[..., PrivateEngine]]:
    """Makes engines that the test may kill: `restartable_engine(live_restore=True)`. They hold the python image."""
    with contextlib.ExitStack() as stack:

        def make(*, live_restore: bool, load: tuple[str, ...] = (images.python,)) -> PrivateEngine:
            return stack.enter_context(private_engine(live_restore=live_restore, images=load))

        yield make


@pytest.fixture(scope="session")
def podman(images: Images) -> Podman:
    """The rig's Podman service with copies of the images. Mark the test `podman`.

    Started by the first test that needs it and left running, as the engine is; `tests/rig/podman.sh stop` ends it.
    """
    with rig.lock("podman"):
        return podman_service.start(rig.state())


@pytest.fixture(scope="session")
def rootless_podman(images: Images) -> Iterator[RootlessPodman]:
    """A Podman service of an ordinary user's own, with the image whose user is not root. Mark: `podman`, `users`."""
    for user in _person("carol"):
        with podman_service.rootless_podman(user, (images.python_user,)) as service:
            yield service


def _person(name: str) -> Iterator[User]:
    with rig.lock("users"):
        sweep_users()
        user = make_user(name)
    try:
        yield user
    finally:
        end_processes(user.uid)
        with contextlib.suppress(FileNotFoundError):  # no docker client: nothing to remove there
            remove_belongings(Docker(), user)
        with rig.lock("users"):
            remove_user(user.name)


def remove_belongings(docker: Docker, user: User) -> None:
    """Removes the containers that carry this user's owner label, and their state volumes."""
    with contextlib.suppress(DockerFailed):  # no engine answers: nothing to remove
        for identity in docker.containers("label=devenv.owner"):
            with contextlib.suppress(DockerFailed):
                labels = docker.inspect(identity)["Config"]["Labels"]
                if labels["devenv.owner"].split("@")[0] == str(user.uid):
                    docker("rm", "--force", "--volumes", identity)
                    docker("volume", "rm", "--force", f"devenv-{labels.get('devenv.key', '')}-state")


@pytest.fixture(scope="session")
def alice() -> Iterator[User]:
    """An ordinary user in group docker; uid neither 0 nor 1000. Mark the test `users`."""
    yield from _person("alice")


@pytest.fixture(scope="session")
def bob() -> Iterator[User]:
    """A second ordinary user in group docker. Mark the test `users`."""
    yield from _person("bob")


@pytest.fixture(scope="session")
def devenv_bin() -> Path:
    """Folder with the installed `devenv`: the wheel of the present sources."""
    return installed.bin_folder()


@pytest.fixture(scope="session")
def shell(devenv_bin: Path) -> Callable[..., Shell]:
    """`shell(alice, folder)`: that user in that folder, with `devenv` on PATH."""

    def make(user: User, cwd: Path, **env: str) -> Shell:
        return Shell(user, cwd, (devenv_bin,), env)

    return make


@pytest.fixture
def project(engine: Docker) -> Iterator[Callable[..., Path]]:
    """`project(alice, {path: content})`: a new folder in the user's home; its containers go when the test ends."""
    made: list[Path] = []

    def make(user: User, files: Mapping[str, Content], name: str | None = None, *, git: bool = False) -> Path:
        root = user.home / "projects" / (name or f"p-{uuid.uuid4().hex[:8]}")
        made.append(root)
        root.parent.mkdir(exist_ok=True)
        shutil.chown(root.parent, user.uid, user.gid)
        return write_project(root, files, owner=user, git=git)

    yield make
    for root in made:
        with contextlib.suppress(DockerFailed):
            engine.remove_project(root)
        shutil.rmtree(root, ignore_errors=True)
