"""The Dockerfile that puts features on top of an image (spec, *Features, Implementation notes*). Text in, text out.

One layer for each feature, in install order. The sources come from the build context, a folder per feature, and stay
out of the layers where the builder can mount them. Who the container's users are is told to features whose files ask
for it, and is part of their layers' identity; layers of all others are shared between users.

A build secret would tell every script without being part of a layer's identity; but BuildKit then hashes the whole file
system below each such layer (measured with 0.13: one second per feature on a small image), so there is none.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence

from devcontainer.features.graph import InstallStep
from devcontainer.features.install import BUILTIN_FILE, SCRIPT

RUNNER = "install-feature.sh"
"""In the build context: what each layer runs."""

PLACE = "/tmp/dev-container-features"
"""Where a feature's files are while it is installed, as with the reference."""

_SOURCES = "/tmp/devenv-features"
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_@%+=:,./-]+\Z", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True)
class Layer:
    """`folder` of the build context holds a feature's files and its script; `by_user`: its files ask for the users."""

    step: InstallStep
    folder: str
    by_user: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Users:
    """Of the container that is to be. `image` is who the image's own processes run as, restored at the end."""

    container: str
    remote: str
    image: str


def dockerfile(
    base: str,
    layers: Sequence[Layer],
    users: Users,
    *,
    mounts: bool = True,
    before: str = "",
    name: str = "",
    labels: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    context: str = "",
) -> str:
    """The text. `base` is an image, or a stage of `before`, the text that comes first (a project's own Dockerfile).

    `mounts`: the builder knows `RUN --mount` (BuildKit); else sources are copied. `name` names the stage. `labels` and
    `environment` are set at the end, values as they are to be. `context` is the named build context that holds the
    folders, "" for the main one.
    """
    lines = [before.rstrip("\n")] if before else []
    lines += [f"FROM {base} AS {name}" if name else f"FROM {base}", "USER 0"]
    if not mounts and layers:
        lines.append(f"COPY {RUNNER} {_SOURCES}/{RUNNER}")
    for layer in layers:
        lines += [f"ENV {key}={_expanded(value)}" for key, value in layer.step.manifest.container_env.items()]
        lines.append(_run(layer, users, mounts, context))
    if not mounts and layers:
        lines.append(f"RUN rm -rf {_SOURCES}")
    lines += [f"ENV {key}={_literal(value)}" for key, value in (environment or {}).items()]
    lines += [f"LABEL {key}={_literal(value)}" for key, value in (labels or {}).items()]
    lines.append(f"USER {users.image or '0'}")
    return "\n".join(lines) + "\n"


def runner() -> str:
    """The content of RUNNER, POSIX sh: prepares a feature's folder, runs its script, leaves nothing behind."""
    return f"""#!/bin/sh
# $1: the feature's folder; $2, $3: the container's user and the remote user, for features that ask.
set -e
place={PLACE}
home() {{
    while IFS=: read -r name _ id _ _ folder _; do
        if [ "$name" = "$1" ] || [ "$id" = "$1" ]; then printf '%s' "$folder"; return; fi
    done </etc/passwd
}}
mkdir -p "$place"
cp -R "{_SOURCES}/$1" "$place/"
chmod -R 0755 "$place/$1"
: >"$place/{BUILTIN_FILE}"
if [ $# -eq 3 ]; then
    cat >"$place/{BUILTIN_FILE}" <<END
_CONTAINER_USER="$2"
_REMOTE_USER="$3"
_CONTAINER_USER_HOME="$(home "$2")"
_REMOTE_USER_HOME="$(home "$3")"
END
fi
cd "$place/$1"
sh ./{SCRIPT}
cd /
rm -rf "$place"
"""


def _run(layer: Layer, users: Users, mounts: bool, context: str) -> str:
    words = ["sh", f"{_SOURCES}/{RUNNER}", _word(layer.folder)]
    if layer.by_user:
        words += [_word(users.container.partition(":")[0]), _word(users.remote.partition(":")[0])]
    if not mounts:
        own = f"{_SOURCES}/{layer.folder}"
        return f"COPY {layer.folder} {own}\nRUN {' '.join(words)} && rm -rf {_word(own)}"
    source = f"from={context}," if context else ""
    options = [
        f"--mount=type=bind,{source}source={RUNNER},target={_SOURCES}/{RUNNER}",
        f"--mount=type=bind,{source}source={layer.folder},target={_SOURCES}/{layer.folder}",
    ]
    return "RUN " + " \\\n    ".join([*options, " ".join(words)])


def _word(text: str) -> str:
    return text if _PLAIN_WORD.match(text) else "'" + text.replace("'", "'\\''") + "'"


def _expanded(value: str) -> str:
    """A feature's value: variables in it are resolved by the builder, as its author means."""
    return '"' + value.replace('"', '\\"').replace("\n", " ") + '"'


def _literal(value: str) -> str:
    """A value that stays as it is: quotes, backslashes and dollars escaped, line ends joined."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return '"' + escaped.replace("\n", "\\\n") + '"'
