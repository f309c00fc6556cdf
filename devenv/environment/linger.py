"""Whether processes of a user go on when he logs out: systemd ends them, unless it was told to let them linger."""

from __future__ import annotations

import pathlib
import pwd


def lingers(uid: int, *, root: pathlib.Path = pathlib.Path("/")) -> bool:
    """True where systemd did not start this machine, and for root. Looks at two files (`loginctl` makes the second)."""
    if uid == 0 or not (root / "run/systemd/system").is_dir():
        return True
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        return True  # an account of elsewhere: nothing is known, nothing is said
    return (root / "var/lib/systemd/linger" / name).exists()
