"""Every property of devcontainer.json, with what its value may be (spec, *devcontainer.json reference*)."""

from __future__ import annotations

from collections.abc import Iterator

from devcontainer import checks, image_name, lifecycle, mounts, ports, requirements
from devcontainer.checks import Check, Issue, unless_variable
from devcontainer.features import reference
from devcontainer.jsonc import JsonValue, Path
from devcontainer.problem import Severity

USER_ENV_PROBES = ("none", "interactiveShell", "loginShell", "loginInteractiveShell")
SHUTDOWN_ACTIONS = ("none", "stopContainer", "stopCompose")

NOT_WITH_COMPOSE = ("appPort", "runArgs", "workspaceMount", "image", "build", "dockerFile", "context")

_texts = checks.array(checks.text)
_filled_texts = checks.array(checks.filled_text)


def _word(*words: str) -> Check:
    return unless_variable(checks.one_of(*words))


def _text_or_texts(value: JsonValue) -> Check | None:
    return checks.text if isinstance(value, str) else _texts if isinstance(value, list) else None


_text_list = checks.either("a text or an array of texts", _text_or_texts)


def _file_or_files(value: JsonValue) -> Check | None:
    return checks.filled_text if isinstance(value, str) else _filled_texts if isinstance(value, list) else None


_file_list = checks.either("a text or an array of texts", _file_or_files)


def _port_number(value: JsonValue, path: Path) -> Iterator[Issue]:
    if isinstance(value, bool) or not isinstance(value, int | str):
        yield Issue(path, f"must be a port, not {checks.describe(value)}")
    elif isinstance(value, int) and not 0 <= value <= ports.MAX_PORT:
        yield Issue(path, f"{value} is not a port; the range is 0 to {ports.MAX_PORT}")


def _forwarded(value: JsonValue, path: Path) -> Iterator[Issue]:
    known = isinstance(value, int | str) and not isinstance(value, bool)
    yield from (checks.by_error(ports.parse, ports.PortError) if known else _port_number)(value, path)


def _published(value: JsonValue, path: Path) -> Iterator[Issue]:
    yield from _port_number(value, path)
    if isinstance(value, str):
        yield from checks.by_error(lambda text: ports.check_published(str(text)), ports.PortError)(value, path)


def _app_port(value: JsonValue, path: Path) -> Iterator[Issue]:
    item = unless_variable(_published)
    yield from (checks.array(item) if isinstance(value, list) else item)(value, path)


def _image(value: JsonValue, path: Path) -> Iterator[Issue]:
    yield from checks.filled_text(value, path)
    if isinstance(value, str) and value and not image_name.is_image_name(value):
        yield Issue(path, f"{value!r} is not the name of an image", "such as 'registry/name:tag', in small letters")


_port_attributes = checks.fields(
    {
        "label": checks.text,
        "protocol": _word(*ports.PROTOCOLS),
        "onAutoForward": _word(*ports.ON_AUTO_FORWARD),
        "requireLocalPort": checks.boolean,
        "elevateIfNeeded": checks.boolean,
    }
)


def _ports_attributes(value: JsonValue, path: Path) -> Iterator[Issue]:
    yield from checks.mapping(_port_attributes)(value, path)
    for key in value if isinstance(value, dict) else ():
        try:
            ports.check_key(key)
        except ports.PortError as error:
            # VS Code reads JavaScript's regular expressions, which know forms that ours do not.
            yield Issue((*path, key), str(error), severity=Severity.WARNING, at_key=True)


def _size(value: JsonValue, path: Path) -> Iterator[Issue]:
    if not isinstance(value, str) or not requirements.is_size(value):
        yield Issue(path, "must be a size such as '8gb'", "units are kb, mb, gb and tb")


def _gpu(value: JsonValue) -> Check | None:
    if isinstance(value, bool):
        return checks.anything
    if isinstance(value, str):
        return _word("optional")
    return checks.fields({"cores": checks.count, "memory": unless_variable(_size)}) if isinstance(value, dict) else None


_mount_object = checks.fields(
    {"type": _word("bind", "volume"), "source": checks.filled_text, "target": checks.filled_text},
    required=("type", "target"),
)


def _mount(value: JsonValue, path: Path) -> Iterator[Issue]:
    text = unless_variable(checks.by_error(mounts.parse, mounts.MountError))
    yield from (_mount_object if isinstance(value, dict) else text)(value, path)


def _workspace_mount(value: JsonValue, path: Path) -> Iterator[Issue]:
    if value != "":  # "" means: mount nothing
        yield from (_mount if isinstance(value, str) else checks.text)(value, path)


def _workspace_folder(value: JsonValue, path: Path) -> Iterator[Issue]:
    yield from checks.filled_text(value, path)
    if isinstance(value, str) and value and not value.startswith(("/", "${")):
        yield Issue(path, "must be an absolute path in the container")


def _features(value: JsonValue, path: Path) -> Iterator[Issue]:
    yield from _named_options(value, path)
    for written in value if isinstance(value, dict) else ():
        yield from reference.issues(written, (*path, written), at_key=True)


def _install_order(value: JsonValue, path: Path) -> Iterator[Issue]:
    yield from _texts(value, path)
    for index, written in enumerate(value if isinstance(value, list) else ()):
        if isinstance(written, str) and "${" not in written:
            yield from reference.issues(written, (*path, index))


def _feature_options(value: JsonValue) -> Check | None:
    return checks.anything if isinstance(value, dict | str | bool) else None


_named_options = checks.mapping(checks.either("an object, a text or true/false", _feature_options))

_build = checks.fields(
    {
        "dockerfile": checks.filled_text,
        "context": checks.text,
        "args": checks.mapping(checks.text),
        "target": checks.text,
        "cacheFrom": _text_list,
        "options": _texts,
    }
)

_command = checks.by_error(lifecycle.parse, lifecycle.LifecycleError)

PROPERTIES: dict[str, Check] = {
    "$schema": checks.text,
    "name": checks.text,
    "features": _features,
    "overrideFeatureInstallOrder": _install_order,
    "secrets": checks.mapping(checks.fields({"description": checks.text, "documentationUrl": checks.text})),
    "forwardPorts": checks.array(unless_variable(_forwarded)),
    "portsAttributes": _ports_attributes,
    "otherPortsAttributes": _port_attributes,
    "containerEnv": checks.variables(checks.text),
    "remoteEnv": checks.variables(checks.text_or_null),
    "remoteUser": checks.text,
    "containerUser": checks.text,
    "updateRemoteUserUID": checks.boolean,
    "userEnvProbe": _word(*USER_ENV_PROBES),
    "overrideCommand": checks.boolean,
    "shutdownAction": _word(*SHUTDOWN_ACTIONS),
    "init": checks.boolean,
    "privileged": checks.boolean,
    "capAdd": _texts,
    "securityOpt": _texts,
    "mounts": checks.array(_mount),
    "customizations": checks.mapping(checks.anything),
    "hostRequirements": checks.fields(
        {
            "cpus": checks.count,
            "memory": unless_variable(_size),
            "storage": unless_variable(_size),
            "gpu": checks.either("true, false, 'optional' or an object", _gpu),
        }
    ),
    **{stage.value: _command for stage in lifecycle.Stage},
    "waitFor": _word(*(stage.value for stage in lifecycle.WAIT_FOR)),
    "additionalProperties": checks.anything,
    "image": unless_variable(_image),
    "build": _build,
    "dockerFile": checks.filled_text,
    "context": checks.text,
    "appPort": _app_port,
    "workspaceMount": _workspace_mount,
    "workspaceFolder": _workspace_folder,
    "runArgs": _texts,
    "dockerComposeFile": _file_list,
    "service": checks.filled_text,
    "runServices": _texts,
    # Older places of what is now below customizations.vscode.
    "extensions": _texts,
    "settings": checks.mapping(checks.anything),
    "devPort": _port_number,
}

_ALL = checks.fields(PROPERTIES)


def issues(raw: dict[str, JsonValue], *, personal: bool = False) -> Iterator[Issue]:
    """All that is wrong with a configuration: types, unknown keys, and keys that do not fit together.

    A `personal` file lies over another one: what is missing here is there, and null removes.
    """
    if personal:
        yield from _ALL({key: value for key, value in raw.items() if value is not None}, ())
        return
    yield from _ALL(raw, ())
    yield from _other_kinds_action(raw)
    build = raw.get("build")
    dockerfile = "dockerFile" in raw or (isinstance(build, dict) and "dockerfile" in build)
    if "dockerComposeFile" in raw:
        if "service" not in raw:
            yield Issue(("dockerComposeFile",), "needs the property 'service': which one to work in", at_key=True)
        for key in NOT_WITH_COMPOSE:
            if key in raw:
                yield Issue((key,), "has no effect together with dockerComposeFile", "", Severity.WARNING, True)
        return
    if not dockerfile and "image" not in raw:
        hint = "" if "build" not in raw else "'build' needs 'dockerfile'"
        yield Issue((), "says neither 'image' nor 'build.dockerfile' nor 'dockerComposeFile'", hint)
    if dockerfile and "image" in raw:
        yield Issue(("image",), "has no effect: the Dockerfile is built", "", Severity.WARNING, True)
    if "workspaceMount" in raw and "workspaceFolder" not in raw:
        yield Issue(("workspaceMount",), "needs 'workspaceFolder' beside it", "", Severity.WARNING, True)
    for key in ("service", "runServices"):
        if key in raw:
            yield Issue((key,), "has an effect only with dockerComposeFile", "", Severity.WARNING, True)


def _other_kinds_action(raw: dict[str, JsonValue]) -> Iterator[Issue]:
    """`shutdownAction` has one word for each kind of configuration."""
    composed = "dockerComposeFile" in raw
    wrong, right = ("stopContainer", "stopCompose") if composed else ("stopCompose", "stopContainer")
    if raw.get("shutdownAction") == wrong:
        made = "by Docker Compose" if composed else "without Docker Compose"
        yield Issue(
            ("shutdownAction",),
            f"{wrong!r} does not fit a container made {made}: {right!r} is meant",
            "",
            Severity.WARNING,
        )
