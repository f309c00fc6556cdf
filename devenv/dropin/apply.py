"""`templates apply`: a template's files written into a project, with the user's choice of options and features."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Mapping

from devcontainer import javascript, templates
from devcontainer.features.manifest import ANNOTATION
from devcontainer.features.reference import FeatureReferenceError, parse_artifact
from devcontainer.jsonc import JsoncError, JsonValue, parse
from devcontainer.jsonc.edit import EditError
from devcontainer.problem import Problem, Severity
from devcontainer.templates.manifest import FILE, TemplateManifest
from devenv.dropin import place
from devenv.dropin.flags import Line
from devenv.dropin.log import WARNING, Log
from devenv.errors import ConfigError, FeatureError, UsageError
from devenv.features import artifact
from devenv.features.archive import Content
from devenv.oci.client import Client


def run(line: Line, log: Log) -> int:
    args, features, omitted = _arguments(line)
    written = line.text("template-id")
    try:
        reference = parse_artifact(written)
    except FeatureReferenceError as error:
        raise UsageError(error.message, error.hint) from error
    with Client(dict(os.environ), note=lambda text: log.text(text, WARNING)) as client:
        found = artifact.describe(reference, client)
        content = artifact.contents(found, client, temporary=line.text("tmp-dir") or None)
    manifest = _manifest(content, found.metadata, written)
    made = _made({path: one.data for path, one in content.items()}, manifest, args, features, omitted, log)
    folder = pathlib.Path(place.folder(line))
    _write(folder, made, {path for path, one in content.items() if one.executable}, log)
    sys.stdout.write(javascript.stringify({"files": [f"./{path}" for path in made]}) + "\n")
    return 0


def _arguments(line: Line) -> tuple[dict[str, JsonValue], dict[str, JsonValue], list[str]]:
    """Options, features by reference, paths to leave out. Raises UsageError with all that is wrong."""
    problems: list[str] = []
    args = _json(line, "template-args", problems)
    if not isinstance(args, dict):
        problems.append("--template-args must be a JSON object")
    elif any(not isinstance(value, str | bool) for value in args.values()):
        wrong = ", ".join(name for name, value in args.items() if not isinstance(value, str | bool))
        problems.append(f"--template-args: the values are texts; not so: {wrong}")
    features = _features(_json(line, "features", problems) if line.text("features") else [], problems)
    omitted = _json(line, "omit-paths", problems)
    if not isinstance(omitted, list) or any(not isinstance(path, str) for path in omitted):
        problems.append("""--omit-paths must be a JSON array of texts: '[".github/*", "file.ts"]'""")
    if problems:
        raise UsageError("\n".join(problems))
    assert isinstance(args, dict) and isinstance(omitted, list)
    return args, features, [path for path in omitted if isinstance(path, str)]


def _json(line: Line, name: str, problems: list[str]) -> JsonValue:
    """The value; None, and a problem, for text that is not JSON."""
    try:
        return parse(line.text(name), f"--{name}").value
    except JsoncError as error:
        problems.append(f"--{name}: column {error.column}: {error.message}")
        return {} if name == "template-args" else []


def _features(value: JsonValue, problems: list[str]) -> dict[str, JsonValue]:
    if not isinstance(value, list):
        problems.append("""--features must be a JSON array: '[{"id": "ghcr.io/devcontainers/features/git:1"}]'""")
        return {}
    found: dict[str, JsonValue] = {}
    for entry in value:
        identity = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(identity, str) or not identity:
            problems.append("--features: each entry is an object with an 'id'")
            continue
        options = entry.get("options")
        found[identity] = {} if options is None else options
    return found


def _manifest(content: Mapping[str, Content], annotation: str | None, written: str) -> TemplateManifest:
    """From the files, else from the registry. Raises FeatureError for something that is no template."""
    inside = content.get(FILE)
    if inside is not None:
        return templates.load(inside.data.decode("utf-8", "replace"), f"{FILE} of {written}")
    if "devcontainer-feature.json" in content:
        raise FeatureError(f"{written} is a feature, not a template", "name it in --features instead")
    return templates.load(annotation or "{}", f"{ANNOTATION} of {written}")


def _made(
    files: Mapping[str, bytes],
    manifest: TemplateManifest,
    args: Mapping[str, JsonValue],
    features: Mapping[str, JsonValue],
    omitted: list[str],
    log: Log,
) -> dict[str, bytes]:
    """The project's files. What is wrong with the user's choice is told, and refused where it cannot be meant."""
    found = list(templates.issues(files, manifest, args, omitted))
    problems = [_problem(manifest, issue.path, issue.message, issue.hint, issue.severity) for issue in found]
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors:
        raise ConfigError(errors)
    for problem in problems:
        log.text(str(problem), WARNING)
    try:
        return templates.with_features(templates.apply(files, manifest, args, omitted), features)
    except templates.TemplateError as error:
        raise FeatureError(error.message, error.hint) from error
    except (JsoncError, EditError) as error:
        raise FeatureError(f"its devcontainer.json cannot be edited: {error}", "apply it without features") from error


def _problem(
    manifest: TemplateManifest, path: tuple[str | int, ...], message: str, hint: str, severity: Severity
) -> Problem:
    key = ".".join(str(step) for step in path if step != "args")
    return Problem(manifest.file, 0, 0, key, message, hint, severity)


def _write(folder: pathlib.Path, made: Mapping[str, bytes], executable: set[str], log: Log) -> None:
    """Replaces what is there, as the reference does, and says so. Nothing outside the folder is written to."""
    inside = pathlib.Path(os.path.realpath(folder))
    for path, content in made.items():
        file = folder / path
        real = pathlib.Path(os.path.realpath(file))
        if inside not in real.parents:
            raise FeatureError(f"{file} leads to {real}, outside of the project", "remove that link first")
        if real.is_dir():
            raise FeatureError(f"{file} is a folder", "the template has a file of that name")
        if real.is_file() and real.read_bytes() != content:
            log.text(f"replaced {file}", WARNING)
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_bytes(content)
        if path in executable:
            real.chmod(real.stat().st_mode | 0o111)
