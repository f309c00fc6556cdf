"""Command-line options, declared as tables. On the warm path, so it is plain code over two small classes.

The same tables give the parser, `--help` and the command list, so they cannot disagree.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


class BadUsage(Exception):
    """The command line is wrong: message and, where there is one, the nearest thing that exists."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Option:
    """`names` such as "-d --detach"; `kind` one of flag, no-flag, text, int, list, pairs, last.

    `last` is a text after which nothing is an option of ours any more, as with `python -m`.
    """

    __slots__ = ("help", "key", "kind", "metavar", "names")

    def __init__(self, names: str, help: str, kind: str = "flag", metavar: str = "VALUE", key: str = "") -> None:
        self.names = names.split()
        self.help = help
        self.kind = kind
        self.metavar = metavar
        self.key = key or self.names[-1].lstrip("-").replace("-", "_")


COMMON = (
    Option("-C --folder", "the project folder (default: found upwards from here)", "text", "DIR"),
    Option("--config", "the devcontainer.json to use, where a project has several", "text", "FILE"),
    Option("--json", "machine-readable output on stdout, narration as JSON lines on stderr"),
    Option("-h --help", "this help"),
)

HOST = Option("--host", "the machine: a name of `devenv host`, or USER@HOST", "text", "HOST", key="engine_host")
"""Of verbs that may be the first ones of an environment. Later ones find it; DEVENV_HOST says the same for all."""


class Verb:
    """One verb of the command line.

    `positional`: names in order; "name?" may be missing, "name*" takes all the rest, "name..." takes it *unparsed*:
    from the first positional on, nothing is taken for an option of ours, so a program's own flags need no `--`.
    `foreign`: an option that is not ours and looks like none of ours begins the rest as well (pytest's own).
    """

    __slots__ = ("example", "foreign", "name", "options", "positional", "run", "summary")

    def __init__(
        self,
        name: str,
        summary: str,
        run: "Callable[[dict[str, Any]], int]",
        options: "Sequence[Option]" = (),
        positional: "Sequence[str]" = (),
        example: str = "",
        foreign: bool = False,
    ) -> None:
        self.foreign = foreign
        self.name = name
        self.summary = summary
        self.run = run
        self.options = (*options, *COMMON)
        self.positional = positional
        self.example = example

    def parse(self, argv: "list[str]") -> "dict[str, Any]":
        """Values by key; options that were not given are absent, flags are True."""
        table = {name: option for option in self.options for name in option.names}
        values: dict[str, Any] = {}
        given: list[str] = []
        greedy = bool(self.positional) and self.positional[-1].endswith("...")
        index = 0
        while index < len(argv):
            word = argv[index]
            index += 1
            if word == "--":
                given += argv[index:]
                break
            if word == "-" or not word.startswith("-"):
                given.append(word)
                if greedy:
                    given += argv[index:]
                    break
                continue
            name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
            option = table.get(name)
            if option is None and self.foreign and not _nearest(name, list(table), 0.8):
                given += argv[index - 1 :]
                break
            if option is None:
                raise BadUsage(f"{self.name}: unknown option {name}", _nearest(name, list(table)))
            if option.kind in ("flag", "no-flag"):
                if equals:
                    raise BadUsage(f"{self.name}: {name} takes no value")
                values[option.key] = option.kind == "flag"
                continue
            if not equals:
                if index >= len(argv):
                    raise BadUsage(f"{self.name}: {name} needs a value ({option.metavar})")
                value = argv[index]
                index += 1
            _store(values, option, name, value)
            if option.kind == "last":
                given += argv[index + 1 :] if argv[index : index + 1] == ["--"] else argv[index:]
                break
        self._positionals(values, given)
        return values

    def _positionals(self, values: "dict[str, Any]", given: "list[str]") -> None:
        rest = list(given)
        for name in self.positional:
            if name.endswith(("...", "*")):
                values[name.rstrip(".*")] = rest
                return
            if rest:
                values[name.rstrip("?")] = rest.pop(0)
            elif not name.endswith("?"):
                raise BadUsage(f"{self.name}: {name.upper()} is missing", f"see `devenv {self.name} --help`")
        if rest:
            raise BadUsage(f"{self.name}: {rest[0]!r} is one word too many", f"see `devenv {self.name} --help`")

    def help(self) -> str:
        words = []
        for name in self.positional:
            if name.endswith(("...", "*")):
                words.append(f"[{name.rstrip('.*').upper()} ...]")
            else:
                words.append(f"[{name[:-1].upper()}]" if name.endswith("?") else name.upper())
        lines = [f"usage: devenv {self.name} [options] {' '.join(words)}".rstrip(), "", self.summary, "", "options:"]
        for option in self.options:
            left = ", ".join(option.names) + ("" if option.kind.endswith("flag") else f" {option.metavar}")
            lines.append(f"  {left:28} {option.help}" if len(left) <= 28 else f"  {left}\n{'':31}{option.help}")
        if self.example:
            lines += ["", "example:", *(f"  {line}" for line in self.example.splitlines())]
        return "\n".join(lines) + "\n"


def _store(values: "dict[str, Any]", option: Option, name: str, value: str) -> None:
    if option.kind == "int":
        try:
            values[option.key] = int(value)
        except ValueError:
            raise BadUsage(f"{name}: {value!r} is not a number") from None
    elif option.kind == "list":
        values.setdefault(option.key, []).append(value)
    elif option.kind == "pairs":
        left, equals, right = value.partition("=")
        if not equals or not left:
            raise BadUsage(f"{name}: {value!r} is not NAME=VALUE")
        values.setdefault(option.key, {})[left] = right
    else:
        values[option.key] = value


def _nearest(word: str, known: "list[str]", likeness: float = 0.6) -> str:
    import difflib

    near = difflib.get_close_matches(word, known, 1, likeness)
    return f"did you mean {near[0]}?" if near else ""
