"""How a streamed command ends: exit codes, the words after a detach, JSON lines."""

import sys

from devenv.cli import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class JsonOutput(wire.Output):
    """JSON lines on stdout: {"type":"output","stream":"stdout","text":...}. Bytes that are no UTF-8 are replaced."""

    def __init__(self) -> None:
        import codecs

        self._decoders = {kind: codecs.getincrementaldecoder("utf-8")("replace") for kind in (wire.STDOUT, wire.STDERR)}

    def write(self, kind: int, data: bytes) -> None:
        text = self._decoders[kind].decode(data)
        if text:
            name = "stdout" if kind == wire.STDOUT else "stderr"
            self._line({"type": "output", "stream": name, "text": text})

    def events(self, data: bytes) -> None:
        import json

        for line in data.splitlines():
            self._line({"type": "event", "event": json.loads(line)})

    def note(self, text: str, end: str = "\n") -> None:
        self._line({"type": "note", "text": text})

    def end(self, result: "dict[str, Any]") -> None:
        self._line({"type": "result", **result})

    def _line(self, value: "dict[str, Any]") -> None:
        import json

        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
        sys.stdout.flush()


def streamed(
    verb: str,
    args: "dict[str, Any]",
    *,
    tty: bool,
    detachable: bool,
    as_json: bool = False,
    forward_stdin: bool = True,
    window: bool = False,
) -> int:
    """Runs a streaming verb; returns the exit code that a shell would give (128 + n for a signal)."""
    output = JsonOutput() if as_json else wire.Output()
    try:
        end = wire.stream(
            verb,
            args,
            tty=tty,
            detachable=detachable,
            forward_stdin=forward_stdin,
            window=window,
            output=output,
            on_message=None if as_json else _tell,
        )
    except BrokenPipeError:
        return 141
    return ended(end, output if isinstance(output, JsonOutput) else None)


def ended(end: "dict[str, Any]", output: "JsonOutput | None" = None) -> int:
    """The exit code of a stream's end; told on `output`, if that is JSON."""
    if "message" in end:
        return _not_streamed(end["message"], output is not None)
    if output is not None:
        output.end(end)
    if "error" in end:
        raise wire.WireError(end["error"])
    if "exit" in end:
        return int(end["exit"]) & 0xFF
    if "signal" in end:
        return 128 + int(end["signal"])
    if end.get("detached"):
        _say("\r\ndetached; it goes on. Join it again with: devenv attach")
        return 0
    if end.get("lost"):
        _say("devenv: the supervisor went away; runs go on. Join again with: devenv attach")
        return 74
    return 1


def _not_streamed(message: "dict[str, Any]", as_json: bool) -> int:
    if message["t"] == "exec":
        import os

        env = {**os.environ, **message.get("env", {})}
        os.execvpe(message["argv"][0], message["argv"], env)
    import json

    result = message["result"]
    if as_json:
        sys.stdout.write(json.dumps({"type": "result", **result}) + "\n")
    elif result.get("text"):
        sys.stdout.write(result["text"].rstrip("\n") + "\n")
    return 0


def _tell(message: "dict[str, Any]") -> None:
    if message["t"] == "note":
        _say(message["text"])


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
