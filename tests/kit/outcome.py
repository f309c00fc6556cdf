"""What a command did, with the assertions that tests make about it."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any, Self


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    argv: tuple[str, ...]
    rc: int  # negative: ended by that signal
    stdout: bytes
    stderr: bytes
    seconds: float

    @property
    def out(self) -> str:
        return self.stdout.decode(errors="replace")

    @property
    def err(self) -> str:
        return self.stderr.decode(errors="replace")

    def ok(self) -> Self:
        """Asserts exit code 0; the message shows the whole output."""
        assert self.rc == 0, self.describe()
        return self

    def failed(self, rc: int | None = None) -> Self:
        """Asserts failure, with that exit code where one is given, and without a Python traceback."""
        assert self.rc != 0, self.describe()
        assert rc is None or self.rc == rc, f"expected exit code {rc}\n{self.describe()}"
        assert "Traceback (most recent call last)" not in self.err, self.describe()
        return self

    def says(self, *patterns: str) -> Self:
        """Asserts that stdout and stderr together contain a match of every regular expression."""
        both = f"{self.out}\n{self.err}"
        for pattern in patterns:
            assert re.search(pattern, both, re.MULTILINE), f"no match of {pattern!r}\n{self.describe()}"
        return self

    def silent_about(self, *texts: str) -> Self:
        """Asserts that none of the texts appears: secrets, tracebacks."""
        for text in texts:
            assert text not in self.out + self.err, f"{text!r} appears\n{self.describe()}"
        return self

    def json(self) -> Any:
        """Stdout as one JSON document."""
        try:
            return json.loads(self.stdout)
        except ValueError as error:
            raise AssertionError(f"stdout is not JSON ({error})\n{self.describe()}") from None

    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.stdout.splitlines() if line.strip()]

    def describe(self) -> str:
        return (
            f"$ {' '.join(self.argv)}\nexit code {self.rc} after {self.seconds:.1f} s\n"
            f"--- stdout\n{self.out}\n--- stderr\n{self.err}"
        )
