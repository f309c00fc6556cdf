"""Terminals: a pseudo-terminal pair, its size, and whom its keyboard reaches.

The numbers of the ioctls are written out (Linux, all architectures we ship for: x86, Arm, RISC-V), because the
`termios` module is absent from a minimal Python.
"""

import array
import fcntl
import os
import struct

TIOCSCTTY = 0x540E
TIOCGPGRP = 0x540F
TIOCSWINSZ = 0x5414
FIONREAD = 0x541B
END_OF_FILE = b"\x04"  # Ctrl-D, the VEOF character of a new terminal


def open_pair(rows: int, columns: int) -> "tuple[int, int]":
    """(our side, the program's side)."""
    ours, theirs = os.openpty()
    set_size(ours, rows, columns)
    return ours, theirs


def set_size(fd: int, rows: int, columns: int) -> None:
    """The kernel sends SIGWINCH to the foreground group by itself."""
    rows, columns = (min(max(int(number), 1), 65535) for number in (rows, columns))
    fcntl.ioctl(fd, TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def foreground_group(fd: int) -> int:
    """The process group that Ctrl-C would reach; 0 when there is none."""
    number = array.array("i", [0])
    try:
        fcntl.ioctl(fd, TIOCGPGRP, number)
    except OSError:
        return 0
    return max(0, number[0])


def pending(fd: int) -> int:
    """Bytes that can be read from `fd` at this moment (pipe, terminal or socket)."""
    number = array.array("i", [0])
    try:
        fcntl.ioctl(fd, FIONREAD, number)
    except OSError:
        return 0
    return max(0, number[0])
