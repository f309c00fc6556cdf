"""Why a breakpoint is not where the person thinks: told in its message and in the debug console."""

import ast
import os
import sys
import threading

from .arguments import Paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

    from .adapter import Adapter

# Files of all modules, without waking lazy ones. Evaluated in the program, in the thread that reads debugpy's socket.
_IMPORTED = (
    "[m.__dict__.get('__file__') for m in list(__import__('sys').modules.values()) "
    "if isinstance(getattr(m, '__dict__', None), dict)]"
)
_COMPILERS = {
    "compile": ("TORCHDYNAMO_DISABLE", "torch.compile", "`devenv debug --eager`"),
    "njit": ("NUMBA_DISABLE_JIT", "numba", "NUMBA_DISABLE_JIT=1"),
    "jit": ("NUMBA_DISABLE_JIT", "a compiler", "NUMBA_DISABLE_JIT=1 or JAX_DISABLE_JIT=1"),
}
_SOURCE_MOST = 4 << 20  # bytes
_SAVED = 0.5  # seconds: who saves and starts at once has the new lines


class Checks:
    """`started` is when the program began, in seconds since the epoch."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._lock = threading.Lock()
        self._set: "dict[str, list[int]]" = {}  # by the container's path
        self._told: "set[tuple[str, str]]" = set()

    def answer(self, adapter: "Adapter", asked: "dict[str, Any]", response: "dict[str, Any]") -> "list[str] | None":
        """Adds to the response to `setBreakpoints`; lines for the console, None where there is nothing to say."""
        path = (asked.get("source") or {}).get("path")
        found = (response.get("body") or {}).get("breakpoints")
        if not isinstance(path, str) or not isinstance(found, list) or not found:
            return None
        paths = Paths(adapter.arguments.get("pathMappings") or [])
        remote = paths.remote(path)
        wanted = [item.get("line") for item in asked.get("breakpoints") or [] if isinstance(item, dict)]
        with self._lock:
            self._set[remote] = [line for line in wanted if isinstance(line, int)]
        source = _Source(remote, self._started)
        notes = []
        for number, item in enumerate(found):
            if not isinstance(item, dict):
                continue
            line = wanted[number] if number < len(wanted) else item.get("line")
            why = self._why(item, line, path, remote, paths, source)
            if not why:
                continue
            item["message"] = why
            if self._first(remote, why):
                notes.append("breakpoint %s:%s: %s" % (os.path.basename(path), line, why))
        return notes or None

    def _why(self, item: "dict[str, Any]", line: "Any", path: str, remote: str, paths: Paths, source: "_Source") -> str:
        if not source.exists:
            if not paths.covers(path):
                return "%s is outside of the project, and the container has no such file" % path
            return "the container has no file %s" % remote
        if not item.get("verified"):
            return str(item.get("message") or "debugpy does not take it")
        if source.changed:
            return "the file was changed after the program started: it runs the older lines; start it again"
        return source.why(line) if isinstance(line, int) else ""

    def _first(self, path: str, why: str) -> bool:
        with self._lock:
            if (path, why) in self._told:
                return False
            self._told.add((path, why))
            return True

    def look(self, adapter: "Adapter") -> None:
        """Asks the program what it has imported; tells the client of breakpoints in files that it has not."""
        with self._lock:
            waiting = {path: list(lines) for path, lines in self._set.items() if lines and os.path.isfile(path)}
        if sys.version_info < (3, 8):
            return  # the debugpy of these prints what it evaluates among the program's own output
        if not waiting or adapter.closed or adapter.ended or adapter.stopped or adapter.owner is None:
            return

        def answered(response: "dict[str, Any]") -> None:
            text = (response.get("body") or {}).get("result")
            owner = adapter.owner
            if not response.get("success") or not isinstance(text, str) or owner is None:
                return
            try:
                imported = {os.path.realpath(name) for name in ast.literal_eval(text) if isinstance(name, str)}
            except (ValueError, SyntaxError):
                return  # cut short: too many modules for one answer
            for path, lines in sorted(waiting.items()):
                why = "the program has not imported this file; it stops here once it does"
                if os.path.realpath(path) not in imported and self._first(path, why):
                    owner.tell(["breakpoint %s:%d: %s" % (os.path.basename(path), lines[0], why)])

        adapter.request("evaluate", {"expression": _IMPORTED, "context": "clipboard"}, answered)


class _Source:
    """A file of the container, looked at once."""

    def __init__(self, path: str, started: float) -> None:
        self.exists = False
        self.changed = False
        self._text: "bytes | None" = None
        self._path = path
        self._lines: "set[int] | None" = None
        try:
            info = os.stat(path)
            self.exists = True
            self.changed = bool(started) and info.st_mtime > started + _SAVED + _SAVED
            if path.endswith(".py") and info.st_size <= _SOURCE_MOST:
                with open(path, "rb") as file:
                    self._text = file.read()
        except OSError:
            pass

    def why(self, line: int) -> str:
        """What the text says of a line: no code, or inside a function that something else runs."""
        if self._text is None:
            return ""
        try:
            tree = ast.parse(self._text, self._path)
            if self._lines is None:
                self._lines = _code_lines(compile(self._text, self._path, "exec", dont_inherit=True))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ""
        if self._lines and line not in self._lines:
            later = [number for number in self._lines if number > line]
            follows = "; the next one that has is %d" % min(later) if later else ""
            return "there is no code on this line" + follows
        return _compiled(tree, line)


def _code_lines(code: "CodeType") -> "set[int]":
    import dis

    found = {line for _, line in dis.findlinestarts(code) if line}
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            found |= _code_lines(constant)
    return found


def _compiled(tree: ast.AST, line: int) -> str:
    """For a line in a function whose decorator hands it to a compiler."""
    for node in ast.walk(tree):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or not node.body:
            continue
        last = max((getattr(inner, "lineno", 0) for inner in ast.walk(node)), default=0)
        if not node.body[0].lineno <= line <= last:
            continue
        for decorator in node.decorator_list:
            target = decorator.func if isinstance(decorator, ast.Call) else decorator
            name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
            known = _COMPILERS.get(name)
            if known is not None and not os.environ.get(known[0]):
                return "%s turns this function into other code, which does not stop here: %s" % known[1:]
    return ""
