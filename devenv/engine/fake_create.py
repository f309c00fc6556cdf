"""The words of `docker create`, as far as the fake engine hears them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_FLAGS = frozenset({"--init", "--privileged", "--read-only", "--rm", "-i", "-t", "-d", "-P", "--interactive", "--tty"})


class Asked:
    """Options in their order, and the image."""

    def __init__(self) -> None:
        self.options: list[tuple[str, str]] = []
        self.image = ""

    def has(self, name: str) -> bool:
        return any(option == name for option, _ in self.options)

    def values(self, *names: str) -> list[str]:
        return [value for option, value in self.options if option in names]

    def _last(self, *names: str) -> str:
        return next(reversed(self.values(*names)), "")

    @property
    def name(self) -> str:
        return self._last("--name")

    @property
    def user(self) -> str:
        return self._last("-u", "--user")

    @property
    def network(self) -> str:
        return self._last("--network", "--net")

    @property
    def labels(self) -> dict[str, str]:
        return {k: v for k, _, v in (value.partition("=") for value in self.values("-l", "--label"))}

    def resolved(self, client: Mapping[str, str]) -> dict[str, str]:
        """`-e NAME` takes the client's value."""
        made = {}
        for value in self.values("-e", "--env"):
            name, equals, given = value.partition("=")
            if equals:
                made[name] = given
            elif name in client:
                made[name] = client[name]
        return made

    @property
    def mounts(self) -> list[dict[str, Any]]:
        found = []
        for text in self.values("--mount"):
            fields = dict(part.partition("=")[::2] for part in text.split(","))
            kind = fields.get("type", "volume")
            source = fields.get("source") or fields.get("src") or ""
            target = fields.get("target") or fields.get("dst") or fields.get("destination") or ""
            mount: dict[str, Any] = {"Type": kind, "Destination": target, "Source": source}
            if kind == "volume":
                mount |= {"Name": source, "Source": f"/volumes/{source}"}
            found.append({**mount, "RW": "readonly" not in fields})
        return found


def parse(args: Sequence[str]) -> Asked:
    made = Asked()
    words = iter(args)
    for word in words:
        if not word.startswith("-"):
            made.image = word
            break
        name, equals, value = word.partition("=")
        if equals:
            made.options.append((name, value))
        elif name in _FLAGS:
            made.options.append((name, ""))
        else:
            made.options.append((name, next(words, "")))
    return made
