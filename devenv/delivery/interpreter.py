"""What an interpreter in a container is, as far as wheels and bytecode care. Pure."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Interpreter:
    """What an interpreter in the container says of itself."""

    executable: str
    version: tuple[int, int, int]
    machine: str  # uname's word: x86_64, aarch64
    glibc: tuple[int, int] | None  # None: musl or unknown
    implementation: str = "cpython"

    @property
    def minor(self) -> tuple[int, int]:
        return self.version[:2]

    @property
    def tag(self) -> str:
        """As in wheel names: cp311; 3.7 and earlier carry an ABI flag elsewhere."""
        return f"cp{self.version[0]}{self.version[1]}"

    @property
    def cache_tag(self) -> str:
        """As in the names of bytecode files: cpython-311."""
        return f"{self.implementation}-{self.version[0]}{self.version[1]}"

    @property
    def abi(self) -> str:
        return self.tag + ("m" if self.minor < (3, 8) else "")
