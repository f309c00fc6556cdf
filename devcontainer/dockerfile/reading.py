"""From text to stages, with all that a builder would refuse in the instructions that are read here."""

from __future__ import annotations

import dataclasses
import re

from devcontainer import checks
from devcontainer.dockerfile import lines, words
from devcontainer.dockerfile.lines import Instruction
from devcontainer.dockerfile.stages import OFFICIAL_SYNTAX, Dockerfile, Stage
from devcontainer.problem import Problem, Severity

KEYWORDS = (
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
)
_STAGE_NAME = re.compile(r"[a-z][a-z0-9_.-]*", re.ASCII)


def parse(text: str, file: str = "Dockerfile") -> Dockerfile:
    """Read a Dockerfile. `file` names it in problems; nothing is opened, and nothing raised."""
    try:
        source = lines.cut(text)
    except lines.SourceError as error:
        return Dockerfile(text, file, problems=(Problem(file, error.line, 1, "", error.message),))
    directives = {directive.name: directive.value for directive in source.directives}
    official = "syntax" not in directives or bool(OFFICIAL_SYNTAX.fullmatch(directives["syntax"]))
    arguments: list[Instruction] = []
    stages: list[Stage] = []
    problems: list[Problem] = []

    def wrong(line: int, message: str, hint: str = "", severity: Severity = Severity.ERROR) -> None:
        problems.append(Problem(file, line, 1, "", message, hint, severity))

    for instruction in source.instructions:
        for message, hint in _complaints(instruction, source.escape):
            wrong(instruction.line, message, hint)
        if instruction.keyword not in KEYWORDS:
            # Another syntax may have instructions of its own.
            severity = Severity.ERROR if official else Severity.WARNING
            hint = checks.nearest(instruction.keyword, KEYWORDS)
            wrong(instruction.line, f"{instruction.keyword!r} is not an instruction", hint, severity)
        if instruction.keyword == "FROM":
            stages.append(_stage(instruction, source.escape))
        elif stages:
            last = stages[-1]
            stages[-1] = dataclasses.replace(last, instructions=(*last.instructions, instruction))
        elif instruction.keyword == "ARG":
            arguments.append(instruction)
        elif instruction.keyword in KEYWORDS:
            wrong(instruction.line, f"{instruction.keyword} stands before the first FROM", "only ARG may")
    if not stages:
        wrong(1, "there is no FROM")
    spans = {directive.name: (directive.start, directive.end) for directive in source.directives}
    return Dockerfile(text, file, directives, tuple(arguments), tuple(stages), tuple(problems), source.escape, spans)


def _stage(instruction: Instruction, escape: str) -> Stage:
    spans = words.spans(instruction.text, escape)
    parts = [instruction.text[start:end] for start, end in spans]
    platform = next((flag.partition("=")[2] for flag in instruction.flags if flag.startswith("--platform=")), None)
    named = len(parts) == 3 and parts[1].upper() == "AS"
    last = instruction.offsets[spans[-1][1] - 1] + 1 if spans else 0
    return Stage(parts[0] if parts else "", parts[2].lower() if named else None, platform, instruction.line, (), last)


def _complaints(instruction: Instruction, escape: str) -> list[tuple[str, str]]:
    """What is wrong with the instructions that are read here: (message, hint)."""
    parts = words.split(instruction.text, escape)
    found: list[tuple[str, str]] = []
    if instruction.keyword == "FROM":
        if len(parts) not in (1, 3) or (len(parts) == 3 and parts[1].upper() != "AS"):
            found.append(("FROM must be followed by an image, or by an image, AS and a name", ""))
        elif len(parts) == 3 and not _STAGE_NAME.fullmatch(parts[2].lower()):
            found.append((f"{parts[2]!r} cannot name a stage", "a letter, then letters, digits, '.', '_' and '-'"))
    elif instruction.keyword in ("ARG", "ENV", "USER"):
        if not parts:
            found.append((f"{instruction.keyword} is followed by nothing", ""))
        elif instruction.keyword == "ENV":
            found += _environment_complaints(parts)
        texts = [instruction.text] if instruction.keyword == "USER" else parts
        found += [(message, "") for text in texts for message in _unreadable(text, escape)]
    return found


def _environment_complaints(parts: list[str]) -> list[tuple[str, str]]:
    if "=" not in parts[0]:
        return [] if len(parts) > 1 else [(f"ENV {parts[0]} has no value", f"write ENV {parts[0]}=")]
    return [(f"{part!r} has no '='", "quote a value that has blanks") for part in parts if "=" not in part[1:]]


def _unreadable(text: str, escape: str) -> list[str]:
    try:
        words.expand(text, _Anything(), escape)
    except words.WordError as error:
        return [str(error)]
    return []


class _Anything(dict[str, str]):
    """Every variable is set, so that only what is never right is found."""

    def get(self, key: str, default: object = None) -> str:
        return "x"
