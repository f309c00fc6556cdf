"""The version, in a file that costs nothing to import."""

VERSION = "0.1.0"

_STAGES = {"dev": 0, "a": 1, "b": 2, "rc": 3, "": 4, "post": 5}


def newer(version: str, than: str) -> bool:
    """Whether `version` is later than `than`. One that cannot be read is not: nothing is handed over for it."""
    one, other = parsed(version), parsed(than)
    return one is not None and other is not None and one > other


def parsed(version: str) -> tuple[int, ...] | None:
    """Comparable: "1.2" is (1, 2, 0, 0, 4, 0), a release candidate of it is less. None: no version."""
    numbers: list[int] = []
    stage, count = "", 0
    for part in version.partition("+")[0].split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        rest = part[len(digits) :]
        if digits and not stage and len(numbers) < 4:
            numbers.append(int(digits))
        if rest and not stage:
            stage = rest.rstrip("0123456789")
            count = int(rest[len(stage) :] or 0)
        elif not digits:
            return None
    if not numbers or stage not in _STAGES:
        return None
    return (*numbers, *[0] * (4 - len(numbers)), _STAGES[stage], count)
