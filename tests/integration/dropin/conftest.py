"""The drop-in in this process or with a supervisor of its own, the reference beside it, and what both work on."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from devenv.dropin import place, program
from tests.kit import reference
from tests.kit import registry as kit
from tests.kit.engine import Docker, DockerFailed
from tests.kit.project import write_project


@dataclasses.dataclass(frozen=True)
class Ran:
    rc: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Dropin = Callable[..., Ran]

# It compares for tests: what differs is to be shown.
pytest.register_assert_rewrite("tests.integration.dropin.containers")


@pytest.fixture
def dropin(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> Dropin:
    """`dropin(*words, cwd=...)`: the command line in this process, with a cache of its own."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr(place, "cache_folder", lambda: cache)

    def run(*words: str | Path, cwd: Path) -> Ran:
        monkeypatch.chdir(cwd)
        capsys.readouterr()
        code = program.run([str(word) for word in words])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Ran(code, out, err)

    return run


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kit.OciRegistry]:
    with kit.running(tmp_path_factory.mktemp("registry")) as one:
        yield one


ALPHA: dict[str, Any] = {
    "id": "alpha",
    "version": "1.2.3",
    "name": "Alpha",
    "description": "The first one",
    "documentationURL": "http://x/y",
    "options": {
        "version": {"type": "string", "proposals": ["1", "2"], "default": "1", "description": "Which"},
        "flag": {"type": "boolean", "default": False, "description": ""},
        "e": {"type": "string", "enum": ["x", "y"], "default": "x"},
    },
    "customizations": {"vscode": {"extensions": ["a.b"]}},
    "legacyIds": ["oldalpha"],
}
ONE: dict[str, Any] = {
    "id": "one",
    "version": "1.0.0",
    "name": "One",
    "description": "A template",
    "options": {"tag": {"type": "string", "proposals": ["3.11", "3.12"], "default": "3.11", "description": "d"}},
    "optionalPaths": [".github/*"],
    "platforms": ["Any"],
}


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """A collection of features, with one folder that is none."""
    return write_project(
        tmp_path / "collection" / "src",
        {
            "alpha/devcontainer-feature.json": ALPHA,
            "alpha/install.sh": "#!/bin/sh\necho alpha\n",
            "alpha/NOTES.md": "Some notes\n",
            "beta/devcontainer-feature.json": {"id": "beta", "version": "0.1.0", "name": "Beta", "deprecated": True},
            "beta/install.sh": "#!/bin/sh\n",
            "nothing/readme": "no feature\n",
        },
    )


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    return write_project(
        tmp_path / "collection" / "templates",
        {
            "one/devcontainer-template.json": ONE,
            "one/README.md": "# one\n",
            "one/NOTES.md": "notes\n",
            "one/.github/workflows/ci.yml": "on: push\n",
            "one/.devcontainer/devcontainer.json": '{\n  // why\n  "image": "python:${templateOption:tag}"\n}\n',
            "one/.devcontainer/start.sh": "#!/bin/sh\n",
            "two/devcontainer-template.json": {"id": "two", "version": "0.0.1", "name": "Two"},
            "two/.devcontainer.json": {"image": "x", "features": {"ghcr.io/a/b/c:1": {}}},
        },
    )


@dataclasses.dataclass(frozen=True)
class Done:
    """How a command line ended, ours or the reference's."""

    rc: int
    stdout: bytes
    stderr: bytes

    @property
    def out(self) -> str:
        return self.stdout.decode()

    @property
    def err(self) -> str:
        return self.stderr.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


_STATE = "from devenv.api import paths; paths.state_folder = lambda uid=None: {state!r}; import sys; "
_SUPERVISOR = _STATE + "from devenv.supervisor.__main__ import main; sys.exit(main())"
_CLIENT = _STATE + "sys.argv[1:1] = ['devcontainer']; from devenv.cli.main import main; main()"


class Program:
    """`devcontainer` with a supervisor of the tests' own: what it keeps lies in a folder that goes with it."""

    def __init__(self, state: str) -> None:
        self._state = state

    def __call__(
        self,
        *words: str | Path,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        timeout: float = 120.0,
    ) -> Done:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _CLIENT.format(state=self._state), *map(str, words)],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            input=stdin,
            capture_output=True,
            check=False,
            timeout=timeout,
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def program_of_ours() -> Iterator[Program]:
    # A socket path has at most 107 bytes: pytest's own folders are too deep.
    state = tempfile.mkdtemp(prefix="dropin-", dir="/var/tmp")
    ready_read, ready_write = os.pipe()
    with open(Path(state, "log"), "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _SUPERVISOR.format(state=state), "--ready-fd", str(ready_write)],
            pass_fds=(ready_write,),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    os.close(ready_write)
    with os.fdopen(ready_read, "rb") as ready:
        assert ready.readline() == b"ready\n", Path(state, "log").read_text()
    yield Program(state)
    process.terminate()
    process.wait(30)
    shutil.rmtree(state, ignore_errors=True)


@pytest.fixture
def ours(program_of_ours: Program, project: Path) -> Callable[..., Done]:
    """`ours(*words)`: in the project."""
    return functools.partial(program_of_ours, cwd=project)


@pytest.fixture
def theirs(project: Path) -> Callable[..., Done]:
    """`theirs(*words)`: the reference, in the project."""

    def run(*words: str | Path, env: Mapping[str, str] | None = None) -> Done:
        done = reference.run(*words, cwd=project, env=env)
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def project(engine: Docker, tmp_path: Path) -> Iterator[Path]:
    """An empty folder; its containers and images go when the test ends, whoever made them."""
    folder = tmp_path / f"p-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    yield folder
    engine.remove_project(folder)
    images = [engine("images", "--quiet", f"--filter=reference={kind}-{folder.name}-*").split() for kind in MADE]
    for image in {one for some in images for one in some}:
        with contextlib.suppress(DockerFailed):  # it has another name as well
            engine("rmi", "--force", image)


MADE = ("vsc", "devenv")
"""What the names of built images begin with: the reference's and ours."""
