"""The README.md that a collection of features or templates has for each of them.

The text is the one that the reference writes, because repositories keep it under version control and would see every
other word as a change.
"""

from __future__ import annotations

from collections.abc import Mapping

from devcontainer import javascript
from devcontainer.features.manifest import FILE as FEATURE_FILE
from devcontainer.jsonc import JsonValue
from devcontainer.templates.manifest import FILE as TEMPLATE_FILE


def generate_docs(
    kind: str,
    manifests: Mapping[str, Mapping[str, JsonValue]],
    notes: Mapping[str, str],
    *,
    registry: str = "ghcr.io",
    namespace: str = "",
    owner: str = "",
    repository: str = "",
    source: str = "src",
) -> dict[str, str]:
    """README.md texts by folder, for the manifests of a collection by folder; those without an id have none.

    `kind` is "feature" or "template". `notes` are the texts of NOTES.md where there is one. `owner` and `repository`
    on GitHub make links to the manifests below the folder `source`.
    """
    found: dict[str, str] = {}
    for folder, raw in manifests.items():
        if not raw.get("id"):
            continue
        text = notes.get(folder, "")
        if kind == "template":
            url = source_url(owner, repository, source, folder, TEMPLATE_FILE)
            found[folder] = template_readme(raw, notes=text, source_url=url)
        else:
            url = source_url(owner, repository, source, folder, FEATURE_FILE)
            found[folder] = feature_readme(raw, registry=registry, namespace=namespace, notes=text, source_url=url)
    return found


def feature_readme(
    raw: Mapping[str, JsonValue], *, registry: str, namespace: str, notes: str = "", source_url: str = FEATURE_FILE
) -> str:
    """For the manifest of one feature. `notes` is the text of its NOTES.md, `source_url` where the manifest lies."""
    used = f"{registry}/{namespace}/{_shown(raw.get('id'))}:{_major(raw.get('version'))}"
    example = f'```json\n"features": {{\n    "{used}": {{}}\n}}\n```'
    parts = [_title(raw), "## Example Usage", example, f"{_options(raw)}\n{_extensions(raw)}\n{notes}"]
    return _notice(raw) + _page(parts, FEATURE_FILE, source_url)


def template_readme(raw: Mapping[str, JsonValue], *, notes: str = "", source_url: str = TEMPLATE_FILE) -> str:
    """For the manifest of one template."""
    return _page([_title(raw), _options(raw), notes], TEMPLATE_FILE, source_url)


def source_url(owner: str, repository: str, folder: str, name: str, file: str) -> str:
    """Where a manifest lies on GitHub; the file itself if that is not known. `folder` holds the collection ("src")."""
    if not owner or not repository:
        return file
    return f"https://github.com/{owner}/{repository}/blob/main/{folder.removeprefix('./')}/{name}/{file}"


def _page(parts: list[str], file: str, url: str) -> str:
    generated = f"_Note: This file was auto-generated from the [{file}]({url}).  Add additional notes to a `NOTES.md`._"
    return "\n" + "\n\n".join([*parts, "---", generated]) + "\n"


def _title(raw: Mapping[str, JsonValue]) -> str:
    identity, name, description = _shown(raw.get("id")), raw.get("name"), raw.get("description")
    title = f"{_shown(name)} ({identity})" if name else identity
    return f"# {title}\n\n{'' if description is None else _shown(description)}"


def _notice(raw: Mapping[str, JsonValue]) -> str:
    """In front of everything: that a feature is deprecated, and what it was called."""
    lines: list[str] = []
    if raw.get("deprecated"):
        lines.append("- **This Feature is deprecated, and will no longer receive any further updates/support.**\n")
    legacy = raw.get("legacyIds")
    if isinstance(legacy, list) and legacy:
        listed = ", ".join(f"'{_shown(old)}'" for old in legacy)
        lines.append(f"- **Ids used to publish this Feature in the past - {listed}**\n")
    return "### **IMPORTANT NOTE**\n" + "".join(lines) if lines else ""


def _options(raw: Mapping[str, JsonValue]) -> str:
    value = raw.get("options")
    if not isinstance(value, dict):
        return ""
    rows = [_row(name, value[name]) for name in javascript.keys(value)]
    head = "## Options\n\n| Options Id | Description | Type | Default Value |\n|-----|-----|-----|-----|\n"
    return head + "\n".join(rows)


def _row(name: str, entry: JsonValue) -> str:
    option = entry if isinstance(entry, dict) else {}
    description, kind = option.get("description") or "-", option.get("type") or "-"
    default = "undefined" if "default" not in option else _shown(option["default"]) or "-"
    return f"| {name} | {_shown(description)} | {_shown(kind)} | {default} |"


def _extensions(raw: Mapping[str, JsonValue]) -> str:
    customizations = raw.get("customizations")
    vscode = customizations.get("vscode") if isinstance(customizations, dict) else None
    extensions = vscode.get("extensions") if isinstance(vscode, dict) else None
    if not isinstance(extensions, list) or not extensions:
        return ""
    listed = "\n".join(f"- `{_shown(extension)}`" for extension in extensions)
    return f"\n## Customizations\n\n### VS Code Extensions\n\n{listed}\n"


def _major(version: JsonValue) -> str:
    return version.split(".")[0] if isinstance(version, str) and version else "latest"


def _shown(value: JsonValue) -> str:
    """As JavaScript puts a value into a text."""
    if value is None:
        return "null"
    if isinstance(value, list):
        return ",".join("" if item is None else _shown(item) for item in value)
    return "[object Object]" if isinstance(value, dict) else value if isinstance(value, str) else javascript.text(value)
