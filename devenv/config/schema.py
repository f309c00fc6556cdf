"""The JSON Schema of devenv.yaml, generated from the types, for editors and for our own validation.

`python -m devenv.config` writes the published copy; a test proves that it is current.
"""

from __future__ import annotations

import functools
import json
import pathlib
from typing import Any

import msgspec

from devenv.config.model import DevenvConfig, ServiceKind

FILE = pathlib.Path(__file__).with_name("devenv.schema.json")

PORT_KEY = r"^([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$"
RUN_FORMS = ("script", "module", "command")

_LOOSE = ["string", "number", "boolean"]


@functools.cache
def schema() -> dict[str, Any]:
    """Draft 2020-12. Do not change the result: it is shared."""
    _, components = msgspec.json.schema_components([DevenvConfig], ref_template="#/$defs/{name}")
    definitions: dict[str, Any] = _tidied(components)
    definitions["RunConfig"]["oneOf"] = [{"required": [form]} for form in RUN_FORMS]
    definitions["ServiceConfig"]["allOf"] = [
        {
            "if": {"required": ["kind"], "properties": {"kind": {"const": ServiceKind.COMMAND.value}}},
            "then": {"required": ["command"]},
        }
    ]
    ports = definitions["PortsConfig"]
    ports["patternProperties"] = {PORT_KEY: ports["properties"].pop("configured")["additionalProperties"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **definitions.pop("DevenvConfig"),
        "title": "devenv.yaml",
        "$defs": definitions,
    }


def published() -> str:
    """The text of the published file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _tidied(node: Any) -> Any:
    """Absent is the only way to say nothing (no null), and words in lists and maps may be written without quotes."""
    if isinstance(node, list):
        return [_tidied(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _tidied(value) for key, value in node.items() if not (key == "default" and value is None)}
    forms = [form for form in node.get("anyOf", ()) if form != {"type": "null"}]
    if len(forms) == 1:
        node.pop("anyOf")
        node = {**forms[0], **node}
    elif forms:
        node["anyOf"] = forms
    for key in ("items", "additionalProperties"):
        inner = node.get(key)
        if isinstance(inner, dict) and inner.get("type") == "string" and "enum" not in inner:
            node[key] = {**inner, "type": _LOOSE}
    if node.get("required") == []:
        del node["required"]
    return node
