"""From a template's files and a user's choice to the files of a project (spec, *Applying a template*).

Options are replaced in every file that is text; some files belong to the template and not to the project; some the
user leaves out. Whether a file of that name is there already is the business of whoever writes them.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

from devcontainer import checks, javascript, options
from devcontainer.checks import Issue
from devcontainer.features import edit
from devcontainer.jsonc import JsonValue
from devcontainer.problem import Severity
from devcontainer.templates.manifest import FILE, TemplateManifest

NOT_APPLIED = (FILE, "README.md", "NOTES.md")
"""Files in the template's root that are about the template."""

CONFIGURATIONS = (".devcontainer/devcontainer.json", ".devcontainer.json")

_OPTION = re.compile(rb"\$\{templateOption:\s*([A-Za-z0-9_]+?)\s*\}")


class TemplateError(ValueError):
    """A template that must not be applied: a file outside of the project. Message and hint."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def apply(
    files: Mapping[str, bytes],
    manifest: TemplateManifest,
    args: Mapping[str, JsonValue],
    omit_paths: Sequence[str] = (),
) -> dict[str, bytes]:
    """The project's files by relative path ("./" in front is dropped). Raises TemplateError.

    What is wrong with `args` and `omit_paths` is told by `issues`; an option without value is replaced by nothing.
    A file with a NUL byte is no text and stays as it is.
    """
    values = {_utf8(name): _utf8(value) for name, value in resolved(manifest, args).items()}
    found: dict[str, bytes] = {}
    for written, content in files.items():
        path = _relative(written)
        if path in NOT_APPLIED or _is_omitted(path, omit_paths):
            continue
        found[path] = content if b"\0" in content else _OPTION.sub(lambda m: values.get(m[1], b""), content)
    return found


def resolved(manifest: TemplateManifest, args: Mapping[str, JsonValue]) -> dict[str, str]:
    """Every option's value as text: what is given, else the default (`false` included, which the reference loses)."""
    found = {name: javascript.text(o.default) for name, o in manifest.options.items() if o.default is not None}
    return found | {
        name: javascript.text(value) for name, value in args.items() if isinstance(value, str | int | float)
    }


def issues(
    files: Mapping[str, bytes],
    manifest: TemplateManifest,
    args: Mapping[str, JsonValue],
    omit_paths: Sequence[str] = (),
) -> Iterator[Issue]:
    """What is wrong with a user's choice. Paths begin with "args" or "omit-paths", or are those of a file."""
    for name, value in args.items():
        yield from _argument_issues(manifest, name, value)
    paths = [_relative(written) for written in files]
    for index, omitted in enumerate(omit_paths):
        if not any(_is_omitted(path, (omitted,)) for path in paths):
            hint = checks.nearest(omitted, (*manifest.optional_paths, *paths))
            yield Issue(("omit-paths", index), f"{omitted!r} is not in the template", hint, Severity.WARNING)
    for path, content in zip(paths, files.values(), strict=True):
        if path in NOT_APPLIED or b"\0" in content or _is_omitted(path, omit_paths):
            continue
        for name in dict.fromkeys(found.decode() for found in _OPTION.findall(content)):
            if name not in manifest.options and name not in args:
                hint = checks.nearest(name, tuple(manifest.options))
                message = f"uses the option {name!r}, which the template does not declare"
                yield Issue((path,), message, hint, Severity.WARNING)


def configuration_path(files: Mapping[str, bytes]) -> str | None:
    """The devcontainer.json among a template's files."""
    named = [path for path in files if posixpath.basename(path) in ("devcontainer.json", ".devcontainer.json")]
    return next((path for path in CONFIGURATIONS if path in files), named[0] if named else None)


def with_features(files: Mapping[str, bytes], features: Mapping[str, JsonValue]) -> dict[str, bytes]:
    """The files with features added to their devcontainer.json, whose comments stay.

    Raises TemplateError if there is none or it is not UTF-8, JsoncError or EditError if it cannot be edited.
    """
    if not features:
        return dict(files)
    path = configuration_path(files)
    if path is None:
        raise TemplateError("the template has no devcontainer.json to add features to", "apply it without features")
    try:
        text = files[path].decode()
    except UnicodeDecodeError as error:
        raise TemplateError(f"{path} of the template is not UTF-8", "apply it without features") from error
    return {**files, path: _utf8(edit.add(text, features))}


def _argument_issues(manifest: TemplateManifest, name: str, value: JsonValue) -> Iterator[Issue]:
    path = ("args", name)
    option = manifest.options.get(name)
    if option is None:
        hint = checks.nearest(name, tuple(manifest.options))
        yield Issue(path, "is not an option of the template", hint, Severity.WARNING, at_key=True)
    elif isinstance(value, str) and option.type == "boolean" and value in ("true", "false"):
        return  # a command line has only texts
    elif isinstance(value, str | bool):
        yield from options.value_issues(option, value, path)
    else:
        yield Issue(path, f"must be a text or true/false, not {checks.describe(value)}")


def _utf8(text: str) -> bytes:
    """Half of a character, which JSON can hold and a file cannot, becomes a question mark."""
    return text.encode("utf-8", "replace")


def _relative(written: str) -> str:
    path = posixpath.normpath(written)
    if path.startswith(("/", "../")) or path in (".", "..") or "\0" in path or "\\" in path:
        raise TemplateError(f"the template has a file {written!r}, which lies outside of a project", "do not use it")
    return path


def _is_omitted(path: str, omit_paths: Sequence[str]) -> bool:
    for written in omit_paths:
        omitted = written.removeprefix("./")
        if path.startswith(omitted[:-1]) if omitted.endswith("/*") else path == omitted:
            return True
    return False
