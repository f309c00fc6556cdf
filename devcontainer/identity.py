"""How tools recognise each other's containers: two labels, and an id made from them.

The bytes are those of VS Code and the reference implementation; a difference of one character means a second
container for the same project.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

LOCAL_FOLDER = "devcontainer.local_folder"
CONFIG_FILE = "devcontainer.config_file"
METADATA = "devcontainer.metadata"

_DIGITS = "0123456789abcdefghijklmnopqrstuv"
_WIDTH = 52  # 256 bits in digits of five bits


def id_labels(local_folder: str, config_file: str) -> dict[str, str]:
    """The identity labels of a workspace. Both are absolute paths with symlinks kept; nothing is resolved here."""
    return {LOCAL_FOLDER: local_folder, CONFIG_FILE: config_file}


def devcontainer_id(labels: Mapping[str, str]) -> str:
    """The value of `${devcontainerId}` for a container with these identity labels.

    Dev Container spec, *devcontainerId*: the labels as JSON with sorted keys and no spaces, UTF-8, SHA-256, written
    in base 32 with the digits 0-9a-v and padded to 52. JavaScript sorts by UTF-16 code unit, which differs from
    Python's order for characters outside the basic plane.
    """
    ordered = dict(sorted(labels.items(), key=lambda item: item[0].encode("utf-16-be", "surrogatepass")))
    text = json.dumps(ordered, separators=(",", ":"), ensure_ascii=False)
    number = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
    digits: list[str] = []
    while number:
        number, digit = divmod(number, 32)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits)).rjust(_WIDTH, "0")
