"""What a repository does on the host itself happens only when the user has said yes, once per folder and text.

When the text changes, it is asked again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Sequence

from devcontainer.jsonc import JsonValue
from devenv.atomic_file import write_atomic
from devenv.errors import Refused


@dataclasses.dataclass(frozen=True, slots=True)
class Claim:
    """`where` names who wants it, `text` is what people read, `value` the whole of it as it is written."""

    where: str
    text: str
    value: JsonValue

    @property
    def digest(self) -> str:
        written = json.dumps([self.where, self.value], sort_keys=True)
        return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def sentence(self) -> str:
        return f"{self.where}: {self.text}"


class TrustFile:
    """`trust.json` in the state folder: {resolved folder: [digests of claims]}."""

    def __init__(self, state: pathlib.Path) -> None:
        self._path = state / "trust.json"

    def require(self, local_folder: str, claims: Sequence[Claim], *, given: bool, agreed: Sequence[str] = ()) -> None:
        """Passes when every claim is trusted; new ones are, and remembered, when `given` or `agreed` to.
        Else raises `Refused`, whose details name the sentences under "trust"."""
        if not claims:
            return
        folder = os.path.realpath(local_folder)
        trusted = self._load()
        known = set(trusted.get(folder, []))
        unknown = [claim for claim in claims if claim.digest not in known]
        refused = [claim for claim in unknown if not given and claim.sentence not in agreed]
        if refused:
            sentences = [claim.sentence for claim in refused]
            raise Refused(
                "this repository wants to act on this machine, outside its container:\n  " + "\n  ".join(sentences),
                "read it; then `devenv up --trust` allows it from now on",
                details={"folder": local_folder, "trust": sentences},
            )
        if unknown:
            trusted[folder] = sorted({*known, *(claim.digest for claim in unknown)})
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self._path, json.dumps(trusted, indent=1) + "\n")

    def _load(self) -> dict[str, list[str]]:
        try:
            value = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}  # unreadable means that nothing is trusted
        return (
            {k: [str(d) for d in v] for k, v in value.items() if isinstance(v, list)} if isinstance(value, dict) else {}
        )
