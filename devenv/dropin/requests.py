"""From a command line to the arguments of one request (devenv.api.dropin_messages). On the warm path.

Paths become absolute here, with their symlinks: the folder is an identity label. What was not given is left out.
"""

import os

from devenv.dropin.flags import Line, Misuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HOOKS = ("skip-post-create", "skip-post-attach", "skip-non-blocking-commands", "prebuild", "stop-for-personalization")
_DOTFILES = ("dotfiles-repository", "dotfiles-install-command", "dotfiles-target-path")
_SHOWN = ("include-configuration", "include-merged-configuration", "include-features-configuration")
_PASSED = (
    *("container-id", "container-data-folder", "gpu-availability", "update-remote-user-uid-default", "cache-to"),
    *("build-no-cache", "remove-existing-container", "expect-existing-container", "buildkit", "platform", "output"),
    *("skip-feature-auto-mapping", "no-cache", "push", *_HOOKS, *_DOTFILES, *_SHOWN),
)
"""Flags that are fields of the same name. `default-user-env-probe` has a default of ours, which is told by ""."""

_FILES = ("config", "override-config", "secrets-file")
_LISTS = {"cache-from": "cache_from", "mount": "mounts", "image-name": "image_names", "label": "labels"}
_PAIRS = {"id-label": "id_labels", "remote-env": "remote_env"}
_DEFAULT_PROBE = "loginInteractiveShell"


def arguments(line: Line) -> "dict[str, Any]":
    """Raises Misuse for `--additional-features` that are no JSON object."""
    values = line.values
    found: dict[str, Any] = {}
    folder = _folder(line)
    if folder:
        found["folder"] = folder
    for name in _FILES:
        if values.get(name):
            found[name.replace("-", "_")] = os.path.abspath(values[name])
    for name in _PASSED:
        value = values.get(name)
        if value:
            found[name.replace("-", "_")] = value
    for name, field in _LISTS.items():
        given = [value for value in values.get(name, ()) if value]
        if given:
            found[field] = given
    for name, field in _PAIRS.items():
        pairs = values.get(name)
        if pairs:
            found[field] = {key: value for key, _, value in (pair.partition("=") for pair in pairs)}
    if values.get("mount-workspace-git-root") is False:
        found["mount_git_root"] = False
    if values.get("mount-git-worktree-common-dir"):
        found["mount_git_worktree_common_dir"] = True
    if values.get("default-user-env-probe", _DEFAULT_PROBE) != _DEFAULT_PROBE:
        found["default_user_env_probe"] = values["default-user-env-probe"]
    if values.get("skip-persisting-customizations-from-features"):
        found["persist_feature_customizations"] = False
    if values.get("additional-features"):
        found["additional_features"] = _features(line)
    lockfile = _lockfile(values)
    if lockfile:
        found["lockfile"] = lockfile
    return found


def warnings(line: Line) -> "list[str]":
    """Flags that are taken and do nothing here, where somebody might wait for what they do."""
    values = line.values
    said = []
    docker = os.path.basename(line.text("docker-path"))
    if docker not in ("", "docker"):
        said.append(f"--docker-path {docker} is not called: the engine is asked directly (DOCKER_HOST says where)")
    if values.get("experimental-lockfile"):
        said.append("--experimental-lockfile is an old name: lockfiles are written without it")
    if values.get("experimental-frozen-lockfile"):
        said.append("--experimental-frozen-lockfile is an old name of --frozen-lockfile")
    return said


def _folder(line: Line) -> str:
    """The working folder where nothing else says which container is meant; "" where something does."""
    values = line.values
    if line.command == "set-up":
        return ""
    given = values.get("workspace-folder") or (values.get("path") if line.command == "build" else "")
    if not given:
        others = ("id-label", "override-config") if line.command == "up" else ("container-id", "id-label")
        if any(values.get(name) for name in others):
            return ""
    return os.path.abspath(given or "")


def _lockfile(values: "dict[str, Any]") -> str:
    if values.get("no-lockfile"):
        return "ignore"
    return "frozen" if values.get("frozen-lockfile") or values.get("experimental-frozen-lockfile") else ""


def _features(line: Line) -> "dict[str, Any]":
    from devcontainer.jsonc import JsoncError, parse

    try:
        value = parse(line.text("additional-features"), "--additional-features").value
    except JsoncError as error:
        problem = f"--additional-features: column {error.column}: {error.message}"
        raise Misuse(line.command, [problem]) from error
    if not isinstance(value, dict):
        raise Misuse(line.command, ["--additional-features must be a JSON object, as 'features' in devcontainer.json"])
    return dict(value)
