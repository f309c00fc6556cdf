"""The messages between clients and the supervisor, version 1. Typed here, checked once where they arrive.

One connection carries one request. The client sends one JSON line, a `Request`; the supervisor answers with JSON
lines, told apart by "t":

    {"t":"progress", ...}   a step of long work (ProgressView)
    {"t":"line", "key", "text", "stream"}    a line of output of such a step
    {"t":"note", "text", "level"}            a sentence to read once
    {"t":"event", ...}      what a subscription brings (watch)
    {"t":"result", "result": ...}            the end
    {"t":"error", "error": {kind, message, hint, code, details}}   the end
    {"t":"exec", "argv", "env"}              the client runs this engine command itself (an image without Python)
    {"t":"stream"}          from here on binary frames both ways
    {"t":"outdated", "version"}              the end: the client is newer; it starts a successor and asks again

Frames: kind (1 byte), length (4 bytes, big endian), payload (at most 1 MiB).
    to the supervisor:   0 STDIN bytes   1 STDIN_EOF   2 SIGNAL one byte   3 RESIZE rows, columns (2 bytes each)
    to the client:       1 STDOUT   2 STDERR   4 NOTE text   5 END JSON   6 WINDOW 4 bytes   7 EVENTS JSON lines
The client starts with 256 KiB of credit for STDIN and gets more by WINDOW; a slow client is held back by the socket.

Additive for ever: a reader ignores fields that it does not know. A request of a newer `v` is refused by name.
"""

from __future__ import annotations

from typing import Any

import msgspec

PROTOCOL = 1
CREDIT = 256 * 1024


class Context(msgspec.Struct, frozen=True):
    """See devenv.api.context.ClientContext."""

    cwd: str
    umask: int
    env: dict[str, str]
    uid: int
    rows: int | None = None
    columns: int | None = None
    asides: bool = False


class Request(msgspec.Struct, frozen=True):
    v: int
    verb: str
    args: msgspec.Raw
    context: Context
    client: str = ""


class Args(msgspec.Struct, frozen=True, kw_only=True):
    """What every verb takes: the project folder (default: found from the client's) and the configuration file."""

    folder: str | None = None
    config: str | None = None


class UpArgs(Args, frozen=True, kw_only=True):
    dry_run: bool = False
    rebuild: bool = False
    no_cache: bool = False
    force: bool = False
    trust: bool = False
    agreed: list[str] = []  # what was asked for trust and allowed: sentences of a refusal's details
    tier: str = "auto"  # auto | direct | stream
    services: bool = True
    init: bool = False  # write a devcontainer.json where there is none
    gpus: str = ""
    gpu_via: str = ""
    profiles: list[str] = []  # of Compose
    secrets_file: str = ""
    hook_timeout: str = ""  # e.g. 30m; 0: none
    wait: bool = False  # for every lifecycle command, whatever waitFor says
    lockfile: str = "update"  # update | write | frozen | ignore
    dotfiles: str = ""  # a repository
    send: str = "ask"  # ask | all | rest: files that would go to another machine for the first time
    remember: bool = False  # `config` was chosen by a person: it counts again in a folder without a default


class StopArgs(Args, frozen=True, kw_only=True):
    force: bool = False
    volumes: bool = False
    trust: bool = False
    tier: str = "auto"


class BuildArgs(Args, frozen=True, kw_only=True):
    """`output` as `docker buildx build --output` takes it."""

    images: list[str] = []
    push: bool = False
    platforms: list[str] = []
    output: str = ""
    cache_from: list[str] = []
    cache_to: list[str] = []
    no_cache: bool = False
    pull: bool = False
    frozen: bool = False
    trust: bool = False
    agreed: list[str] = []


class ExecArgs(Args, frozen=True, kw_only=True):
    argv: list[str]
    tty: bool = False
    env: dict[str, str] = {}
    user: str = ""


class RunArgs(Args, frozen=True, kw_only=True):
    """`target`: a run configuration's name, a script, or "-m" with the module as first argument."""

    target: str
    args: list[str] = []
    tty: bool = False
    detach: bool = False
    name: str = ""
    env: dict[str, str] = {}


class DebugArgs(RunArgs, frozen=True, kw_only=True):
    """`ranks`: "all", "0,3", "none" (the program itself), or "" for what suits the program: every rank of a launcher,
    else itself. `post_mortem`: without a debugger until an exception is not caught."""

    ranks: str = ""
    post_mortem: bool = False
    wait: bool | None = None
    subprocess: bool | None = None
    just_my_code: bool | None = None
    launch_json: bool = True
    allow_host_network: bool = False


class DebugSessionsArgs(Args, frozen=True, kw_only=True):
    """`select`: the name or run of the session that the door is to lead to; "" changes nothing."""

    select: str = ""


class DebugAttachArgs(Args, frozen=True, kw_only=True):
    """`target`: a live run as in `RunRef`, or a process id; "" is the newest live run. `privileged`: a person has
    agreed to an exec with every capability, where that is needed."""

    target: str = ""
    subprocess: bool = True
    just_my_code: bool | None = None
    launch_json: bool = True
    allow_host_network: bool = False
    privileged: bool = False


class TestArgs(Args, frozen=True, kw_only=True):
    args: list[str] = []
    watch: bool = False
    tty: bool = False
    detach: bool = False


class WatchTestsArgs(Args, frozen=True, kw_only=True):
    on: bool
    args: list[str] = []


class RunRef(Args, frozen=True, kw_only=True):
    """`run`: an id, a prefix of one, a name, or "last"."""

    run: str = "last"


class AttachArgs(RunRef, frozen=True, kw_only=True):
    offset: int = 0
    tail: int | None = None  # bytes
    follow: bool = True
    input: bool = True


class KillArgs(RunRef, frozen=True, kw_only=True):
    signal: int | None = None
    force: bool = False


class RerunArgs(RunRef, frozen=True, kw_only=True):
    tty: bool = False
    detach: bool = False


class ReadArgs(RunRef, frozen=True, kw_only=True):
    offset: int | None = None
    length: int = 65536
    tail: int | None = None


class InputArgs(RunRef, frozen=True, kw_only=True):
    data: str  # base64


class ResizeArgs(RunRef, frozen=True, kw_only=True):
    rows: int
    columns: int


class RunsArgs(Args, frozen=True, kw_only=True):
    all: bool = False


class LogsArgs(Args, frozen=True, kw_only=True):
    tail: int | None = None


class ServiceArgs(Args, frozen=True, kw_only=True):
    name: str = ""
    action: str = "list"  # list | start | stop | restart


class ForwardArgs(Args, frozen=True, kw_only=True):
    port: int
    host_port: int | None = None
    host: str = "127.0.0.1"
    label: str = ""
    reverse: bool = False  # from `port` of the container to `host_port` of the host


class InitArgs(Args, frozen=True, kw_only=True):
    write: bool = True
    force: bool = False


class IdeArgs(Args, frozen=True, kw_only=True):
    """`action`: list, show or write; a client before 0.2 names one `editor` to show."""

    editor: str = ""
    action: str = ""
    editors: list[str] = []
    tracked: bool = False
    dry_run: bool = False


class HandOverArgs(Args, frozen=True, kw_only=True):
    """What a successor says of itself. Answered by {"t":"hand-over"} and the listeners (devenv.forward.handover); its
    word `taken` is answered by the result."""

    version: str


class WatchArgs(Args, frozen=True, kw_only=True):
    front: str = ""  # names the front end, so that `leave` knows its own watch
    remember: bool = False  # see UpArgs


class LeaveArgs(Args, frozen=True, kw_only=True):
    """A front end was closed: the environment is stopped if its configuration asks for that and nobody needs it."""

    front: str = ""


class OpeningArgs(Args, frozen=True, kw_only=True):
    """One front end of those that watch opens the browser: the first that asks. `since` as in the port's view."""

    port: int
    since: float


class ComposeArgs(Args, frozen=True, kw_only=True):
    args: list[str] = []


class SyncArgs(Args, frozen=True, kw_only=True):
    """`action`: status, flush, verify, pause, resume, reset, resolve, diff, undo or trash. `take`: host, container or
    both, for `resolve`. `name` is a path, or the part of the trash that `undo` brings back."""

    action: str = "status"
    name: str = ""
    take: str = ""
    allow_deletions: bool = False


class LsArgs(Args, frozen=True, kw_only=True):
    pass


class HostArgs(Args, frozen=True, kw_only=True):
    """`action`: ls, add, rm, use, check or send. `address` as it was typed; `tls` a folder of certificates.

    send: `name` is the image and `address` the host.
    """

    action: str = "ls"
    name: str = ""
    address: str = ""
    tls: str = ""


def encode_line(message: dict[str, Any]) -> bytes:
    return msgspec.json.encode(message) + b"\n"
