"""What there is to say about the features of a configuration once they are known: options, old names, warnings.

Names that are none are found earlier, by `devcontainer.properties`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from devcontainer.checks import Issue
from devcontainer.features import options
from devcontainer.features.graph import InstallStep, Resolution
from devcontainer.jsonc import Path
from devcontainer.problem import Severity

KEY = "features"


def issues(resolution: Resolution, steps: Iterable[InstallStep]) -> Iterator[Issue]:
    """All of it; paths lead into the devcontainer.json, where one of its lines is meant."""
    for step in steps:
        path: Path = (KEY, step.written)
        if step.by_user:
            yield from options.issues(step.manifest, step.given, path)
        else:
            yield from _needed(step)
        yield from _old(step, path)
    for written in resolution.unused_override():
        message = f"{written!r} is not installed, so its place in the order has no effect"
        yield Issue(("overrideFeatureInstallOrder",), message, "", Severity.WARNING)


def _needed(step: InstallStep) -> Iterator[Issue]:
    """Another feature gives the options: nobody here can change them, so nothing of it stops anybody."""
    for issue in options.issues(step.manifest, step.given):
        option = f" {issue.path[-1]!r}" if issue.path else ""
        message = f"another feature needs {step.written!r}; its option{option}: {issue.message}"
        yield Issue((KEY,), message, issue.hint, Severity.WARNING)


def _old(step: InstallStep, path: Path) -> Iterator[Issue]:
    manifest = step.manifest
    if manifest.deprecated:
        hint = f"see {manifest.documentation_url}" if manifest.documentation_url else ""
        yield Issue(path, "is deprecated: its authors no longer change or support it", hint, Severity.WARNING, True)
    if manifest.renamed_to:
        yield Issue(path, f"is called {manifest.renamed_to!r} now", "", Severity.WARNING, True)
