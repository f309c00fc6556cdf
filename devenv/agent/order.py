"""A run as the host asks for it, checked."""

from . import launch, spool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Order:
    """A run as asked for: `ValueError` when it makes no sense."""

    def __init__(self, run: "dict[str, Any]") -> None:
        self.launch = launch.Order(run)
        self.name = str(run.get("name") or "")
        self.kind = str(run.get("kind") or "run")
        meta = run.get("meta") or {}
        if not isinstance(meta, dict):
            raise ValueError("meta must be an object")
        self.meta = meta
        self.cap = int(run.get("cap_bytes") or spool.CAP)
        grace = run.get("grace") or [5, 5]
        if not isinstance(grace, list) or len(grace) != 2:
            raise ValueError("grace must be two numbers of seconds")
        self.grace = [min(max(float(item), 0.0), 3600.0) for item in grace]
        self.events = bool(run.get("events"))
        self.no_input = run.get("stdin") == "null"
        self.argv = run["argv"]
        self.cwd = run["cwd"]
