"""From the options that a configuration gives a feature to the environment of its install script.

(Spec, *Option resolution*.) A name becomes a variable's name, what is not given has its declared default, a text or
true/false in place of an object is the option `version`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from devcontainer import checks, javascript
from devcontainer.checks import Issue
from devcontainer.features.manifest import FeatureManifest
from devcontainer.jsonc import JsonValue, Path
from devcontainer.options import value_issues
from devcontainer.problem import Severity

VERSION = "version"
"""The option that a plain text means."""

_NOT_WORD = re.compile(r"[^A-Za-z0-9_]")
_LEADING = re.compile(r"\A[0-9_]+")
_IMPOSSIBLE = re.compile("[\0\ud800-\udfff]")
_SPECIAL = re.compile(r'[\\"$`]')


def environment_name(option: str) -> str:
    """The variable of an option: `my-Opt.2` is `MY_OPT_2`, `9lives` is `_LIVES`."""
    # A character beyond the basic plane is two in JavaScript, hence two underscores.
    plain = _NOT_WORD.sub(lambda found: "__" if ord(found[0]) > 0xFFFF else "_", option)
    return _LEADING.sub("_", plain).upper()


def given_options(manifest: FeatureManifest, given: JsonValue) -> Mapping[str, JsonValue]:
    """What a configuration says, as an object: a text or true/false is `version`, if there is such an option."""
    if isinstance(given, dict):
        return given
    if isinstance(given, str | bool) and VERSION in manifest.options:
        return {VERSION: given}
    return {}


def values(manifest: FeatureManifest, given: JsonValue) -> dict[str, str | bool]:
    """Every option's value: the defaults, then what is given, also of options that the feature does not declare.

    What cannot be a value (an object, null) is left out; `issues` says so.
    """
    found: dict[str, str | bool] = {
        name: option.default for name, option in manifest.options.items() if option.default is not None
    }
    for name, value in given_options(manifest, given).items():
        if isinstance(value, str | bool):
            found[name] = value
        elif isinstance(value, int | float):
            found[name] = javascript.text(value)
    return {name: found[name] for name in javascript.keys(found)}


def environment(manifest: FeatureManifest, given: JsonValue) -> dict[str, str]:
    """The variables of the install script, in the order of the options. Of two with one name the later counts."""
    return {environment_name(name): javascript.text(value) for name, value in values(manifest, given).items() if name}


def env_file_text(variables: Mapping[str, str]) -> str:
    """A file to be read with `.` by a shell: `NAME="value"`, one a line.

    What a shell would expand is escaped, so that a value arrives as it was written; the reference forgets that.
    """
    return "".join(f'{name}="{_SPECIAL.sub(_escaped, value)}"\n' for name, value in variables.items())


def issues(manifest: FeatureManifest, given: JsonValue, path: Path = ()) -> Iterator[Issue]:
    """What is wrong with the options that a configuration gives; `path` leads to them."""
    if not isinstance(given, dict | str | bool):
        yield Issue(path, f"must be an object, a text or true/false, not {checks.describe(given)}")
        return
    if not isinstance(given, dict) and VERSION not in manifest.options:
        if given is False:
            yield Issue(path, "does not leave the feature out", "take the line out", Severity.WARNING)
        elif given is not True:
            yield Issue(path, "has no effect: the feature has no option 'version'", "", Severity.WARNING)
        return
    names: dict[str, str] = {}
    for name, value in given_options(manifest, given).items():
        where = (*path, name) if isinstance(given, dict) else path
        yield from _value_issues(name, value, manifest, where)
        variable = environment_name(name)
        if variable in names:
            message = f"sets the same variable {variable} as {names[variable]!r}"
            yield Issue(where, message, "", Severity.WARNING, at_key=True)
        names[variable] = name


def _value_issues(name: str, value: JsonValue, manifest: FeatureManifest, path: Path) -> Iterator[Issue]:
    if not name:
        yield Issue(path, "an option needs a name", at_key=True)
        return
    if isinstance(value, str) and _IMPOSSIBLE.search(value):
        yield Issue(path, "holds a NUL character or half of a character, which no variable can")
        return
    option = manifest.options.get(name)
    if option is None:
        hint = checks.nearest(name, tuple(manifest.options))
        yield Issue(path, "is not an option of the feature; it is passed on all the same", hint, Severity.WARNING, True)
    if isinstance(value, bool | str):
        yield from value_issues(option, value, path) if option else ()
    elif isinstance(value, int | float):
        yield Issue(path, "must be a text, not a number", f'write "{javascript.text(value)}"')
    else:
        yield Issue(path, f"must be a text or true/false, not {checks.describe(value)}")


def _escaped(found: re.Match[str]) -> str:
    return "\\" + found[0]
