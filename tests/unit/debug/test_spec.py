from __future__ import annotations

import pytest

from devenv.debug.endpoints import parse_endpoints
from devenv.debug.spec import DebugOptions, debug_spec, endpoints_path, python_program
from devenv.debug.versions import Interpreter
from devenv.errors import DebugError
from devenv.runs.spec import Program, ProgramKind, RunSpec

NEW = Interpreter("/usr/bin/python3", (3, 11, 2), "x86_64", (2, 36))
OLD = Interpreter("/usr/bin/python3", (3, 8, 2), "x86_64", (2, 36))


def spec(program: Program, **env: str) -> RunSpec:
    return RunSpec("train", "run", program, env, "/work", program.argv, meta={"target": "train"})


def debug(program: Program, interpreter: Interpreter = NEW, options: DebugOptions | None = None, **env: str) -> RunSpec:
    return debug_spec(
        spec(program, **env),
        interpreter=interpreter,
        debugpy="/run/devenv/payload/d",
        proxy="/run/devenv/payload/p",
        endpoints="/state/e.json",
        options=options or DebugOptions(),
    )


def through(python: str, *program: str, switches: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The words of a program behind the pass-through."""
    files = ("--adapter", "/state/e.json.adapter", "--endpoints", "/state/e.json")
    start = (python, "-E", "-s", "-S", "/run/devenv/payload/p/start.py", "wrap")
    return (*start, *files, *switches, "--", python, *program)


def test_a_script() -> None:
    found = debug(Program(ProgramKind.SCRIPT, "train.py", ("--epochs", "3"), "python3", ("-u",)), PYTHONPATH="/own")
    assert found.argv == through(
        *("python3", "-u", "-Xfrozen_modules=off", "/run/devenv/payload/d/debugpy"),
        *("--listen", "127.0.0.1:0", "--configure-subProcess", "true", "--wait-for-client"),
        *("/work/train.py", "--epochs", "3"),
    )
    assert found.kind == "debug"
    assert found.env["PYTHONPATH"] == "/own:/run/devenv/payload/d"
    assert found.env["DEBUGPY_ADAPTER_ENDPOINTS"] == "/state/e.json.adapter"
    assert found.env["PYDEVD_DISABLE_FILE_VALIDATION"] == "1"
    meta = {"endpoints": "/state/e.json", "wait": True, "subprocess": True, "just_my_code": None}
    assert found.meta == {"target": "train", "debug": meta}


def test_a_module_without_waiting_on_an_old_python() -> None:
    options = DebugOptions(wait=False, subprocess=False)
    found = debug(Program(ProgramKind.MODULE, "net.train", (), "python"), OLD, options, DEBUGPY_RUNNING="true")
    assert found.argv == through(
        *("python", "/run/devenv/payload/d/debugpy", "--listen", "127.0.0.1:0"),
        *("--configure-subProcess", "true", "-m", "net.train"),
        switches=("--no-children",),
    )
    assert "DEBUGPY_RUNNING" not in found.env


def test_a_safe_path_needs_the_module_form() -> None:
    found = debug(Program(ProgramKind.SCRIPT, "/abs/train.py", (), "python"), PYTHONSAFEPATH="1")
    assert found.argv[found.argv.index("--") + 3 :][:2] == ("-m", "debugpy")
    assert found.argv[-1] == "/abs/train.py"


@pytest.mark.parametrize(
    ("argv", "kind", "target", "args"),
    [
        (("python3", "train.py", "-x"), ProgramKind.SCRIPT, "train.py", ("-x",)),
        (("/opt/conda/bin/python3.10", "-u", "-X", "dev", "-m", "net", "a"), ProgramKind.MODULE, "net", ("a",)),
        (("pytest", "-q"), ProgramKind.MODULE, "pytest", ("-q",)),
        (("/usr/bin/torchrun", "train.py"), ProgramKind.MODULE, "torch.distributed.run", ("train.py",)),
        (("/bin/sh", "-c", "python train.py --name 'a b'"), ProgramKind.SCRIPT, "train.py", ("--name", "a b")),
    ],
)
def test_commands_that_are_python(argv: tuple[str, ...], kind: ProgramKind, target: str, args: tuple[str, ...]) -> None:
    found = python_program(Program(ProgramKind.COMMAND, argv[0], argv[1:]), "/usr/bin/python3")
    assert found is not None
    assert (found.kind, found.target, found.args) == (kind, target, args)


@pytest.mark.parametrize(
    "argv",
    [
        ("nvidia-smi",),
        ("python", "-c", "print()"),
        ("python",),
        ("bash", "train.sh"),
        ("/bin/sh", "-c", "cd src && python train.py"),
        ("/bin/sh", "-c", "python train.py > log"),
        ("/bin/sh", "-c", ""),
    ],
)
def test_commands_that_are_not(argv: tuple[str, ...]) -> None:
    with pytest.raises(DebugError, match="not a Python program"):
        debug(Program(ProgramKind.COMMAND, argv[0], argv[1:]))


@pytest.mark.parametrize(
    ("data", "port"),
    [
        (b'{"client": {"host": "127.0.0.1", "port": 40123}, "server": {}}\n', 40123),
        (b'{"client": {"host": "127.0.0.1", "po', None),
        (b"", None),
        (b'{"client": {"port": "22"}}', None),
        (b'{"client": {"port": true}}', None),
        (b'{"client": {"port": 70000}}', None),
        (b'{"client": 3}', None),
        (b"[]", None),
        (b"\xff\xfe", None),
    ],
)
def test_the_endpoints_file_gives_a_port_or_nothing(data: bytes, port: int | None) -> None:
    assert parse_endpoints(data) == port


def test_endpoints_are_named_afresh() -> None:
    assert endpoints_path("/state") != endpoints_path("/state")
