"""What a merge may answer besides a new text."""

from __future__ import annotations


class Unmergeable(Exception):
    """The text is not what its editor reads, or somebody else's words stand where ours would. One line, no file name:
    the file is left as it is."""
