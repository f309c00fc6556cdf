"""Errors of ours as the drop-in tells them: on stderr in the log's format, and as the JSON that the reference prints.

Loaded when something has failed.
"""

from devenv.dropin.log import ERROR, INFO, Log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def known(error: BaseException) -> "dict[str, Any] | None":
    """The wire form of an error that has one (see DevenvError.to_wire); None for a defect."""
    from devenv.cli.wire import WireError
    from devenv.errors import DevenvError

    if isinstance(error, WireError):
        return error.error
    return error.to_wire() if isinstance(error, DevenvError) else None


def tell(wire: "dict[str, Any]", log: Log) -> None:
    """What failed, the last lines of what failed, what to do."""
    log.text(str(wire["message"]), ERROR)
    for line in wire.get("details", {}).get("lines", []):
        log.text(f"  | {line}", ERROR)
    if wire.get("hint"):
        log.text(f"  {wire['hint']}", INFO)


def answer(wire: "dict[str, Any]", description: str) -> "dict[str, Any]":
    """The result of a command that failed: `message` is what happened, `description` what was being done.

    The reference gives both the same text where it knows of nothing more than its own description.
    """
    details = wire.get("details", {})
    found: dict[str, Any] = {"outcome": "error", "message": str(wire["message"])}
    found["description"] = _described(wire) or description
    if details.get("container"):
        found["containerId"] = details["container"]
    return found


def _described(wire: "dict[str, Any]") -> str:
    details = wire.get("details", {})
    if details.get("hook") == "initializeCommand":
        return "The initializeCommand in the devcontainer.json failed."
    if details.get("hook") == "dotfiles":
        return "Installing the dotfiles failed."
    if "hook" in details:
        origin = details.get("origin") or "devcontainer.json"
        place = origin if origin == "devcontainer.json" else f"Feature '{origin}'"
        one = f"{details['name']} of {details['hook']}" if details.get("name") else details["hook"]
        return f"{one} from {place} failed."
    own = ("NotFound", "ConfigError", "NotUp", "UsageError", "Refused")
    return str(wire["message"]) if wire.get("kind") in own else ""
