"""Dev Container *Templates* as pure functions: files in, files out.

    template = templates.load(text, "devcontainer-template.json")
    files = templates.apply(archive_files, template, {"imageVariant": "bookworm"}, omit_paths=[".github/*"])

Nothing here fetches a template or writes into a project.
"""

from devcontainer.templates.application import TemplateError, apply, configuration_path, issues, resolved, with_features
from devcontainer.templates.manifest import TemplateManifest, from_value, load

__all__ = [
    "TemplateError",
    "TemplateManifest",
    "apply",
    "configuration_path",
    "from_value",
    "issues",
    "load",
    "resolved",
    "with_features",
]
