"""How the agent gets into a container: the boot line, and which interpreter there can run it.

Nothing is installed and nothing is written: the source arrives on stdin. No secret stands in an argument.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from devenv.engine.port import Engine
from devenv.errors import ContainerGone, EngineDenied, EngineError, EngineMissing, NoPython

DEFAULT_PYTHONS = (
    "python3",
    "/usr/bin/python3",
    "python",
    "/usr/libexec/platform-python",
    "/opt/conda/bin/python",
    "/usr/local/bin/python3",
)

# Python 3.6. Reads the exact bytes with os.read: a buffered stdin would swallow the first frame behind them.
BOOT = """\
import json, os, sys, types, zlib
from importlib.machinery import ModuleSpec
def take(size):
    parts = []
    while size:
        part = os.read(0, min(size, 65536))
        if not part:
            os._exit(0)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
sources = json.loads(zlib.decompress(take(int.from_bytes(take(4), "big"))).decode("utf-8"))
sources = {("devenv_agent." + k).replace(".__init__", ""): v for k, v in sources.items()}
class Bundle:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in sources:
            return ModuleSpec(name, Bundle, origin="<%s>" % name, is_package=name == "devenv_agent")
    @staticmethod
    def create_module(spec):
        return None
    @staticmethod
    def exec_module(module):
        name = module.__name__
        module.__file__ = "<%s>" % name
        exec(compile(sources[name], module.__file__, "exec"), module.__dict__)
    @staticmethod
    def get_source(name):
        return sources[name]
sys.meta_path.insert(0, Bundle)
import devenv_agent.main
devenv_agent.main.main()
"""

# The first interpreter that passes the check becomes the agent. Its stdin is not read before.
_SEARCH = (
    "code=$1 boot=$2; shift 2; "
    'for p in "$@"; do command -v "$p" >/dev/null 2>&1 && "$p" -I -S -c "$code" </dev/null >/dev/null 2>&1 && '
    'exec "$p" -I -S -u -c "$boot"; done'
)

_MARK = "devenv-probe"
_SCRIPT = (
    f"echo {_MARK}; code=$1; shift; "
    'for p in "$@"; do '
    'if ! command -v "$p" >/dev/null 2>&1; then echo "absent $p"; continue; fi; '
    'if why=$("$p" -I -S -c "$code" 2>&1); then echo "fits $p"; exit 0; fi; '
    'echo "unfit $p $(echo "$why" | tail -n 1)"; done; exit 1'
)


@dataclasses.dataclass(frozen=True, slots=True)
class Attempt:
    """One interpreter that was tried and why it does not do."""

    python: str
    reason: str

    def __str__(self) -> str:
        return f"{self.python}: {self.reason}"


def boot_argv(python: str, boot: str = BOOT) -> list[str]:
    return [python, "-I", "-S", "-u", "-c", boot]


def search_argv(pythons: Sequence[str], modules: Sequence[str], boot: str = BOOT) -> list[str]:
    """Search and boot in one exec, for an image with a shell. Ends without a word when nothing fits: `find_python`
    tells why."""
    return ["sh", "-c", _SEARCH, "sh", check_code(modules), boot, *pythons]


def check_code(modules: Sequence[str]) -> str:
    """Python source that ends with status 0 in an interpreter that can run the agent. Runs on Python 2 as well."""
    return (
        "import sys\n"
        "if sys.version_info < (3, 6): sys.exit('version %d.%d, needs 3.6' % sys.version_info[:2])\n"
        f"import {', '.join(modules)}\n"
    )


async def find_python(
    engine: Engine, container: str, *, user: str, pythons: Sequence[str], modules: Sequence[str]
) -> str:
    """The first of `pythons` that fits, as it must stand in argv. One exec where the image has a shell.

    Raises NoPython with what was tried (`details["tried"]`).
    """
    code = check_code(modules)
    tried = await _by_shell(engine, container, user, pythons, code)
    if tried is None:
        tried = await _one_by_one(engine, container, user, pythons, code)
    if isinstance(tried, str):
        return tried
    raise NoPython(
        "the container has no Python that can run the agent (3.6 or later with its standard modules)",
        "install python3 in the image; exec, shell and logs work without it",
        details={"tried": [str(attempt) for attempt in tried]},
    )


async def _by_shell(
    engine: Engine, container: str, user: str, pythons: Sequence[str], code: str
) -> str | list[Attempt] | None:
    """The interpreter, or what was tried, or None when the image has no shell."""
    try:
        answer = await engine.exec_capture(container, ["sh", "-c", _SCRIPT, "sh", code, *pythons], user=user)
    except (EngineMissing, EngineDenied, ContainerGone):
        raise
    except EngineError:
        return None
    lines = answer.stdout.decode("utf-8", "replace").splitlines()
    if _MARK not in lines:
        return None
    tried: list[Attempt] = []
    for line in lines[lines.index(_MARK) + 1 :]:
        word, _, rest = line.partition(" ")
        if word == "fits":
            return rest
        if word == "absent":
            tried.append(Attempt(rest, "not there"))
        elif word == "unfit":
            python, _, why = rest.partition(" ")
            tried.append(Attempt(python, why or "does not run"))
    return tried


async def _one_by_one(
    engine: Engine, container: str, user: str, pythons: Sequence[str], code: str
) -> str | list[Attempt]:
    tried: list[Attempt] = []
    for python in pythons:
        try:
            answer = await engine.exec_capture(container, [python, "-I", "-S", "-c", code], user=user)
        except (EngineMissing, EngineDenied, ContainerGone):
            raise
        except EngineError:
            tried.append(Attempt(python, "not there"))
            continue
        if answer.exit_code == 0:
            return python
        if answer.exit_code in (126, 127):
            tried.append(Attempt(python, "not there"))
            continue
        last = (answer.stderr or answer.stdout).decode("utf-8", "replace").strip().splitlines()
        tried.append(Attempt(python, last[-1] if last else f"exit code {answer.exit_code}"))
    return tried
