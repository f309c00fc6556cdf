"""JSON, also where the interpreter has no `json` (Debian's python3-minimal): then a small reader and writer of our own.

The fallback accepts what RFC 8259 allows, reads every number with a point or an exponent as float, and is slow; it is
there so that a bare image still gets its agent.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_WORDS = (("true", True), ("false", False), ("null", None))
_SPACE = " \t\r\n"
_DEPTH = 256


def _write_text(value: str) -> str:
    out = ['"']
    for character in value:
        number = ord(character)
        if character in _SHORT:
            out.append(_SHORT[character])
        elif 32 <= number < 127:
            out.append(character)
        elif number < 0x10000:
            out.append("\\u%04x" % number)
        else:
            number -= 0x10000
            out.append("\\u%04x\\u%04x" % (0xD800 | number >> 10, 0xDC00 | number & 0x3FF))
    out.append('"')
    return "".join(out)


def small_dumps(value: "Any") -> str:
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, str):
        return _write_text(value)
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, dict):
        return "{" + ", ".join(_write_text(str(key)) + ": " + small_dumps(item) for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(small_dumps, value)) + "]"
    raise TypeError("not a JSON value: %r" % type(value))


def _is_number(word: str) -> bool:
    """RFC 8259, section 6; `word` has digits, signs, points and the letter e only."""
    mantissa, letter, exponent = word.replace("E", "e").partition("e")
    whole, point, fraction = (mantissa[1:] if mantissa.startswith("-") else mantissa).partition(".")
    if not whole.isdigit() or (len(whole) > 1 and whole[0] == "0") or (point and not fraction.isdigit()):
        return False
    return not letter or (exponent[1:] if exponent[:1] in ("+", "-") else exponent).isdigit()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def fail(self, why: str) -> ValueError:
        return ValueError("%s at character %d" % (why, self.at))

    def peek(self) -> str:
        while self.text[self.at : self.at + 1] and self.text[self.at] in _SPACE:
            self.at += 1
        return self.text[self.at : self.at + 1]

    def take(self, character: str) -> None:
        if self.peek() != character:
            raise self.fail("expected " + character)
        self.at += 1

    def value(self, depth: int) -> "Any":
        first = self.peek()
        if depth > _DEPTH:
            raise self.fail("too deep")
        if first == "{":
            return self.members(depth)
        if first == "[":
            return self.items(depth)
        if first == '"':
            return self.string()
        for word, meaning in _WORDS:
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return meaning
        return self.number()

    def members(self, depth: int) -> "dict[str, Any]":
        out: "dict[str, Any]" = {}
        self.take("{")
        if self.peek() == "}":
            self.at += 1
            return out
        while True:
            self.peek()
            key = self.string()
            self.take(":")
            out[key] = self.value(depth + 1)
            if self.peek() != ",":
                self.take("}")
                return out
            self.at += 1

    def items(self, depth: int) -> "list[Any]":
        out: "list[Any]" = []
        self.take("[")
        if self.peek() == "]":
            self.at += 1
            return out
        while True:
            out.append(self.value(depth + 1))
            if self.peek() != ",":
                self.take("]")
                return out
            self.at += 1

    def number(self) -> "int | float":
        start = self.at
        while self.text[self.at : self.at + 1] and self.text[self.at] in "+-0123456789.eE":
            self.at += 1
        word = self.text[start : self.at]
        if not _is_number(word):
            raise self.fail("expected a value")
        return float(word) if set(word) & set(".eE") else int(word)

    def string(self) -> str:
        self.take('"')
        out: "list[str]" = []
        while True:
            character = self.text[self.at : self.at + 1]
            self.at += 1
            if character == '"':
                return "".join(out)
            if character < " ":  # also the end of the text
                raise self.fail("unfinished string")
            if character == "\\":
                escape = self.text[self.at : self.at + 1]
                self.at += 1
                if escape == "u":
                    number = self.hexadecimal()
                    if 0xD800 <= number < 0xDC00 and self.text.startswith("\\u", self.at):
                        after, self.at = self.at, self.at + 2
                        low = self.hexadecimal()
                        if 0xDC00 <= low < 0xE000:
                            number = 0x10000 + ((number & 0x3FF) << 10 | low & 0x3FF)
                        else:
                            self.at = after
                    character = chr(number)
                elif escape in _ESCAPES:
                    character = _ESCAPES[escape]
                else:
                    raise self.fail("bad escape")
            out.append(character)

    def hexadecimal(self) -> int:
        digits = self.text[self.at : self.at + 4]
        self.at += 4
        if len(digits) != 4 or set(digits) - set("0123456789abcdefABCDEF"):
            raise self.fail("bad escape")
        return int(digits, 16)


def small_loads(text: str) -> "Any":
    reader = _Reader(text)
    value = reader.value(0)
    if reader.peek():
        raise reader.fail("text after the value")
    return value


dumps: "Callable[[Any], str]" = small_dumps
loads: "Callable[[str], Any]" = small_loads
try:
    import json

    dumps, loads = json.dumps, json.loads
except ImportError:  # python3-minimal
    pass
