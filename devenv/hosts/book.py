"""The person's own names for machines with an engine: `hosts.yaml` in the configuration folder.

    default: gpu-box
    hosts:
      gpu-box: {ssh: me@gpu.example}
      lab: {context: lab}
      rack: {tcp: "tcp://10.0.0.5:2376", tls: ~/.docker/rack}

Edits keep what a person wrote between the lines, as long as the file has the shape above.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import json
import os
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from devenv.atomic_file import write_atomic
from devenv.config.text import YamlText
from devenv.errors import ConfigError, DevenvError, NotFound, Problem, UsageError
from devenv.hosts import destination

LOCAL = "local"
"""The engine that Docker's own settings name; no host may be called so."""

KINDS = ("ssh", "context", "tcp")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "default": {"type": "string"},
        "hosts": {
            "additionalProperties": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in (*KINDS, "tls")},
            }
        },
    },
}


@dataclasses.dataclass(frozen=True, slots=True)
class Host:
    """One entry. `kind` is one of KINDS, `address` what it says of that kind, `tls` a folder of certificates."""

    name: str
    kind: str
    address: str
    tls: str = ""

    @property
    def shown(self) -> str:
        if self.kind == "ssh":
            return destination.parse(self.address).shown
        return f"context {self.address}" if self.kind == "context" else self.address


@dataclasses.dataclass(frozen=True, slots=True)
class Book:
    """What the file says; empty where there is none."""

    file: pathlib.Path
    hosts: Mapping[str, Host] = dataclasses.field(default_factory=dict)
    default: str = ""

    def nearest(self, name: str) -> str:
        near = difflib.get_close_matches(name, [*self.hosts, LOCAL], 1)
        return f"did you mean {near[0]}?" if near else ""

    def require(self, name: str) -> Host:
        """Raises `NotFound` with the nearest name."""
        if name not in self.hosts:
            raise NotFound(f"there is no host {name!r} in {self.file}", self.nearest(name) or "see `devenv host ls`")
        return self.hosts[name]


def path_for(env: Mapping[str, str]) -> pathlib.Path | None:
    """The client's own file; None when its environment names no home."""
    if env.get("XDG_CONFIG_HOME", "").startswith("/"):
        return pathlib.Path(env["XDG_CONFIG_HOME"], "devenv", "hosts.yaml")
    return pathlib.Path(env["HOME"], ".config", "devenv", "hosts.yaml") if env.get("HOME") else None


def read(path: pathlib.Path) -> Book:
    """Raises `ConfigError` with every problem; no file is an empty book."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return Book(path)
    except (OSError, UnicodeDecodeError) as error:
        why = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else f"cannot be read: {error.strerror}"
        raise ConfigError([Problem(str(path), 0, 0, "", why)]) from error
    return parse(text, path)


def parse(text: str, path: pathlib.Path) -> Book:
    """As `read`, from the text."""
    yaml = YamlText(text, str(path), _SCHEMA)
    if yaml.problems:
        raise ConfigError(yaml.problems)
    problems: list[Problem] = []

    def problem(key: tuple[str | int, ...], message: str, hint: str = "") -> None:
        problems.append(Problem(*yaml.sources.key(key), ".".join(map(str, key)), message, hint))

    value = {} if yaml.value is None else yaml.value
    if not isinstance(value, dict):
        raise ConfigError([Problem(str(path), 1, 0, "", "is not a mapping with `hosts`")])
    for key in value:
        if key not in ("default", "hosts"):
            problem((key,), "is not known", _near(key, ("default", "hosts")))
    entries = value.get("hosts")
    if entries is not None and not isinstance(entries, dict):
        problem(("hosts",), "needs a mapping of names to hosts")
    hosts = {}
    for name, entry in (entries if isinstance(entries, dict) else {}).items():
        if (found := _host(name, entry, problem)) is not None:
            hosts[name] = found
    default = value.get("default") or ""
    if not isinstance(default, str):
        problem(("default",), "needs the name of a host")
    elif default and default != LOCAL and default not in (entries or {}):
        problem(("default",), f"there is no host {default!r}", _near(default, tuple(hosts)))
    if problems:
        raise ConfigError(sorted(problems, key=lambda one: (one.line, one.column)))
    return Book(path, hosts, default if default != LOCAL else "")


def _host(name: str, entry: Any, problem: Any) -> Host | None:
    where = ("hosts", name)
    if not _NAME.match(name) or name == LOCAL:
        problem(where, "is no name for a host", "letters, digits, '.', '_' and '-'; `local` is this machine's engine")
        return None
    if not isinstance(entry, dict):
        problem(where, "needs one of ssh, context, tcp", "e.g. {ssh: me@gpu.example}")
        return None
    unknown = [key for key in entry if key not in (*KINDS, "tls")]
    for key in unknown:
        problem((*where, key), "is not known", _near(key, (*KINDS, "tls")))
    given = [kind for kind in KINDS if kind in entry]
    if len(given) != 1:
        if unknown:
            return None  # it is the one that was meant
        problem(where, "needs exactly one of ssh, context, tcp", "e.g. {ssh: me@gpu.example}")
        return None
    kind = given[0]
    address, tls = entry[kind], entry.get("tls") or ""
    if not isinstance(address, str) or not address or not isinstance(tls, str):
        problem((*where, kind), "needs a text")
        return None
    try:
        return checked(name, kind, address, tls)
    except UsageError as error:
        problem((*where, kind), error.message, error.hint)
        return None


def checked(name: str, kind: str, address: str, tls: str = "") -> Host:
    """Raises `UsageError`."""
    if not _NAME.match(name) or name == LOCAL:
        raise UsageError(f"{name!r} is no name for a host", "letters, digits, '.', '_' and '-', and not `local`")
    if kind == "ssh":
        destination.parse(address)
    elif kind == "tcp" and not re.match(r"tcp://[^\s/@]+:[0-9]{1,5}\Z", address):
        raise UsageError(f"{address!r} is no address of an engine", "write tcp://HOST:PORT; 2376 is usual with TLS")
    if tls and kind != "tcp":
        raise UsageError("a folder of certificates belongs to a tcp address", "drop it")
    return Host(name, kind, address, tls)


def _near(word: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f"did you mean {near[0]}?" if near else f"one of {', '.join(known)}" if known else ""


# --- edits ---


def add(path: pathlib.Path, host: Host) -> None:
    """Written in, or in the place of one with the same name."""

    def edit(lines: list[str]) -> None:
        fields = {host.kind: host.address, **({"tls": host.tls} if host.tls else {})}
        inner = ", ".join(f"{key}: {_scalar(value)}" for key, value in fields.items())
        line = f"  {host.name}: {{{inner}}}"
        at = _line_of(lines, r"hosts:")
        if at is None:
            lines += ["hosts:", line]
            return
        lines[at] = re.sub(r"\{\s*\}|null|~", "", lines[at]).rstrip()
        for first, last, indent in _entries(lines, at):
            if re.match(rf"\s*[\"']?{re.escape(host.name)}[\"']?\s*:", lines[first]):
                lines[first:last] = [" " * indent + line.strip()]
                return
        blocks = list(_entries(lines, at))
        indent = blocks[-1][2] if blocks else 2
        lines.insert(blocks[-1][1] if blocks else at + 1, " " * indent + line.strip())

    book = read(path)
    _edit(path, edit, Book(path, {**book.hosts, host.name: host}, book.default))


def remove(path: pathlib.Path, name: str) -> None:
    """And no default any more, if it was. Raises `NotFound`."""
    book = read(path)
    book.require(name)

    def edit(lines: list[str]) -> None:
        at = _line_of(lines, r"hosts:")
        for first, last, _ in list(_entries(lines, at)) if at is not None else ():
            if re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*:", lines[first]):
                del lines[first:last]
                break
        if at is not None and not list(_entries(lines, at)):
            lines[at] = "hosts: {}"
        if book.default == name:
            _set_default(lines, "")

    default = "" if book.default == name else book.default
    _edit(path, edit, Book(path, {key: host for key, host in book.hosts.items() if key != name}, default))


def use(path: pathlib.Path, name: str) -> None:
    """The host of new environments from now on; `local` is none. Raises `NotFound`."""
    book = read(path)
    name = "" if name == LOCAL else book.require(name).name
    _edit(path, lambda lines: _set_default(lines, name), Book(path, book.hosts, name))


def _set_default(lines: list[str], name: str) -> None:
    at = _line_of(lines, r"default\s*:.*")
    if at is not None:
        lines[at : at + 1] = [f"default: {name}"] if name else []
    elif name:
        lines.insert(0, f"default: {name}")


def _line_of(lines: list[str], pattern: str) -> int | None:
    return next((at for at, line in enumerate(lines) if re.match(pattern, line)), None)


def _entries(lines: list[str], at: int) -> Iterator[tuple[int, int, int]]:
    """(first line, line after the last, indentation) of each entry under the key in line `at`."""
    indent, first, end = 0, -1, at + 1
    for number in range(at + 1, len(lines)):
        text = lines[number]
        depth = len(text) - len(text.lstrip())
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        if depth == 0:
            break
        indent = indent or depth
        if depth == indent:
            if first >= 0:
                yield first, end, indent
            first = number
        end = number + 1
    if first >= 0:
        yield first, end, indent


def _edit(path: pathlib.Path, edit: Any, wanted: Book) -> None:
    """The file with the edit made by lines; written anew, without its comments, when that gives something else."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = pathlib.Path(os.path.realpath(path))  # a link into a repository of dotfiles stays one
    try:
        lines = target.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        lines = []
    edit(lines)
    text = "".join(f"{line}\n" for line in lines)
    got: Book | None = None
    with contextlib.suppress(DevenvError):
        got = parse(text, path)
    if got != wanted:
        text = _text(wanted)
    write_atomic(target, text)


def _text(book: Book) -> str:
    lines = [f"default: {book.default}"] if book.default else []
    lines.append("hosts:" if book.hosts else "hosts: {}")
    for host in book.hosts.values():
        tls = f", tls: {_scalar(host.tls)}" if host.tls else ""
        lines.append(f"  {host.name}: {{{host.kind}: {_scalar(host.address)}{tls}}}")
    return "".join(f"{line}\n" for line in lines)


def _scalar(text: str) -> str:
    plain = re.match(r"[A-Za-z~/][A-Za-z0-9@._/~-]*\Z", text)
    return text if plain else json.dumps(text, ensure_ascii=False)
