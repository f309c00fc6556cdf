"""The two ways to run: `wrap`, in front of a program that is started under debugpy, and `serve`, for one that has it
already. Neither ever waits for a client, and both end with the program.

    start.py wrap  --adapter FILE --endpoints FILE [--no-children] -- PROGRAM [ARGUMENT...]
    start.py serve --adapter FILE --endpoints FILE [--no-children] --pid N

`--adapter` is the file in which debugpy's adapter tells its port; `--endpoints` gets ours in the same form once a
client may come, and `FILE.status` beside it who is there.
"""

import json
import os
import socket
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .hub import Hub

_LOOK_FIRST = 0.005  # seconds between looks for the adapter's file
_LOOK_MOST = 0.05
_ALIVE = 0.25  # seconds between looks at the program
_LAST_WORDS = 3.0  # seconds for clients when the program has ended
_DEFAULT_PATIENCE = 2.0


class Words:
    """The command line."""

    def __init__(self, argv: "list[str]") -> None:
        self.mode = argv[0]
        self.adapter = self.endpoints = ""
        self.children = True
        self.pid = 0
        self.patience = _DEFAULT_PATIENCE
        self.program: "list[str]" = []
        rest = list(argv[1:])
        while rest:
            word = rest.pop(0)
            if word == "--":
                self.program = rest
                break
            if word == "--no-children":
                self.children = False
            elif word == "--adapter":
                self.adapter = rest.pop(0)
            elif word == "--endpoints":
                self.endpoints = rest.pop(0)
            elif word == "--pid":
                self.pid = int(rest.pop(0))
            elif word == "--patience":
                self.patience = float(rest.pop(0))
            else:
                raise SystemExit("unknown word %r" % word)


def main(argv: "list[str]") -> None:
    words = Words(argv)
    first = os.fork()
    if first == 0:
        # Forked twice: the program must not find a child that it never started.
        program = words.pid or os.getppid()
        if os.fork() != 0:
            os._exit(0)
        _beside(words, program)
        os._exit(0)
    os.waitpid(first, 0)
    if words.mode == "serve":
        return
    try:
        os.execvp(words.program[0], words.program)
    except OSError as error:
        sys.stderr.write("%s: %s\n" % (words.program[0], error.strerror))
        sys.stderr.flush()
    os._exit(127)


def _beside(words: Words, program: int) -> None:
    """A process of its own session, with no descriptor of the program's: its terminal and pipes must end with it."""
    try:
        os.setsid()
    except OSError:
        pass  # it leads one already
    _let_go()
    try:
        _serve(words, program)
    finally:
        for path in (words.endpoints, words.endpoints + ".status"):
            try:
                os.unlink(path)
            except OSError:
                pass
        os._exit(0)


def _let_go() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        numbers = list(range(3, 256))
    for number in numbers:
        if number > 2:
            try:
                os.close(number)
            except OSError:
                pass


def _serve(words: Words, program: int) -> None:
    alive = _Alive(program)
    port = _adapter_port(words.adapter, alive)
    if port is None:
        return
    from .hub import Hub

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    listener.settimeout(_ALIVE)
    own = int(listener.getsockname()[1])
    hub = Hub(port, own, words.endpoints + ".status", alive.started, words.children, words.patience, alive.look)
    hub.changed()
    work = words.endpoints + ".new"
    with open(work, "w", encoding="ascii") as file:
        json.dump({"client": {"host": "127.0.0.1", "port": own}}, file)
    os.rename(work, words.endpoints)
    _accept(listener, hub, alive, words)


def _accept(listener: socket.socket, hub: "Hub", alive: "_Alive", words: Words) -> None:
    ended = -1.0
    while True:
        try:
            sock, _ = listener.accept()
        except socket.timeout:  # before Python 3.10 no TimeoutError
            pass
        except OSError:
            time.sleep(_ALIVE)  # out of descriptors: what is open goes on
        else:
            sock.settimeout(None)
            hub.accept(sock)
            continue
        if alive.look() and (words.mode == "wrap" or os.path.exists(words.adapter)):
            continue  # an adapter that was killed under a program that goes on gets a successor, and we do
        if ended < 0:
            ended = time.monotonic()
        # Sessions with children may outlive the program; what else is open then are farewells.
        if not hub.sessions and (
            not (hub.clients or os.path.exists(words.adapter)) or time.monotonic() > ended + _LAST_WORDS
        ):
            return


def _adapter_port(path: str, alive: "_Alive") -> "int | None":
    """As soon as the file tells it; None when the program ended before."""
    pause = _LOOK_FIRST
    while True:
        over = not alive.look()
        try:
            with open(path, "rb") as file:
                port = json.loads(file.read().decode("utf-8"))["client"]["port"]
            if isinstance(port, int):
                return port
        except (OSError, ValueError, KeyError, TypeError):
            pass
        if over:
            return None
        time.sleep(pause)
        pause = min(_LOOK_MOST, pause * 1.5)


class _Alive:
    """Whether the program lives. The kernel gives numbers of ended processes to new ones: the start time tells."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.started = time.time()
        self._begin = self._began()
        if self._begin is not None:
            try:
                with open("/proc/uptime", "rb") as file:
                    up = float(file.read().split()[0])
                self.started = time.time() - up + int(self._begin) / os.sysconf("SC_CLK_TCK")
            except (OSError, ValueError, IndexError):
                pass

    def look(self) -> bool:
        return self._begin is not None and self._began() == self._begin

    def _began(self) -> "bytes | None":
        try:
            with open("/proc/%d/stat" % self._pid, "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            return None
        return None if fields[0] == b"Z" else fields[19]
