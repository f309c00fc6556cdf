"""`features info` and `templates metadata`: what a registry has of one feature or template."""

from __future__ import annotations

import json
import os
import pathlib
import sys
from collections.abc import Iterator

from devcontainer import javascript
from devcontainer.features import report
from devcontainer.features.reference import FeatureReferenceError, OciReference, parse_artifact
from devcontainer.jsonc import JsonValue
from devenv.dropin import place
from devenv.dropin.failures import tell
from devenv.dropin.flags import Line
from devenv.dropin.log import ERROR, WARNING, Log
from devenv.errors import DevenvError, UsageError
from devenv.features import artifact, fetch
from devenv.features.artifact import Artifact
from devenv.features.cache import FeatureCache
from devenv.oci.client import Client

_TREE = "Dependency Tree (Render with https://mermaid.live/)"


def run(line: Line, log: Log) -> int:
    """What is not there is 1, and `{}` where JSON was asked for."""
    if line.command == "templates metadata":
        return _metadata(line, log)
    as_json = line.text("output-format") == "json"
    try:
        _info(line, log, as_json)
    except DevenvError as error:
        tell(error.to_wire(), log)
        if as_json:
            sys.stdout.write("{}\n")
        return 1
    return 0


def _metadata(line: Line, log: Log) -> int:
    text = None
    try:
        with _client(log) as client:
            found = artifact.describe(_reference(line.text("templateId")), client)
        text = found.metadata
        if text is None:
            log.text(f"{found.canonical_id} says nothing of itself: its author can publish it again", ERROR)
    except DevenvError as error:
        tell(error.to_wire(), log)
    sys.stdout.write((_compact(text) if text is not None else "{}") + "\n")
    return 1 if text is None else 0


def _compact(text: str) -> str:
    try:
        return javascript.stringify(json.loads(text))
    except ValueError as error:
        raise UsageError("its manifest is not JSON", "its author can publish it again") from error


def _info(line: Line, log: Log, as_json: bool) -> None:
    mode = line.text("mode")
    reference = _reference(line.text("feature"))
    shown: dict[str, JsonValue] = {}
    with _client(log) as client:
        found = artifact.describe(reference, client)
        if mode in ("manifest", "verbose"):
            shown |= {"manifest": found.manifest.value, "canonicalId": found.canonical_id}
        if mode in ("tags", "verbose"):
            shown["publishedTags"] = list[JsonValue](artifact.published_tags(reference, client))
    if as_json:
        sys.stdout.write(javascript.stringify(shown, indent=4) + "\n")
        return
    for text in _boxes(shown):
        sys.stdout.write(text + "\n")
    if mode in ("dependencies", "verbose"):
        sys.stdout.write(f"{_box(_TREE)}\n{_tree(found, log)}\n")


def _boxes(shown: dict[str, JsonValue]) -> Iterator[str]:
    if "manifest" in shown:
        yield _box("Manifest")
        yield javascript.stringify({**_object(shown["manifest"])}, indent=2) + "\n"
        yield _box("Canonical Identifier")
        yield f"{shown['canonicalId']}\n"
    tags = shown.get("publishedTags")
    if isinstance(tags, list):
        yield _box("Published Tags")
        yield "\n   ".join(str(tag) for tag in tags)


def _box(title: str) -> str:
    rule = "─" * len(title)
    return f"┌{rule}┐\n│\x1b[1m{title}\x1b[22m│\n└{rule}┘"


def _object(value: JsonValue) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _tree(found: Artifact, log: Log) -> str:
    """The feature and what it depends on, as a picture."""
    here = pathlib.Path.cwd()
    resolved = place.wait(
        fetch.resolve(
            {found.reference.written: {}},
            configuration=here / ".devcontainer.json",
            workspace=here,
            env=dict(os.environ),
            cache=FeatureCache(place.cache_folder()),
            progress=place.Told(log),
            files=False,
            fresh=0,
        )
    )
    return report.graph(resolved.resolution.graph(), resolved.resolution.priority)


def _reference(written: str) -> OciReference:
    try:
        return parse_artifact(written)
    except FeatureReferenceError as error:
        raise UsageError(error.message, error.hint) from error


def _client(log: Log) -> Client:
    return Client(dict(os.environ), note=lambda text: log.text(text, WARNING))
