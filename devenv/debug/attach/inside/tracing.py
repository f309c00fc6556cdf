"""One thread of a process, held for a few milliseconds by ptrace: its registers kept, functions called in it, and let
go exactly as it was.

No signal is used: the thread is asked to stop by PTRACE_INTERRUPT, and a called function comes back to a system call
instruction, where tracing of system calls stops it. So neither handlers nor masks of the process matter. Whoever uses
this must not be killed meanwhile (see `main`).
"""

import ctypes
import os
import signal
import struct
import time

from . import machine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CONT, _DETACH, _SYSCALL = 7, 17, 24
_GETREGSET, _SETREGSET, _SEIZE, _INTERRUPT = 0x4204, 0x4205, 0x4206, 0x4207
_TRACESYSGOOD = 1
_RESTORE = 600.0  # seconds for a thread to be put back: longer than any stall, because nothing else is left to do
_WALL = 0x40000000
_EVENT_STOP = 128
_NT_ARM_SYSTEM_CALL = 0x404
_SYSCALL_STOP = signal.SIGTRAP | 0x80
_FAULTS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP)


class TraceError(Exception):
    """The thread could not be held, or something in it did not go as it must. `harmless`: it is as it was before."""

    def __init__(self, message: str, number: int = 0, harmless: bool = True) -> None:
        Exception.__init__(self, message)
        self.number = number
        self.harmless = harmless


class _Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


_ptrace = None  # type: Any


def _call(request: int, tid: int, address: int = 0, data: "Any" = None) -> None:
    global _ptrace
    if _ptrace is None:
        _ptrace = ctypes.CDLL(None, use_errno=True).ptrace
        _ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        _ptrace.restype = ctypes.c_long
    ctypes.set_errno(0)
    if _ptrace(request, tid, address, data) == -1:
        number = ctypes.get_errno()
        raise TraceError("ptrace request %#x: %s" % (request, os.strerror(number)), number)


class Thread:
    """Use with `with`: stopped inside, as it was outside."""

    def __init__(self, pid: int, tid: int, patience: float = 3.0) -> None:
        cpu = machine.here()
        if cpu is None:
            raise TraceError("nothing is known about this machine's processor")
        self.cpu = cpu
        self.pid = pid
        self.tid = tid
        self.gone = False
        self._patience = patience
        self._held = False
        self._stopped = False
        self._entered = False  # stopped at the entry of a system call
        self._touched = False
        self._regs = b""
        self._vector = (0, b"")
        self._memory = -1
        self._back = 0

    # holding and letting go

    def __enter__(self) -> "Thread":
        try:
            _call(_SEIZE, self.tid, 0, _TRACESYSGOOD)
            self._held = True
            self._interrupt(1.0)
            self._memory = os.open("/proc/%d/mem" % self.pid, os.O_RDWR)
            self._regs = self._get(machine.NT_PRSTATUS, self.cpu.size)
            self._vector = self._vectors()
            # What cannot be written back unchanged is not touched: this is where debuggers have killed programs.
            self._set(machine.NT_PRSTATUS, self._regs)
            self._set(*self._vector)
        except OSError as error:
            self._leave()
            number = error.errno or 0
            raise TraceError("its memory cannot be opened: %s" % os.strerror(number), number) from error
        except TraceError:
            self._leave()
            raise
        return self

    def __exit__(self, *_: "Any") -> None:
        try:
            if self._touched and not self.gone:
                self._restore()
        finally:
            self._leave()

    def _restore(self) -> None:
        """The kernel itself begins an interrupted system call again, as it would have: it looks when a thread leaves
        a stop like the first one."""
        self._patience = _RESTORE
        if self._entered and self._stopped:
            self._skip()
        _call(_INTERRUPT, self.tid)
        if self._stopped:
            _call(_CONT, self.tid)
            self._stopped = False
        self._wait_for_stop(also_halted=True)
        self._set(*self._vector)
        self._set(machine.NT_PRSTATUS, self._regs)
        self._touched = False

    def _leave(self) -> None:
        if self._memory >= 0:
            os.close(self._memory)
            self._memory = -1
        if self._held and not self.gone:
            try:
                if not self._stopped:
                    self._interrupt(0.2)
                _call(_DETACH, self.tid)
            except TraceError:
                pass  # the kernel lets go of it when this process ends
        self._held = False

    def _interrupt(self, patience: float = 0.0) -> None:
        _call(_INTERRUPT, self.tid)
        self._wait_for_stop(patience)

    def _wait_for_stop(self, patience: float = 0.0, also_halted: bool = False) -> None:
        """Until the stop that was asked for; signals that come first are passed on."""
        while True:
            status = self._wait(patience or self._patience)
            if status is None:
                raise TraceError("the thread does not stop: it waits in the kernel (a device, a network disk)")
            if status >> 16 == _EVENT_STOP:
                self._stopped = True
                if (status >> 8) & 0xFF != signal.SIGTRAP and not also_halted:
                    raise TraceError("the process is stopped (SIGSTOP or Ctrl-Z)")
                return
            number = (status >> 8) & 0xFF
            _call(_CONT, self.tid, 0, number if number != _SYSCALL_STOP else 0)

    def _wait(self, patience: float) -> "int | None":
        """The next stop's status; None when none comes in time."""
        until = time.monotonic() + patience
        pause = 0.00002
        while True:
            try:
                tid, status = os.waitpid(self.tid, os.WNOHANG | _WALL)
            except ChildProcessError:
                self.gone = True
                raise TraceError("the process has ended") from None
            if tid:
                if not os.WIFSTOPPED(status):
                    self.gone = True
                    raise TraceError("the process has ended")
                return status
            if time.monotonic() > until:
                return None
            time.sleep(pause)
            pause = min(0.002, pause * 1.5)

    # registers and memory

    def _get(self, kind: int, size: int) -> bytes:
        buffer = ctypes.create_string_buffer(size)
        vector = _Vector(ctypes.addressof(buffer), size)
        _call(_GETREGSET, self.tid, kind, ctypes.addressof(vector))
        return buffer.raw[: vector.length]

    def _set(self, kind: int, data: bytes) -> None:
        buffer = ctypes.create_string_buffer(data, len(data))
        vector = _Vector(ctypes.addressof(buffer), len(data))
        _call(_SETREGSET, self.tid, kind, ctypes.addressof(vector))

    def _vectors(self) -> "tuple[int, bytes]":
        for kind in self.cpu.vectors:
            try:
                return kind, self._get(kind, 1 << 17)
            except TraceError:
                continue
        raise TraceError("the kernel does not tell the thread's vector registers")

    def registers(self) -> "dict[str, int]":
        return self.cpu.unpack(self._get(machine.NT_PRSTATUS, self.cpu.size))

    def _use(self, regs: "dict[str, int]") -> None:
        self._touched = True
        self._set(machine.NT_PRSTATUS, self.cpu.pack(regs))

    def read(self, address: int, size: int) -> bytes:
        try:
            return os.pread(self._memory, size, address)
        except (OSError, OverflowError):
            return b""

    def write(self, address: int, data: bytes) -> None:
        while data:
            written = os.pwrite(self._memory, data, address)
            data = data[written:]
            address += written

    @property
    def waits_in(self) -> int:
        """The system call that it waits in; -1 when it runs."""
        return self.cpu.waits_in(self.cpu.unpack(self._regs), self.read)

    # doing something in the thread

    def use_return(self, address: int) -> None:
        """Where called functions return to: an instruction for a system call in the process's own code."""
        if self.read(address, len(self.cpu.trap)) != self.cpu.trap:
            raise TraceError("no instruction for a system call at %#x" % address)
        self._back = address

    def _run(self) -> int:
        """Goes on to the next stop; its status."""
        passed = 0
        while True:
            _call(_SYSCALL, self.tid, 0, passed)
            self._stopped = False
            passed = 0
            status = self._wait(self._patience)
            if status is None:
                raise TraceError("a function did not come back in %.1f s" % self._patience)
            self._stopped = True
            number = (status >> 8) & 0xFF
            if number == _SYSCALL_STOP or status >> 16 == _EVENT_STOP:
                return status
            if number in _FAULTS:
                raise TraceError("signal %d in the middle" % number, 0, False)
            passed = number  # a signal of the program's own: its handler runs now

    def _skip(self) -> None:
        """From the entry of a system call to its exit, without the call."""
        if self.cpu.skip_by_register:
            regs = self.registers()
            regs[self.cpu.skip_by_register] = -1
            self._use(regs)
        else:
            self._set(_NT_ARM_SYSTEM_CALL, struct.pack("<i", -1))
        self._run()
        self._entered = False

    def system_call(self, number: int, *arguments: int) -> int:
        """Its result, negative for an error."""
        asked = self.cpu.system_call(self.cpu.unpack(self._regs), self._back, number, arguments)
        self._use(asked)
        self._to_entry(asked, 0)
        self._run()
        self._entered = False
        return self.cpu.result(self.registers())

    def _to_entry(self, begun: "dict[str, int]", popped: int) -> "dict[str, int]":
        """Goes on until our own system call instruction is reached, past those of functions and signal handlers."""
        while True:
            status = self._run()
            if status >> 16 == _EVENT_STOP:
                continue
            self._entered = not self._entered
            if self._entered:
                regs = self.registers()
                if self.cpu.at_instruction(regs, self._back) and self.cpu.stack(regs) == self.cpu.stack(begun) + popped:
                    return regs

    def call(self, function: int, *arguments: int) -> int:
        """Calls a C function; its result. It must be quick, and must not need what the thread may hold."""
        called, word = self.cpu.call(self.cpu.unpack(self._regs), function, arguments, self._back)
        if word:
            self.write(self.cpu.stack(called), struct.pack("<Q", word))
        self._use(called)
        regs = self._to_entry(called, self.cpu.popped)
        value = self.cpu.returned(regs)
        self._skip()
        return value
