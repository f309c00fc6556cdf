"""Runs a program under a profiler that lives in its interpreter, and afterwards reads what that has written.

    record.py memory TOOLS FOLDER SECONDS -m MODULE|SCRIPT ARGS...
    record.py gpu - FOLDER SECONDS -m MODULE|SCRIPT ARGS...
    record.py trace TOOLS FOLDER SECONDS -m MODULE|SCRIPT ARGS...
    record.py read memory|gpu|trace TOOLS FOLDER

The program sees what it would see without us: its argv, its folder first on sys.path, itself as `__main__`. `read`
prints, for the host, one line of JSON (frames, stacks by index, weights) and then the trace, compressed; it removes the
folder.
"""

import contextlib
import functools
import glob
import gzip
import importlib.util
import json
import os
import re
import shutil
import signal
import sys
import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterator

    Stacks = dict[tuple[Any, ...], list[float]]

_CANNOT = 78  # devenv's exit code for it
_MOST = 200000  # stacks told to the host
_ENTRIES = "1000000"  # calls that a trace holds: the newest ones


def main(argv: "list[str]") -> None:
    if argv[0] == "read":
        read(argv[1], argv[2], argv[3])
        return
    what, tools, folder, seconds, rest = argv[0], argv[1], argv[2], float(argv[3]), argv[4:]
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
        if what != "trace":
            stop = start_memory(tools, folder) if what == "memory" else start_gpu(folder)
    except Exception as error:  # whatever a tool stumbles over, the program was not started
        sys.stderr.write("devenv: nothing can be recorded here: %s: %s\n" % (type(error).__name__, error))
        sys.exit(_CANNOT)
    if what == "trace":
        trace_program(tools, folder, seconds, rest)
        return
    if seconds > 0:
        signal.signal(signal.SIGALRM, lambda number, frame: stop())
        signal.setitimer(signal.ITIMER_REAL, seconds)
    # A termination that the program does not handle itself shall not cost what was recorded.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    hook = sys.excepthook
    sys.excepthook = lambda kind, error, trace: hook(kind, error.with_traceback(theirs(trace)), theirs(trace))
    try:
        run(rest)
    finally:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        stop()


def theirs(trace: "Any") -> "Any":
    """A traceback without our own frames at its top."""
    while trace is not None and trace.tb_next is not None:
        name = trace.tb_frame.f_code.co_filename
        if name != __file__ and "runpy" not in name:
            break
        trace = trace.tb_next
    return trace


def run(rest: "list[str]") -> None:
    if rest[0] == "-m":
        import runpy

        sys.argv[:] = rest[1:]
        sys.path[0] = os.getcwd()
        runpy.run_module(rest[1], run_name="__main__", alter_sys=True)
        return
    path = os.path.abspath(rest[0])
    sys.argv[:] = rest
    if os.path.isdir(path):
        sys.path[0] = path
        path = os.path.join(path, "__main__.py")
    else:
        sys.path[0] = os.path.dirname(os.path.realpath(path))
    module = types.ModuleType("__main__")
    module.__dict__.update(__file__=path, __builtins__=__builtins__, __cached__=None)
    sys.modules["__main__"] = module
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec")
    exec(code, module.__dict__)


@contextlib.contextmanager
def memray_of(tools: str) -> "Iterator[Any]":
    """memray, importable while the block lasts. Parts of it import what only its own reports use, which run nowhere
    here: stand-ins do for those where the program has none."""
    lacking = {name for name in ("rich", "typing_extensions", "jinja2") if importlib.util.find_spec(name) is None}
    made = []
    for name in ("rich", "rich.progress", "rich.console", "rich.text", "typing_extensions", "jinja2"):
        if name.partition(".")[0] not in lacking:
            continue
        module = types.ModuleType(name)
        known = {"__path__": [], "print": print, "Protocol": object, "TypedDict": dict}
        known["__getattr__"] = lambda attribute: type(attribute, (), {})
        module.__dict__.update(known)
        made.append(name)
        sys.modules[name] = module
    sys.path.insert(0, tools)
    try:
        import memray  # type: ignore[import-not-found]

        memray.set_log_level(40)  # its remarks on symbols are none of the program's
        yield memray
    finally:
        sys.path.remove(tools)
        for name in made:
            sys.modules.pop(name, None)


def start_memory(tools: str, folder: str) -> "Callable[[], None]":
    with memray_of(tools) as memray:
        destination = memray.FileDestination(os.path.join(folder, "memory.bin"), overwrite=True)
        tracker = memray.Tracker(destination=destination, follow_fork=True)
        tracker.__enter__()
    left = [tracker]

    def stop() -> None:
        if left:
            left.pop().__exit__(None, None, None)

    return stop


def start_gpu(folder: str) -> "Callable[[], None]":
    import torch.profiler  # type: ignore[import-not-found]

    kinds = [torch.profiler.ProfilerActivity.CPU]
    if torch.cuda.is_available():
        kinds.append(torch.profiler.ProfilerActivity.CUDA)
    profiler = torch.profiler.profile(activities=kinds, with_stack=True)
    profiler.start()
    left = [profiler]

    def stop() -> None:
        if left:
            found = left.pop()
            found.stop()
            part = os.path.join(folder, "part.json")
            found.export_chrome_trace(part)
            os.rename(part, os.path.join(folder, "trace.json"))

    return stop


def trace_program(tools: str, folder: str, seconds: float, rest: "list[str]") -> None:
    """viztracer's own command does it all, child processes included: those find it by PYTHONPATH."""
    sys.path.append(tools)
    os.environ["PYTHONPATH"] = ":".join(part for part in (os.environ.get("PYTHONPATH"), tools) if part)
    from viztracer import get_tracer, main  # type: ignore[import-not-found]

    def stop(number: int, frame: "Any") -> None:
        tracer = get_tracer()
        if tracer is not None:
            tracer.stop()

    if seconds > 0:
        signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, seconds)
    output = ["--output_file", os.path.join(folder, "trace.json"), "--quiet", "--tracer_entries", _ENTRIES]
    sys.argv[:] = ["viztracer"] + output + (rest[:2] + ["--"] + rest[2:] if rest[0] == "-m" else ["--"] + rest)
    sys.exit(main.main())


# reading


def read(what: str, tools: str, folder: str) -> None:
    stacks: "Stacks" = {}
    trace = b""
    processes = 1
    if what == "memory":
        files = sorted(glob.glob(os.path.join(glob.escape(folder), "memory.bin*")))
        if not files:
            raise SystemExit("nothing was recorded")
        with memray_of(tools) as memray:
            for name in files:
                pid = name.rpartition(".bin")[2].lstrip(".")
                root = (("process %s" % pid if pid else "main process", "", 0),) if len(files) > 1 else ()
                read_memory(memray, name, root, stacks)
        processes = len(files)
    else:
        name = os.path.join(folder, "trace.json")
        if not os.path.exists(name):
            raise SystemExit("nothing was recorded")
        with open(name, "rb") as file:
            data = file.read()
        processes = read_trace(json.loads(data.decode("utf-8", "replace")), stacks)
        trace = gzip.compress(data, 6)
    frames: "dict[Any, int]" = {}
    told = []
    for stack, (weight, _) in sorted(stacks.items(), key=lambda item: -item[1][0])[:_MOST]:
        told.append([[frames.setdefault(frame, len(frames)) for frame in stack], weight])
    answer = {
        "unit": "bytes" if what == "memory" else "seconds",
        "count": int(sum(entry[1] for entry in stacks.values())),
        "processes": processes,
        "frames": [list(frame) for frame in frames],
        "stacks": told,
    }
    out = sys.stdout.buffer
    out.write(json.dumps(answer).encode("ascii") + b"\n" + trace)
    out.flush()
    shutil.rmtree(folder, ignore_errors=True)


def add(stacks: "Stacks", stack: "tuple[Any, ...]", weight: float, count: int) -> None:
    entry = stacks.setdefault(stack, [0.0, 0])
    entry[0] += weight
    entry[1] += count


def read_memory(memray: "Any", name: str, root: "tuple[Any, ...]", stacks: "Stacks") -> None:
    """What was allocated when the program had the most."""
    reader = memray.FileReader(name)
    for record in reader.get_high_watermark_allocation_records(merge_threads=True):
        frames = tuple((str(n), str(f), int(line)) for n, f, line in reversed(record.stack_trace()))
        frames = tuple(frame for frame in frames if frame[1] != __file__ and "runpy" not in frame[1])
        add(stacks, root + (frames or (("without a Python frame", "<native>", 0),)), record.size, record.n_allocations)


_VIZTRACER = re.compile(r"^(.*) \((.+):(\d+)\)$")
_TORCH = re.compile(r"^(.+)\((\d+)\): (.+)$")
_KINDS = ("cpu_op", "user_annotation", "python_function", "kernel", "gpu_memcpy", "gpu_memset", "cuda_runtime", "fee")


_ADDRESS = re.compile(r" object at 0x[0-9a-f]+| at 0x[0-9a-f]+")


@functools.lru_cache(maxsize=None)
def whole_path(name: str) -> str:
    """torch names files below the folder that they were imported from."""
    if not name.startswith(("/", "<")):
        for folder in sys.path[1:]:
            if os.path.exists(os.path.join(folder, name)):
                return os.path.join(folder, name)
    return name


def frame_of(event: "dict[str, Any]") -> "tuple[str, str, int]":
    name, kind = _ADDRESS.sub("", str(event.get("name"))), str(event.get("cat", ""))
    match = _VIZTRACER.match(name)
    if match:
        return match.group(1), match.group(2), int(match.group(3))
    match = _TORCH.match(name) if kind == "python_function" else None
    if match:
        return match.group(3), whole_path(match.group(1)), int(match.group(2))
    return name, "<%s>" % (kind if kind and kind.lower() != "fee" else "builtin"), 0


def read_trace(trace: "Any", stacks: "Stacks") -> int:
    """Chrome's trace events as stacks: an event lies in the one that is open when it begins. The number of processes.

    Kernels run on the processor of graphics, beside what started them, so they have a root of their own.
    """
    rows: "dict[Any, list[dict[str, Any]]]" = {}
    pids = set()
    for event in trace["traceEvents"] if isinstance(trace, dict) else trace:
        if event.get("ph") == "X" and str(event.get("cat", "fee")).lower() in _KINDS and "dur" in event:
            rows.setdefault((event.get("pid"), event.get("tid")), []).append(event)
    for (pid, _), events in rows.items():
        on_gpu = str(events[0].get("cat", "")) in ("kernel", "gpu_memcpy", "gpu_memset")
        root = (("GPU %s" % pid, "", 0),) if on_gpu else ()
        if not on_gpu:
            pids.add(pid)
        fold_row(events, root, stacks)
    return max(1, len(pids))


def fold_row(events: "list[dict[str, Any]]", root: "tuple[Any, ...]", stacks: "Stacks") -> None:
    events.sort(key=lambda event: (float(event["ts"]), -float(event["dur"])))
    open_ones: "list[list[Any]]" = []  # [end, stack, what is left of its own time]

    def close(until: float) -> None:
        while open_ones and open_ones[-1][0] <= until:
            _, stack, own = open_ones.pop()
            add(stacks, stack, max(0.0, own) / 1e6, 1)

    for event in events:
        start, length = float(event["ts"]), float(event["dur"])
        close(start)
        frame = frame_of(event)
        if frame[1] == __file__ or "runpy" in frame[1]:
            continue
        if open_ones:
            open_ones[-1][2] -= length
        open_ones.append([start + length, (open_ones[-1][1] if open_ones else root) + (frame,), length])
    close(float("inf"))


if __name__ == "__main__":
    main(sys.argv[1:])
