"""The public names of the library, pinned: a change here is a change for whoever uses it."""

from __future__ import annotations

import ast
import doctest
import pathlib
import subprocess
import sys

import devcontainer

ROOT = pathlib.Path(__file__).resolve().parents[3]

NAMES = """
Build ComposeOverride ComposeProject DevContainer Dockerfile FeatureManifest FeatureReference FeatureResolution
FetchedFeature ForwardPort Gpu Hook HostRequirements InstallStep JsoncError Kind LifecycleCommand Lockfile Merged Mount
PortAttributes Problem Severity Stage Substitution TemplateManifest VariableError Workspace apply_template
compose_override devcontainer_id edit_jsonc feature_dockerfile find format_mount id_labels keep_alive layer_personal
load load_feature load_template merge_entries merged_configuration metadata_entry parse_command parse_dockerfile
parse_feature_reference parse_jsonc parse_mount port_attributes read_lockfile read_metadata resolve_workspace
write_lockfile write_metadata
"""


def test_the_names() -> None:
    assert devcontainer.__all__ == NAMES.split()
    assert {getattr(devcontainer, name) is not None for name in devcontainer.__all__} == {True}
    assert set(devcontainer.__all__) <= set(dir(devcontainer))


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(devcontainer, "loads")


def test_types_are_declared_for_each() -> None:
    """`__init__.pyi` is what type checkers read in place of the lazy names."""
    tree = ast.parse((ROOT / "devcontainer/__init__.pyi").read_text())
    declared = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            declared.update({alias.asname or alias.name: (node.module, alias.name) for alias in node.names})
    assert sorted(declared) == devcontainer.__all__
    for public, (module, name) in declared.items():
        assert getattr(devcontainer, public) is getattr(sys.modules[module], name)


def test_importing_it_loads_nothing_else() -> None:
    code = "import sys, devcontainer; print(sorted(m for m in sys.modules if m.startswith('devcontainer.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_the_examples_of_the_documentation() -> None:
    failed, tried = doctest.testfile(str(ROOT / "docs/library.md"), module_relative=False)
    assert failed == 0 and tried > 20
