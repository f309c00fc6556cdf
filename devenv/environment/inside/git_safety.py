"""Prevents Git's "dubious ownership" in a bind-mounted repository, without writing any of the user's files.

Git takes `safe.directory` also from GIT_CONFIG_COUNT and its companions (git-config, *Environment*), so the tool
environment carries it. Only where owner and user really differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def variables(env: Mapping[str, str], folders: Sequence[str]) -> dict[str, str]:
    """What to add to `env` so that Git trusts these folders; entries that are there already stay."""
    try:
        count = max(0, int(env.get("GIT_CONFIG_COUNT", "0")))
    except ValueError:
        return {}  # the user's own, broken setting is Git's to complain about
    known = {
        env.get(f"GIT_CONFIG_VALUE_{n}") for n in range(count) if env.get(f"GIT_CONFIG_KEY_{n}") == "safe.directory"
    }
    added: dict[str, str] = {}
    for folder in folders:
        if folder not in known:
            added[f"GIT_CONFIG_KEY_{count}"] = "safe.directory"
            added[f"GIT_CONFIG_VALUE_{count}"] = folder
            count += 1
    return {**added, "GIT_CONFIG_COUNT": str(count)} if added else {}
