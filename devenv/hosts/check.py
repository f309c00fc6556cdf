"""`devenv host check`: everything that an environment on a host will need, looked at in order, told line by line."""

from __future__ import annotations

import re
import shlex
from collections.abc import AsyncIterator

from devenv.api.views import HostCheckView
from devenv.engine.endpoint import Endpoint
from devenv.engine.port import Engine, EngineInfo
from devenv.errors import DevenvError
from devenv.hosts.connection import Connection, Via

_LOW = 10 * 10**9  # bytes of free disk below which a training image will hardly fit
_LIMIT = 20.0  # seconds: nvidia-smi wakes cards up

_LOOK = """{
place=%s
while [ ! -d "$place" ] || ! df -Pk "$place" >/dev/null 2>&1; do
  place=$(dirname "$place")
  [ "$place" = / ] && break
done
df -Pk "$place" | awk 'END { print "free=" $4 }'
if command -v nvidia-smi >/dev/null 2>&1; then
  nvidia-smi --query-gpu=name,memory.total --format=csv,noheader 2>/dev/null | sed 's/^/gpu=/'
elif [ -e /dev/kfd ]; then echo gpu=AMD
fi
}
"""


def failed(what: str, error: DevenvError) -> HostCheckView:
    return HostCheckView(what=what, ok=False, said=error.message, hint=error.hint)


async def of_connection(connection: Connection, endpoint: Endpoint) -> AsyncIterator[HostCheckView]:
    """Of one that is there."""
    machine = connection.machine
    yield HostCheckView(what="ssh", ok=True, said=f"{endpoint.shown}, as {machine.user or 'you'} on {machine.machine}")
    if connection.socket is not None:
        if connection.via is Via.FORWARD:
            yield HostCheckView(what="socket", ok=True, said=f"{connection.socket.path}, forwarded by ssh")
        else:
            yield HostCheckView(
                what="socket",
                ok=True,
                said=f"{connection.socket.path}, by a `docker system dial-stdio` for each connection",
                hint="the ssh server forwards no sockets; AllowStreamLocalForwarding yes in its sshd_config is faster",
            )


async def of_engine(engine: Engine, info: EngineInfo) -> AsyncIterator[HostCheckView]:
    kind = "Podman" if info.is_podman else "Docker"
    rootless = ", rootless" if info.rootless else ""
    size = f"{info.cpus} CPUs, {info.memory / 2**30:.1f} GiB"
    yield HostCheckView(
        what="engine", ok=True, said=f"{kind} {info.version} (API {info.api_version}{rootless}), {size}"
    )
    if not info.has_buildx and not info.is_podman:
        yield HostCheckView(
            what="builds",
            ok=True,
            said="this machine's `docker` command has no buildx",
            hint="install docker-buildx: images are built by it",
        )


async def of_machine(connection: Connection, info: EngineInfo) -> list[HostCheckView]:
    """Disk and GPUs, by a short script over the connection. What cannot be found out is left out."""
    root = str(info.raw.get("DockerRootDir") or "/var/lib/docker")
    _, out, _ = await connection.run("sh", (_LOOK % shlex.quote(root)).encode(), limit=_LIMIT)
    return answers(out.decode("utf-8", "replace"))


def answers(text: str) -> list[HostCheckView]:
    found: list[HostCheckView] = []
    cards: list[str] = []
    for line in text.splitlines()[:64]:
        key, _, value = line.partition("=")
        if key == "free" and re.fullmatch(r"[0-9]{1,15}", value):
            free = int(value) * 1024
            hint = "images for training take 10 GB and more: docker system prune" if free < _LOW else ""
            found.append(HostCheckView(what="disk", ok=free >= _LOW, said=f"{free / 1e9:.0f} GB free", hint=hint))
        elif key == "gpu" and (name := re.sub(r"[^ -~]", "", value)[:80].strip()):
            cards.append(name)
    found.append(HostCheckView(what="gpus", ok=True, said="; ".join(cards[:16]) or "none that nvidia-smi knows of"))
    return found
