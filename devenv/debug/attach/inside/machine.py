"""What differs between processors: registers, how a function is called, the few instructions of a new thread."""

import platform
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Sequence

NT_PRSTATUS = 1
_RESTARTED = (-512, -513, -514, -516)  # how the kernel marks a system call that it will begin again
_EINTR = -4


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


class X86:
    """x86-64, System V calling convention."""

    name = "x86_64"
    fields = (
        ("r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi")
        + ("orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs")
    )  # fmt: skip
    size = 8 * 27
    vectors = (0x202, 2)  # NT_X86_XSTATE, NT_PRFPREG: the first that the kernel knows holds the others
    trap = b"\x0f\x05"
    step = 1  # bytes between places where the instruction may stand
    mmap, mprotect, munmap = 9, 10, 11
    blocking = frozenset(
        (0, 1, 7, 17, 19, 20, 23, 34, 35, 42, 43, 44, 45, 46, 47, 61, 65, 70, 72, 73, 128, 130, 202, 208, 219, 220)
        + (230, 232, 247, 270, 271, 281, 288, 295, 299, 327, 333, 426, 441, 449)
    )
    # def run(box): state = box[0](); box[1](box[3]); box[2](state); return 0
    thread = bytes.fromhex("5341544883ec084889fbff134189c4488b7b18ff53084489e7ff531031c04883c408415c5bc3")

    @staticmethod
    def unpack(data: bytes) -> "dict[str, int]":
        return dict(zip(X86.fields, struct.unpack("<27Q", data)))

    @staticmethod
    def pack(regs: "dict[str, int]") -> bytes:
        return struct.pack("<27Q", *(regs[field] & 0xFFFFFFFFFFFFFFFF for field in X86.fields))

    @staticmethod
    def stack(regs: "dict[str, int]") -> int:
        return regs["rsp"]

    @staticmethod
    def waits_in(regs: "dict[str, int]", read: "Callable[[int, int], bytes]") -> int:
        """The number of the system call that the thread waits in; -1 when it runs code of its own."""
        number = _signed(regs["orig_rax"])
        result = _signed(regs["rax"])
        return number if number >= 0 and (result in _RESTARTED or result == _EINTR) else -1

    @staticmethod
    def call(
        regs: "dict[str, int]", function: int, arguments: "Sequence[int]", back: int
    ) -> "tuple[dict[str, int], int]":
        """(registers for the call, what lies at the new stack pointer: the return address)."""
        new = dict(regs)
        new["rsp"] = ((regs["rsp"] - 512) & ~0xF) - 8  # below the red zone; aligned as after a call instruction
        new.update(zip(("rdi", "rsi", "rdx", "rcx", "r8", "r9"), arguments))
        new.update(rip=function, rax=0, orig_rax=-1, eflags=regs["eflags"] & ~0x500)  # neither direction nor trap flag
        return new, back

    @staticmethod
    def system_call(regs: "dict[str, int]", at: int, number: int, arguments: "Sequence[int]") -> "dict[str, int]":
        new = dict(regs)
        new.update(zip(("rdi", "rsi", "rdx", "r10", "r8", "r9"), arguments))
        new.update(rip=at, rax=number, orig_rax=-1, eflags=regs["eflags"] & ~0x500)
        return new

    @staticmethod
    def at_instruction(regs: "dict[str, int]", at: int) -> bool:
        """Whether a thread that enters a system call does it by the instruction at `at`."""
        return regs["rip"] == at + len(X86.trap)

    @staticmethod
    def returned(regs: "dict[str, int]") -> int:
        return _signed(regs["orig_rax"])

    @staticmethod
    def result(regs: "dict[str, int]") -> int:
        return _signed(regs["rax"])

    skip_by_register = "orig_rax"
    popped = 8  # bytes that a return takes off the stack


class Arm:
    """AArch64. The number of the system call is in a register set of its own."""

    name = "aarch64"
    size = 8 * 34
    vectors = (0x405, 2)  # NT_ARM_SVE, NT_PRFPREG
    trap = b"\x01\x00\x00\xd4"
    step = 4
    mmap, mprotect, munmap = 222, 226, 215
    blocking = frozenset(
        (4, 22, 25, 32, 63, 64, 65, 66, 67, 69, 72, 73, 95, 98, 101, 115, 128, 133, 137, 188, 192, 193, 202, 203, 206)
        + (207, 211, 212, 242, 243, 260, 426, 441, 449)
    )
    thread = bytes.fromhex(
        "fd7bbea9fd030091f35301a9f30300aa680240f900013fd6f403002a600e40f9680640f900013fd6e003142a680a40f900013fd6"
        "f35341a9000080d2fd7bc2a8c0035fd6"
    )
    skip_by_register = ""
    popped = 0

    @staticmethod
    def unpack(data: bytes) -> "dict[str, int]":
        values = struct.unpack("<34Q", data)
        regs = {"x%d" % index: values[index] for index in range(31)}
        regs.update(sp=values[31], pc=values[32], pstate=values[33])
        return regs

    @staticmethod
    def pack(regs: "dict[str, int]") -> bytes:
        values = [regs["x%d" % index] for index in range(31)] + [regs["sp"], regs["pc"], regs["pstate"]]
        return struct.pack("<34Q", *(value & 0xFFFFFFFFFFFFFFFF for value in values))

    @staticmethod
    def stack(regs: "dict[str, int]") -> int:
        return regs["sp"]

    @staticmethod
    def waits_in(regs: "dict[str, int]", read: "Callable[[int, int], bytes]") -> int:
        # The kernel has set it to begin the call again already, and does not tell its number any more.
        pc = regs["pc"]
        again = read(pc, 4) == Arm.trap
        ended = _signed(regs["x0"]) == _EINTR and read(pc - 4, 4) == Arm.trap
        return regs["x8"] if again or ended else -1

    @staticmethod
    def call(
        regs: "dict[str, int]", function: int, arguments: "Sequence[int]", back: int
    ) -> "tuple[dict[str, int], int]":
        new = dict(regs)
        new["sp"] = (regs["sp"] - 512) & ~0xF
        new.update(zip(("x0", "x1", "x2", "x3", "x4", "x5"), arguments))
        new.update(pc=function, x30=back, pstate=regs["pstate"] & ~0xC00)  # no expectation of a landing pad
        return new, 0

    @staticmethod
    def system_call(regs: "dict[str, int]", at: int, number: int, arguments: "Sequence[int]") -> "dict[str, int]":
        new = dict(regs)
        new.update(zip(("x0", "x1", "x2", "x3", "x4", "x5"), arguments))
        new.update(pc=at, x8=number)
        return new

    @staticmethod
    def at_instruction(regs: "dict[str, int]", at: int) -> bool:
        return regs["pc"] == at + len(Arm.trap)

    @staticmethod
    def returned(regs: "dict[str, int]") -> int:
        return _signed(regs["x0"])

    @staticmethod
    def result(regs: "dict[str, int]") -> int:
        return _signed(regs["x0"])


def here() -> "type[X86] | type[Arm] | None":
    """This machine, or None when nothing is known of it."""
    machine = platform.machine()
    if struct.calcsize("P") != 8:
        return None
    if machine == "x86_64":
        return X86
    return Arm if machine == "aarch64" else None
