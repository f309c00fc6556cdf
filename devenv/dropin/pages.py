"""`--help`: what each command and each flag is for. Loaded only when somebody asks."""

from devenv.dropin import tables
from devenv.dropin.flags import flags_of
from devenv.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devenv.dropin.tables import Kind

SUMMARIES = {
    "up": "Make and start the dev container, and run its lifecycle commands.",
    "set-up": "Make a running container that something else started into a dev container.",
    "build": "Build the dev container's image.",
    "run-user-commands": "Run the lifecycle commands in a running dev container.",
    "read-configuration": "Print the configuration as it is understood, as JSON.",
    "outdated": "Tell which features have newer versions.",
    "upgrade": "Write the lockfile anew, with the newest versions that fit.",
    "exec": "Run a command in a running dev container.",
    "features": "Commands for features and their authors.",
    "features test": "Run the tests of a collection of features, each in a container.",
    "features package": "Pack a collection of features into archives.",
    "features publish": "Pack a collection of features and push it to a registry.",
    "features info": "Show what a registry has of a feature.",
    "features resolve-dependencies": "Show a configuration's features, what they depend on, and their order.",
    "features generate-docs": "Write a README.md for each feature of a collection.",
    "templates": "Commands for templates and their authors.",
    "templates apply": "Write a template's files into a project.",
    "templates publish": "Pack a collection of templates and push it to a registry.",
    "templates metadata": "Print the manifest of a template in a registry.",
    "templates generate-docs": "Write a README.md for each template of a collection.",
}

_HELP = {
    "additional-features": "further features, as JSON like 'features' of devcontainer.json",
    "allow-cross-origin-auth-host": "REGISTRY=HOST: this host may hand out tokens for that registry; repeatable",
    "base-image": "the image to test in, scenarios aside",
    "build-no-cache": "build without the cache if there is no container yet",
    "buildkit": "whether to build with BuildKit",
    "cache-from": "an image or cache to take layers from; repeatable",
    "cache-to": "where to write the build cache, as Buildx takes it",
    "config": "the devcontainer.json to use",
    "container-data-folder": "the folder inside for markers (default: ~/.devcontainer)",
    "container-id": "the container",
    "container-session-data-folder": "a folder inside for cached probes",
    "container-system-data-folder": "the folder inside for root's markers (default: /var/devcontainer)",
    "default-user-env-probe": "stands for userEnvProbe where the configuration does not say",
    "docker-compose-path": "the Docker Compose program",
    "docker-path": "the Docker program",
    "dotfiles-install-command": "what to run in the dotfiles (default: the first usual script there)",
    "dotfiles-repository": "a Git repository of dotfiles to clone into the new container",
    "dotfiles-target-path": "where to",
    "dry-run": "print the lockfile instead of writing it",
    "expect-existing-container": "fail if there is no container",
    "experimental-frozen-lockfile": "older name of --frozen-lockfile",
    "experimental-lockfile": "without effect: lockfiles are always written",
    "feature": "the feature to move to another version",
    "features": "the features to test (default: all)",
    "filter": "only scenarios whose name holds this text",
    "force-clean-output-folder": "empty the output folder first",
    "frozen-lockfile": "fail if the lockfile is missing or would change",
    "github-owner": "owner on GitHub, for links",
    "github-repo": "repository on GitHub, for links",
    "global-scenarios-only": "only the scenarios below test/_global",
    "gpu-availability": "whether there are GPUs for configurations that want one",
    "help": "this text",
    "id-label": "NAME=VALUE that identifies the container, instead of folder and file; repeatable",
    "image-name": "a name for the image; repeatable",
    "include-configuration": "print the configuration too",
    "include-features-configuration": "print the features too",
    "include-merged-configuration": "print what results from file, features and image too",
    "label": "NAME=VALUE to put on the image; repeatable",
    "log-format": "how stderr is written",
    "log-level": "how much is told on stderr",
    "mount": "type=bind|volume,source=SOURCE,target=TARGET[,external=true|false]; repeatable",
    "mount-git-worktree-common-dir": "mount the repository that a Git worktree belongs to",
    "mount-workspace-git-root": "mount the whole repository that the folder is in",
    "namespace": "OWNER/REPOSITORY of the collection in the registry",
    "no-cache": "build without the cache",
    "no-lockfile": "neither read nor write the lockfile",
    "oci-auth-hardening": "hand credentials to the registry itself only",
    "omit-config-remote-env-from-metadata": "leave remoteEnv of devcontainer.json out of the label",
    "omit-paths": "JSON array of paths of the template to leave out; FOLDER/* is all of a folder",
    "omit-syntax-directive": "drop the Dockerfile's syntax line",
    "output": "where the image goes instead of the engine, as Buildx takes it",
    "output-folder": "where to write to",
    "output-format": "text or JSON",
    "override-config": "a file whose content stands for the devcontainer.json's",
    "permit-randomization": "choose values of options at random where a test allows it",
    "platform": "platforms to build for, e.g. linux/arm64",
    "prebuild": "stop after updateContentCommand, which runs again",
    "preserve-test-containers": "leave the test containers there",
    "project-folder": "the folder that has 'src' and 'test' in it",
    "push": "push the image to its registry",
    "quiet": "tell less",
    "registry": "the registry",
    "remote-env": "NAME=VALUE for lifecycle commands and processes; repeatable",
    "remote-user": "the remote user, scenarios aside",
    "remove-existing-container": "remove the container first if there is one",
    "secrets-file": "JSON object of variables for the lifecycle commands, hidden in the log",
    "skip-autogenerated": "leave out the tests named test.sh",
    "skip-duplicated": "leave out the tests named duplicate.sh",
    "skip-feature-auto-mapping": "names without registry are not looked up among the old ones",
    "skip-non-blocking-commands": "stop after the lifecycle command that waitFor names",
    "skip-persisting-customizations-from-features": "leave the features' customizations out of the label",
    "skip-post-attach": "do not run postAttachCommand",
    "skip-post-create": "run no lifecycle command and install no dotfiles",
    "skip-scenarios": "leave out scenarios",
    "stop-for-personalization": "stop before postStartCommand",
    "target-version": "the version to move it to: X, X.Y or X.Y.Z",
    "template-args": "JSON object of values for the template's options",
    "template-id": "the template in a registry",
    "terminal-columns": "width of the terminal that output is for",
    "terminal-rows": "its height",
    "tmp-dir": "where temporary files go",
    "update-remote-user-uid-default": "stands for updateRemoteUserUID where the configuration does not say",
    "user-data-folder": "folder on this machine for what is kept between calls",
    "version": "print the version",
    "workspace-folder": "the project's folder (default: this one)",
    "workspace-mount-consistency": "of the project's mount; without effect on Linux",
}

_SPECIAL = {
    ("templates apply", "features"): "JSON array of {id, options} to add to the devcontainer.json",
    ("templates apply", "workspace-folder"): "the folder to write into (default: this one)",
    ("build", "cache-from"): "an image or cache to take layers from; repeatable",
}

_VALUES = {tables.TEXT: "VALUE", tables.TEXTS: "VALUE", tables.WORDS: "NAME ...", tables.NUMBER: "N"}


def version() -> str:
    """Valid as a semantic version, equal in rank to the reference that it stands for."""
    return f"{tables.COMPATIBLE}+devenv.{VERSION}"


def page(command: str) -> str:
    """The help of a command, of a group of commands, or with "" of the whole."""
    if command in tables.COMMANDS:
        return _command(command)
    inside = [name for name in SUMMARIES if (name.startswith(f"{command} ") if command else " " not in name)]
    lines = [f"usage: devcontainer {command + ' ' if command else ''}COMMAND [options]", ""]
    if command:
        lines += [SUMMARIES[command], ""]
    lines += ["commands:", *(f"  {name:30} {SUMMARIES[name]}" for name in inside), ""]
    if not command:
        lines += [f"devcontainer of devenv, with the flags and answers of @devcontainers/cli {tables.COMPATIBLE}."]
        lines += ["`devenv devcontainer --install-wrapper DIR` puts a program of that name into a folder.", ""]
    lines.append(f"`devcontainer {command + ' ' if command else ''}COMMAND --help` tells more.")
    return "\n".join(lines) + "\n"


def _command(command: str) -> str:
    words = (
        "CMD [ARG ...]"
        if command == "exec"
        else " ".join(
            f"[{name[:-1].upper()}]" if name.endswith("?") else name.upper()
            for name in tables.POSITIONAL.get(command, ())
        )
    )
    lines = [f"usage: devcontainer {command} [options] {words}".rstrip(), "", SUMMARIES[command], "", "options:"]
    letters = {name: letter for letter, name in tables.SHORT.get(command, {}).items()}
    flags = flags_of(command)
    for name in sorted(flags, key=lambda name: (name in tables.GLOBAL, name)):
        if name in tables.HIDDEN:
            continue
        letter = letters.get(name)
        left = (f"-{letter}, " if letter else "") + f"--{name}{_value(flags[name])}"
        right = (_SPECIAL.get((command, name)) or _HELP[name]) + _default(command, name, flags[name])
        lines.append(f"  {left:38} {right}" if len(left) <= 38 else f"  {left}\n{'':41}{right}")
    if "mode" in tables.POSITIONAL.get(command, ()):
        lines += ["", f"MODE is one of {', '.join(tables.MODES)}."]
    return "\n".join(lines) + "\n"


def _value(kind: "Kind") -> str:
    if isinstance(kind, tuple):
        return f" {'|'.join(sorted(kind))}"
    return f" {_VALUES[kind]}" if kind in _VALUES else ""


def _default(command: str, name: str, kind: "Kind") -> str:
    if tables.REQUIRED.get(command) == name:
        return " (required)"
    if isinstance(kind, tuple):
        return f" (default: {kind[0]})"
    if kind == tables.ON:
        return " (default: true)"
    default = tables.DEFAULTS.get(name, "") if kind == tables.TEXT else ""
    return f" (default: {default})" if default and default not in ("{}", "[]") else ""
