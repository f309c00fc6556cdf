"""A `devcontainer-template.json` as a typed, frozen view over the value that was written.

`load` and `from_value` never raise for bad content: what is wrong is in `problems`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping

from devcontainer import checks, manifests
from devcontainer.checks import Issue
from devcontainer.jsonc import JsonValue
from devcontainer.manifests import Manifest
from devcontainer.problem import Severity

FILE = "devcontainer-template.json"

_NAME_IN_FILES = re.compile(r"[A-Za-z0-9_]+", re.ASCII)


@dataclasses.dataclass(frozen=True)
class TemplateManifest(Manifest):
    """`raw` is the object as written."""

    file: str = FILE

    @property
    def publisher(self) -> str:
        return self.text("publisher")

    @property
    def platforms(self) -> tuple[str, ...]:
        """Languages and systems that it is for, for people."""
        return self.texts("platforms")

    @property
    def optional_paths(self) -> tuple[str, ...]:
        """What a user may be asked to leave out; `folder/*` is all of a folder."""
        return self.texts("optionalPaths")


def load(text: str, file: str = FILE) -> TemplateManifest:
    """Read a manifest. `file` names it in problems; nothing is opened."""
    return manifests.load(TemplateManifest, text, file, issues)


def from_value(raw: JsonValue, file: str = FILE) -> TemplateManifest:
    """The manifest that an annotation holds; its problems have no position."""
    return manifests.from_value(TemplateManifest, raw, file, issues)


def issues(raw: Mapping[str, JsonValue]) -> Iterator[Issue]:
    """All that is wrong with a manifest; only what cannot be worked with is an error."""
    yield from _ALL(dict(raw), ())
    yield from manifests.missing_issues(raw, "template")
    declared = raw.get("options")
    for name in declared if isinstance(declared, dict) else ():
        if not _NAME_IN_FILES.fullmatch(name):
            hint = "a name in ${templateOption:NAME} has letters, digits and '_'"
            yield Issue(("options", name), "cannot be named in a file", hint, Severity.WARNING, at_key=True)


_ALL = checks.fields(
    {
        **manifests.FIELDS,
        "platforms": manifests.text_list,
        "publisher": manifests.text,
        "optionalPaths": manifests.text_list,
        # What publishing adds.
        "type": manifests.text,
        "files": manifests.text_list,
        "fileCount": checks.anything,
        "featureIds": manifests.text_list,
    }
)
