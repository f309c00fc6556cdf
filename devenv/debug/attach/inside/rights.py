"""A privileged job starts nothing that keeps its rights: what it starts has those of the program, and no more."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

_CAPBSET_DROP = 24
_NUMBERS = 64


def like(job: "dict[str, Any]") -> "Callable[[], None] | None":
    """What a child does before exec to be as the program's user; None when we are that user already, without more."""
    if os.getuid() != 0 or not job.get("elevated"):
        return None
    import ctypes

    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def become() -> None:
        for number in range(_NUMBERS):
            if not job["capabilities"] >> number & 1:
                prctl(_CAPBSET_DROP, number, 0, 0, 0)  # after exec root has what is left here
        os.setgroups([])
        os.setgid(job["gid"])
        os.setuid(job["uid"])

    return become
