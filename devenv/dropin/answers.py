"""One request to the supervisor and its result on stdout, for commands whose result is JSON. On the warm path.

The supervisor writes the reference's object; here it is passed on as the bytes that came, so that a command which has
nothing to tell on the way loads no JSON reader.
"""

import sys

from devenv.cli import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devenv.dropin.flags import Line
    from devenv.dropin.log import Log

_RESULT = b'{"t":"result","result":'
_DIAGNOSTICS = (
    b',"ociAuthDiagnostics":{"authLookupWouldBeBlocked":false,'
    b'"registryRedirectWouldPreventCredentialForwarding":false,"authServerRedirect":false}}'
)
"""What the reference adds where a registry may have been asked. Credentials go to the one they are for: all is well."""


def ask(verb: str, args: "dict[str, Any]", line: "Line", log: "Log") -> bytes:
    """The result as JSON. Raises WireError; what comes before goes to the log."""
    context = wire.context(line.values.get("terminal-rows"), line.values.get("terminal-columns"))
    call = wire.Call(verb, args, context)
    try:
        while (message := call.line()) is not None:
            if message.startswith(_RESULT):
                return message[len(_RESULT) : -1]
            value = wire.decode(message)
            if value["t"] == "error":
                raise wire.WireError(value["error"])
            if value["t"] == "result":
                return wire.encode(value["result"]).encode()
            log(value)
    finally:
        call.close()
    gone = {"kind": "LinkError", "message": "the supervisor went away in the middle of the request", "code": 74}
    raise wire.WireError({**gone, "hint": "run the command again; it starts a new one", "details": {}})


def give(result: bytes, *, diagnostics: bool = True) -> int:
    """Prints a result, as one line."""
    body = result
    if diagnostics:
        body = result[:-1] + _DIAGNOSTICS if len(result) > 2 else b"{" + _DIAGNOSTICS[1:]
    sys.stdout.flush()
    sys.stdout.buffer.write(body + b"\n")
    sys.stdout.buffer.flush()
    return 0


def run(verb: str, line: "Line", log: "Log", description: str, *, diagnostics: bool = True) -> int:
    """A command whose failure is a result too: `{"outcome": "error", ...}` and 1."""
    from devenv.dropin import requests

    args = requests.arguments(line)
    for sentence in requests.warnings(line):
        log.text(sentence, 4)
    try:
        return give(ask(verb, args, line, log), diagnostics=diagnostics)
    except Exception as error:
        return _failed(error, log, description)


def _failed(error: Exception, log: "Log", description: str) -> int:
    from devcontainer import javascript
    from devenv.dropin.failures import answer, known, tell

    found = known(error)
    if found is None:
        raise error
    tell(found, log)
    sys.stdout.write(javascript.stringify(answer(found, description)) + "\n")
    return 1
