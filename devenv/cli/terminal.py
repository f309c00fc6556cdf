"""Raw mode of the local terminal, and its return."""

import termios

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def raw(fd: int) -> "list[Any]":
    """Puts the terminal into raw mode; returns what `restore` needs. Keys typed before are kept."""
    saved = termios.tcgetattr(fd)
    mode = termios.tcgetattr(fd)
    mode[0] &= ~(termios.BRKINT | termios.ICRNL | termios.INPCK | termios.ISTRIP | termios.IXON)
    mode[1] &= ~termios.OPOST
    mode[2] = (mode[2] & ~(termios.CSIZE | termios.PARENB)) | termios.CS8
    mode[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
    mode[6][termios.VMIN] = 1
    mode[6][termios.VTIME] = 0
    termios.tcsetattr(fd, termios.TCSADRAIN, mode)
    return saved


def restore(fd: int, saved: "list[Any]") -> None:
    termios.tcsetattr(fd, termios.TCSADRAIN, saved)
