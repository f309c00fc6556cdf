"""Features in the text of a devcontainer.json: added, or given another version; comments and layout stay."""

from __future__ import annotations

import json
from collections.abc import Mapping

from devcontainer.features.reference import without_version
from devcontainer.jsonc import JsonValue, parse
from devcontainer.jsonc.edit import set_value
from devcontainer.jsonc.nodes import Object


def add(text: str, features: Mapping[str, JsonValue]) -> str:
    """The text with these features and their options; one that is there gets the options.

    Raises JsoncError for text that is not JSONC, EditError where `features` is no object.
    """
    for written, given in features.items():
        text = set_value(text, ("features", written), {} if given is None else given)
    return text


def set_version(text: str, feature: str, version: str) -> str:
    """The text with another version of a feature, which may be given with or without one.

    Only the key changes. Unchanged if the configuration does not have the feature. Raises JsoncError.
    """
    document = parse(text)
    node = document.node(("features",))
    wanted = without_version(feature)
    for member in node.members if isinstance(node, Object) else ():
        if without_version(member.name) == wanted:
            key = json.dumps(f"{wanted}:{version}", ensure_ascii=False)
            return text[: member.key.start] + key + text[member.key.end :]
    return text
