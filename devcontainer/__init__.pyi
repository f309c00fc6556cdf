"""The public names with their types; `__init__.py` loads each when it is first used."""

from devcontainer.compose import Override as ComposeOverride
from devcontainer.compose import Project as ComposeProject
from devcontainer.compose import override as compose_override
from devcontainer.discover import find
from devcontainer.dockerfile import Dockerfile
from devcontainer.dockerfile import parse as parse_dockerfile
from devcontainer.features.graph import Fetched as FetchedFeature
from devcontainer.features.graph import InstallStep
from devcontainer.features.graph import Resolution as FeatureResolution
from devcontainer.features.layers import dockerfile as feature_dockerfile
from devcontainer.features.lockfile import Lockfile
from devcontainer.features.lockfile import read as read_lockfile
from devcontainer.features.lockfile import write as write_lockfile
from devcontainer.features.manifest import FeatureManifest
from devcontainer.features.manifest import load as load_feature
from devcontainer.features.reference import FeatureReference
from devcontainer.features.reference import parse as parse_feature_reference
from devcontainer.identity import devcontainer_id, id_labels
from devcontainer.jsonc import JsoncError
from devcontainer.jsonc import parse as parse_jsonc
from devcontainer.jsonc.edit import set_value as edit_jsonc
from devcontainer.keepalive import argv as keep_alive
from devcontainer.lifecycle import LifecycleCommand, Stage
from devcontainer.lifecycle import parse as parse_command
from devcontainer.merge import Hook, Merged
from devcontainer.merge import merge as merge_entries
from devcontainer.metadata import entry as metadata_entry
from devcontainer.metadata import read as read_metadata
from devcontainer.metadata import write as write_metadata
from devcontainer.model import Build, DevContainer, Kind, load
from devcontainer.mounts import Mount
from devcontainer.mounts import format as format_mount
from devcontainer.mounts import parse as parse_mount
from devcontainer.overlay import layer as layer_personal
from devcontainer.ports import ForwardPort, PortAttributes
from devcontainer.ports import attributes as port_attributes
from devcontainer.problem import Problem, Severity
from devcontainer.readout import merged_configuration
from devcontainer.requirements import Gpu, HostRequirements
from devcontainer.templates import TemplateManifest
from devcontainer.templates import apply as apply_template
from devcontainer.templates import load as load_template
from devcontainer.variables import Substitution, VariableError
from devcontainer.workspace import Workspace
from devcontainer.workspace import resolve as resolve_workspace

__all__ = [
    "Build",
    "ComposeOverride",
    "ComposeProject",
    "DevContainer",
    "Dockerfile",
    "FeatureManifest",
    "FeatureReference",
    "FeatureResolution",
    "FetchedFeature",
    "ForwardPort",
    "Gpu",
    "Hook",
    "HostRequirements",
    "InstallStep",
    "JsoncError",
    "Kind",
    "LifecycleCommand",
    "Lockfile",
    "Merged",
    "Mount",
    "PortAttributes",
    "Problem",
    "Severity",
    "Stage",
    "Substitution",
    "TemplateManifest",
    "VariableError",
    "Workspace",
    "apply_template",
    "compose_override",
    "devcontainer_id",
    "edit_jsonc",
    "feature_dockerfile",
    "find",
    "format_mount",
    "id_labels",
    "keep_alive",
    "layer_personal",
    "load",
    "load_feature",
    "load_template",
    "merge_entries",
    "merged_configuration",
    "metadata_entry",
    "parse_command",
    "parse_dockerfile",
    "parse_feature_reference",
    "parse_jsonc",
    "parse_mount",
    "port_attributes",
    "read_lockfile",
    "read_metadata",
    "resolve_workspace",
    "write_lockfile",
    "write_metadata",
]
