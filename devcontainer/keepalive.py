"""How a container stays up: the command that replaces, or wraps, the image's own (spec, `overrideCommand`).

The script is POSIX sh, because nothing more is certain to be in an image. It says that it started, runs the
entrypoints that features brought, gives way to the image's own command if that is kept, and else waits. Waiting is
one `sleep` a day instead of the reference's one a second; the shell is interrupted in `wait`, so that TERM ends
the container at once, with and without an init in front. As PID 1 the shell also reaps orphans there.
A `sleep` killed by a signal is replaced; one that cannot run ends the container instead of spinning.
"""

from __future__ import annotations

from collections.abc import Sequence

_DAY = 86400


def script(entrypoints: Sequence[str] = ()) -> str:
    """The text for `sh -c`; its positional arguments are the image's command, if that is to run."""
    lines = [
        "echo Container started",
        'trap "exit 0" 15',
        *entrypoints,
        'exec "$@"',
        f"while sleep {_DAY} & wait $! || [ $? -gt 128 ]; do :; done",
    ]
    return "\n".join(lines)


def argv(
    entrypoints: Sequence[str] = (),
    override_command: bool | None = None,
    image_entrypoint: Sequence[str] = (),
    image_cmd: Sequence[str] = (),
) -> list[str]:
    """The whole command of PID 1: the first word goes to `--entrypoint`, the rest after the image's name.

    `override_command` None means its default for an image or Dockerfile, which is True. With False the image's own
    entrypoint and command run after the feature entrypoints, and the container lives as long as they do.
    """
    kept = [*image_entrypoint, *image_cmd] if override_command is False else []
    return ["/bin/sh", "-c", script(entrypoints), "-", *kept]
