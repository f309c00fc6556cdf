"""An exception that nobody catches waits for a debugger, with its frames alive and all that they hold.

Until then the program runs without one, at its full speed. debugpy is imported at the exception.
"""

import functools
import os
import subprocess
import sys
import threading
import types

from . import command, endpoints, tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_state = {}  # type: dict[str, Any]
_busy = threading.local()
_one = threading.Lock()  # a second thread's exception waits for its turn


def prepare(plan: "dict[str, Any]", place: "tuple[int, int] | None") -> None:
    _state.update(plan=plan, rank=None if place is None else place[0], theirs=None)
    sys.excepthook = _hook
    _keep_hook()
    if hasattr(threading, "excepthook"):
        _state["thread"] = threading.excepthook
        threading.excepthook = _thread_hook
    words = command()
    if any(os.path.basename(word) in ("pytest", "py.test") for word in words[1:3]):
        # The plugin takes it out again, so that no other pytest looks for it.
        os.environ["PYTEST_ADDOPTS"] = (os.environ.get("PYTEST_ADDOPTS", "") + " -p devenv_entry.pytest_stop").strip()


class _Sys(types.ModuleType):
    """Libraries put hooks of their own (loggers, consoles): they are called after the stop, and do not displace it."""

    def __setattr__(self, name: str, value: "Any") -> None:
        if name == "excepthook" and value is not _hook:
            _state["theirs"] = value
            return
        types.ModuleType.__setattr__(self, name, value)


def _keep_hook() -> None:
    try:
        sys.__class__ = _Sys
    except TypeError:
        pass  # then a library's hook displaces it


def _hook(kind: "Any", value: "Any", trace: "Any") -> None:
    theirs = _state["theirs"]
    if getattr(_busy, "now", False):  # called by a library's hook as the one before it
        sys.__excepthook__(kind, value, trace)
        return
    _busy.now = True
    try:
        if _counts(kind):
            sys.__excepthook__(kind, value, trace)
            stop(kind, value, trace, "an exception that nobody caught")
            if theirs is not None:
                theirs(kind, value, trace)
        else:
            (theirs or sys.__excepthook__)(kind, value, trace)
    finally:
        _busy.now = False


def _thread_hook(said: "Any") -> None:
    _state["thread"](said)
    if _counts(said.exc_type) and said.exc_value is not None:
        stop(said.exc_type, said.exc_value, said.exc_traceback, "an exception that nobody caught")


def _counts(kind: "Any") -> bool:
    if kind is None or not issubclass(kind, Exception):
        return False
    # A launcher fails because its ranks did: what is worth a look is in them.
    return not (kind.__name__ == "ChildFailedError" and kind.__module__.startswith("torch."))


def stop(kind: "Any", value: "Any", trace: "Any", what: str) -> None:
    """Returns when a debugger has come and let the program go on. Never raises but for KeyboardInterrupt."""
    with _one:
        try:
            debugpy = _listen()
            there = debugpy.is_client_connected()
            where = "stops in the debugger" if there else "waits for a debugger at %s" % _state["plan"]["door"]
            _say("%s (%s) %s" % (what, kind.__name__, where))
            debugpy.wait_for_client()
            _stand((kind, value, trace))
        except Exception as error:
            _say("no debugger for it: %s: %s" % (type(error).__name__, error))


def _say(text: str) -> None:
    rank = _state["rank"]
    who = "" if rank is None else "rank %d: " % rank
    sys.stderr.write("devenv: %s%s\n" % (who, text))
    sys.stderr.flush()


def _listen() -> "Any":
    plan = _state["plan"]
    if list(sys.version_info[:2]) != plan["python"]:
        raise RuntimeError("this is Python %d.%d, the debugger's is %d.%d" % (*sys.version_info[:2], *plan["python"]))
    if "debugpy" in _state:
        return _state["debugpy"]
    where = endpoints(plan, _state["rank"])
    front = [word.replace("{endpoints}", where).replace("{pid}", str(os.getpid())) for word in plan["serve"]]
    os.environ.update(plan["env"])
    os.environ["DEBUGPY_ADAPTER_ENDPOINTS"] = front[front.index("--adapter") + 1]
    sys.path.append(plan["debugpy"])
    import debugpy  # type: ignore[import-not-found, unused-ignore]

    debugpy.configure(subProcess=False)
    debugpy.listen(("127.0.0.1", 0))
    subprocess.check_call([sys.executable, *front])
    tell(plan, {"rank": _state["rank"], "count": 0, "debugged": True, "why": ""})
    _state["debugpy"] = debugpy
    return debugpy


def _stand(info: "Any") -> None:
    """Stops the thread at the exception, whatever the client's filters for exceptions say: it came for this one."""
    import pydevd  # type: ignore[import-not-found, unused-ignore]

    database = pydevd.get_global_debugger()
    thread = threading.current_thread()
    additional = database.set_additional_thread_info(thread)
    frames, chosen = {}, None
    trace = info[2]
    while trace is not None:
        frame = trace.tb_frame
        frames[id(frame)] = frame
        if chosen is None or not database.apply_files_filter(frame, frame.f_code.co_filename, True):
            chosen = frame  # the innermost one of the user's own
        trace = trace.tb_next
    if chosen is None:
        return
    resume = _untraced()
    additional.is_tracing += 1
    try:
        additional.pydev_message = "%s.%s" % (info[0].__module__, info[0].__name__)
        database.do_stop_on_unhandled_exception(thread, chosen, frames, info)
    finally:
        additional.is_tracing -= 1
        resume()


def _untraced() -> "Any":
    """From Python 3.12 on, a thread that is told to stop does so at the next line, one of debugpy's. What
    undoes it is returned."""
    try:
        from _pydevd_bundle.pydevd_constants import (  # type: ignore[import-not-found, unused-ignore]
            PYDEVD_USE_SYS_MONITORING,
        )

        if not PYDEVD_USE_SYS_MONITORING:
            return _nothing
        from _pydevd_sys_monitoring import pydevd_sys_monitoring as monitoring  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return _nothing  # of an older debugpy
    if hasattr(monitoring, "suspend_current_thread_tracing"):
        return monitoring.resume_current_thread_tracing if monitoring.suspend_current_thread_tracing() else _nothing
    monitoring.stop_monitoring(all_threads=False)
    return functools.partial(monitoring.start_monitoring, all_threads=False)


def _nothing() -> None:
    pass
