"""What an editor has to know to reach an environment's debugger. The same for every editor, and nothing of any."""

from __future__ import annotations

import dataclasses

NAME = "devenv: attach"
"""By this name what devenv wrote is found again, in every editor's file."""

HOST = "127.0.0.1"


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """A host port. `name` "" is the environment's door, else a session that has a port of its own."""

    port: int
    name: str = ""

    @property
    def title(self) -> str:
        return f"{NAME} {self.name}" if self.name else NAME


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """`local_root` and `remote_root` are the project's folder under its two names, absolute. `preferred` is the door's
    port as it follows from the project alone; the door's own is the one on this machine now."""

    door: Address
    preferred: int
    local_root: str
    remote_root: str
    sessions: tuple[Address, ...] = ()
    joined: bool = False  # the sessions belong together (ranks): an editor gets them with the door's entry
    just_my_code: bool = True
    subprocess: bool = True

    @property
    def addresses(self) -> tuple[Address, ...]:
        return (self.door, *self.sessions)

    def for_team(self) -> Facts:
        """What a file that is shared should say: the preferred port, and no sessions of this machine."""
        return dataclasses.replace(self, door=Address(self.preferred), sessions=(), joined=False)
