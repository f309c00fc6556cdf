"""What a client's `attach` lacks, filled in: so that a client needs only a port. Pure."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LAUNCH_ONLY = (
    "program", "module", "code", "args", "python", "pythonPath", "pythonArgs", "console", "cwd", "env", "envFile",
    "purpose", "stopOnEntry", "sudo", "noDebug", "debugLauncherPath", "internalConsoleOptions", "processId",
)  # fmt: skip
_PLACEHOLDERS = ("${workspaceFolder}", "${workspaceRoot}", "${fileWorkspaceFolder}")


class Greeting:
    """What the host says of the environment ahead of each connection. All may lack.

    `port` is where this session is reached on the client's machine, `door` where the chosen one is; `local` and
    `remote` are the project's folder there and here.
    """

    def __init__(self, said: "dict[str, Any]") -> None:
        self.port = _number(said.get("port"))
        self.door = _number(said.get("door"))
        self.local = _text(said.get("local"))
        self.remote = _text(said.get("remote"))
        self.defaults: "dict[str, Any]" = said["defaults"] if isinstance(said.get("defaults"), dict) else {}

    @property
    def mapping(self) -> "list[dict[str, str]]":
        return [{"localRoot": self.local, "remoteRoot": self.remote}] if self.local and self.remote else []


def _number(value: "Any") -> int:
    return value if isinstance(value, int) and 0 < value < 65536 else 0


def _text(value: "Any") -> str:
    return value if isinstance(value, str) else ""


def attach(arguments: "dict[str, Any]", command: str, greeting: Greeting) -> "dict[str, Any]":
    """The arguments to attach with. What a client names itself stands, unless it cannot mean anything here."""
    filled = dict(greeting.defaults)
    filled.update(arguments)
    for name in _LAUNCH_ONLY if command == "launch" else ("processId",):
        filled.pop(name, None)
    filled["pathMappings"] = _mappings(filled, greeting)
    filled.pop("localRoot", None)
    filled.pop("remoteRoot", None)
    if not filled["pathMappings"]:
        del filled["pathMappings"]
    if "listen" not in filled:
        _address(filled, greeting)
    return filled


def _mappings(arguments: "dict[str, Any]", greeting: Greeting) -> "list[dict[str, str]]":
    said = arguments.get("pathMappings")
    if not isinstance(said, list) or not said:
        local, remote = arguments.get("localRoot"), arguments.get("remoteRoot")
        said = [{"localRoot": local, "remoteRoot": remote}] if local and remote else []
    found = []
    for item in said:
        if not isinstance(item, dict):
            continue
        local, remote = _text(item.get("localRoot")), _text(item.get("remoteRoot"))
        for word in _PLACEHOLDERS:  # a client that knows no variables sends them as they are
            local = local.replace(word, greeting.local) if greeting.local else local
        if greeting.remote and not remote.startswith("/"):
            remote = greeting.remote if remote in ("", ".", "./") else greeting.remote + "/" + remote
        if local and remote:
            found.append({"localRoot": local, "remoteRoot": remote})
    return found or greeting.mapping


def _address(arguments: "dict[str, Any]", greeting: Greeting) -> None:
    """Where the client is sent for child processes: to this session's own port, not to the door, which may lead to
    another session by then. An address of the client's own (a tunnel's) stands."""
    said = arguments.get("connect")
    connect = dict(said) if isinstance(said, dict) else {}
    host = connect.get("host") or arguments.get("host") or "127.0.0.1"
    port = connect.get("port") or arguments.get("port")
    if greeting.port and (not port or str(port) in (str(greeting.port), str(greeting.door))):
        port = greeting.port
    arguments.pop("host", None)
    arguments.pop("port", None)
    if port:
        arguments["connect"] = {"host": host, "port": port}


class Paths:
    """From the client's paths to the container's, as debugpy will do it."""

    def __init__(self, mappings: "list[dict[str, str]]") -> None:
        self._pairs = [
            (item["localRoot"].rstrip("/\\"), item["remoteRoot"].rstrip("/"))
            for item in mappings
            if isinstance(item, dict) and item.get("localRoot") and item.get("remoteRoot")
        ]

    def remote(self, path: str) -> str:
        best = ""
        found = path
        for local, remote in self._pairs:
            if len(local) >= len(best) and (path == local or path.startswith((local + "/", local + "\\"))):
                best = local
                found = remote + path[len(local) :].replace("\\", "/")
        return found

    def covers(self, path: str) -> bool:
        return not self._pairs or self.remote(path) != path or any(local == remote for local, remote in self._pairs)
