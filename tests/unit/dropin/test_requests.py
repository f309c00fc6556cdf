"""From a command line to one request: what was given, paths absolute, and the reference's rules for the folder."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest

from devenv.api import dropin_messages
from devenv.dropin import flags, requests, tables

HERE = "<here>"
REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("nothing given: here", "up", {"folder": HERE}),
    ("a folder below", "up --workspace-folder x", {"folder": f"{HERE}/x"}),
    ("dots are resolved", "up --workspace-folder x/../y/.", {"folder": f"{HERE}/y"}),
    ("labels say which", "up --id-label a=b --id-label c=d=e", {"id_labels": {"a": "b", "c": "d=e"}}),
    ("an overriding file says what", "up --override-config o", {"override_config": f"{HERE}/o"}),
    ("which it does not for others", "exec --override-config o ls", {"folder": HERE, "override_config": f"{HERE}/o"}),
    ("an id says which", "exec --container-id x ls", {"container_id": "x"}),
    ("set-up has no folder", "set-up --container-id x", {"container_id": "x"}),
    ("a folder of build", "build x", {"folder": f"{HERE}/x"}),
    ("the flag before the word", "build x --workspace-folder y", {"folder": f"{HERE}/y"}),
    (
        "files",
        "up --config c --secrets-file s",
        {"folder": HERE, "config": f"{HERE}/c", "secrets_file": f"{HERE}/s"},
    ),
    ("variables", "exec --remote-env A= --remote-env B=c=d ls", {"folder": HERE, "remote_env": {"A": "", "B": "c=d"}}),
    (
        "hooks",
        "up --skip-post-create --skip-post-attach --skip-non-blocking-commands --prebuild",
        {
            "folder": HERE,
            "skip_post_create": True,
            "skip_post_attach": True,
            "skip_non_blocking_commands": True,
            "prebuild": True,
        },
    ),
    ("stop early", "run-user-commands --stop-for-personalization", {"folder": HERE, "stop_for_personalization": True}),
    (
        "a build",
        "build --image-name a --image-name b --label c=d --push --platform p --no-cache --buildkit never",
        {
            "folder": HERE,
            "image_names": ["a", "b"],
            "labels": ["c=d"],
            "push": True,
            "platform": "p",
            "no_cache": True,
            "buildkit": "never",
        },
    ),
    (
        "caches",
        "up --cache-from a --cache-from b --cache-to c --build-no-cache",
        {"folder": HERE, "cache_from": ["a", "b"], "cache_to": "c", "build_no_cache": True},
    ),
    (
        "mounts",
        "up --mount type=bind,source=/a,target=/b",
        {"folder": HERE, "mounts": ["type=bind,source=/a,target=/b"]},
    ),
    ("no git root", "up --mount-workspace-git-root false", {"folder": HERE, "mount_git_root": False}),
    ("a worktree", "up --mount-git-worktree-common-dir", {"folder": HERE, "mount_git_worktree_common_dir": True}),
    ("a probe", "exec --default-user-env-probe none ls", {"folder": HERE, "default_user_env_probe": "none"}),
    ("features", """up --additional-features '{"./a": {},}'""", {"folder": HERE, "additional_features": {"./a": {}}}),
    ("no lockfile", "up --no-lockfile", {"folder": HERE, "lockfile": "ignore"}),
    ("a frozen one", "build --frozen-lockfile", {"folder": HERE, "lockfile": "frozen"}),
    ("its old name", "build --experimental-frozen-lockfile", {"folder": HERE, "lockfile": "frozen"}),
    (
        "what the label has",
        "build --skip-persisting-customizations-from-features",
        {"folder": HERE, "persist_feature_customizations": False},
    ),
    (
        "what is shown",
        "read-configuration --include-features-configuration --include-merged-configuration",
        {"folder": HERE, "include_features_configuration": True, "include_merged_configuration": True},
    ),
    (
        "dotfiles",
        "up --dotfiles-repository r --dotfiles-install-command i",
        {"folder": HERE, "dotfiles_repository": "r", "dotfiles_install_command": "i"},
    ),
    ("empty values are not given", "build --image-name= --label=", {"folder": HERE}),
]

DEFAULTS = {"gpu_availability", "update_remote_user_uid_default", "dotfiles_target_path", "buildkit"}
"""Sent although they are what counts anyway."""


@pytest.mark.parametrize(("line", "expected"), [case[1:] for case in REQUESTS], ids=[case[0] for case in REQUESTS])
def test_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, expected: dict[str, Any]) -> None:
    monkeypatch.chdir(tmp_path)
    made = requests.arguments(flags.parse(shlex.split(line)))
    wanted = {key: _here(value, tmp_path) for key, value in expected.items()}
    assert {key: value for key, value in made.items() if key not in DEFAULTS or key in wanted} == wanted


def _here(value: Any, here: Path) -> Any:
    return value.replace(HERE, str(here)) if isinstance(value, str) else value


def test_a_symlink_stays_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an identity label: the reference keeps it too."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    made = requests.arguments(flags.parse(["up", "--workspace-folder", "link"]))
    assert made["folder"] == str(tmp_path / "link") != os.path.realpath(tmp_path / "link")


@pytest.mark.parametrize("text", ["{", "[]", "1", '"x"', "{} {}"])
def test_features_that_are_no_object(text: str) -> None:
    with pytest.raises(flags.Misuse, match="--additional-features"):
        requests.arguments(flags.parse(["up", "--additional-features", text]))


TYPES = {
    "up": dropin_messages.DropinUpArgs,
    "set-up": dropin_messages.DropinSetUpArgs,
    "build": dropin_messages.DropinBuildArgs,
    "run-user-commands": dropin_messages.DropinCommandsArgs,
    "read-configuration": dropin_messages.DropinReadArgs,
    "exec": dropin_messages.DropinExecArgs,
}

WITHOUT_EFFECT = {
    "allow-cross-origin-auth-host",
    "oci-auth-hardening",
    "container-session-data-folder",
    "container-system-data-folder",
    "docker-compose-path",
    "docker-path",
    "experimental-lockfile",
    "log-format",
    "log-level",
    "omit-config-remote-env-from-metadata",
    "omit-syntax-directive",
    "skip-feature-auto-mapping",
    "terminal-columns",
    "terminal-rows",
    "user-data-folder",
    "workspace-mount-consistency",
    "help",
    "version",
}
"""Flags that the supervisor is not told: of this side, or without a meaning here (docs/dropin.md)."""

VALUES = {
    "id-label": "a=b",
    "remote-env": "A=b",
    "mount": "type=bind,source=/a,target=/b",
    "additional-features": '{"./a": {}}',
    "mount-workspace-git-root": "false",
    "gpu-availability": "none",
    "update-remote-user-uid-default": "never",
    "default-user-env-probe": "none",
    "buildkit": "never",
}


@pytest.mark.parametrize(
    ("command", "name"),
    [(command, name) for command in TYPES for name in flags.flags_of(command) if name not in WITHOUT_EFFECT],
)
def test_the_supervisor_has_a_field_for_every_flag_that_it_is_told(command: str, name: str) -> None:
    bare = requests.arguments(flags.parse(_bare(command)))
    value = VALUES.get(name, "true" if flags.flags_of(command)[name] == tables.SWITCH else "x")
    words = [word for word in _bare(command) if not word.startswith(f"--{name}=")]
    made = requests.arguments(flags.parse([command, f"--{name}={value}", *words[1:]]))
    told = {key for key, found in made.items() if bare.get(key) != found}
    assert told, "it is told to nobody"
    assert told <= set(TYPES[command].__struct_fields__)


def _bare(command: str) -> list[str]:
    """The shortest line."""
    more = {"set-up": ["--container-id=y"], "exec": ["ls"]}
    return [command, *more.get(command, [])]


@pytest.mark.parametrize("command", TYPES)
def test_what_is_sent_is_understood(command: str) -> None:
    made = requests.arguments(flags.parse(_bare(command)))
    if command == "exec":
        made |= {"argv": ["ls"], "tty": False}
    msgspec.convert(made, TYPES[command], strict=True)


SAID = [
    ("another engine's client", "up --docker-path podman", "DOCKER_HOST"),
    ("the old name of nothing", "build --experimental-lockfile", "lockfiles are written without it"),
    ("an old name", "build --experimental-frozen-lockfile", "--frozen-lockfile"),
]


@pytest.mark.parametrize(("line", "words"), [case[1:] for case in SAID], ids=[case[0] for case in SAID])
def test_what_has_no_effect_is_said(line: str, words: str) -> None:
    (said,) = requests.warnings(flags.parse(shlex.split(line)))
    assert words in said


@pytest.mark.parametrize("path", ["docker", "/usr/bin/docker"])
def test_the_engine_s_own_client_is_nothing_to_speak_of(path: str) -> None:
    assert requests.warnings(flags.parse(["up", "--docker-path", path])) == []
