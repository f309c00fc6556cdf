"""What is in a container's writable layer outside mounts: what `rebuild` and `down` would lose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from devenv.engine.port import ContainerSnapshot, Engine

_FLEETING = (
    "/tmp",
    "/run",
    "/proc",
    "/sys",
    "/dev",
    "/var/tmp",
    "/var/lib/devenv",
    "/var/cache/apt",
    "/etc",
    "/usr/sbin/docker-init",
    "/sbin/docker-init",
)
"""Not the user's work: gone at the next start, or written by the engine and by us."""

_LITTER = (
    "/__pycache__",
    "/.devcontainer",
    "/.ipython",
    "/.jupyter/migrated",
    "/.jupyter/lab/workspaces",
    "/.local/share/jupyter",
    "/.cache/matplotlib",
    "/.config/matplotlib",
    "/.bash_history",
    "/.python_history",
    "/.lesshst",
    "/.wget-hsts",
    "/.vscode-server",
)
"""What tools write by themselves and would write again: not worth a refusal, wherever a home is."""

_SIZES = 'for path in "$@"; do du -skx "$path" 2>/dev/null; done'


async def contents(engine: Engine, container: ContainerSnapshot) -> list[tuple[str, int]]:
    """(path, bytes), largest first. Sizes are 0 when the container does not run: nothing can measure them there."""
    mounts = [str(m.get("Destination", "")) for m in container.mounts]
    paths = added_roots(await engine.diff(container.id), mounts)
    if not paths:
        return []
    if container.status != "running":
        return [(path, 0) for path in paths]
    result = await engine.exec_capture(
        container.id, ["/bin/sh", "-c", _SIZES, "sh", *paths[:512]], user="0", timeout=60
    )
    sizes: dict[str, int] = {}
    for line in result.stdout.decode("utf-8", "surrogateescape").splitlines():
        number, _, path = line.partition("\t")
        if number.strip().isdigit():
            sizes[path] = int(number) * 1024
    return sorted(((path, sizes.get(path, 0)) for path in paths), key=lambda item: (-item[1], item[0]))


def added_roots(changes: Iterable[tuple[str, str]], mounts: Sequence[str]) -> list[str]:
    """The topmost added paths: of a new folder only the folder, of a changed file the file. Pure.

    A folder that holds nothing but litter is litter too.
    """
    added = sorted(path for kind, path in changes if kind == "A")
    hidden = tuple(h.rstrip("/") + "/" for h in (*_FLEETING, *mounts) if h)
    # A mount point that the engine made: nothing of it is in the layer.
    seen = [
        path
        for path in added
        if not (path + "/").startswith(hidden) and not any(h.startswith(path.rstrip("/") + "/") for h in hidden)
    ]
    # In sorted order with "/" lowest, what lies in a folder follows it directly.
    tree = sorted(seen, key=lambda path: path.split("/"))
    leaves = [
        path
        for path, following in zip(tree, [*tree[1:], ""], strict=False)
        if not following.startswith(path + "/") and not _is_litter(path)
    ]
    tops = set(seen)
    return sorted({_topmost(leaf, tops) for leaf in leaves})


def _is_litter(path: str) -> bool:
    return path.endswith(".pyc") or any(f"{mark}/" in f"{path}/" for mark in _LITTER)


def _topmost(leaf: str, added: set[str]) -> str:
    """The highest ancestor of an added path that was added too."""
    top = leaf
    while (parent := top.rpartition("/")[0]) in added:
        top = parent
    return top
