"""Small composable checks of JSON values. Each yields what is wrong and where; none knows what a key means."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from devcontainer.jsonc import JsonValue, Path
from devcontainer.problem import Severity


class Issue(NamedTuple):
    path: Path
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR
    at_key: bool = False  # the key is what is wrong, not its value


Check: TypeAlias = Callable[[JsonValue, Path], Iterator[Issue]]


def describe(value: JsonValue) -> str:
    """What a value is, in the words of an error message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, int | float):
        return "a number"
    return "an array" if isinstance(value, list) else "an object"


def nearest(name: str, valid: Iterator[str] | list[str] | tuple[str, ...]) -> str:
    """A hint naming the valid name that looks like this one, "" if none does."""
    names = list(valid)
    lower = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.6)
    return f"did you mean {lower[close[0]]!r}?" if close else ""


def _expected(what: str, value: JsonValue, path: Path) -> Iterator[Issue]:
    yield Issue(path, f"must be {what}, not {describe(value)}")


def anything(value: JsonValue, path: Path) -> Iterator[Issue]:
    yield from ()


def text(value: JsonValue, path: Path) -> Iterator[Issue]:
    if not isinstance(value, str):
        yield from _expected("a text", value, path)


def filled_text(value: JsonValue, path: Path) -> Iterator[Issue]:
    if not isinstance(value, str):
        yield from _expected("a text", value, path)
    elif not value:
        yield Issue(path, "must not be empty")


def text_or_null(value: JsonValue, path: Path) -> Iterator[Issue]:
    if value is not None and not isinstance(value, str):
        yield from _expected("a text or null", value, path)


def boolean(value: JsonValue, path: Path) -> Iterator[Issue]:
    if not isinstance(value, bool):
        yield from _expected("true or false", value, path)


def count(value: JsonValue, path: Path) -> Iterator[Issue]:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        yield from _expected("a whole number of at least 1", value, path)


def one_of(*words: str) -> Check:
    def check(value: JsonValue, path: Path) -> Iterator[Issue]:
        if not isinstance(value, str):
            yield from _expected("a text", value, path)
        elif value not in words:
            listed = ", ".join(repr(word) for word in words)
            yield Issue(path, f"{value!r} is not one of {listed}", nearest(value, words))

    return check


def array(item: Check) -> Check:
    def check(value: JsonValue, path: Path) -> Iterator[Issue]:
        if not isinstance(value, list):
            yield from _expected("an array", value, path)
            return
        for index, element in enumerate(value):
            yield from item(element, (*path, index))

    return check


def mapping(item: Check) -> Check:
    """An object with free keys."""

    def check(value: JsonValue, path: Path) -> Iterator[Issue]:
        if not isinstance(value, dict):
            yield from _expected("an object", value, path)
            return
        for key, element in value.items():
            yield from item(element, (*path, key))

    return check


def fields(known: Mapping[str, Check], required: tuple[str, ...] = ()) -> Check:
    """An object with these keys; another key is a warning, because it may belong to another tool."""

    def check(value: JsonValue, path: Path) -> Iterator[Issue]:
        if not isinstance(value, dict):
            yield from _expected("an object", value, path)
            return
        for key, element in value.items():
            if key in known:
                yield from known[key](element, (*path, key))
            else:
                hint = nearest(key, tuple(known))
                yield Issue((*path, key), "is not a known property", hint, Severity.WARNING, at_key=True)
        for key in required:
            if key not in value:
                yield Issue(path, f"the property {key!r} is missing")

    return check


def either(what: str, choose: Callable[[JsonValue], Check | None]) -> Check:
    """A value of several forms: `choose` picks the check by the form; None means that no form fits."""

    def check(value: JsonValue, path: Path) -> Iterator[Issue]:
        chosen = choose(value)
        if chosen is None:
            yield from _expected(what, value, path)
        else:
            yield from chosen(value, path)

    return check


def unless_variable(item: Check) -> Check:
    """A text with a variable in it says what it is once that is resolved; until then nothing is wrong with it."""

    def check(value: JsonValue, path: Path) -> Iterator[Issue]:
        if not isinstance(value, str) or "${" not in value:
            yield from item(value, path)

    return check


def variables(item: Check) -> Check:
    """An object of environment variables: names that an environment can hold."""

    def check(value: JsonValue, path: Path) -> Iterator[Issue]:
        yield from mapping(item)(value, path)
        for name in value if isinstance(value, dict) else ():
            if not name or "=" in name:
                yield Issue((*path, name), f"{name!r} cannot be the name of a variable", at_key=True)

    return check


def by_error(parse: Callable[[JsonValue], object], error: type[ValueError]) -> Check:
    """What a parser of this package accepts is right."""

    def check(value: JsonValue, path: Path) -> Iterator[Issue]:
        try:
            parse(value)
        except error as problem:
            yield Issue(path, str(problem))

    return check
