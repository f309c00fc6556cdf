"""What `devenv devcontainer` asks the supervisor: the flags of the reference's commands that matter to it.

Words are the reference's. Empty and None mean that the flag was not given. Results are the reference's own objects.
"""

from __future__ import annotations

from typing import Any

from devenv.api.messages import Args


class DropinArgs(Args, frozen=True, kw_only=True):
    """`folder` is --workspace-folder, `config` --config. Without a folder the container is found by its id or labels,
    and `config` alone says what is configured."""

    container_id: str = ""
    id_labels: dict[str, str] | None = None
    override_config: str | None = None
    mount_git_root: bool = True
    mount_git_worktree_common_dir: bool = False
    default_user_env_probe: str = ""
    skip_feature_auto_mapping: bool = False
    remote_env: dict[str, str] = {}
    container_data_folder: str = ""


class DropinUpArgs(DropinArgs, frozen=True, kw_only=True):
    additional_features: dict[str, Any] = {}
    build_no_cache: bool = False
    cache_from: list[str] = []
    cache_to: str = ""
    buildkit: str = "auto"  # auto | never
    remove_existing_container: bool = False
    expect_existing_container: bool = False
    gpu_availability: str = "detect"  # all | detect | none
    update_remote_user_uid_default: str = "on"  # never | on | off
    mounts: list[str] = []
    secrets_file: str = ""
    skip_post_create: bool = False
    skip_post_attach: bool = False
    skip_non_blocking_commands: bool = False
    prebuild: bool = False
    dotfiles_repository: str = ""
    dotfiles_install_command: str = ""
    dotfiles_target_path: str = ""
    lockfile: str = "write"  # write | frozen | ignore
    include_configuration: bool = False
    include_merged_configuration: bool = False


class DropinSetUpArgs(DropinArgs, frozen=True, kw_only=True):
    skip_post_create: bool = False
    skip_non_blocking_commands: bool = False
    dotfiles_repository: str = ""
    dotfiles_install_command: str = ""
    dotfiles_target_path: str = ""
    include_configuration: bool = False
    include_merged_configuration: bool = False


class DropinCommandsArgs(DropinArgs, frozen=True, kw_only=True):
    """run-user-commands."""

    secrets_file: str = ""
    skip_post_attach: bool = False
    skip_non_blocking_commands: bool = False
    prebuild: bool = False
    stop_for_personalization: bool = False
    dotfiles_repository: str = ""
    dotfiles_install_command: str = ""
    dotfiles_target_path: str = ""


class DropinBuildArgs(DropinArgs, frozen=True, kw_only=True):
    additional_features: dict[str, Any] = {}
    no_cache: bool = False
    cache_from: list[str] = []
    cache_to: str = ""
    buildkit: str = "auto"  # auto | never
    image_names: list[str] = []
    platform: str = ""
    push: bool = False
    output: str = ""
    labels: list[str] = []
    lockfile: str = "write"
    persist_feature_customizations: bool = True


class DropinExecArgs(DropinArgs, frozen=True, kw_only=True):
    argv: list[str]
    tty: bool = False


class DropinReadArgs(DropinArgs, frozen=True, kw_only=True):
    """read-configuration."""

    additional_features: dict[str, Any] = {}
    include_features_configuration: bool = False
    include_merged_configuration: bool = False
