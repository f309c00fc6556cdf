"""Jupyter kernels in a container: which processes they are, and which notebook each one works for.

Known from the container alone, whoever started the server: by command lines, by the sessions that Jupyter's own servers
tell of, asked inside with the token that lies there in the user's runtime folder, and by what a server has told its
kernel. The sessions come first: JupyterLab names a kernel before the notebook's name is known, and notebooks are
renamed.
"""

from __future__ import annotations

import dataclasses
import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from devenv.delivery.inspect import collect
from devenv.errors import NotFound

if TYPE_CHECKING:
    from devenv.link.port import Link
    from devenv.runs.workspace import WorkspacePaths

ANY = "kernel"
_NOTEBOOK = ".ipynb"
_OF_VSCODE = re.compile(r"-jvsc-[0-9a-f-]+(?=\.ipynb$)")
_UNNAMED = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SHOWN = 8

# Python 3.6 or later. A kernel's forked children have its command line; a program that starts it may have it, too.
_SCRIPT = r"""
import glob, http.client, json, os, re
def read(pid, name):
    try:
        with open("/proc/%d/%s" % (pid, name), "rb") as file:
            return file.read(1 << 20)
    except OSError:
        return b""
def words(pid):
    return os.fsdecode(read(pid, "cmdline")).split("\0")[:-1]
def is_kernel(argv):
    if not os.path.basename(argv[0] if argv else "").startswith(("python", "pypy")):
        return False
    module = argv[argv.index("-m") + 1 :][:1] if "-m" in argv else []
    return module in (["ipykernel_launcher"], ["ipykernel"]) or any(
        word.endswith(("/ipykernel_launcher.py", "/ipykernel/__main__.py")) for word in argv[1:3])
def connection(argv):
    for number, word in enumerate(argv):
        if word == "-f":
            return (argv[number + 1 :] or [""])[0]
        for begin in ("-f=", "--f=", "--connection-file="):
            if word.startswith(begin):
                return word[len(begin) :]
    return ""
def parent(pid):
    found = re.search(rb"^PPid:\s*(\d+)", read(pid, "status"), re.M)
    return int(found.group(1)) if found else 0
def sessions(folder):
    known = {}
    for path in glob.glob(os.path.join(glob.escape(folder), "[jn]*server-*.json")):
        try:
            with open(path) as file:
                said = json.load(file)
            if said.get("secure") or said.get("sock") or not os.path.exists("/proc/%d" % said["pid"]):
                continue
            host = said.get("hostname") or ""
            host = "127.0.0.1" if host in ("", "*", "0.0.0.0", "::", "localhost") else host
            line = http.client.HTTPConnection(host, said["port"], timeout=2)
            line.request("GET", said["base_url"] + "api/sessions", headers={"Authorization": "token " + said["token"]})
            for session in json.loads(line.getresponse().read().decode("utf-8")):
                place = session["path"] if session.get("type") == "notebook" else session.get("name") or session["path"]
                root = said.get("root_dir") or said.get("notebook_dir") or "/"
                known[session["kernel"]["id"]] = os.path.join(root, place)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, http.client.HTTPException):
            pass
    return known
argvs = {int(name): words(int(name)) for name in os.listdir("/proc") if name.isdigit()}
argvs = {pid: argv for pid, argv in argvs.items() if is_kernel(argv)}
parents = {pid: parent(pid) for pid in argvs}
argvs = {pid: argv for pid, argv in argvs.items() if argvs.get(parents[pid]) != argv}
starters = {parents[pid] for pid, argv in argvs.items()
            if connection(argv) and connection(argvs.get(parents[pid]) or []) == connection(argv)}
asked, found = {}, []
for pid, argv in sorted(argvs.items()):
    if pid in starters:
        continue
    file = connection(argv)
    folder, name = os.path.split(file)
    if folder and folder not in asked:
        asked[folder] = sessions(folder)
    told = dict(pair.partition("=")[::2] for pair in os.fsdecode(read(pid, "environ")).split("\0"))
    identity = re.sub(r"^kernel-|\.json$", "", name)
    begun = [word for word in words(parents[pid])[1:] if word.endswith(".ipynb")]
    notebook = asked.get(folder, {}).get(identity) or told.get("JPY_SESSION_NAME")
    if not notebook and begun:
        cwd = "/proc/%d/cwd" % parents[pid]
        notebook = os.path.join(os.readlink(cwd) if os.access(cwd, os.R_OK) else "/", begun[0])
    found.append({"pid": pid, "notebook": notebook or ""})
print("\n" + json.dumps(found))
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Kernel:
    """`notebook` is a path in the container, or a console's name below the server's folder; "" when nobody says."""

    pid: int
    notebook: str

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Kernel:
        told = _OF_VSCODE.sub("", posixpath.normpath(str(said["notebook"]))) if said["notebook"] else ""
        return cls(int(said["pid"]), "" if _UNNAMED.fullmatch(posixpath.basename(told)) else told)

    @property
    def name(self) -> str:
        """A word for messages: the notebook's name."""
        return posixpath.basename(self.notebook) or ANY


def is_meant(target: str) -> bool:
    """Whether this names a kernel, where no run has that name."""
    return target == ANY or target.endswith(_NOTEBOOK)


async def kernels(link: Link) -> list[Kernel]:
    """The Python kernels that run in the container, oldest first."""
    channel = await link.spawn([link.hello.executable, "-I", "-S", "-c", _SCRIPT], env={"PATH": _PATH}, cwd="/")
    try:
        await channel.send_eof()
        out, _, _ = await collect(channel)
    finally:
        await channel.close()
    try:
        said = json.loads(out.decode("utf-8", "replace").strip().splitlines()[-1])
        return [Kernel.of(item) for item in said]
    except (IndexError, ValueError, KeyError, TypeError):
        return []


def choose(found: Sequence[Kernel], target: str, paths: WorkspacePaths) -> Kernel:
    """The kernel that is meant by `kernel` (the only one) or by its notebook: a path on the host, one in the container,
    or the end of one. Raises NotFound, naming the candidates."""
    if not found:
        raise NotFound("no Jupyter kernel runs in the container", "open the notebook and run a cell in it")
    meant = list(found) if target == ANY else _of_notebook(found, target, paths)
    if len(meant) == 1:
        return meant[0]
    listed = _listed(meant or found, paths)
    details = {"candidates": [kernel.pid for kernel in meant or found]}
    if not meant:
        raise NotFound(f"no kernel runs {target}: there is {listed}", "run a cell in it first", details=details)
    what = f"{len(meant)} kernels run" if target == ANY else f"{len(meant)} kernels run {target}"
    raise NotFound(f"{what}: {listed}", "say which, by its notebook or its number", details=details)


def _of_notebook(found: Sequence[Kernel], target: str, paths: WorkspacePaths) -> list[Kernel]:
    wanted = posixpath.normpath(target)
    here = paths.to_container(wanted) if posixpath.isabs(wanted) else posixpath.join(paths.workspace, wanted)
    exact = [kernel for kernel in found if kernel.notebook in (here, wanted)]
    if exact or (here is not None and posixpath.isabs(wanted)):
        return exact
    parts = [part for part in wanted.split("/") if part not in ("", "..")]
    if posixpath.isabs(wanted):
        parts = parts[-1:]  # a folder of the host's, of which the container knows nothing
    return [kernel for kernel in found if kernel.notebook.split("/")[-len(parts) :] == parts]


def _listed(found: Sequence[Kernel], paths: WorkspacePaths) -> str:
    shown = ", ".join(
        f"{(kernel.notebook and paths.relative(kernel.notebook)) or kernel.notebook or 'no notebook'}"
        f" (process {kernel.pid})"
        for kernel in found[:_SHOWN]
    )
    return shown + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")
