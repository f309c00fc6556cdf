"""What a machine says of itself: one script for its `sh`, and its answer, which is believed as little as possible."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Sequence

from devenv.engine.port import HostLimits
from devenv.hosts import failures
from devenv.hosts.destination import Destination

BEGIN, END = "devenv-machine-1", "devenv-machine-end"
MOST = 64 * 1024  # bytes of an answer, noise of the log-in before it included

_SCRIPT = """{
asked=%(asked)s
run=${XDG_RUNTIME_DIR:-/run/user/$(id -u)}
tell() { printf '%%s=%%s\\n' "$1" "$2"; }
see() {
  [ -S "$1" ] || return 0
  may=no
  if [ -r "$1" ] && [ -w "$1" ]; then may=yes; fi
  tell socket "$may $(stat -L -c %%G "$1" 2>/dev/null || echo -) $1"
}
echo %(begin)s
tell machine "$(uname -m)"
tell user "$(id -un)"
for name in docker podman; do command -v "$name" >/dev/null 2>&1 && tell program "$name"; done
if [ -n "$asked" ]; then see "$asked"
else
  case "${DOCKER_HOST-}" in unix://*) see "${DOCKER_HOST#unix://}" ;; esac
  for place in /var/run/docker.sock "$run/docker.sock" "$run/podman/podman.sock" /run/podman/podman.sock
  do see "$place"; done
fi
limits() {
  while read -r one two three four five rest; do
    case "$one $two $three" in
      "Max open files") tell limit "nofile $five" ;;
      "Max locked memory") tell limit "memlock $five" ;;
      "Max stack size") tell limit "stack $five" ;;
      "Max processes "*) tell limit "nproc $four" ;;
    esac
  done <"$1"
}
right() {
  while read -r one two rest; do [ "$one" = "$2" ] && tell right "$two"; done <"$1"
}
{
  right /proc/1/status CapBnd:
  for place in /proc/[0-9]*; do
    read -r name <"$place/comm" || continue
    case "$name" in dockerd|containerd|podman) limits "$place/limits"; right "$place/status" CapEff: ;; esac
  done
} 2>/dev/null
echo %(end)s
exec cat >/dev/null
}
"""


def script(to: Destination) -> bytes:
    """It answers, and ends with its input: the session that it keeps open is the connection's."""
    return (_SCRIPT % {"asked": shlex.quote(to.socket), "begin": BEGIN, "end": END}).encode()


@dataclasses.dataclass(frozen=True, slots=True)
class Socket:
    path: str
    group: str  # "" when unknown
    usable: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    machine: str = ""  # x86_64, aarch64
    user: str = ""
    programs: tuple[str, ...] = ()
    sockets: tuple[Socket, ...] = ()
    limits: HostLimits | None = None  # of the engine's processes; None where they could not be seen

    def socket(self, to: Destination) -> Socket:
        """The engine's. Raises `EngineMissing`, `EngineDenied`."""
        if not self.sockets:
            raise failures.no_engine(to, installed=bool(self.programs))
        usable = next((one for one in self.sockets if one.usable), None)
        if usable is None:
            first = self.sockets[0]
            raise failures.no_right(to, first.path, self.user or "you", first.group)
        return usable


_SOCKET = re.compile(r"(yes|no) (\S+) (/[^\x00-\x1f\x7f:]*)\Z")  # a forward's words are parted by colons
_LIMIT = re.compile(r"(nofile|nproc|memlock|stack) (unlimited|[0-9]{1,20})\Z")
_SYS_RESOURCE = 1 << 24  # the capability that raising a limit takes
_WORD = re.compile(r"[A-Za-z0-9._@-]{1,64}\Z")


def parse(lines: Sequence[str]) -> Machine:
    """From the lines between BEGIN and END; what is out of shape is left out."""
    fields: dict[str, str] = {}
    programs: list[str] = []
    sockets: list[Socket] = []
    hard: dict[str, int] = {}
    may_raise = True
    for line in lines[:64]:
        key, _, value = line.partition("=")
        if key == "socket" and (match := _SOCKET.match(value)) and len(match[3]) < 100:
            group = match[2] if _WORD.match(match[2]) and match[2] != "-" else ""
            sockets.append(Socket(match[3], group, match[1] == "yes"))
        elif key == "limit" and (match := _LIMIT.match(value)):
            if match[2] != "unlimited":
                hard[match[1]] = min(hard.get(match[1], 1 << 63), int(match[2]))
            else:
                hard.setdefault(match[1], 1 << 63)
        elif key == "right" and re.match(r"[0-9a-f]{1,16}\Z", value):
            may_raise = may_raise and bool(int(value, 16) & _SYS_RESOURCE)
        elif key == "program" and value in ("docker", "podman"):
            programs.append(value)
        elif key in ("machine", "user") and _WORD.match(value):
            fields.setdefault(key, value)
    known = {name: -1 if value == 1 << 63 else value for name, value in hard.items()}
    limits = HostLimits(may_raise, known) if known else None
    return Machine(fields.get("machine", ""), fields.get("user", ""), tuple(programs), tuple(sockets), limits)
