"""`exec`: a command in a running container. stdin, stdout and stderr are its own, and so is the exit code.

On a terminal it has one; with `--log-format json` it always has, and what it prints comes as `raw` on stderr.
"""

import os

from devenv.cli import wire
from devenv.dropin import requests

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devenv.dropin.flags import Line
    from devenv.dropin.log import Log

_ROWS, _COLUMNS = 24, 80


class Logged(wire.Output):
    """What the command prints, as pieces of the log."""

    def __init__(self, log: "Log") -> None:
        import codecs

        make = codecs.getincrementaldecoder("utf-8")
        self._log = log
        self._decoders = {kind: make("replace") for kind in (wire.STDOUT, wire.STDERR)}

    def write(self, kind: int, data: bytes) -> None:
        text = self._decoders[kind].decode(data)
        if text:
            self._log.raw(text)

    def note(self, text: str, end: str = "\n") -> None:
        self._log.text(text)


def run(line: "Line", log: "Log") -> int:
    """128 + n for a command that signal n ended; 1 when it could not be started."""
    as_json = log.as_json
    tty = os.isatty(0) and os.isatty(1)
    args = {**requests.arguments(line), "argv": line.words, "tty": tty or as_json}
    rows, columns = line.values["terminal-rows"], line.values["terminal-columns"]
    size = (rows, columns) if rows and columns else (_ROWS, _COLUMNS) if as_json and not tty else None
    try:
        end = wire.stream(
            "dropin-exec",
            args,
            tty=tty,
            detachable=False,
            output=Logged(log) if as_json else None,
            on_message=log,
            size=size,
        )
    except wire.WireError as error:
        return _not_started(error, log)
    if "exit" in end:
        return int(end["exit"]) & 0xFF
    if "signal" in end:
        return 128 + int(end["signal"])
    message = end.get("message", {})
    if message.get("t") == "exec":
        os.execvpe(message["argv"][0], message["argv"], {**os.environ, **message.get("env", {})})
    log.text(str(end.get("error", {}).get("message") or "the supervisor went away"), 5)
    return 1


def _not_started(error: wire.WireError, log: "Log") -> int:
    """127 for a program that is not there, 126 for one that cannot be executed, as a shell says."""
    from devenv.dropin.failures import tell

    tell(error.error, log)
    return int(error.error["code"]) if error.error.get("kind") in ("NoProgram", "NotExecutable") else 1
