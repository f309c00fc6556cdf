"""What the manifests of features and templates have in common: both are published, described and given options.

A manifest is somebody else's file, not to be changed by who uses it: reading never raises for bad content, and only
what makes it unusable is an error.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from devcontainer import checks, locate, options
from devcontainer.checks import Issue
from devcontainer.jsonc import Document, JsoncError, JsonValue, parse
from devcontainer.options import Option
from devcontainer.problem import Problem, Severity

M = TypeVar("M", bound="Manifest")

Issues = Callable[[Mapping[str, JsonValue]], Iterator[Issue]]

text = options.lenient(checks.text)
text_list = options.lenient(checks.array(checks.text))

FIELDS = {
    "$schema": checks.anything,
    "id": checks.text,
    "version": text,
    "name": text,
    "description": text,
    "documentationURL": text,
    "licenseURL": text,
    "keywords": text_list,
    "options": options.issues,
}
"""Checks of what both kinds have."""

_NEEDED = ("id", "version", "name")


@dataclasses.dataclass(frozen=True)
class Manifest:
    """`raw` is the object as written."""

    raw: Mapping[str, JsonValue]
    file: str = ""
    problems: tuple[Problem, ...] = ()
    document: Document | None = dataclasses.field(default=None, repr=False, compare=False)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Those problems with which it must not be used."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity is Severity.WARNING)

    @property
    def id(self) -> str:
        return self.text("id")

    @property
    def version(self) -> str:
        return self.text("version")

    @property
    def name(self) -> str:
        return self.text("name")

    @property
    def description(self) -> str:
        return self.text("description")

    @property
    def documentation_url(self) -> str:
        return self.text("documentationURL")

    @functools.cached_property
    def options(self) -> Mapping[str, Option]:
        """In the order written."""
        return options.declared(self.raw.get("options"))

    def missing(self) -> tuple[str, ...]:
        """What it needs to be published and does not say."""
        return tuple(key for key in _NEEDED if not self.text(key))

    def text(self, key: str) -> str:
        """A value that should be a text; "" where it is none."""
        value = self.raw.get(key)
        return value if isinstance(value, str) else ""

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.raw.get(key)
        return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def load(kind: type[M], text: str, file: str, issues: Issues) -> M:
    """Read a manifest. `file` names it in problems; nothing is opened."""
    try:
        document = parse(text, file)
    except JsoncError as error:
        return kind({}, file, (Problem(file, error.line, error.column, "", error.message),))
    if not isinstance(document.value, dict):
        wrong = Problem(file, *document.position(()), "", "the file must hold one object, in braces")
        return kind({}, file, (wrong,), document)
    return kind(document.value, file, locate.problems(document, issues(document.value)), document)


def from_value(kind: type[M], raw: JsonValue, file: str, issues: Issues) -> M:
    """The manifest that an annotation holds; its problems have no position."""
    if not isinstance(raw, dict):
        return kind({}, file, (Problem(file, 0, 0, "", "the manifest must be one object"),))
    return kind(raw, file, locate.without_text(file, issues(raw)))


def missing_issues(raw: Mapping[str, JsonValue], what: str) -> Iterator[Issue]:
    """`what` is feature or template."""
    for key in _NEEDED:
        if not raw.get(key):
            yield Issue((), f"the property {key!r} is missing", f"a published {what} needs it", Severity.WARNING)
