"""`userEnvProbe`: the environment that the user's own shell has, and the Python that is found in it.

One exec does both: the user's shell, started as the configuration says, prints its environment between two markers
and gives way to a small script that looks for an interpreter. Start-up files that wait for input are given up on
after ten seconds. Results are kept per container, and what is kept holds only what the shell added or changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import pathlib
import secrets
from collections.abc import Collection, Mapping
from typing import Any

from devenv.atomic_file import write_atomic
from devenv.engine.port import ContainerSnapshot, Engine
from devenv.errors import DevenvError

LIMIT = 10.0  # seconds; as in the reference
_MOST = 4 * 1024 * 1024  # bytes of output that are read

_FLAGS = {"loginInteractiveShell": "-lic", "loginShell": "-lc", "interactiveShell": "-ic"}
_INTERNAL = ("DEVENV_PROBE_MARK", "DEVENV_PROBE_FIND", "DEVENV_PROBE_FOLDER", "DEVENV_PROBE_PATH")
_DROPPED = ("PWD", "OLDPWD", "SHLVL", "_", *_INTERNAL)

# POSIX sh. The outer script picks the shell and becomes it, so that its pid (the first line) can be killed.
_OUTER = r"""
echo $$
shell=${SHELL:-}
if [ -z "$shell" ] && [ -r /etc/passwd ]; then
  me=$(id -u 2>/dev/null || echo 0)
  while IFS=: read -r _ _ id _ _ _ last; do
    if [ "$id" = "$me" ]; then shell=$last; break; fi
  done </etc/passwd
fi
case $shell in */nologin|*/false|'') shell=/bin/sh ;; esac
[ -x "$shell" ] || shell=/bin/sh
echo "$shell"
export DEVENV_PROBE_PATH="$PATH"
say='exec /bin/sh -c "$DEVENV_PROBE_FIND"'
if [ -n "$1" ]; then exec "$shell" "$1" "$say"; fi
exec /bin/sh -c "$say"
"""

_UNSET = 'for name in $1; do unset "$name"; done; shift; exec "$@"'

# A login shell's /etc/profile may set PATH anew, and the image's own entries (/opt/conda/bin, /opt/venv/bin) are gone.
# Entries of the container's PATH that the shell lacks go in after the one that they follow there; */sbin for root only.
_SPLICE_PATH = r"""
path=:$PATH: before=''
set -f
IFS=:
for entry in $DEVENV_PROBE_PATH; do
  case $path in *:"$entry":*) before=$entry; continue ;; esac
  case $entry in */sbin) [ "$(id -u)" = 0 ] || continue ;; esac
  if [ -n "$before" ]; then
    path=${path%%:"$before":*}:$before:$entry:${path#*:"$before":}
  else
    path=:$entry$path
  fi
  before=$entry
done
unset IFS
set +f
path=${path#:}
PATH=${path%:}
export PATH
"""

# Prints the environment between two markers, then "<interpreter>\n<version>\n<machine>\n<virtual environment or
# empty>", or nothing after the second marker.
_FIND = (
    _SPLICE_PATH
    + r"""
printf %s "devenv:$DEVENV_PROBE_MARK"
cat /proc/self/environ
printf %s "devenv:$DEVENV_PROBE_MARK"
try() {
  command -v "$1" >/dev/null 2>&1 || return 1
  "$1" -I -c 'import sys,os
print(sys.executable or "")
print(".".join(map(str, sys.version_info[:3])))
print(os.uname()[4])' 2>/dev/null
}
cd "$DEVENV_PROBE_FOLDER" 2>/dev/null || cd /
if [ -n "$VIRTUAL_ENV" ] && try "$VIRTUAL_ENV/bin/python"; then exit 0; fi
for folder in .venv venv; do
  if [ -z "$CONDA_PREFIX" ] && [ -x "$PWD/$folder/bin/python" ] && [ -f "$PWD/$folder/pyvenv.cfg" ] \
    && try "$PWD/$folder/bin/python"; then
    echo "$PWD/$folder"
    exit 0
  fi
done
if [ -n "$CONDA_PREFIX" ] && try "$CONDA_PREFIX/bin/python"; then exit 0; fi
try python || try python3 || exit 0
"""
)


@dataclasses.dataclass(frozen=True, slots=True)
class ProbedEnv:
    """The tool environment: what every run, shell and hook starts with.

    `env` is complete (values may be secret). `python` is None when the image has none.
    """

    env: Mapping[str, str] = dataclasses.field(repr=False)
    python: str | None = None
    python_version: str = ""
    shell: str = "/bin/sh"
    machine: str = ""
    note: str = ""
    files: Mapping[str, Any] | None = dataclasses.field(default=None, repr=False, compare=False)
    """Sizes and times of the start-up files when it was looked at; None: nobody could look."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What the probe's output says. Pure data; `parse` makes it."""

    shell: str
    env: Mapping[str, str] | None = dataclasses.field(repr=False)
    python: str | None = None
    python_version: str = ""
    machine: str = ""
    venv: str = ""
    pid: int = 0


def command(mode: str, mark: str, folder: str) -> tuple[list[str], dict[str, str]]:
    """(argv, extra environment) of the probe. An unknown mode probes like `none`."""
    flags = _FLAGS.get(mode, "")
    return ["/bin/sh", "-c", _OUTER, "sh", flags], {
        "DEVENV_PROBE_MARK": mark,
        "DEVENV_PROBE_FIND": _FIND,
        "DEVENV_PROBE_FOLDER": folder,
    }


def parse(output: bytes, mark: str) -> Answer:
    """Start-up files may print anything before the first marker; it is ignored."""
    # The variable holds only a part of what is printed, so that the environment itself does not contain the marker.
    printed = b"devenv:" + mark.encode()
    head, _, rest = output.partition(printed)
    first = head.split(b"\n", 2)
    pid = int(first[0]) if first and first[0].strip().isdigit() else 0
    shell = first[1].decode("utf-8", "replace").strip() if len(first) > 1 else ""
    body, closed, tail = rest.partition(printed)
    if not closed or b"=" not in body:
        return Answer(shell or "/bin/sh", None, pid=pid)
    pairs = (item.decode("utf-8", "surrogateescape").partition("=") for item in body.split(b"\0") if item)
    env = {name: value for name, _, value in pairs if name and name not in _DROPPED}
    lines = tail.decode("utf-8", "replace").splitlines()
    lines += [""] * (4 - len(lines))
    return Answer(
        shell or "/bin/sh", env, lines[0].strip() or None, lines[1].strip(), lines[2].strip(), lines[3].strip(), pid
    )


def activate(env: Mapping[str, str], venv: str) -> dict[str, str]:
    """What `activate` of a virtual environment does to the environment, without the prompt."""
    made = {k: v for k, v in env.items() if k != "PYTHONHOME"}
    made["VIRTUAL_ENV"] = venv
    made["PATH"] = f"{venv}/bin:{env.get('PATH', '')}".rstrip(":")
    return made


def with_remote_env(env: Mapping[str, str], remote: Mapping[str, str | None]) -> dict[str, str]:
    """`remoteEnv` over the probed environment; None unsets."""
    made = {**env, **{name: value for name, value in remote.items() if value is not None}}
    for name, value in remote.items():
        if value is None:
            made.pop(name, None)
    return made


async def run(
    engine: Engine,
    container: str,
    *,
    user: str,
    mode: str,
    folder: str,
    limit: float = LIMIT,
    changed: Mapping[str, str] | None = None,
    removed: Collection[str] = (),
) -> tuple[Answer, bool]:
    """(answer, whether the start-up files took too long). Falls back to no shell files when they fail or hang.

    `changed` and `removed`: what the container's own environment would be if it were made now.
    """
    mark = secrets.token_hex(12)
    argv, env = command(mode, mark, folder)
    env = {**(changed or {}), **env}
    if removed:
        argv = ["/bin/sh", "-c", _UNSET, "sh", " ".join(removed), *argv]
    stream = await engine.exec_stream(container, argv, user=user, env=env, stdin=False)
    output = bytearray()
    slow = False
    try:
        async with asyncio.timeout(limit):
            while (piece := await stream.read()) is not None and len(output) < _MOST:
                if piece[0] == 1:
                    output += piece[1]
    except TimeoutError:
        slow = True
        await _kill(engine, container, parse(bytes(output), mark).pid)
    finally:
        await stream.close()
    answer = parse(bytes(output), mark)
    if answer.env is None and mode in _FLAGS:
        plain, _ = await run(
            engine,
            container,
            user=user,
            mode="none",
            folder=folder,
            limit=limit,
            changed=changed,
            removed=removed,
        )
        return dataclasses.replace(plain, shell=answer.shell if answer.pid else plain.shell), slow
    return answer, slow


async def _kill(engine: Engine, container: str, pid: int) -> None:
    """The shell that hangs, and what it started: an exec's process leads a session of its own."""
    if pid > 1:
        with contextlib.suppress(DevenvError):
            script = 'kill -9 "-$1" 2>/dev/null; kill -9 "$1"'
            await engine.exec_capture(container, ["/bin/sh", "-c", script, "sh", str(pid)], user="0", timeout=5.0)


class ProbeCache:
    """`probe.json` of an environment: the last answer, valid for one container, start, user and mode, and as long as
    the start-up files stay as they were. `files` tells their sizes and times; None: nobody could look."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._path = folder / "probe.json"

    def load(self, key: str, files: object, base: Mapping[str, str]) -> Answer | None:
        try:
            kept: dict[str, Any] = json.loads(self._path.read_text(encoding="utf-8"))
            if kept["key"] != key or (None not in (files, kept["files"]) and kept["files"] != files):
                return None
            if files is not None and kept["files"] is None:
                write_atomic(self._path, json.dumps({**kept, "files": files}, indent=1) + "\n")
            env = {k: v for k, v in base.items() if k not in set(kept["removed"])} | kept["added"]
            return Answer(kept["shell"], env, kept["python"], kept["python_version"], kept["machine"], kept["venv"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, key: str, files: object, base: Mapping[str, str], answer: Answer) -> None:
        env = answer.env or {}
        kept = {
            "key": key,
            "files": files,
            "added": {k: v for k, v in env.items() if base.get(k) != v},
            "removed": [k for k in base if k not in env],
            "shell": answer.shell,
            "python": answer.python,
            "python_version": answer.python_version,
            "machine": answer.machine,
            "venv": answer.venv,
        }
        write_atomic(self._path, json.dumps(kept, indent=1) + "\n")

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)


def cache_key(
    container: ContainerSnapshot,
    user: str,
    mode: str,
    folder: str,
    changed: Mapping[str, str] | None = None,
    removed: Collection[str] = (),
) -> str:
    text = json.dumps(
        [container.id, container.started_at, user, mode, folder, sorted((changed or {}).items()), sorted(removed)]
    )
    return hashlib.sha256(text.encode()).hexdigest()


def startup_files(home: str, folder: str) -> list[str]:
    """Files whose change makes a probe stale: those of sh, bash and zsh, conda's and pyenv's, the project's venv."""
    own = (".profile", ".bash_profile", ".bash_login", ".bashrc", ".zshenv", ".zprofile", ".zshrc", ".condarc")
    system = ("/etc/profile", "/etc/profile.d", "/etc/bash.bashrc", "/etc/environment", "/etc/zsh/zshrc")
    project = (".venv/pyvenv.cfg", "venv/pyvenv.cfg", ".python-version")
    return [*system, *(f"{home.rstrip('/')}/{name}" for name in own), *(f"{folder.rstrip('/')}/{n}" for n in project)]
