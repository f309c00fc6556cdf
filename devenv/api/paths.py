"""Where devenv keeps its state on this host. One answer per user and machine, never from the environment.

A desktop, an ssh login and cron have different environments, and two machines may share one network home: all of
them must meet the same supervisor per machine. So the place derives from the password entry and the machine id.
Imported on the warm path: nothing but os and pwd may be loaded here.
"""

import os
import pwd

_MACHINE_ID_FILES = ("/etc/machine-id", "/var/lib/dbus/machine-id")
_SOCKET_LIMIT = 100  # sun_path holds 107 bytes and the agent's own names need a few


def machine_id() -> str:
    """12 hexadecimal digits that name this machine."""
    for name in _MACHINE_ID_FILES:
        try:
            with open(name) as file:
                text = file.read(64).strip()
        except OSError:
            continue
        if len(text) >= 12:
            return text[:12]
    return os.uname().nodename.encode().hex()[:12].ljust(12, "0")


def state_folder(uid: int | None = None) -> str:
    """The user's state folder on this machine; it survives logout and reboot. Not created here."""
    uid = os.getuid() if uid is None else uid
    try:
        home = pwd.getpwuid(uid).pw_dir
    except KeyError:
        home = ""
    path = f"{home}/.local/state/devenv/{machine_id()}"
    usable = home not in ("", "/", "/nonexistent") and os.access(home, os.W_OK | os.X_OK)
    if usable and len(os.fsencode(path)) + len("/s.sock") <= _SOCKET_LIMIT:
        return path
    return f"/var/tmp/devenv-{uid}-{machine_id()}"


def socket_path(state: str) -> str:
    return state + "/s.sock"
