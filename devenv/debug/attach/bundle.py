"""The programs of `inside`, packed for one job each: they arrive on stdin and are never written in the container."""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Mapping
from typing import Any

# Python 3.6. The sources and the job are one line of JSON.
BOOT = """\
import json, sys, types
from importlib.machinery import ModuleSpec
given = json.loads(sys.stdin.buffer.readline().decode("utf-8"))
sources = {("devenv_attach." + k).replace(".__init__", ""): v for k, v in given["sources"].items()}
class Bundle:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in sources:
            return ModuleSpec(name, Bundle, origin="<%s>" % name, is_package=name == "devenv_attach")
    @staticmethod
    def create_module(spec):
        return None
    @staticmethod
    def exec_module(module):
        exec(compile(sources[module.__name__], "<%s>" % module.__name__, "exec"), module.__dict__)
sys.meta_path.insert(0, Bundle)
import devenv_attach.main
devenv_attach.main.main(given["job"])
"""

_GUEST = "guest"  # runs in the program, as text


def _read(name: str) -> str:
    return (importlib.resources.files("devenv.debug.attach.inside") / f"{name}.py").read_text(encoding="utf-8")


@functools.cache
def _sources() -> dict[str, str]:
    folder = importlib.resources.files("devenv.debug.attach.inside")
    names = sorted(entry.name.removesuffix(".py") for entry in folder.iterdir() if entry.name.endswith(".py"))
    return {name: _read(name) for name in names if name != _GUEST}


def argv(python: str) -> list[str]:
    return [python, "-I", "-S", "-u", "-c", BOOT]


def order(job: Mapping[str, Any]) -> bytes:
    """What the program reads from its stdin."""
    whole = dict(job) if job["op"] == "survey" else {**job, "guest": _read(_GUEST)}
    return json.dumps({"sources": _sources(), "job": whole}).encode("ascii") + b"\n"
