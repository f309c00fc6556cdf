"""JSON with comments, as editors write it: read with positions, edited in place.

Line comments, block comments, a byte order mark and one trailing comma per array or object are accepted. Everything
else that is not JSON (a missing comma, text after the value, an open string) is an error with its line and column,
where the reference implementation accepts it in silence. Nothing here knows what the text means.
"""

from devcontainer.jsonc.document import Document, Duplicate, Path, Position
from devcontainer.jsonc.nodes import JsonValue
from devcontainer.jsonc.parser import JsoncError, parse

__all__ = ["Document", "Duplicate", "JsonValue", "JsoncError", "Path", "Position", "parse"]
