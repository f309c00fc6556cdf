"""`containerEnv` that was edited since the container was made: what new processes get without a rebuild. Pure."""

from __future__ import annotations

from devenv.environment.adopt import Effective
from devenv.environment.shape import secret_names
from devenv.environment.target import Target

_NAME = "containerEnv"


def differences(target: Target, effective: Effective) -> tuple[dict[str, str], list[str]]:
    """(variables with other values now, variables that are named no more).

    Values that come from the client's environment are left alone: whoever asks may be another client.
    """
    then, now = effective.actual.get(_NAME), effective.wanted.get(_NAME)
    if not isinstance(then, dict) or not isinstance(now, dict) or then == now:
        return {}, []
    theirs = secret_names(target.entries)
    values = effective.merged.container_env
    changed = {
        name: values[name]
        for name, digest in now.items()
        if then.get(name) != digest and name not in theirs and name in values
    }
    return changed, sorted(name for name in then if name not in now and name.isidentifier())
