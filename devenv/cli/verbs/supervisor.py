"""`devenv supervisor`: the background process behind all this."""

from devenv.cli import wire
from devenv.cli.options import BadUsage, Verb
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    action = values.get("action") or "status"
    if action not in ("status", "stop", "restart"):
        raise BadUsage(f"supervisor: {action!r} is no action", "one of status, stop, restart")
    result = wire.call("supervisor", request(values, action=action))
    if action != "status":
        _wait_until_gone()
    if action == "restart":
        result = wire.call("supervisor", request(values, action="status"))
    return emit(values, result, result.get("text", ""))


def _wait_until_gone() -> None:
    """It answers before it leaves, and a client that comes in between is cut off. Its lock goes when it is gone."""
    import fcntl
    import os
    import time

    from devenv.api.paths import state_folder

    lock = os.open(state_folder() + "/supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + 20.0
    try:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(0.02)
    finally:
        os.close(lock)


VERB = Verb(
    "supervisor",
    "Shows or stops the per-user background process. Runs go on without it; forwards come back with it.",
    run,
    (),
    ("action?",),
)
