# mypy: ignore-errors
"""RUNS IN THE PROGRAM that is attached to, as text: brings debugpy in, on a Python thread of its own.

It prints nothing, sets no variable of the process's environment (setenv is not safe beside other threads) and makes no
process: the adapter is started by us, and the program only connects to it. How it went is told over a connection.
"""

JOB = {}  # replaced by `text`


def begin(job):
    """On the main thread between two bytecodes, or on a new native thread: so only this, which waits for nothing."""
    import sys

    begun = sys.__dict__.setdefault("_devenv_attach", [])
    if job["token"] in begun:
        return  # the other way was quicker
    begun.append(job["token"])
    import _thread
    import posix

    try:
        pid, _, tid = posix.readlink("/proc/thread-self").split("/")
    except OSError:
        pid, tid = "", "?"
    if pid == tid and "threading" not in sys.modules:
        pass  # here it takes this thread for the main one, which it is
    job["native"] = 0 if pid == tid else _thread.get_ident()
    _thread.start_new_thread(work, (job,))


def work(job):
    said = {}
    try:
        import_threading(job)  # before anything that imports it
        line = call_back(job)
        import threading

        thread = threading.Thread(target=attach, args=(job, said), name="devenv attach")
        thread.daemon = True
        thread.pydev_do_not_trace = thread.is_pydev_daemon_thread = True
        thread.start()
        thread.join()
    except BaseException as error:
        said["error"] = "%s: %s" % (type(error).__name__, error)
        line = call_back(job)
    if line is None:
        return  # whoever asked does not wait any more; the debugger is there all the same
    try:
        import json

        line.sendall((json.dumps(said) + "\n").encode("ascii"))
    except BaseException:
        pass
    finally:
        line.close()


def call_back(job):
    """The connection on which is told how it went, None when nobody listens."""
    try:
        import socket

        line = socket.create_connection(("127.0.0.1", job["report"]), 5)
        line.sendall((job["token"] + "\n").encode("ascii"))
        return line
    except BaseException:
        return None


def import_threading(job):
    """Imported for the first time on another thread, it takes that one for the main one (bpo-37416)."""
    import sys

    known = "threading" in sys.modules
    import threading

    if known or sys.version_info >= (3, 13):
        return
    import _thread

    # The main thread: the one that we have not begun; where there are more, the one that runs __main__.
    strangers = {}
    for ident, frame in sys._current_frames().items():
        if ident not in (job["native"], _thread.get_ident()):
            while frame.f_back is not None:
                frame = frame.f_back
            strangers[ident] = frame.f_code.co_name == "<module>" or frame.f_code.co_name == "_run_module_as_main"
    named = [ident for ident, runs_main in strangers.items() if runs_main] or list(strangers)
    main = threading.main_thread()
    if not named or main.ident == named[0]:
        return
    with threading._active_limbo_lock:
        # Its own lock is let go when the thread that made it ends; the interpreter's end wants it held.
        main._tstate_lock = _thread.allocate_lock()
        main._tstate_lock.acquire()
        threading._active.pop(main.ident, None)
        main._ident = named[0]
        threading._active[main._ident] = main


def attach(job, said):
    import sys

    # An import gives the interpreter's lock away at every file; beside a program that computes, each time costs an
    # interval (5 ms) until it is had again: seconds in all.
    interval, ours = sys.getswitchinterval(), 0.00002
    sys.setswitchinterval(ours)
    try:
        said.update(bring_in(job))
    except BaseException as error:
        text = str(error).strip().split("\n")[-1]
        said["error"] = "%s: %s" % (type(error).__name__, text) if text else type(error).__name__
    finally:
        if abs(sys.getswitchinterval() - ours) < ours:  # else the program has set another one meanwhile
            sys.setswitchinterval(interval)


def running():
    """(the debugger that is in the program, who has put it there as we note it)."""
    import sys

    constants = sys.modules.get("_pydevd_bundle.pydevd_constants")
    debugger = constants.get_global_debugger() if hasattr(constants, "get_global_debugger") else None
    if debugger is None or getattr(debugger, "pydb_disposed", False):
        return None, None
    return debugger, getattr(sys.modules.get("debugpy"), "_devenv", None)


def bring_in(job):
    import os
    import sys

    debugger, ours = running()
    if debugger is not None:
        if ours is None:
            return {"foreign": True}
        if ours["adapter"] != job["gone"]:
            return {"already": ours}
        debugger.dispose_and_kill_all_pydevd_threads(wait=False)
    elif "pydevd" in sys.modules and "debugpy" not in sys.modules:
        return {"foreign": True}
    if "pydevd" in sys.modules:
        leave_behind(sys.modules["pydevd"])
    if "debugpy" not in sys.modules:
        # Read by debugpy at import; seen by Python only.
        for name, value in job["env"].items():
            os.environ._data.setdefault(os.environ.encodekey(name), os.environ.encodevalue(value))
        sys.path.insert(0, job["debugpy"])
        try:
            import debugpy.server.api
        finally:
            sys.path.remove(job["debugpy"])
            for name in job["env"]:
                os.environ._data.pop(os.environ.encodekey(name), None)
        sys.path.append(job["debugpy"])
    import debugpy
    from debugpy.server import api

    api.ensure_logging()
    api._config["subProcess"] = job["subprocess"]
    api._settrace(
        host="127.0.0.1",
        port=job["server"],
        suspend=False,
        patch_multiprocessing=job["subprocess"],
        wait_for_ready_to_run=False,
        block_until_connected=True,
        access_token=job["secret"],
        dont_trace_start_patterns=(os.path.dirname(os.path.abspath(debugpy.__file__)),),
        dont_trace_end_patterns=("debugpy_launcher.py",),
    )
    if hasattr(api.listen, "called"):
        api.listen.called = True  # a second debugger in one program hangs it
    debugpy._devenv = {"adapter": job["token"], "endpoints": job["endpoints"]}
    return {"version": debugpy.__version__, "reach": step_back(running()[0])}


def leave_behind(pydevd):
    """A debugger whose adapter is gone ends by itself, but takes a moment; meanwhile nothing new can begin."""
    import time

    until = time.time() + 5
    while pydevd.get_global_debugger() is not None and time.time() < until:
        time.sleep(0.01)
    pydevd.SetupHolder.setup = None  # where the old one was connected to


def step_back(debugger):
    """The program is as it was before while no debugger is there; debugpy itself traces every thread of Python up to
    3.11 from its first moment on, brings itself into every child process, and goes on with both for ever.

    What tracing reaches: "monitoring" (from 3.12 on: everything, at no cost), "threads", or "main" where debugpy's
    library for other threads does not load: the main thread, and threads that begin while a debugger is there.
    """
    import sys

    from _pydev_bundle import pydev_monkey

    here = []  # not empty while a debugger is there
    patched, patching = pydev_monkey.patch_args, pydev_monkey._get_apply_arg_patching
    pydev_monkey._get_apply_arg_patching = lambda: bool(here) and patching()

    def patch_args(args, *more, **named):
        found = patched(args, *more, **named)
        if found != args and sys.version_info >= (3, 11) and not any("frozen_modules" in str(word) for word in found):
            found = [found[0], "-Xfrozen_modules=off", *found[1:]]  # else debugpy complains on the child's stderr
        return found

    pydev_monkey.patch_args = patch_args

    if getattr(sys.modules["_pydevd_bundle.pydevd_constants"], "PYDEVD_USE_SYS_MONITORING", False):
        reach, on, off = "monitoring", (lambda: None), (lambda: None)
    else:
        reach, on, off = tracing(debugger, here)
    came, went = debugger.on_configuration_done, debugger.on_disconnect
    dispose = debugger.dispose_and_kill_all_pydevd_threads

    def on_configuration_done():
        here[:] = [True]
        on()
        came()

    def on_disconnect():
        went()
        del here[:]
        off()

    def dispose_and_kill_all_pydevd_threads(*args, **named):
        try:
            dispose(*args, **named)
        finally:
            del here[:]
            off()

    debugger.on_configuration_done, debugger.on_disconnect = on_configuration_done, on_disconnect
    debugger.dispose_and_kill_all_pydevd_threads = dispose_and_kill_all_pydevd_threads
    return reach


def tracing(debugger, here):
    """(what it reaches, how it is begun, how it is ended); it is ended now."""
    import sys
    import threading

    import pydevd_tracing

    evaluation = sys.modules.get("_pydevd_frame_eval.pydevd_frame_eval_main")
    enable = debugger.enable_tracing

    def enable_tracing(*args, **named):
        if here:  # else a new thread would begin with it
            enable(*args, **named)

    def leave(frame, event, arg):
        pydevd_tracing.SetTrace(None)
        while frame is not None:
            if frame.f_trace is leave:
                frame.f_trace = None
            frame = frame.f_back

    def off():
        threading.settrace(None)
        if debugger.frame_eval_func is not None:
            evaluation.stop_frame_eval()
        done = pydevd_tracing.set_trace_to_threads(leave) == 0
        if not done:
            in_main_thread(lambda: pydevd_tracing.SetTrace(None))
        for frame in sys._current_frames().values():
            while frame is not None:
                if frame.f_trace is not None:
                    frame.f_trace = leave
                frame = frame.f_back
        return done

    def on():
        threading.settrace(debugger.trace_dispatch)
        enable(debugger.trace_dispatch, apply_to_all_threads=True)
        debugger.set_tracing_for_untraced_contexts()
        if not reached:
            in_main_thread(enable)
        pydevd_tracing.SetTrace(None)  # this thread is the debugger's own

    debugger.enable_tracing = enable_tracing
    reached = off()
    return ("threads" if reached else "main"), on, off


CALLS = []  # kept: the interpreter has only their addresses


def in_main_thread(function):
    """At its next bytecode; False where that cannot be asked for."""
    try:
        import ctypes
    except ImportError:
        return False

    def call(_):
        try:
            function()
        except BaseException:
            pass
        return 0

    CALLS.append(ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(call))
    del CALLS[:-64]
    return ctypes.pythonapi.Py_AddPendingCall(CALLS[-1], None) == 0


try:
    begin(JOB)
except BaseException:
    pass
