"""Our reading of a Dockerfile beside what a builder makes of it."""

from __future__ import annotations

import functools
import json
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from devcontainer import dockerfile
from tests.kit.engine import Docker, DockerFailed
from tests.kit.fixtures import Images
from tests.unit.devcontainer.test_dockerfile import NAMED, PROBLEMS, USERS

pytestmark = pytest.mark.engine

Base = Callable[[str], str]
"""The name of an image with user "base" and the variables of a JSON object."""


@pytest.fixture(scope="module")
def tag(engine: Docker) -> Iterator[str]:
    """A name of which every image that the tests make is a version; they are removed at the end."""
    name = f"devenv-test-dockerfile-{uuid.uuid4().hex[:12]}"
    yield name
    made = engine("images", "--quiet", name).split()
    if made:
        engine("image", "rm", "--force", *dict.fromkeys(made))


@pytest.fixture(scope="module")
def build(engine: Docker, tag: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Builds a text without any files and gives the image's name."""
    empty = str(tmp_path_factory.mktemp("empty"))

    def run(text: str, *options: str) -> str:
        name = f"{tag}:{uuid.uuid4().hex[:12]}"
        engine(
            *("buildx", "build", "--quiet", "--load", *options, "--tag", name, "--file", "-", empty),
            stdin=text.encode(),
        )
        return name

    return run


@pytest.fixture(scope="module")
def base(images: Images, build: Callable[..., str]) -> Base:
    @functools.cache
    def make(env: str = "{}") -> str:
        variables = [f"ENV {key}={value}" for key, value in json.loads(env).items()]
        return build("\n".join([f"FROM {images.busybox}", *variables, "USER base"]))

    return make


def with_image(text: str, image: str) -> str:
    """In place of the one-letter images of the tables."""
    return re.sub(r'(FROM\s+(?:\\\s+(?:#.*\s+)?)?"?)[abij](?=["\s]|$)', rf"\g<1>{image}", text)


def without_run(cases: list[Any]) -> list[Any]:
    """Those that run nothing: the image has hardly a shell."""
    return [case for case in cases if "RUN" not in case.values[0] and "platform" not in case.values[0]]


@pytest.mark.parametrize(("text", "arguments", "env", "expected"), without_run(USERS))
def test_the_user(
    engine: Docker,
    base: Base,
    build: Callable[..., str],
    text: str,
    arguments: dict[str, str],
    env: dict[str, str],
    expected: str,
) -> None:
    given = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    found = engine.inspect(build(_stages(text, base(json.dumps(env))), *given))
    known = dockerfile.platform_arguments(f"{found['Os']}/{found['Architecture']}")
    ours = dockerfile.parse(text).user("base", env, arguments, platform=known)
    assert ours == (found["Config"]["User"] or "root")


def _stages(text: str, image: str) -> str:
    """A stage that the text calls "a" stays one."""
    return re.sub(r"FROM [ij]\b", f"FROM {image}", text)


@pytest.mark.parametrize(("text", "line", "message", "hint"), PROBLEMS)
def test_what_we_refuse_is_refused(
    base: Base, build: Callable[..., str], text: str, line: int, message: str, hint: str
) -> None:
    with pytest.raises(DockerFailed):
        build(_stages(text, base("{}")))


@pytest.mark.parametrize(("text", "target", "name", "expected"), without_run(NAMED))
def test_a_stage_with_its_new_name(
    base: Base, build: Callable[..., str], text: str, target: str | None, name: str, expected: str
) -> None:
    text = with_image(text, base("{}"))
    found, changed = dockerfile.parse(text).with_named_final_stage("n", target)
    assert found == name
    build(f"{changed}\nFROM {found}\nUSER on-top\n")
