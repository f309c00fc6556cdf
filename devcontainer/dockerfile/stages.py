"""What a Dockerfile amounts to for whoever builds on it: its stages, the image below them, the user they end with.

Variables follow the builder: in order of the lines, the later of ARG and ENV counts, a build argument replaces the
default of an ARG, what is declared before the first FROM must be declared again inside a stage, a stage that begins
from another one has all that was set there.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterator, Mapping

from devcontainer import checks
from devcontainer.dockerfile import lines, words
from devcontainer.dockerfile.lines import Instruction
from devcontainer.problem import Problem, Severity

OFFICIAL_SYNTAX = re.compile(
    r"(?:docker\.io/)?docker/dockerfile(?:-upstream)?(?::(?P<version>[^\s@]+))?(?:@\S+)?", re.ASCII
)


class DockerfileError(ValueError):
    """A question that the Dockerfile has no answer to: no such stage, no image after FROM. Message and hint."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclasses.dataclass(frozen=True, slots=True)
class Stage:
    """From one FROM to the next. `image` and `platform` are as written, with variables."""

    image: str
    name: str | None  # lower case
    platform: str | None
    line: int
    instructions: tuple[Instruction, ...]
    from_end: int  # offset after the last word of FROM: where a name can be added


@dataclasses.dataclass(frozen=True)
class Dockerfile:
    """With problems that are errors the rest is what could be read."""

    text: str
    file: str
    directives: Mapping[str, str] = dataclasses.field(default_factory=dict)
    global_arguments: tuple[Instruction, ...] = ()
    stages: tuple[Stage, ...] = ()
    problems: tuple[Problem, ...] = ()
    escape: str = lines.DEFAULT_ESCAPE
    directive_spans: Mapping[str, tuple[int, int]] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Those problems with which it cannot be built."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)

    @functools.cached_property
    def stage_names(self) -> tuple[str, ...]:
        return tuple(stage.name for stage in self.stages if stage.name)

    @property
    def syntax_version(self) -> str | None:
        """Of the official syntax, "latest" without a number; None without the directive or for another syntax."""
        found = OFFICIAL_SYNTAX.fullmatch(self.directives.get("syntax", ""))
        return (found["version"] or "latest") if found else None

    def stage(self, target: str | None = None) -> Stage:
        """The stage that is built. Raises DockerfileError for a target that is not there, or a file without stages."""
        return self.stages[self._index(target)]

    def base_image(
        self, build_args: Mapping[str, str], target: str | None = None, *, platform: Mapping[str, str] | None = None
    ) -> str:
        """The image outside of the file that the target begins from, "scratch" included. Raises DockerfileError.

        `platform`: the builder's own arguments, see `platform_arguments`.
        """
        stage = self.stages[self._chain(build_args, target, platform or {})[-1]]
        return self._image(stage, self._globals(build_args, platform or {}))

    def images(
        self, build_args: Mapping[str, str], target: str | None = None, *, platform: Mapping[str, str] | None = None
    ) -> tuple[str, ...]:
        """The images outside of the file that the stages up to the target name, in FROM and in `from`, each once.

        A stage that the target does not need counts too. Raises DockerfileError.
        """
        outer = self._globals(build_args, platform or {})
        found: dict[str, None] = {}
        known = {"scratch"}
        for stage in self.stages[: self._index(target) + 1]:
            for name in (self._image(stage, outer), *_sources(stage)):
                if name.lower() not in known and not name.isdigit():
                    found[name] = None
            known |= {stage.name} if stage.name else set()
        return tuple(found)

    def base_platform(
        self, build_args: Mapping[str, str], target: str | None = None, *, platform: Mapping[str, str] | None = None
    ) -> str | None:
        """The platform that the base image is asked for; None: the one of the build."""
        stage = self.stages[self._chain(build_args, target, platform or {})[-1]]
        if stage.platform is None:
            return None
        return self._expanded(stage.platform, self._globals(build_args, platform or {}), stage.line) or None

    def user(
        self,
        base_user: str,
        base_env: Mapping[str, str],
        build_args: Mapping[str, str],
        target: str | None = None,
        *,
        platform: Mapping[str, str] | None = None,
    ) -> str:
        """The user that the target ends with, as USER says it ("name", "1000:1000"); `base_user` if nothing says.

        `base_user` and `base_env` are those of the base image. Raises DockerfileError.
        """
        known = platform or {}
        outer = self._globals(build_args, known)
        variables, user = dict(base_env), base_user
        for index in reversed(self._chain(build_args, target, known)):
            for instruction in self.stages[index].instructions:
                if instruction.keyword == "ARG":
                    self._argument(instruction, variables, build_args, outer)
                elif instruction.keyword == "ENV":
                    self._environment(instruction, variables)
                elif instruction.keyword == "USER":
                    user = self._expanded(instruction.text, variables, instruction.line)
        return user or "root"

    def final_stage_name(self, target: str | None = None) -> str | None:
        """The name of the stage that is built, if it has one."""
        return self.stage(target).name

    def with_named_final_stage(self, name: str, target: str | None = None) -> tuple[str, str]:
        """(name, text): the name of the stage that is built and a text in which it has it.

        If it has none it is given `name`, or that with a number if another stage is called so.
        """
        stage = self.stage(target)
        if stage.name:
            return stage.name, self.text
        free = name.lower()
        number = 1
        while free in self.stage_names:
            number += 1
            free = f"{name.lower()}_{number}"
        return free, f"{self.text[: stage.from_end]} AS {free}{self.text[stage.from_end :]}"

    def without_syntax_directive(self) -> str:
        """The text without the line that names another builder; other directives stay where they are."""
        start, end = self.directive_spans.get("syntax", (0, 0))
        return self.text[:start] + self.text[end:]

    def with_preamble(self, added: str) -> str:
        """The text with lines added behind its directives, which must stay in front: a place for global ARGs."""
        end = max((end for _, end in self.directive_spans.values()), default=1 if self.text.startswith("\ufeff") else 0)
        between = "" if end == 0 or self.text[:end].endswith(("\n", "\ufeff")) else "\n"
        return self.text[:end] + between + added + ("" if added.endswith("\n") else "\n") + self.text[end:]

    def _index(self, target: str | None) -> int:
        if not self.stages:
            raise DockerfileError(f"{self.file} has no FROM")
        if not target:
            return len(self.stages) - 1
        for index in range(len(self.stages) - 1, -1, -1):
            if self.stages[index].name == target.lower():
                return index
        listed = ", ".join(repr(name) for name in self.stage_names)
        hint = checks.nearest(target, self.stage_names)
        raise DockerfileError(
            f"{self.file} has no stage {target!r}",
            hint or (f"it has {listed}" if listed else "its stages have no names"),
        )

    def _chain(self, build_args: Mapping[str, str], target: str | None, platform: Mapping[str, str]) -> list[int]:
        """The target and the stages it begins from, the outermost last."""
        outer = self._globals(build_args, platform)
        chain = [self._index(target)]
        while True:
            image = self._image(self.stages[chain[-1]], outer).lower()
            before = range(chain[-1] - 1, -1, -1)  # a stage knows only those above it
            parent = next((index for index in before if self.stages[index].name == image), None)
            if parent is None:
                return chain
            chain.append(parent)

    def _image(self, stage: Stage, outer: Mapping[str, str]) -> str:
        image = self._expanded(stage.image, outer, stage.line)
        if not image:
            raise DockerfileError(
                f"{self.file}:{stage.line}: FROM {stage.image} names no image", "give the build argument a value"
            )
        return image

    def _globals(self, build_args: Mapping[str, str], platform: Mapping[str, str]) -> dict[str, str]:
        variables = dict(platform)
        for instruction in self.global_arguments:
            self._argument(instruction, variables, build_args, platform)
        return variables

    def _argument(
        self,
        instruction: Instruction,
        variables: dict[str, str],
        build_args: Mapping[str, str],
        outer: Mapping[str, str],
    ) -> None:
        for word in words.split(instruction.text, self.escape):
            name, equals, default = word.partition("=")
            if name in build_args:
                variables[name] = build_args[name]
            elif equals:
                variables[name] = self._expanded(default, variables, instruction.line)
            elif name in outer:
                variables[name] = outer[name]

    def _environment(self, instruction: Instruction, variables: dict[str, str]) -> None:
        before = dict(variables)  # an instruction sees what was set before it, not what it sets
        for name, value in _pairs(instruction.text, self.escape):
            variables[self._expanded(name, before, instruction.line)] = self._expanded(value, before, instruction.line)

    def _expanded(self, word: str, variables: Mapping[str, str], line: int) -> str:
        try:
            return words.expand(word, variables, self.escape)
        except words.WordError as error:
            raise DockerfileError(f"{self.file}:{line}: {error}") from error


def platform_arguments(build: str, target: str | None = None) -> dict[str, str]:
    """The arguments that a builder sets by itself, from platforms such as "linux/amd64" and "linux/arm/v7"."""
    found: dict[str, str] = {}
    for prefix, platform in (("BUILD", build), ("TARGET", target or build)):
        system, _, rest = platform.partition("/")
        machine, _, variant = rest.partition("/")
        found |= {
            f"{prefix}PLATFORM": platform,
            f"{prefix}OS": system,
            f"{prefix}ARCH": machine,
            f"{prefix}VARIANT": variant,
        }
    return found


def _pairs(text: str, escape: str) -> list[tuple[str, str]]:
    """NAME=value …, or the older form of one name and the rest of the line."""
    parts = words.split(text, escape)
    if parts and "=" not in parts[0]:
        return [(parts[0], text[len(parts[0]) :].strip())]
    return [(name, value) for name, _, value in (part.partition("=") for part in parts)]


def _sources(stage: Stage) -> Iterator[str]:
    """Images, stages and contexts that a stage's instructions copy or mount from."""
    for instruction in stage.instructions:
        for flag in instruction.flags:
            kind, _, value = flag.partition("=")
            fields = [f"from={value}"] if kind == "--from" else value.split(",") if kind == "--mount" else []
            yield from (name for field in fields if (name := field.removeprefix("from=")) != field and name)
