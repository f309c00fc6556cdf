"""Becoming a subreaper: orphans of a run become children of its keeper, so that none is missed at the end.

Linux, prctl(2) PR_SET_CHILD_SUBREAPER. Python reaches it through `ctypes` only, which a minimal one does not have.
"""

import os

_PR_SET_CHILD_SUBREAPER = 36
_SYSCALL = {"x86_64": 157, "aarch64": 167, "riscv64": 167, "armv7l": 172, "i686": 172, "ppc64le": 171, "s390x": 172}


def adopt_orphans() -> bool:
    """True when this process adopts orphans from now on."""
    try:
        import ctypes

        library = ctypes.CDLL(None)
    except (ImportError, OSError):
        return False
    try:
        call = library.prctl
        return bool(call(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    except AttributeError:
        pass
    try:
        number = _SYSCALL[os.uname().machine]
        return bool(library.syscall(number, _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    except (AttributeError, KeyError):
        return False
