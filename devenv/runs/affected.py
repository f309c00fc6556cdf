"""Which tests a change affects, and in which order to run them. Pure: names and imports in, phases out.

First the tests that failed and those that the change affects, in one pytest run; when these pass, all tests. A
change that could affect anything (configuration, data, a module that no test is known to import) runs all at once.
"""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Iterable, Mapping

_CONFIGURATION = frozenset({"pyproject.toml", "pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg", "conftest.py"})
_SOURCE_ROOTS = ("src", "lib")


def is_test_file(path: str) -> bool:
    """By pytest's own default names: test_*.py and *_test.py."""
    name = posixpath.basename(path)
    return name.endswith(".py") and (name.startswith("test_") or name.endswith("_test.py"))


@dataclasses.dataclass(frozen=True, slots=True)
class Phase:
    """One pytest run: `paths` to give it (empty: what the configuration says), node ids and files to run `first`."""

    name: str  # affected | all
    paths: tuple[str, ...] = ()
    first: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Failed:
    """A test that failed the last time it ran. `path` is its file, relative to the project's root."""

    id: str
    path: str


def module_names(path: str, files: frozenset[str]) -> tuple[str, ...]:
    """The dotted names under which a file may be imported: from its package's root, from `src`, from the project.

    src/net/model.py is `net.model` when src/net/__init__.py is there, and may be `src.net.model` or `model`.
    """
    parts = path.removesuffix(".py").removesuffix(".pyi").split("/")
    if parts[-1] == "__init__":
        parts.pop()
    if not parts:
        return ()
    root = len(parts) - 1
    while root > 0 and "/".join([*parts[:root], "__init__.py"]) in files:
        root -= 1
    starts = {0, root}
    if parts[0] in _SOURCE_ROOTS and len(parts) > 1:
        starts.add(1)
    return tuple(".".join(parts[start:]) for start in sorted(starts))


def _absolute(name: str, importer: str) -> str:
    """A relative import's dotted name counted from the project's root."""
    dots = len(name) - len(name.lstrip("."))
    folder = posixpath.dirname(importer).split("/") if posixpath.dirname(importer) else []
    kept = folder[: len(folder) - (dots - 1)] if dots > 1 else folder
    return ".".join([*kept, *(part for part in name.lstrip(".").split(".") if part)])


def importers(imports: Mapping[str, frozenset[str]]) -> dict[str, set[str]]:
    """File -> the files that import it directly."""
    files = frozenset(imports)
    by_name: dict[str, set[str]] = {}
    for path in files:
        for name in module_names(path, files):
            by_name.setdefault(name, set()).add(path)
    found: dict[str, set[str]] = {}
    for importer, names in imports.items():
        for name in names:
            full = _absolute(name, importer) if name.startswith(".") else name
            for imported in _prefixes(full):
                for path in by_name.get(imported, ()):
                    if path != importer:
                        found.setdefault(path, set()).add(importer)
    return found


def _prefixes(name: str) -> list[str]:
    """`a.b.c` runs a, a.b and a.b.c."""
    parts = name.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def _named_after(path: str, tests: Iterable[str]) -> set[str]:
    stem = posixpath.basename(path).removesuffix(".py")
    names = {f"test_{stem}.py", f"{stem}_test.py"}
    return {test for test in tests if posixpath.basename(test) in names}


def affected_tests(changed: Iterable[str], imports: Mapping[str, frozenset[str]]) -> set[str] | None:
    """Test files that the changed files affect; None when that cannot be told and all must run.

    `imports` holds every Python file of the project with the names it imports, changed and deleted ones included
    (a deleted file's importers are what it breaks).
    """
    tests = {path for path in imports if is_test_file(path)}
    direct = importers(imports)
    found: set[str] = set()
    for path in changed:
        name = posixpath.basename(path)
        if name == "conftest.py" and posixpath.dirname(path):
            below = posixpath.dirname(path) + "/"
            found |= {test for test in tests if test.startswith(below)}
            continue
        if name in _CONFIGURATION or not path.endswith((".py", ".pyi")):
            return None
        reached = {path}
        waiting = [path]
        while waiting:
            for importer in direct.get(waiting.pop(), ()):
                if importer not in reached:
                    reached.add(importer)
                    waiting.append(importer)
        if any(posixpath.basename(other) == "conftest.py" for other in reached):
            return None
        mine = (reached & tests) | _named_after(path, tests)
        if not mine:
            return None
        found |= mine
    return found


def plan(
    changed: Iterable[str], imports: Mapping[str, frozenset[str]], failed: Iterable[Failed] = ()
) -> tuple[Phase, ...]:
    """The pytest runs that answer a change, in order; each one only when the one before it passed."""
    changed = sorted(set(changed))
    present = {path for path in imports if is_test_file(path)}
    last = [test for test in failed if test.path in present]
    first = tuple(test.id for test in last)
    tests = affected_tests(changed, imports)
    everything = Phase("all", (), (*first, *(path for path in changed if path in present)))
    if tests is None:
        return (everything,)
    files = dict.fromkeys(
        [
            *(test.path for test in last),
            *(path for path in changed if path in present),
            *sorted(tests & present),
        ]
    )
    if not files or set(files) >= present:
        return (everything,)
    return Phase("affected", tuple(files), first), Phase("all")
