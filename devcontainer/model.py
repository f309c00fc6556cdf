"""A devcontainer.json as a typed, frozen view over the value that was written.

`load` never raises for bad text: what is wrong is in `problems`, with positions, and every field that cannot be read
has the value it would have if it were not there. Variables are not resolved until `substituted`.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Mapping

from devcontainer import lifecycle, metadata, ports, properties, requirements, variables
from devcontainer.jsonc import Document, JsoncError, JsonValue, Path, parse
from devcontainer.jsonc.nodes import Array
from devcontainer.lifecycle import LifecycleCommand, Stage
from devcontainer.problem import Problem, Severity

Raw = dict[str, JsonValue]


class Kind(enum.StrEnum):
    IMAGE = "image"
    DOCKERFILE = "dockerfile"
    COMPOSE = "compose"


@dataclasses.dataclass(frozen=True, slots=True)
class Build:
    """Paths are relative to the folder of the configuration file. `cache_from` and `options` go to the build as is."""

    dockerfile: str
    context: str = "."
    args: Mapping[str, str] = dataclasses.field(default_factory=dict)
    target: str | None = None
    cache_from: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class DevContainer:
    """`raw` is the object as written, with older keys moved to their present places. None: the file does not say.

    What may also stand in an image's label (users, environment, mounts, hooks, ...) is read through `merge` from the
    entries of image and file together; here is what only the file decides, and the raw entry for the label.
    """

    file: str
    raw: Mapping[str, JsonValue]
    problems: tuple[Problem, ...] = ()
    document: Document | None = dataclasses.field(default=None, repr=False, compare=False)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Those problems with which the configuration must not be used."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity is Severity.WARNING)

    @functools.cached_property
    def kind(self) -> Kind:
        if "dockerComposeFile" in self.raw:
            return Kind.COMPOSE
        return Kind.DOCKERFILE if self.build else Kind.IMAGE

    @property
    def name(self) -> str:
        return self._text("name") or ""

    @property
    def image(self) -> str | None:
        return self._text("image")

    @functools.cached_property
    def build(self) -> Build | None:
        """Also from the older `dockerFile` and `context` at the top."""
        value = self.raw.get("build")
        build = value if isinstance(value, dict) else {}
        old = self._text("dockerFile")
        dockerfile = old if old else build.get("dockerfile")
        if not isinstance(dockerfile, str) or not dockerfile:
            return None
        context = self.raw.get("context") if old else build.get("context")
        args, target, cache = build.get("args"), build.get("target"), build.get("cacheFrom")
        return Build(
            dockerfile=dockerfile,
            context=context if isinstance(context, str) and context else ".",
            args=_text_map(args),
            target=target if isinstance(target, str) and target else None,
            cache_from=(cache,) if isinstance(cache, str) else _texts(cache),
            options=_texts(build.get("options")),
        )

    @property
    def docker_compose_files(self) -> tuple[str, ...]:
        value = self.raw.get("dockerComposeFile")
        return (value,) if isinstance(value, str) else _texts(value)

    @property
    def service(self) -> str | None:
        return self._text("service")

    @property
    def run_services(self) -> tuple[str, ...]:
        return _texts(self.raw.get("runServices"))

    @property
    def publish(self) -> tuple[str, ...]:
        """`appPort` as values of `docker create -p`."""
        return tuple(ports.publish_arguments(self.raw.get("appPort")))

    @property
    def run_args(self) -> tuple[str, ...]:
        return _texts(self.raw.get("runArgs"))

    @property
    def workspace_mount(self) -> str | None:
        """A value of `--mount`; "" means that nothing is mounted."""
        return self._text("workspaceMount")

    @property
    def workspace_folder(self) -> str | None:
        return self._text("workspaceFolder") or None

    @property
    def features(self) -> Mapping[str, JsonValue]:
        value = self.raw.get("features")
        return value if isinstance(value, dict) else {}

    @property
    def override_feature_install_order(self) -> tuple[str, ...]:
        return _texts(self.raw.get("overrideFeatureInstallOrder"))

    @property
    def initialize_command(self) -> LifecycleCommand:
        """The one that runs on the host."""
        try:
            return lifecycle.parse(self.raw.get(Stage.INITIALIZE.value))
        except lifecycle.LifecycleError:
            return LifecycleCommand()

    @property
    def secrets(self) -> Mapping[str, JsonValue]:
        """Names that the project would like to be given, with descriptions; never values."""
        value = self.raw.get("secrets")
        return value if isinstance(value, dict) else {}

    @property
    def host_requirements(self) -> requirements.HostRequirements:
        """Of the file alone; `merge` has those of the image too."""
        return requirements.parse(self.raw.get("hostRequirements"))

    @property
    def metadata_entry(self) -> metadata.Entry:
        """What this file contributes to the `devcontainer.metadata` label."""
        return metadata.entry(self.raw)

    def substituted(self, substitution: variables.Substitution) -> DevContainer:
        """The same with variables resolved. Raises VariableError only if `errors` was ignored."""
        return dataclasses.replace(self, raw=substitution.apply_entry(self.raw))

    def resolved_errors(self, substitution: variables.Substitution) -> tuple[Problem, ...]:
        """What is wrong only with the values that variables have: as written, nobody could tell. () if `errors` is not
        empty."""
        if self.document is None or self.errors or not isinstance(self.document.value, dict):
            return ()
        written: JsonValue = self.document.value
        found = []
        for issue in properties.issues(substitution.apply_entry(self.document.value), personal=True):
            text = _value_at(written, issue.path)
            if issue.severity is Severity.ERROR and isinstance(text, str) and "${" in text:
                hint = "; ".join(part for part in (f"it is written {text!r}", issue.hint) if part)
                at = self.document.position(issue.path)
                found.append(Problem(self.file, *at, _dotted(issue.path), issue.message, hint))
        return tuple(found)

    def position(self, dotted: str) -> tuple[int, int]:
        """Line and column of a dotted key, for messages about a value found wrong later; (0, 0) without a file."""
        if self.document is None:
            return (0, 0)
        path: Path = ()
        for step in dotted.split("."):
            inside = self.document.node(path)
            path = (*path, int(step) if isinstance(inside, Array) and step.isdecimal() else step)
        line, column = self.document.key_position(path)
        return line, column

    def _text(self, key: str) -> str | None:
        value = self.raw.get(key)
        return value if isinstance(value, str) else None


def load(text: str, file: str, *, personal: bool = False) -> DevContainer:
    """Read a configuration. `file` names it in problems; nothing is opened.

    A `personal` one (see `devcontainer.overlay`) need not say what the container is made from, and may say null.
    """
    try:
        document = parse(text, file)
    except JsoncError as error:
        return DevContainer(file, {}, (Problem(file, error.line, error.column, "", error.message),))
    if not isinstance(document.value, dict):
        line, column = document.position(())
        wrong = Problem(file, line, column, "", "the file must hold one object, in braces")
        return DevContainer(file, {}, (wrong,), document)
    raw = document.value
    return DevContainer(file, _modern(raw), tuple(_problems(document, raw, personal)), document)


def _problems(document: Document, raw: Raw, personal: bool) -> list[Problem]:
    found: list[Problem] = []
    for duplicate in document.duplicates:
        message = f"is written twice; line {duplicate.first.line} has no effect"
        found.append(
            Problem(document.file, *duplicate.position, _dotted(duplicate.path), message, "", Severity.WARNING)
        )
    for issue in properties.issues(raw, personal=personal):
        at = document.key_position(issue.path) if issue.at_key else document.position(issue.path)
        found.append(Problem(document.file, *at, _dotted(issue.path), issue.message, issue.hint, issue.severity))
    found += _text_problems(document, raw, ())
    return sorted(found, key=lambda problem: (problem.line, problem.column))


def _text_problems(document: Document, value: JsonValue, path: Path) -> list[Problem]:
    """Of every text, whatever it stands for."""
    if isinstance(value, str):
        if "\0" in value:
            message = "holds the character U+0000, which neither a command nor a variable can have"
            return [Problem(document.file, *document.position(path), _dotted(path), message)]
        try:
            variables.Substitution(local_env={}, container_env={}).text(value)
        except variables.VariableError as error:
            return [Problem(document.file, *document.position(path), _dotted(path), str(error))]
        return []
    children = value.items() if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else ()
    problems = [
        Problem(document.file, *document.key_position((*path, key)), _dotted(path), "a key holds the character U+0000")
        for key, _ in children
        if isinstance(key, str) and "\0" in key
    ]
    return problems + [found for key, child in children for found in _text_problems(document, child, (*path, key))]


def _value_at(value: JsonValue, path: Path) -> JsonValue:
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _dotted(path: Path) -> str:
    return ".".join(str(step) for step in path)


def _modern(raw: Raw) -> Raw:
    """Older top-level keys below customizations.vscode, where they win only if nothing is there yet."""
    if not any(key in raw for key in ("extensions", "settings", "devPort")):
        return raw
    moved = dict(raw)
    customizations = moved.get("customizations")
    customizations = dict(customizations) if isinstance(customizations, dict) else {}
    vscode = customizations.get("vscode")
    vscode = dict(vscode) if isinstance(vscode, dict) else {}
    extensions, settings = moved.pop("extensions", None), moved.pop("settings", None)
    if isinstance(extensions, list):
        present = vscode.get("extensions")
        vscode["extensions"] = [*(present if isinstance(present, list) else []), *extensions]
    if isinstance(settings, dict):
        present = vscode.get("settings")
        vscode["settings"] = {**settings, **(present if isinstance(present, dict) else {})}
    if "devPort" in moved and "devPort" not in vscode:
        vscode["devPort"] = moved.pop("devPort")
    moved["customizations"] = {**customizations, "vscode": vscode}
    return moved


def _texts(value: JsonValue) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _text_map(value: JsonValue) -> dict[str, str]:
    return {k: v for k, v in value.items() if isinstance(v, str)} if isinstance(value, dict) else {}
