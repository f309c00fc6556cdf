"""README files of a collection; tests/integration compares them with the reference's."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from devcontainer import documentation

FEATURE: dict[str, Any] = {
    "id": "tool",
    "version": "2.1.0",
    "name": "Tool",
    "description": "Does things",
    "options": {"version": {"type": "string", "default": "1", "description": "which"}, "9": {"default": ""}},
}


def test_a_feature() -> None:
    text = documentation.feature_readme(FEATURE, registry="ghcr.io", namespace="me/features", notes="Mind the gap\n")
    assert text.startswith("\n# Tool (tool)\n\nDoes things\n\n## Example Usage\n")
    assert '    "ghcr.io/me/features/tool:2": {}\n' in text
    assert "| 9 | - | - | - |\n| version | which | string | 1 |\n" in text
    assert "Mind the gap\n" in text
    assert "[devcontainer-feature.json](devcontainer-feature.json)" in text


def test_an_old_feature_says_so_in_front() -> None:
    raw = {**FEATURE, "deprecated": True, "legacyIds": ["gadget", "thing"]}
    text = documentation.feature_readme(raw, registry="r", namespace="n")
    assert text.startswith("### **IMPORTANT NOTE**\n- **This Feature is deprecated")
    assert "'gadget', 'thing'**\n\n# Tool (tool)" in text


def test_extensions() -> None:
    raw = {**FEATURE, "customizations": {"vscode": {"extensions": ["a.b"]}}}
    assert "### VS Code Extensions\n\n- `a.b`\n" in documentation.feature_readme(raw, registry="r", namespace="n")


def test_a_template() -> None:
    text = documentation.template_readme({**FEATURE, "name": ""}, notes="n")
    assert text.startswith("\n# tool\n\nDoes things\n\n## Options\n")
    assert "Example Usage" not in text
    assert "[devcontainer-template.json]" in text


def test_a_collection() -> None:
    found = documentation.generate_docs(
        "feature", {"tool": FEATURE, "empty": {}}, {"tool": "notes"}, namespace="n", owner="o", repository="r"
    )
    assert list(found) == ["tool"]
    assert "(https://github.com/o/r/blob/main/src/tool/devcontainer-feature.json)" in found["tool"]
    [readme] = documentation.generate_docs("template", {"t": FEATURE}, {}, source="./x", owner="o").values()
    assert "(devcontainer-template.json)" in readme


def test_signs_of_a_replacement_stay() -> None:
    """The reference, which replaces text by text, makes something else of them."""
    raw = {**FEATURE, "description": "$& $' $$ #{Id}"}
    assert "$& $' $$ #{Id}" in documentation.feature_readme(raw, registry="r", namespace="n", notes="#{Name} $1")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
KEYS = ["id", "version", "name", "description", "options", "deprecated", "legacyIds", "customizations"]


@given(st.dictionaries(st.sampled_from(KEYS), JSON | st.just({"vscode": {"extensions": [1]}}), max_size=8))
def test_any_manifest_has_a_readme(raw: Any) -> None:
    assert documentation.feature_readme(raw, registry="r", namespace="n").endswith("`NOTES.md`._\n")
    assert documentation.template_readme(raw).endswith("`NOTES.md`._\n")
