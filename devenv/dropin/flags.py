"""Reads a command line as the reference does (yargs in strict mode, `--no-x` being a name like any other).

What the reference refuses is refused; what it takes is taken with the same meaning, and told where it can hardly be
meant so. On the warm path: no argument library, no regular expression.
"""

from devenv.dropin import tables
from devenv.dropin.tables import NUMBER, ON, SWITCH, TEXT, TEXTS, WORDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devenv.dropin.tables import Kind


class Misuse(Exception):
    """The command line is wrong, with all that is wrong in it. `command` is "" where none was understood."""

    def __init__(self, command: str, problems: "list[str]") -> None:
        super().__init__("\n".join(problems))
        self.command = command
        self.problems = problems


class Line:
    """One command line that was understood.

    `values` has every flag of the command: a text that was not given is "" or its default, a repeatable flag a list.
    `words` is the command of `exec`. `asks` is "help", "version" or "".
    """

    __slots__ = ("asks", "command", "values", "warnings", "words")

    def __init__(self, command: str) -> None:
        self.command = command
        self.values: dict[str, Any] = {}
        self.words: list[str] = []
        self.warnings: list[str] = []
        self.asks = ""

    def text(self, name: str) -> str:
        return str(self.values.get(name, ""))

    def on(self, name: str) -> bool:
        return bool(self.values.get(name, False))

    def texts(self, name: str) -> "list[str]":
        return list(self.values.get(name, ()))


def parse(argv: "list[str]") -> Line:
    """Raises Misuse. Formats and combinations are checked by `checks.problems`."""
    command, rest = _command(argv)
    reader = _Reader(command, rest)
    reader.read()
    return reader.line


def flags_of(command: str) -> "dict[str, Kind]":
    """Name to kind of every flag that a command takes."""
    found = dict(tables.GLOBAL)
    for name in tables.COMMANDS.get(command, "").split():
        found[name] = tables.SPECIAL.get((command, name)) or tables.FLAGS[name]
    return found


def _command(argv: "list[str]") -> "tuple[str, list[str]]":
    """The command's name, "" if there is none, a group's where its second word is missing; and all other words."""
    index = _first_word(argv, 0)
    if index is None:
        return "", list(argv)
    name, rest = argv[index], [*argv[:index], *argv[index + 1 :]]
    if name in tables.GROUPS:
        second = _first_word(rest, index)
        if second is None:
            return name, rest
        word = rest.pop(second)
        if f"{name} {word}" not in tables.COMMANDS:
            inside = [known.partition(" ")[2] for known in tables.COMMANDS if known.startswith(f"{name} ")]
            raise Misuse(name, [f"unknown command {word!r}{nearest(word, inside)}"])
        return f"{name} {word}", rest
    if name not in tables.COMMANDS:
        raise Misuse("", [f"unknown command {name!r}{nearest(name, [*tables.COMMANDS, *tables.GROUPS])}"])
    return name, rest


def _first_word(argv: "list[str]", start: int) -> "int | None":
    """Where the first word is that is no flag and no flag's value. Flags may come before the command."""
    index = start
    while index < len(argv):
        word = argv[index]
        if not word.startswith("-"):
            return index
        index += 1
        name = word[2:]
        if "=" in word or name in ("help", "version"):
            continue
        following = argv[index] if index < len(argv) else "-"
        is_value = following in ("true", "false") or tables.GLOBAL.get(name) != SWITCH
        if is_value and not following.startswith("-"):
            index += 1
    return None


class _Reader:
    def __init__(self, command: str, argv: "list[str]") -> None:
        self.line = Line(command)
        self._argv = argv
        self._flags = flags_of(command)
        self._short = tables.SHORT.get(command, {})
        self._given: set[str] = set()
        self._unknown: list[str] = []
        self._problems: list[str] = []

    def read(self) -> None:
        argv, line = self._argv, self.line
        free: list[str] = []
        index = 0
        while index < len(argv):
            word = argv[index]
            index += 1
            if word == "--":
                free += argv[index:]
                break
            if word.startswith("--"):
                index = self._long(word[2:], index)
            elif _is_option(word):
                index = self._letters(word[1:], index)
            elif line.command == "exec":
                free += argv[index - 1 :]
                break
            elif word == "-":
                self._unknown.append("-")
            else:
                free.append(word)
        asks = [name for name in ("help", "version") if line.values.pop(name, False)]
        if asks:
            line.asks = asks[0]
            return
        self._place(free)
        self._complete()
        self._problems[:0] = [f"unknown argument {word}{self._meant(word)}" for word in self._unknown]
        if self._problems:
            raise Misuse(line.command, self._problems)

    def _long(self, text: str, index: int) -> int:
        """`--name`, `--name=value`, `--name value`; also the name in camel case."""
        written, equals, value = text.partition("=")
        name = written if written in self._flags else _kebab(written)
        if name not in self._flags:
            self._unknown.append(f"--{written}")
            # A word behind it that is no flag was meant as its value.
            following = self._argv[index] if index < len(self._argv) else "-"
            return index if equals or self.line.command == "exec" or following.startswith("-") else index + 1
        return self._take(name, value if equals else None, index)

    def _letters(self, letters: str, index: int) -> int:
        """`-x value`, `-x=value`, `-xVALUE` and `-xy`: several switches."""
        at = 0
        while at < len(letters):
            letter = letters[at]
            name = self._short.get(letter)
            rest = letters[at + 1 :]
            if name is None:
                if letter != "-":
                    self._unknown.append(f"-{letter}")
                if rest.startswith("="):
                    return index
            elif rest.startswith("="):
                return self._take(name, rest[1:], index)
            elif rest and self._flags[name] != SWITCH and not rest[0].isalpha():
                return self._take(name, rest, index)
            elif rest:
                self._store(name, "" if self._flags[name] != SWITCH else "true", written=False)
            else:
                return self._take(name, None, index)
            at += 1
        return index

    def _take(self, name: str, value: "str | None", index: int) -> int:
        """Stores a flag with the value that belongs to it; returns where the next flag is looked for."""
        argv, kind = self._argv, self._flags[name]
        if kind in (SWITCH, ON):
            if value is None and index < len(argv) and argv[index] in ("true", "false"):
                value, index = argv[index], index + 1
            self._store(name, "true" if value is None else value, written=value is not None)
            return index
        if kind == WORDS:
            taken = [] if value is None else [value]
            while index < len(argv) and not _is_option(argv[index]) and argv[index] != "--":
                taken.append(argv[index])
                index += 1
            self.line.values.setdefault(name, []).extend(taken)
            self._given.add(name)
            return index
        written = value is not None
        if value is None and index < len(argv) and not _is_option(argv[index]) and argv[index] not in ("--", "-"):
            value, index, written = argv[index], index + 1, True
        self._store(name, value or "", written=written)
        return index

    def _store(self, name: str, value: str, *, written: bool) -> None:
        """`written`: the command line has a value, be it an empty one."""
        kind, values = self._flags[name], self.line.values
        if kind in (SWITCH, ON):
            if value not in ("true", "false"):
                self._warn(f"--{name}={value} counts as false: write true or false")
            values[name] = value == "true"
        elif kind == TEXTS:
            if not value and not written and name == "allow-cross-origin-auth-host":
                self._problems.append(f"--{name} needs a value")
            values.setdefault(name, []).append(value)
        elif kind == NUMBER:
            self._number(name, value, written)
        elif kind == TEXT:
            if name in self._given and values.get(name) != value:
                self._problems.append(f"--{name} is given twice")
            elif not value:
                self._warn(f"--{name} has no value; it counts as not given")
            values[name] = value
        else:
            if not written:
                self._warn(f"--{name} has no value; it counts as not given")
            elif value not in kind:
                words = ", ".join(sorted(kind))
                self._problems.append(f"--{name} {value!r} is not one of {words}{nearest(value, list(kind))}")
            else:
                values[name] = value
        self._given.add(name)

    def _number(self, name: str, value: str, written: bool) -> None:
        try:
            number = int(value, 0) if value[:2].lower() == "0x" else int(float(value))
        except (ValueError, OverflowError):
            number = 0
        if number <= 0:
            self._warn(f"--{name} {value!r} is no number of {name[9:]}; it counts as not given")
        self.line.values[name] = number if number > 0 else None

    def _place(self, free: "list[str]") -> None:
        """Words that are no flags."""
        line = self.line
        if line.command == "exec":
            line.words = free
            if not free:
                self._problems.append("the command to execute is missing")
            return
        for name in tables.POSITIONAL.get(line.command, ()):
            if free:
                line.values[name.rstrip("?")] = free.pop(0)
            elif not name.endswith("?"):
                self._problems.append(f"<{name}> is missing")
        mode = line.values.get("mode")
        if mode is not None and mode not in tables.MODES:
            self._problems.append(
                f"<mode> {mode!r} is not one of {', '.join(tables.MODES)}{nearest(mode, list(tables.MODES))}"
            )
        self._unknown += [word or '""' for word in free]

    def _complete(self) -> None:
        """What is not given, and pairs of which one is."""
        values, command = self.line.values, self.line.command
        required = tables.REQUIRED.get(command)
        if required and required not in self._given:
            self._problems.append(f"--{required} is missing")
        for one, other in (("terminal-rows", "terminal-columns"), ("terminal-columns", "terminal-rows")):
            if one in self._given and other not in self._given:
                self._problems.append(f"--{one} needs --{other} beside it")
        for name, kind in self._flags.items():
            if name in values and values[name] != "":
                continue
            if kind in (SWITCH, ON):
                values[name] = kind == ON
            elif kind in (TEXTS, WORDS):
                values[name] = []
            elif kind == NUMBER:
                values[name] = None
            elif kind == TEXT:
                values[name] = tables.DEFAULTS.get(name, "")
            else:
                values[name] = kind[0]

    def _meant(self, word: str) -> str:
        """A flag that only other commands have was not mistyped."""
        known = word.removeprefix("--") in tables.FLAGS
        return "" if known or not word.startswith("--") else nearest(word, [f"--{name}" for name in self._flags])

    def _warn(self, text: str) -> None:
        self.line.warnings.append(text)


def _is_option(word: str) -> bool:
    """A negative number is a value."""
    if not word.startswith("-") or len(word) == 1:
        return False
    whole, dot, fraction = word[1:].partition(".")
    is_number = fraction.isdecimal() if dot and not whole else whole.isdecimal() and (not dot or fraction.isdecimal())
    return not is_number


def _kebab(word: str) -> str:
    """`workspaceFolder` as `workspace-folder`."""
    if "-" in word:
        return word
    return "".join(f"-{char.lower()}" if char.isupper() else char for char in word)


def nearest(word: str, known: "list[str]") -> str:
    """The end of a sentence that names the nearest thing there is; "" where nothing is near."""
    import difflib

    near = difflib.get_close_matches(word, known, 1, 0.7)
    return f"; did you mean {near[0]}?" if near else ""
