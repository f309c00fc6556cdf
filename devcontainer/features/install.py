"""What installing one feature means: the script that runs in the image, and what the image remembers of it.

The script runs as root in the feature's folder, in whatever POSIX shell the image has. It reads the files of
variables, runs the feature's own `install.sh`, and says in one line whose failure it was.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

from devcontainer import lifecycle
from devcontainer.features import options
from devcontainer.features.graph import InstallStep
from devcontainer.jsonc import JsonValue
from devcontainer.metadata import Entry

SCRIPT = "devcontainer-features-install.sh"
OPTIONS_FILE = "devcontainer-features.env"
"""In the feature's folder: its options."""
BUILTIN_FILE = "devcontainer-features.builtin.env"
"""One folder above: the users that the container will have."""

CONTAINER_USER = "_CONTAINER_USER"
REMOTE_USER = "_REMOTE_USER"
CONTAINER_USER_HOME = "_CONTAINER_USER_HOME"
REMOTE_USER_HOME = "_REMOTE_USER_HOME"

METADATA_KEYS = (
    *(stage.value for stage in lifecycle.CONTAINER_STAGES),
    "init",
    "privileged",
    "capAdd",
    "securityOpt",
    "entrypoint",
    "mounts",
    "customizations",
)
"""What a feature contributes to the label, in the order written. Its `containerEnv` is in the image itself."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")  # and halves of characters, which no file can hold
_USER_WORDS = re.compile(rb"REMOTE_USER|CONTAINER_USER")
"""The variables, however their names are put together; also in a comment, which may stand in a file that is written."""
_ANY_WORDS = re.compile(
    rb"nanolayer|install\s+devcontainer-feature"  # installs other features, which get the variables too
    rb"|script-library"  # scripts of before features, fetched by those that replaced them
    rb"|\bprintenv\s*(?:$|[|;&)>])|\benv\s*[|>]|\b(?:export|declare)\s+-p\b|\bcompgen\b|/environ\b",  # looks at all
    re.MULTILINE,
)
_COMMENT = re.compile(rb"^[ \t]*#.*$", re.MULTILINE)
_COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"\xfd7zXZ", b"BZh", b"\x28\xb5\x2f\xfd")


def variables(step: InstallStep) -> dict[str, str]:
    """The options of a step as variables of its script."""
    return options.environment(step.manifest, step.given)


def options_text(step: InstallStep) -> str:
    """The content of OPTIONS_FILE."""
    return options.env_file_text(variables(step))


def builtin_text(container_user: str, remote_user: str, container_home: str = "", remote_home: str = "") -> str:
    """The content of BUILTIN_FILE. Homes that are not known yet are left out, for the build to append them."""
    known = {CONTAINER_USER: container_user, REMOTE_USER: remote_user}
    homes = {CONTAINER_USER_HOME: container_home, REMOTE_USER_HOME: remote_home}
    return options.env_file_text(known | {name: home for name, home in homes.items() if home})


def script(step: InstallStep, files: Sequence[str] = (f"../{BUILTIN_FILE}", f"./{OPTIONS_FILE}")) -> str:
    """The script SCRIPT of one feature, which lies beside its `install.sh`. `files` of variables are read in order."""
    manifest = step.manifest
    name = manifest.name or manifest.id or step.written
    called = f"{name} ({step.written})" if name != step.written else name
    look = f" Its documentation: {manifest.documentation_url}" if manifest.documentation_url else ""
    shown = "\n".join(f"printf '%s\\n' {_quoted(line)}" for line in _banner(step, called))
    reads = "\n".join(f". {_quoted(file)}" for file in files)
    return textwrap.dedent(
        """\
        #!/bin/sh
        set -e

        ended() {{
            status=$?
            trap - EXIT
            case $status in
                0) exit 0 ;;
                126 | 127) why=' (no such interpreter or program in this image?)' ;;
                *) why= ;;
            esac
            printf '%s\\n' {failed}" ended with exit code $status$why."{look} >&2
            exit "$status"
        }}
        trap ended EXIT

        {shown}

        chmod +x ./install.sh
        set -a
        {reads}
        set +a
        ./install.sh
        """
    ).format(
        failed=_quoted(f"Feature not installed: install.sh of {called}"), look=_quoted(look), shown=shown, reads=reads
    )


def metadata_entry(step: InstallStep, *, customizations: bool = True) -> Entry:
    """What a feature adds to the `devcontainer.metadata` label; `customizations` may be left out."""
    raw = step.manifest.raw
    entry: dict[str, JsonValue] = {"id": step.written}
    for key in METADATA_KEYS:
        if key in raw and (customizations or key != "customizations"):
            entry[key] = raw[key]
    return entry


def mentions_user(texts: Iterable[bytes]) -> bool:
    """Whether the files of a feature may ask who the users of the container are.

    The layers of a feature that does not ask are the same for all users. When in doubt the answer is yes: for files
    that install further features, that read the whole environment, or that cannot be looked into.
    """
    return any(
        text.startswith(_COMPRESSED) or _USER_WORDS.search(text) or _ANY_WORDS.search(_COMMENT.sub(b"", text))
        for text in texts
    )


def _banner(step: InstallStep, called: str) -> list[str]:
    manifest = step.manifest
    rule = "=" * 75
    lines = [rule, f"Feature {called}" + (f", version {manifest.version}" if manifest.version else "")]
    if manifest.description:
        lines.append(f"  {manifest.description}")
    if manifest.documentation_url:
        lines.append(f"  documentation: {manifest.documentation_url}")
    lines += [f"  {line}" for line in options_text(step).splitlines()]
    if manifest.deprecated:
        lines.append("Warning: this feature is deprecated: its authors no longer change or support it.")
    if manifest.renamed_to:
        lines.append(f"Warning: this feature is called {manifest.renamed_to!r} now; write that in devcontainer.json.")
    return [*lines, rule]


def _quoted(text: str) -> str:
    """One word of a shell, without what would move a terminal's cursor."""
    return "'" + _CONTROL.sub(" ", text).replace("'", "'\\''") + "'"
