"""From the folder of a project to its checked configuration, or to every problem at once."""

from __future__ import annotations

import difflib
import json
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from devenv.config.model import DevenvConfig
from devenv.config.schema import PORT_KEY, RUN_FORMS, schema
from devenv.config.sources import KeyPath, Sources, dotted
from devenv.config.text import YamlText
from devenv.errors import ConfigError, Problem

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

FILE_NAME = "devenv.yaml"
_MISTAKEN = ("devenv.yml", ".devenv.yaml", ".devenv.yml")

_KINDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}


class Loaded(NamedTuple):
    """A configuration, where each of its values was written, and the checked value as it stands in the file."""

    config: DevenvConfig
    sources: Sources
    raw: Mapping[str, Any] = {}


def load(folder: pathlib.Path) -> DevenvConfig:
    """The configuration of a project; the defaults if it has no devenv.yaml. Raises ConfigError with all problems."""
    return read(folder).config


def read(folder: pathlib.Path) -> Loaded:
    """As `load`, with the source of every value. Raises ConfigError."""
    path = folder / FILE_NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        for name in _MISTAKEN:
            if (folder / name).exists():
                raise ConfigError(
                    [Problem(str(folder / name), 0, 0, "", f"is not read; name it {FILE_NAME}")]
                ) from None
        return Loaded(DevenvConfig(), Sources(str(path)))
    except OSError as error:
        raise ConfigError([Problem(str(path), 0, 0, "", f"cannot be read: {error.strerror}")]) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(str(path), line, 0, "", "is not UTF-8 text")]) from error
    return parse(text, str(path))


def parse(text: str, file: str) -> Loaded:
    """A configuration from its text; `file` names it in problems. Raises ConfigError."""
    yaml_text = YamlText(text, file, schema())
    problems = list(yaml_text.problems)
    value = {} if yaml_text.value is None and not problems else yaml_text.value
    if not problems or value is not None:
        unreadable = {problem.key for problem in problems}
        problems += (found for found in _invalid(value, yaml_text.sources) if found.key not in unreadable)
    if not problems:
        try:
            return Loaded(_converted(value), yaml_text.sources, value)
        except msgspec.ValidationError as error:
            problems.append(Problem(file, 0, 0, "", str(error)))
    raise ConfigError(sorted(set(problems), key=lambda problem: (problem.line, problem.column, problem.key)))


def layered(customizations: Sequence[Any], file: Loaded) -> DevenvConfig:
    """What `customizations.devenv` of images, features and devcontainer.json say, and devenv.yaml over them.

    The shape is that of devenv.yaml. Objects are merged per key, everything else is replaced by what comes later.
    A value that does not fit is left out; `customization_problems` tells of it where it was written.
    """
    merged: dict[str, Any] = {}
    for value in customizations:
        read, problems = _customization(value, "")
        if not problems:
            merged = _over(merged, read)
    return _converted(_over(merged, file.raw)) if merged else file.config


def customization_problems(value: Any, file: str = "") -> list[Problem]:
    """What is wrong with one `customizations.devenv`; keys are relative to it."""
    return _customization(value, file)[1]


def _customization(value: Any, file: str) -> tuple[dict[str, Any], list[Problem]]:
    """Read as devenv.yaml is, so that numbers where texts belong stay as written: JSON is YAML."""
    text = YamlText(json.dumps(value, ensure_ascii=False), file, schema())
    problems = [*text.problems, *_invalid(text.value, Sources(file))]
    return (text.value if isinstance(text.value, dict) else {}), problems


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(below)
    for key, value in above.items():
        present = made.get(key)
        if isinstance(present, Mapping) and isinstance(value, Mapping) and not _is_run(present, value):
            made[key] = _over(present, value)
        else:
            made[key] = value
    return made


def _is_run(below: Any, above: Any) -> bool:
    """Two forms of one run exclude each other: the later one stands alone."""
    forms = {form for value in (below, above) for form in RUN_FORMS if form in value}
    return len(forms) > 1


def _converted(value: dict[str, Any]) -> DevenvConfig:
    return msgspec.convert(_reshaped(value), DevenvConfig)


def _reshaped(value: dict[str, Any]) -> dict[str, Any]:
    """Port numbers stand beside the other keys of `ports` in the file, in a table of their own in the model."""
    ports = value.get("ports")
    if not isinstance(ports, dict):
        return value
    configured = {int(key): entry for key, entry in ports.items() if key.isdigit()}
    settings = {key: entry for key, entry in ports.items() if not key.isdigit()}
    return {**value, "ports": {**settings, "configured": configured}}


def _invalid(value: Any, sources: Sources) -> Iterator[Problem]:
    import jsonschema

    for error in jsonschema.Draft202012Validator(schema()).iter_errors(value):
        yield from _problems(error, tuple(error.absolute_path), sources)


def _problems(error: ValidationError, path: KeyPath, sources: Sources) -> Iterator[Problem]:
    """One problem in our words; by the rule that failed, never by the text of the library's message."""
    rule: Any = error.validator
    limit: Any = error.validator_value
    found: Any = error.instance
    node: Any = error.schema
    at = sources.nearest(path)
    if rule == "additionalProperties":
        known = node.get("properties", {})
        for key in found:
            if key not in known and not (key.isdigit() and _is_port(key, node)):
                yield _unknown((*path, key), key, tuple(known), node, sources)
        return
    message, hint = f"is not valid: {error.message}", ""
    if rule == "type" or rule == "anyOf":
        forms = [_kind_of(form) for form in limit] if rule == "anyOf" else [limit]
        if rule == "anyOf" and _json_type(found) in forms:
            meant = forms.index(_json_type(found))
            for inner in error.context or ():
                if inner.schema_path[0] == meant:
                    yield from _problems(inner, (*path, *inner.path), sources)
            return
        names = " or ".join(_KINDS[form[0] if isinstance(form, list) else form] for form in forms)
        message = f"must be {names}, not {_described(found)}"
    elif rule == "enum":
        words = [str(word) for word in limit]
        message, hint = f"{found!r} is not one of {', '.join(words)}", _nearest(str(found), words)
    elif rule == "required":
        missing = [key for key in limit if key not in found]
        message = f"needs the key {missing[0]!r}" if missing else message
        at = sources.key(path)
    elif rule == "oneOf" and not isinstance(found, dict):
        return  # its type is the problem, and is told as such
    elif rule == "oneOf":
        given = [form for form in RUN_FORMS if form in found]
        message = f"has {' and '.join(given)}" if given else "has nothing to run"
        hint = f"give exactly one of {', '.join(RUN_FORMS)}"
        at = sources.key(path)
    elif rule in ("minimum", "maximum"):
        message = f"{found} is out of range: {node.get('minimum')} to {node.get('maximum')}"
    elif rule in ("minLength", "minItems") or found == "":
        message = "must not be empty"
    elif rule == "pattern":
        message, hint = f"{found!r} is not valid", " or ".join(node.get("examples", ()))
        hint = f"for example {hint}" if hint else ""
    yield Problem(*at, dotted(path), message, hint)


def _unknown(path: KeyPath, key: str, known: tuple[str, ...], node: Any, sources: Sources) -> Problem:
    at = sources.key(path)
    if "patternProperties" in node and key.lstrip("-").isdigit():
        return Problem(*at, dotted(path), f"{key} is not a port; the range is 1 to 65535")
    hint = _nearest(key, known) or f"known here: {', '.join(known)}"
    return Problem(*at, dotted(path), "is not a known key", hint)


def _kind_of(form: Any) -> Any:
    """Of one form among several; those that are defined elsewhere are mappings."""
    return "object" if "$ref" in form else form.get("type")


def _is_port(key: str, node: Any) -> bool:
    return PORT_KEY in node.get("patternProperties", {}) and re.match(PORT_KEY, key) is not None


def _nearest(word: str, known: list[str] | tuple[str, ...]) -> str:
    """The known word that looks most like this one; `just_my_code` and `justMyCode` mean `just-my-code`."""
    plain = {_plain(candidate): candidate for candidate in known}
    close = difflib.get_close_matches(_plain(word), plain, n=1, cutoff=0.6)
    return f"did you mean {plain[close[0]]!r}?" if close else ""


def _plain(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "")


def _json_type(value: Any) -> str:
    for name, kind in (("string", str), ("array", list), ("object", dict), ("boolean", bool)):
        if isinstance(value, kind):
            return name
    return "null" if value is None else "number"


def _described(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    return {"string": f"the text {value!r}", "array": "a list", "object": "a mapping"}.get(
        _json_type(value), f"the number {value}"
    )
