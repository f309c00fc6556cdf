"""The two ways of ptrace by which Python code gets into a process, each at a place where no lock can be held.

`pending`: the interpreter is told to call a function at the next bytecode of its main thread (Py_AddPendingCall, made
for signal handlers). Nothing happens while the main thread stands in C.

`thread`: a thread that waits in the kernel makes a new one, which waits for the interpreter's lock like any other. For
programs that hang in C; not for one that never waits.

The code itself must only start a Python thread: on the main thread it runs between any two bytecodes of the program.
"""

import errno
import os
import struct
import time

from . import elf, tracing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

PYTHON = ("Py_AddPendingCall", "PyRun_SimpleString", "PyGILState_Ensure", "PyGILState_Release")
THREADS = ("pthread_create", "pthread_detach")
_PAGE = 1 << 16  # also a multiple of the largest page of AArch64
_READ, _WRITE, _EXECUTE = 1, 2, 4
_SEARCHED = 1 << 21  # bytes of code that are looked through for one instruction


class NoWay(Exception):
    """It is not a Python that can be entered. The message says why."""


class ListFull(tracing.TraceError):
    """Calls were handed to the main thread before, and it has not run them."""


class Entry:
    """What is needed of a process: addresses of functions, and of one instruction for system calls."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.symbols = elf.Symbols(pid)
        self.python = {}  # type: dict[str, int]
        self.module = ""
        for path in self.symbols.modules(("python", "libpython")):
            found = self.symbols.find(PYTHON, path)
            if len(found) == len(PYTHON):
                self.python, self.module = found, path
                break
        if not self.python:
            raise NoWay("no file in it exports Python's C functions: it is no Python, or one that was stripped of them")
        self.threads = {}  # type: dict[str, int]
        for path in self.symbols.modules(("libpthread", "libc.so", "libc-2", "libc.musl", "ld-musl")):
            found = self.symbols.find(THREADS, path)
            if len(found) == len(THREADS):
                self.threads = found
                break
        for address in list(self.python.values()) + list(self.threads.values()):
            if not self.symbols.executable(address):
                raise NoWay("the symbols of %s do not fit what is mapped" % self.module)

    def instruction(self, thread: "tracing.Thread") -> int:
        """An instruction for a system call, found in code that is mapped."""
        trap, step = thread.cpu.trap, thread.cpu.step
        for mapping in sorted(self.symbols.maps, key=lambda item: (item.path != "[vdso]", "libc" not in item.path)):
            if "x" not in mapping.flags or mapping.path == "[vsyscall]":
                continue
            data = thread.read(mapping.start, min(mapping.end - mapping.start, _SEARCHED))
            at = data.find(trap)
            while at >= 0:
                if at % step == 0:
                    return mapping.start + at
                at = data.find(trap, at + 1)
        raise NoWay("no instruction for a system call was found in it")


def _map(thread: "tracing.Thread", size: int) -> int:
    address = thread.system_call(thread.cpu.mmap, 0, size, _READ | _WRITE, 0x22, -1, 0)
    if -4096 < address < 0:
        raise tracing.TraceError("it gets no memory: %s" % os.strerror(-address))
    return address


def pending(entry: Entry, code: bytes) -> None:
    """The code runs at the next bytecode of the main thread."""
    with tracing.Thread(entry.pid, entry.pid) as thread:
        thread.use_return(entry.instruction(thread))
        size = -(-(len(code) + 1) // _PAGE) * _PAGE
        page = _map(thread, size)
        thread.write(page, code + b"\0")
        if thread.call(entry.python["Py_AddPendingCall"], entry.python["PyRun_SimpleString"], page) & 0xFFFFFFFF:
            thread.system_call(thread.cpu.munmap, page, size)
            raise ListFull("the interpreter's list of pending calls is full")


def waiting_threads(pid: int) -> "list[int]":
    """Threads that wait in the kernel by their own account, the main one first."""
    found = []
    for name in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/stat" % (pid, name)) as file:
                state = file.read().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state == "S":
            found.append(int(name))
    return sorted(found, key=lambda tid: (tid != pid, tid))


def new_thread(entry: Entry, code: bytes, tries: int = 8) -> bool:
    """The code runs in a new native thread as soon as that gets the interpreter's lock. False: no thread of the process
    waits in a system call just now."""
    if not entry.threads:
        raise NoWay("its C library does not export pthread_create")
    for tid in waiting_threads(entry.pid)[:tries]:
        try:
            with tracing.Thread(entry.pid, tid) as thread:
                if thread.waits_in not in thread.cpu.blocking:
                    continue
                thread.use_return(entry.instruction(thread))
                _begin(entry, thread, code)
                return True
        except tracing.TraceError as error:
            if error.number != errno.ESRCH:
                raise  # ESRCH: this thread has ended since it was seen
    return False


def _begin(entry: Entry, thread: "tracing.Thread", code: bytes) -> None:
    """Two parts of memory that stay: the instructions, then the box with addresses and text."""
    text = -(-(len(code) + 65) // _PAGE) * _PAGE
    page = _map(thread, _PAGE + text)
    box = page + _PAGE
    python = entry.python
    words = (python["PyGILState_Ensure"], python["PyRun_SimpleString"], python["PyGILState_Release"], box + 64, 0)
    thread.write(page, thread.cpu.thread)
    thread.write(box, struct.pack("<5Q", *words))
    thread.write(box + 64, code + b"\0")
    if thread.system_call(thread.cpu.mprotect, page, _PAGE, _READ | _EXECUTE):
        thread.system_call(thread.cpu.munmap, page, _PAGE + text)
        raise tracing.TraceError("the system does not let it have new code (SELinux?)")
    handle = box + 32
    if thread.call(entry.threads["pthread_create"], handle, 0, page, box) & 0xFFFFFFFF:
        raise tracing.TraceError("it cannot begin another thread (a limit on processes?)")
    (begun,) = struct.unpack("<Q", thread.read(handle, 8))
    thread.call(entry.threads["pthread_detach"], begun)


def enter(
    entry: Entry, code: bytes, arrived: "Callable[[float], bool]", pending_first: bool = True
) -> "tuple[str, bool]":
    """(the way that was taken, whether the code has begun). `arrived(seconds)` waits that long for its sign of life.

    The code may be begun twice, and must make the second time harmless.
    """
    waits = entry.pid in waiting_threads(entry.pid)
    queued, problem = not pending_first, None
    if pending_first:
        try:
            pending(entry, code)
            queued = True
        except ListFull:
            waits = True  # nobody takes from it: the main thread does not come back to Python
        except tracing.TraceError as error:
            problem = _bearable(error)
        if queued and arrived(0.1 if waits else 0.6):
            return "pending", True
    until = time.monotonic() + 3.0
    while time.monotonic() < until:
        try:
            if new_thread(entry, code):
                return "thread", arrived(max(1.0, until - time.monotonic()))
        except (tracing.TraceError, NoWay) as error:
            problem = _bearable(error)
            if not queued:
                break
        if arrived(0.05):
            return "pending", True
    if problem is not None and not queued:
        raise problem
    return "pending", False


def _bearable(error: Exception) -> Exception:
    """Another way may do where one thread did not let itself be held; none where the right is missing."""
    if getattr(error, "number", 0) in (errno.EPERM, errno.EACCES):
        raise error
    return error
