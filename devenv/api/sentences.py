"""Sentences that supervisor, command line and screens say alike. Nothing is imported: the thin client loads it."""


def pending(commands: "list[str]") -> str:
    """Of lifecycle commands that still run."""
    runs, them = ("runs", "it") if len(commands) == 1 else ("run", "them")
    return f"{', '.join(commands)} still {runs} (devenv up --wait waits for {them})"
