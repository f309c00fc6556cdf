"""What is not synchronised, asked path by path. `devenv.sync.rules` writes the rules that are matched here.

The rules are plain data: {"groups": [...], "outputs": [...], "max_file": bytes, "git": bool}. A group is
[layer, folder, rules] and holds the rules of one file, the weakest first; a higher layer is stronger, within a layer a
deeper folder. A rule is [ignore, folders_only, where, deep, kind, text]: it is asked about the names in the folder
`where`, with `deep` also in all folders below it. Kinds: "name" is equal to text, "start" and "end" have it there,
"glob" fits the regular expression, and "path" is one that the path from the root fits. An output is [path expression,
path expression of the folders that lead to it, most bytes].
"""

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Rule = tuple[tuple[int, int, int], bool, bool, str, bool, str, str]  # its strength, then as above

OWN = ".devenv"
MEANING = 1
"""Another number: the same rules say something else than they did."""
# Each of these names is `.git` somewhere: case, code points that HFS+ does not see, what Windows drops and shortens.
_UNSEEN = "[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]*"
_is_gits = re.compile(_UNSEEN + _UNSEEN.join(["[.]", "[gG]", "[iI]", "[tT]", "[ .]*"]) + r"\Z|[gG][iI][tT]~1\Z").match
_MOST_FOLDERS = 50_000
_HIDDEN = object()


class Matcher:
    """Threads may ask at once. Raises ValueError, TypeError or re.error for rules that nobody would have compiled."""

    def __init__(self, spec: "dict[str, Any]") -> None:
        self._rules = {}  # type: dict[str, list[Rule]]
        self._max_file = int(spec["max_file"])  # type: int
        self._git = bool(spec["git"])
        self._outputs = []  # type: list[tuple[Any, Any, int]]
        for fits, leads, most in spec["outputs"]:
            self._outputs.append((_full(fits), _full(leads), int(most)))
        self._scopes = {}  # type: dict[str, _Scope]
        self._tables = {}  # type: dict[str, Any]
        for layer, folder, rules in spec["groups"]:
            self.add(layer, folder, rules)

    def add(self, layer: int, folder: str, rules: "Sequence[Sequence[Any]]") -> None:
        """A group more. Nothing in its folder was asked about yet."""
        depth = folder.count("/") + 1 if folder else 0
        for number, (ignore, folders_only, where, deep, kind, text) in enumerate(rules):
            rule = ((layer, depth, number), bool(ignore), bool(folders_only), where, bool(deep), kind, text)
            self._rules.setdefault(where, []).append(rule)

    def ignored(self, path: str, is_folder: bool) -> bool:
        """Whether it is not synchronised. Ask for the folders above it first, and for nothing below an ignored one."""
        folder, _, name = path.rpartition("/")
        table = self._tables.get(folder)
        if table is None:
            table = self._table(folder)
        if _is_gits(name):
            return not self._git or path != ".git"
        if table is not _HIDDEN and not table[is_folder].ignores(path, name):
            return path == OWN
        if not self._outputs:
            return True
        if path == OWN:
            return True
        return not any(fits(path) or (is_folder and leads(path)) for fits, leads, _ in self._outputs)

    def hidden(self, path: str, is_folder: bool) -> bool:
        """As `ignored`, but outputs do not count: whether the rules alone leave it out."""
        folder, _, name = path.rpartition("/")
        if path == OWN:
            return True
        if _is_gits(name):
            return not self._git or path != ".git"
        table = self._table(folder)
        return table is _HIDDEN or bool(table[is_folder].ignores(path, name))

    def too_big(self, path: str, size: int) -> bool:
        """Whether a file of so many bytes stays where it is."""
        if self._outputs:
            for fits, _, most in reversed(self._outputs):
                if fits(path):
                    return bool(size > most)
        return bool(size > self._max_file)

    def _table(self, folder: str) -> "Any":
        found = self._tables.get(folder)
        if found is not None:
            return found
        if len(self._tables) > _MOST_FOLDERS:
            self._tables.clear()
            self._scopes.clear()
        parent = folder.rpartition("/")[0]
        if folder and (self._table(parent) is _HIDDEN or self.hidden(folder, True)):
            table = _HIDDEN  # type: Any
        elif (folder + "/").startswith(".git/"):
            table = _halves([])  # rules are for the project: a branch may be called `build`
        elif folder in self._rules or not folder:
            above = self._scope(parent).rules if folder else []
            table = _halves(above + self._rules.get(folder, []))
        else:
            table = self._scope(parent).table()
        self._tables[folder] = table
        return table

    def _scope(self, folder: str) -> "_Scope":
        found = self._scopes.get(folder)
        if found is None:
            above = self._scope(folder.rpartition("/")[0]) if folder else _Scope([])
            own = [rule for rule in self._rules.get(folder, ()) if rule[4]]
            found = self._scopes[folder] = _Scope(above.rules + own) if own else above
        return found


class _Scope:
    """The rules that hold below a folder. Most folders have none of their own and share the scope, and the table, of
    the one above."""

    def __init__(self, rules: "list[Rule]") -> None:
        self.rules = rules
        self._table = None  # type: tuple[_Half, _Half] | None

    def table(self) -> "tuple[_Half, _Half]":
        if self._table is None:
            self._table = _halves(self.rules)
        return self._table


class _Half:
    """The rules of one folder, for the files or for the folders in it. Rules that follow each other and say the same
    are one run: the strongest run that fits decides."""

    def __init__(self, rules: "list[Rule]", for_folders: bool) -> None:
        self._says = []  # type: list[bool]
        self._names = {}  # type: dict[str, int]
        self._dotted = {}  # type: dict[str, int]
        self._endings = {}  # type: dict[str, int]
        self._starts = {}  # type: dict[str, int]
        self._texts = {}  # type: dict[tuple[int, bool], list[str]]
        for _, ignore, folders_only, _, _, kind, text in sorted(rules):
            if folders_only and not for_folders:
                continue
            if not self._says or self._says[-1] is not ignore:
                self._says.append(ignore)
            self._add(len(self._says) - 1, kind, text)
        self._end, self._start = tuple(self._endings), tuple(self._starts)
        self._runs = []  # type: list[tuple[int, bool, Any]]
        for (run, of_path), texts in sorted(self._texts.items(), reverse=True):
            # Names of groups would be there twice in one expression.
            alone = [text for text in texts if "(?P<" in text]
            joined = ["(?:%s)" % text for text in texts if "(?P<" not in text]
            self._runs += [(run, of_path, _full(text)) for text in alone + ["|".join(joined)] if text]

    def _add(self, run: int, kind: str, text: str) -> None:
        if kind == "name":
            self._names[text] = run
        elif kind == "end" and text[:1] == "." and "." not in text[1:]:
            self._dotted[text[1:]] = run
        elif kind == "end":
            self._endings[text] = run
        elif kind == "start":
            self._starts[text] = run
        elif kind in ("glob", "path"):
            self._texts.setdefault((run, kind == "path"), []).append(text)
        else:
            raise ValueError("a rule of the kind %r" % (kind,))

    def ignores(self, path: str, name: str) -> bool:
        best = self._names.get(name, -1)
        if "." in name:
            found = self._dotted.get(name.rpartition(".")[2], -1)
            if found > best:
                best = found
        if self._end and name.endswith(self._end):
            best = max(best, max(run for end, run in self._endings.items() if name.endswith(end)))
        if self._start and name.startswith(self._start):
            best = max(best, max(run for start, run in self._starts.items() if name.startswith(start)))
        for run, of_path, fits in self._runs:
            if run <= best:
                break
            if fits(path if of_path else name):
                best = run
                break
        return best >= 0 and self._says[best]


def _halves(rules: "list[Rule]") -> "tuple[_Half, _Half]":
    return _Half(rules, False), _Half(rules, True)


def _full(text: str) -> "Any":
    return re.compile("(?:%s)\\Z" % text, re.DOTALL).match
