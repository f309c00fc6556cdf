"""From what a check found to the problem that a user sees: with file, line and column of the text it stands in."""

from __future__ import annotations

from collections.abc import Iterable

from devcontainer.checks import Issue
from devcontainer.jsonc import Document, Path
from devcontainer.problem import Problem, Severity


def problems(document: Document, issues: Iterable[Issue]) -> tuple[Problem, ...]:
    """All issues of a text and its keys that are written twice, in the order of the text."""
    found = [
        Problem(
            document.file,
            *twice.position,
            dotted(twice.path),
            f"is written twice; line {twice.first.line} has no effect",
            severity=Severity.WARNING,
        )
        for twice in document.duplicates
    ]
    for issue in issues:
        at = document.key_position(issue.path) if issue.at_key else document.position(issue.path)
        found.append(Problem(document.file, *at, dotted(issue.path), issue.message, issue.hint, issue.severity))
    return tuple(sorted(found, key=lambda problem: (problem.line, problem.column)))


def without_text(file: str, issues: Iterable[Issue]) -> tuple[Problem, ...]:
    """The same for a value that no text is at hand for; there are no positions."""
    return tuple(Problem(file, 0, 0, dotted(i.path), i.message, i.hint, i.severity) for i in issues)


def dotted(path: Path) -> str:
    return ".".join(str(step) for step in path)
