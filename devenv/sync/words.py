"""What happened, for people."""

from __future__ import annotations

from devenv.sync.core.guards import Halt, Halted, Side
from devenv.sync.core.merge import Conflict, Why

_SIDES = {Side.HOST: "this machine", Side.CONTAINER: "the container"}


def sentence(halted: Halted) -> str:
    where = _SIDES[halted.side]
    match halted.why:
        case Halt.DELETIONS:
            return f"{halted.count} of {halted.files} files would be deleted on {where}"
        case Halt.EMPTIED:
            return f"everything in the folder on {where} is gone ({halted.files} files)"
        case Halt.ROOT_GONE:
            return f"the folder on {where} is gone"
        case Halt.ROOT_CHANGED:
            return f"what was a folder on {where} is none any more"
        case Halt.REPLICA:
            return f"the folder on {where} is another one than the one that was synchronised"


def reason(conflict: Conflict) -> str:
    match conflict.why:
        case Why.UNREADABLE:
            texts = [side.text for side in (conflict.host, conflict.container) if side is not None and side.text]
            return ", ".join([conflict.why.value, *texts])
        case why:
            return str(why.value)


def printable(text: str, also: str = "") -> str:
    """What the other side chose, without anything that a terminal would obey; `also` are characters that may stay."""
    return "".join(
        c if c.isprintable() or c in also else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text
    )
