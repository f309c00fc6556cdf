from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from devenv.api.context import ClientContext
from devenv.config import DevenvConfig, RunConfig
from devenv.errors import NoPython, NotFound, UsageError
from devenv.link.port import WindowSize
from devenv.runs.resolve import resolve_run
from devenv.runs.spec import RunSpec, append_path, compose_env
from devenv.runs.workspace import WorkspacePaths

WORKSPACE = WorkspacePaths("/home/ada/net", "/workspaces/net")


@dataclasses.dataclass(frozen=True)
class Probe:
    env: Mapping[str, str] = dataclasses.field(default_factory=lambda: {"PATH": "/opt/conda/bin:/bin", "HOME": "/root"})
    python: str | None = "/opt/conda/bin/python"
    shell: str = "/bin/bash"


class Files:
    """What exists in the container: path -> mode, None for a folder."""

    def __init__(self, **programs: str) -> None:
        self.files: dict[str, int | None] = {
            "/workspaces/net/train.py": 0o644,
            "/workspaces/net/src/eval.py": 0o644,
            "/workspaces/net/src/train.py": 0o644,
            "/workspaces/net/run.sh": 0o644,
            "/workspaces/net/go": 0o755,
            "/workspaces/net/notes": 0o644,
            "/workspaces/net/book.ipynb": 0o644,
            "/workspaces/net/pkg": None,
            "/workspaces/net/pkg/__main__.py": 0o644,
            "/workspaces/net/docs": None,
            "/opt/tools/bench.py": 0o644,
        }
        self.programs = programs
        self.asked: list[Sequence[str]] = []

    async def stat(self, paths: Sequence[str]) -> Mapping[str, Mapping[str, Any] | None]:
        self.asked.append(paths)
        found: dict[str, Mapping[str, Any] | None] = {}
        for path in paths:
            mode = self.files.get(path)
            known = path in self.files
            found[path] = {"type": "directory" if mode is None else "file", "mode": mode or 0o755} if known else None
        return found

    async def which(self, name: str, path: str, cwd: str) -> str | None:
        return self.programs.get(name)


def context(cwd: str = "/home/ada/net", **env: str) -> ClientContext:
    return ClientContext(cwd=cwd, umask=0o022, env=env, uid=1001)


async def resolve(
    target: str,
    *args: str,
    config: DevenvConfig | None = None,
    cwd: str = "/home/ada/net",
    probed: Probe | None = None,
    workspace: WorkspacePaths = WORKSPACE,
    **options: Any,
) -> RunSpec:
    return await resolve_run(
        config or DevenvConfig(),
        target,
        args,
        workspace=workspace,
        files=Files(**{"nvidia-smi": "/usr/bin/nvidia-smi"}),
        probed=probed or Probe(),
        ctx=options.pop("ctx", context(cwd)),
        **options,
    )


PYTHON = "/opt/conda/bin/python"


@pytest.mark.parametrize(
    ("target", "cwd", "argv", "where", "name"),
    [
        ("train.py", "/home/ada/net", (PYTHON, "train.py"), "/workspaces/net", "train.py"),
        ("./train.py", "/home/ada/net", (PYTHON, "train.py"), "/workspaces/net", "train.py"),
        ("train.py", "/home/ada/net/src", (PYTHON, "train.py"), "/workspaces/net/src", "src/train.py"),
        ("eval.py", "/home/ada/net/src", (PYTHON, "eval.py"), "/workspaces/net/src", "src/eval.py"),
        ("src/eval.py", "/home/ada/net/src", (PYTHON, "eval.py"), "/workspaces/net/src", "src/eval.py"),
        ("../train.py", "/home/ada/net/src", (PYTHON, "/workspaces/net/train.py"), "/workspaces/net/src", "train.py"),
        ("train.py", "/somewhere/else", (PYTHON, "train.py"), "/workspaces/net", "train.py"),
        ("/home/ada/net/src/eval.py", "/", (PYTHON, "src/eval.py"), "/workspaces/net", "src/eval.py"),
        ("/workspaces/net/train.py", "/home/ada/net", (PYTHON, "train.py"), "/workspaces/net", "train.py"),
        (
            "/opt/tools/bench.py",
            "/home/ada/net",
            (PYTHON, "/opt/tools/bench.py"),
            "/workspaces/net",
            "/opt/tools/bench.py",
        ),
        ("pkg", "/home/ada/net", (PYTHON, "pkg"), "/workspaces/net", "pkg"),
        ("run.sh", "/home/ada/net", ("sh", "/workspaces/net/run.sh"), "/workspaces/net", "run.sh"),
        ("./go", "/home/ada/net", ("/workspaces/net/go",), "/workspaces/net", "go"),
        ("notes", "/home/ada/net", (PYTHON, "notes"), "/workspaces/net", "notes"),
        ("nvidia-smi", "/home/ada/net", ("nvidia-smi",), "/workspaces/net", "nvidia-smi"),
    ],
)
async def test_what_a_target_means(target: str, cwd: str, argv: tuple[str, ...], where: str, name: str) -> None:
    spec = await resolve(target, "--epochs", "3", cwd=cwd)
    assert spec.argv == (*argv, "--epochs", "3")
    assert (spec.cwd, spec.name) == (where, name)
    assert spec.meta == {"target": target, "args": ["--epochs", "3"], "client_cwd": cwd}


async def test_a_module() -> None:
    spec = await resolve("-m", "net.train", "-x")
    assert spec.argv == (PYTHON, "-m", "net.train", "-x")
    with pytest.raises(UsageError):
        await resolve("-m")


CONFIG = DevenvConfig(
    runs={
        "train": RunConfig(script="src/train.py", args=["--epochs", "3"], env={"A": "b", "PATH": "/own"}, cwd="src"),
        "serve": RunConfig(module="http.server", args=["9000"], python="venv/bin/python"),
        "lint": RunConfig(command="ruff check . && echo done"),
        "count": RunConfig(command=["wc", "-l"], cwd="docs"),
        "inner": RunConfig(script="eval.py", cwd="src", python="python3.9"),
        "broken": RunConfig(script="src/trian.py"),
    }
)


@pytest.mark.parametrize(
    ("name", "args", "argv", "cwd"),
    [
        ("train", ["--lr", "1"], (PYTHON, "train.py", "--epochs", "3", "--lr", "1"), "/workspaces/net/src"),
        ("serve", [], ("/workspaces/net/venv/bin/python", "-m", "http.server", "9000"), "/workspaces/net"),
        ("lint", [], ("/bin/sh", "-c", "ruff check . && echo done"), "/workspaces/net"),
        ("lint", ["a b"], ("/bin/sh", "-c", "ruff check . && echo done 'a b'"), "/workspaces/net"),
        ("count", ["x"], ("wc", "-l", "x"), "/workspaces/net/docs"),
        ("inner", [], ("python3.9", "eval.py"), "/workspaces/net/src"),
    ],
)
async def test_run_configurations(name: str, args: list[str], argv: tuple[str, ...], cwd: str) -> None:
    spec = await resolve(name, *args, config=CONFIG, cwd="/home/ada/net/docs")
    assert (spec.argv, spec.cwd, spec.name) == (argv, cwd, name)


async def test_a_name_comes_before_a_file() -> None:
    config = DevenvConfig(runs={"train.py": RunConfig(command=["echo"])})
    assert (await resolve("train.py", config=config)).argv == ("echo",)


@pytest.fixture
def on_disk(tmp_path: pathlib.Path) -> WorkspacePaths:
    for name in ("train.py", "src/eval_model.py", ".venv/hidden.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return WorkspacePaths(str(tmp_path), "/workspaces/net")


@pytest.mark.parametrize(
    ("target", "near"),
    [("trian.py", "train.py"), ("eval_modle.py", "src/eval_model.py"), ("tran", "train"), ("xyzzy.py", None)],
)
async def test_what_does_not_exist(on_disk: WorkspacePaths, target: str, near: str | None) -> None:
    with pytest.raises(NotFound) as error:
        await resolve(target, config=CONFIG, workspace=on_disk, cwd=on_disk.host)
    assert target in error.value.message
    if near:
        assert "did you mean" in error.value.hint
        assert near in error.value.hint
    else:
        assert "train" in error.value.hint  # the run configurations there are


async def test_a_configured_script_that_does_not_exist(on_disk: WorkspacePaths) -> None:
    with pytest.raises(NotFound, match=r"'broken'.*src/trian.py") as error:
        await resolve("broken", config=CONFIG, workspace=on_disk)
    assert "train.py" in error.value.hint


async def test_a_folder_without_main_is_not_run() -> None:
    with pytest.raises(NotFound):
        await resolve("docs")


async def test_a_notebook_points_to_jupyter() -> None:
    with pytest.raises(UsageError, match="notebook"):
        await resolve("book.ipynb")


async def test_an_image_without_python() -> None:
    bare = Probe(python=None)
    for target in ("train.py", "-m"):
        with pytest.raises(NoPython, match="no usable Python") as error:
            await resolve(target, "x", probed=bare)
        assert "install python3" in error.value.hint
    assert (await resolve("nvidia-smi", probed=bare)).argv == ("nvidia-smi",)
    assert (await resolve("inner", config=CONFIG, probed=bare)).argv[0] == "python3.9"


async def test_environment_from_weak_to_strong() -> None:
    probed = Probe(env={"PATH": "/bin", "A": "probed", "B": "probed", "C": "probed", "D": "probed"})
    spec = await resolve("train", config=CONFIG, probed=probed, remote_env={"A": "remote", "B": "remote", "C": None})
    assert spec.env == {"PATH": "/own", "A": "b", "B": "remote", "D": "probed", "PYTHONUNBUFFERED": "1"}


async def test_a_terminal_or_pipes() -> None:
    ctx = context(TERM="xterm-kitty", COLORTERM="truecolor", SECRET="no")
    spec = await resolve("train.py", tty=WindowSize(40, 120), ctx=ctx)
    assert spec.env["TERM"] == "xterm-kitty"
    assert spec.env["COLORTERM"] == "truecolor"
    assert "PYTHONUNBUFFERED" not in spec.env
    assert "SECRET" not in spec.env
    assert spec.to_wire()["tty"] == {"rows": 40, "columns": 120}
    assert spec.to_wire()["umask"] == 0o022
    pipes = await resolve("train.py", ctx=ctx)
    assert pipes.env["PYTHONUNBUFFERED"] == "1"
    assert pipes.to_wire()["tty"] is None


def test_the_users_choice_of_buffering_stays() -> None:
    assert compose_env({"PYTHONUNBUFFERED": ""}, {}, {}, terminal=None)["PYTHONUNBUFFERED"] == ""


def test_paths_are_appended() -> None:
    assert append_path(None, "/x") == append_path("", "/x") == "/x"
    assert append_path("/a:/b", "/x") == "/a:/b:/x"


def test_secrets_do_not_show() -> None:
    spec = RunSpec("a", "run", None, {"TOKEN": "secret"}, "/", ())  # type: ignore[arg-type]
    assert "secret" not in repr(spec)


@pytest.mark.parametrize(
    ("host", "container"),
    [
        ("/home/ada/net", "/workspaces/net"),
        ("/home/ada/net/a/../b", "/workspaces/net/b"),
        ("/home/ada/network", None),
        ("/home/ada/net/../x", None),
    ],
)
def test_mapping(host: str, container: str | None) -> None:
    assert WORKSPACE.to_container(host) == container


def test_a_project_that_is_the_root() -> None:
    paths = WorkspacePaths("/home/ada/net", "/")
    assert paths.to_container("/home/ada/net/a") == "/a"
    assert paths.to_host("/a/b") == "/home/ada/net/a/b"
