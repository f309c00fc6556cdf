"""Keys as the bytes that a terminal would send to the program in it."""

from __future__ import annotations

_NAMED = {
    "enter": b"\r",
    "tab": b"\t",
    "shift+tab": b"\x1b[Z",
    "backspace": b"\x7f",
    "escape": b"\x1b",
    "space": b" ",
    "up": b"\x1b[A",
    "down": b"\x1b[B",
    "right": b"\x1b[C",
    "left": b"\x1b[D",
    "home": b"\x1b[H",
    "end": b"\x1b[F",
    "insert": b"\x1b[2~",
    "delete": b"\x1b[3~",
    "pageup": b"\x1b[5~",
    "pagedown": b"\x1b[6~",
    "ctrl+at": b"\x00",
    "ctrl+backslash": b"\x1c",
    "ctrl+circumflex_accent": b"\x1e",
    "ctrl+underscore": b"\x1f",
    "f1": b"\x1bOP",
    "f2": b"\x1bOQ",
    "f3": b"\x1bOR",
    "f4": b"\x1bOS",
}
LEAVE = "ctrl+right_square_bracket"


def encode(key: str, character: str | None, *, tty: bool) -> bytes:
    """The bytes for a key press; b"" when it means nothing. On pipes Enter is a newline."""
    if key == "enter" and not tty:
        return b"\n"
    if key in _NAMED:
        return _NAMED[key]
    if len(key) == 6 and key.startswith("ctrl+") and "a" <= key[5] <= "z":
        return bytes([ord(key[5]) - 96])
    if character is not None and (character.isprintable() or character in "\t"):
        return character.encode()
    return b""
