"""Dockerfiles: their base image, their user, and edits of their text. tests/integration asks a builder the same."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcontainer import dockerfile
from devcontainer.dockerfile import DockerfileError, lines, words
from devcontainer.problem import Severity


def read(text: str) -> dockerfile.Dockerfile:
    found = dockerfile.parse(textwrap.dedent(text), "Dockerfile")
    assert found.problems == ()
    return found


BASES: list[Any] = [
    pytest.param("FROM debian", {}, None, "debian", id="an image"),
    pytest.param("from debian as x", {}, None, "debian", id="lower case"),
    pytest.param("FROM debian:12@sha256:00", {}, None, "debian:12@sha256:00", id="version and digest"),
    pytest.param("FROM localhost:5000/a/b:c", {}, None, "localhost:5000/a/b:c", id="a registry with a port"),
    pytest.param("FROM --platform=linux/arm64 debian", {}, None, "debian", id="a platform"),
    pytest.param('FROM "debian"', {}, None, "debian", id="quotes"),
    pytest.param("FROM scratch", {}, None, "scratch", id="nothing at all"),
    pytest.param("  FROM   debian  \t", {}, None, "debian", id="blanks around"),
    pytest.param("FROM \\\n  debian \\\n AS x", {}, None, "debian", id="over several lines"),
    pytest.param("FROM debian \\\n# why\n\n AS x", {}, None, "debian", id="a comment and a blank line in between"),
    pytest.param("\ufeffFROM debian\r\nUSER x\r\n", {}, None, "debian", id="from Windows"),
    pytest.param("ARG I=debian\nFROM $I", {}, None, "debian", id="a variable"),
    pytest.param("ARG I=debian\nFROM ${I}", {}, None, "debian", id="in braces"),
    pytest.param("ARG I=debian\nFROM ${I}", {"I": "ubuntu"}, None, "ubuntu", id="given from outside"),
    pytest.param("ARG I\nFROM ${I}", {"I": "ubuntu"}, None, "ubuntu", id="without default"),
    pytest.param("FROM ${I:-debian}", {}, None, "debian", id="a default in place"),
    pytest.param("ARG I=\nFROM ${I:-debian}", {}, None, "debian", id="for what is empty too"),
    pytest.param("ARG I=\nFROM x${I-debian}", {}, None, "x", id="or only for what is not set"),
    pytest.param("ARG I=1\nFROM debian${I:+:12}", {}, None, "debian:12", id="if it is set"),
    pytest.param("FROM debian${I:+:12}", {}, None, "debian", id="if it is not set"),
    pytest.param("FROM ${A:-${B:-debian}}", {}, None, "debian", id="one in the other"),
    pytest.param("ARG V=12\nARG I=debian:${V}\nFROM $I", {"V": "13"}, None, "debian:13", id="from an earlier one"),
    pytest.param("ARG A=x B=debian\nFROM $B", {}, None, "debian", id="two in a line"),
    pytest.param("ARG V='1 2'\nFROM x:${V%?2}", {}, None, "x:1", id="quotes, and a part of it"),
    pytest.param("FROM debian AS a\nFROM a", {}, None, "debian", id="a stage"),
    pytest.param("FROM debian AS a\nFROM a AS b\nFROM B AS c", {}, None, "debian", id="a stage of a stage, any case"),
    pytest.param("FROM debian AS a\nFROM ubuntu", {}, None, "ubuntu", id="the last stage counts"),
    pytest.param("FROM debian AS a\nFROM ubuntu", {}, "a", "debian", id="or the one that is asked for"),
    pytest.param("FROM debian AS a\nFROM ubuntu", {}, "A", "debian", id="in any case"),
    pytest.param("FROM a AS a\nFROM a", {}, None, "a", id="a stage called like its image"),
    pytest.param("FROM b AS a\nFROM c AS b\nFROM a", {}, None, "b", id="a stage below is not meant"),
    pytest.param("FROM x AS a\nFROM y AS a\nFROM a", {}, None, "y", id="two of one name: the nearer one"),
    pytest.param("ARG S=a\nFROM debian AS a\nFROM $S", {}, None, "debian", id="a stage by a variable"),
    pytest.param("FROM debian\nRUN echo <<EOF\nFROM ubuntu\nEOF\n", {}, None, "debian", id="FROM in a here-document"),
    pytest.param("FROM debian\nRUN a && \\\n  FROM ubuntu", {}, None, "debian", id="FROM in a continued line"),
    pytest.param("# FROM ubuntu\nFROM debian\n  # FROM x", {}, None, "debian", id="FROM in a comment"),
    pytest.param("# escape=`\nFROM `\n debian", {}, None, "debian", id="another escape character"),
    pytest.param("FROM img-$TARGETARCH", {}, None, "img-amd64", id="what the builder knows"),
]


@pytest.mark.parametrize(("text", "arguments", "target", "expected"), BASES)
def test_base_image(text: str, arguments: dict[str, str], target: str | None, expected: str) -> None:
    known = dockerfile.platform_arguments("linux/amd64")
    assert read(text).base_image(arguments, target, platform=known) == expected


USERS: list[Any] = [
    pytest.param("FROM i", {}, {}, "base", id="nothing said"),
    pytest.param("FROM i\nUSER me", {}, {}, "me", id="said"),
    pytest.param("FROM i\nUSER a\nuser b", {}, {}, "b", id="the last one"),
    pytest.param("FROM i\nUSER 1000:1000", {}, {}, "1000:1000", id="numbers"),
    pytest.param('FROM i\nUSER "me"', {}, {}, "me", id="in quotes"),
    pytest.param("FROM i\nUSER ${U}", {}, {"U": "env"}, "env", id="the image's variable"),
    pytest.param("FROM i\nENV U=me\nUSER $U", {}, {"U": "env"}, "me", id="ENV"),
    pytest.param("FROM i\nENV U me too\nUSER $U", {}, {}, "me too", id="ENV as of old"),
    pytest.param("FROM i\nENV A=1 U=me B=2\nUSER $U", {}, {}, "me", id="ENV with several"),
    pytest.param("FROM i\nENV U=a\nENV U=b V=$U\nUSER $V", {}, {}, "a", id="ENV sees what was before it"),
    pytest.param("FROM i\nENV U=a\\ b V='c d'\nUSER $U$V", {}, {}, "a bc d", id="ENV with blanks"),
    pytest.param("FROM i\nENV U=me\\\n2 V=x\nUSER $U$V", {}, {}, "me2x", id="ENV over two lines without a blank"),
    pytest.param("FROM i\nARG U=me\nUSER $U", {}, {}, "me", id="ARG"),
    pytest.param("FROM i\nARG U=me\nUSER $U", {"U": "you"}, {}, "you", id="ARG given from outside"),
    pytest.param("FROM i\nARG U\nUSER ${U:-x}", {}, {}, "x", id="ARG without value"),
    pytest.param("FROM i\nUSER ${U:-x}\nARG U=late", {"U": "late"}, {}, "x", id="ARG that comes later"),
    pytest.param("ARG U=me\nFROM i\nUSER x$U", {"U": "you"}, {}, "x", id="ARG before FROM does not reach in"),
    pytest.param("ARG U=me\nFROM i\nARG U\nUSER $U", {}, {}, "me", id="unless it is declared again"),
    pytest.param("FROM i\nENV U=env\nARG U=arg\nUSER $U", {}, {}, "arg", id="the later of ENV and ARG: ARG"),
    pytest.param("FROM i\nARG U=arg\nENV U=env\nUSER $U", {"U": "o"}, {}, "env", id="the later of ENV and ARG: ENV"),
    pytest.param("FROM i\nENV U=env\nARG U\nUSER $U", {}, {}, "env", id="ARG without value changes nothing"),
    pytest.param("FROM i\nARG TARGETARCH\nUSER u$TARGETARCH", {}, {}, "uamd64", id="the builder's own, declared"),
    pytest.param("FROM i\nUSER u$TARGETARCH", {}, {}, "u", id="the builder's own, not declared"),
    pytest.param("FROM i AS a\nUSER me\nFROM a", {}, {}, "me", id="of the stage before"),
    pytest.param(
        "FROM i AS a\nARG U=me\nENV E=e\nFROM a\nUSER $U$E", {}, {}, "mee", id="variables of the stage before"
    ),
    pytest.param("FROM i AS a\nUSER me\nFROM j", {}, {}, "base", id="of another stage: no matter"),
    pytest.param("FROM i\nUSER me\nENV E=\nUSER $E", {}, {}, "root", id="an empty one"),
    pytest.param(
        "FROM i\nRUN <<-'A B' cat\n\tUSER no\n\tA B\nUSER me", {}, {}, "me", id="a here-document, tabs, quotes"
    ),
    pytest.param("FROM i\nCOPY <<A <<B /\nUSER x\nA\nUSER y\nB\nUSER me", {}, {}, "me", id="two here-documents"),
    pytest.param("FROM i\nONBUILD RUN <<E\nUSER x\nE\nUSER me", {}, {}, "me", id="a here-document for later"),
    pytest.param("FROM i\nRUN cat <<< x\nUSER me", {}, {}, "me", id="a here-string is none"),
    pytest.param('FROM i\nRUN echo "a <<E b"\nUSER me', {}, {}, "me", id="nor is one in quotes"),
    pytest.param("FROM i\nRUN echo $((1<<2))\nUSER me", {}, {}, "me", id="nor a shift"),
    pytest.param("FROM i\nRUN echo <<it's\nUSER me", {}, {}, "me", id="nor one with an open quote"),
    pytest.param("FROM i\nLABEL a=<<E\nUSER me", {}, {}, "me", id="nor one of an instruction without them"),
    pytest.param("FROM i\nUSER \\$U'$V'\"\\$W\"", {}, {"U": "x", "V": "x", "W": "x"}, "$U$V$W", id="not a variable"),
    pytest.param("FROM i\nUSER ${U#*.}${U%.*}", {}, {"U": "a.b"}, "ba", id="parts"),
    pytest.param("FROM i\nUSER ${U##*.}-${U%%.*}", {}, {"U": "a.b.c"}, "c-a", id="longest parts"),
    pytest.param("FROM i\nUSER ${U/a/x}${U//a/y}", {}, {"U": "aba"}, "xbayby", id="replaced"),
    pytest.param("FROM i\nUSER ${U:?must be set}", {}, {"U": "x"}, "x", id="must be set and is"),
    pytest.param("# escape=`\nFROM i\nUSER `$U\\", {}, {"U": "x"}, "$U\\", id="another escape character"),
]


@pytest.mark.parametrize(("text", "arguments", "env", "expected"), USERS)
def test_user(text: str, arguments: dict[str, str], env: dict[str, str], expected: str) -> None:
    known = dockerfile.platform_arguments("linux/amd64")
    assert read(text).user("base", env, arguments, platform=known) == expected


def test_user_of_a_target() -> None:
    found = read("FROM i AS a\nUSER one\nFROM i AS b\nUSER two")
    assert found.user("base", {}, {}, "a") == "one"
    assert found.user("base", {}, {}) == "two"


def test_platform_of_the_base() -> None:
    found = read("FROM --platform=$BUILDPLATFORM i AS a\nFROM a AS b\nFROM j")
    known = dockerfile.platform_arguments("linux/amd64", "linux/arm/v7")
    assert found.base_platform({}, "b", platform=known) == "linux/amd64"
    assert found.base_platform({}, platform=known) is None
    assert known["TARGETVARIANT"] == "v7"
    assert known["TARGETPLATFORM"] == "linux/arm/v7"
    assert known["BUILDVARIANT"] == ""


PROBLEMS: list[Any] = [
    pytest.param("", 1, "no FROM", "", id="nothing"),
    pytest.param("# only this\n", 1, "no FROM", "", id="a comment"),
    pytest.param("RUN x\nFROM i", 1, "RUN stands before", "only ARG", id="RUN before FROM"),
    pytest.param("FROM", 1, "followed by an image", "", id="FROM nothing"),
    pytest.param("FROM i AS", 1, "followed by an image", "", id="AS nothing"),
    pytest.param("FROM i BS x", 1, "followed by an image", "", id="no AS"),
    pytest.param("FROM i # why", 1, "followed by an image", "", id="a comment behind"),
    pytest.param("FROM i AS 1x", 1, "cannot name a stage", "a letter", id="a name that is none"),
    pytest.param("FROM i\n\nRUNN x", 3, "'RUNN' is not an instruction", "'RUN'", id="a slip"),
    pytest.param("FROM i\nENV", 2, "followed by nothing", "", id="ENV nothing"),
    pytest.param("FROM i\nENV A", 2, "no value", "ENV A=", id="ENV without value"),
    pytest.param("FROM i\nENV A=1 B", 2, "'B' has no '='", "quote", id="ENV with a word too much"),
    pytest.param("FROM i\nARG", 2, "followed by nothing", "", id="ARG nothing"),
    pytest.param("FROM i\nUSER", 2, "followed by nothing", "", id="USER nothing"),
    pytest.param("FROM i\nUSER ${A", 2, "not closed", "", id="an open brace"),
    pytest.param("FROM i\nUSER ${A:", 2, "not closed", "", id="an open brace after a colon"),
    pytest.param("FROM i\nUSER ${A:=x}", 2, "not known", "", id="a form that the builder lacks"),
    pytest.param("FROM i\nUSER ${}", 2, "not followed by a name", "", id="no name"),
    pytest.param("FROM i\nUSER " + "${A:-" * 5000, 2, "in each other", "", id="without end"),
    pytest.param("FROM i\nUSER " + "${A/" * 5000, 2, "in each other", "", id="patterns without end"),
    pytest.param('FROM i\nENV A="x', 2, "double quote", "", id="an open quote"),
    pytest.param("FROM i\nUSER 'x", 2, "single quote", "", id="an open single quote"),
    pytest.param("FROM i\nRUN <<EOF\nx\n", 2, "<<EOF has no end", "", id="an open here-document"),
    pytest.param("# escape=x\nFROM i", 1, "escape character", "", id="an escape character that is none"),
    pytest.param("# escape=`\n# escape=`\nFROM i", 2, "written twice", "", id="a directive twice"),
]


@pytest.mark.parametrize(("text", "line", "message", "hint"), PROBLEMS)
def test_problems_have_a_line(text: str, line: int, message: str, hint: str) -> None:
    [problem] = dockerfile.parse(text, "sub/Dockerfile").errors
    assert (problem.file, problem.line) == ("sub/Dockerfile", line)
    assert message in problem.message
    assert hint in problem.hint


def test_all_problems_are_told() -> None:
    found = dockerfile.parse("FROM i\nRUNN x\nUSER\nFROM i AS 2")
    assert [problem.line for problem in found.problems] == [2, 3, 4]


def test_another_syntax_may_have_its_own_instructions() -> None:
    found = dockerfile.parse("# syntax=devthefuture/dockerfile-x\nFROM i\nINCLUDE x\n")
    assert [problem.severity for problem in found.problems] == [Severity.WARNING]
    assert found.errors == ()
    assert dockerfile.parse("# syntax=docker/dockerfile:1\nFROM i\nINCLUDE x\n").errors


QUESTIONS: list[Any] = [
    pytest.param("FROM i AS dev\nFROM i AS prod", "dve", "has no stage 'dve'", "'dev'", id="a slip"),
    pytest.param("FROM i AS dev\nFROM i AS prod", "zzz", "has no stage 'zzz'", "'dev', 'prod'", id="another name"),
    pytest.param("FROM i", "dev", "has no stage 'dev'", "no names", id="no names"),
    pytest.param("FROM ${I}", None, "names no image", "build argument", id="no image"),
    pytest.param("FROM ${I:?say-which}", None, "say-which", "", id="a variable that must be set"),
]


@pytest.mark.parametrize(("text", "target", "message", "hint"), QUESTIONS)
def test_questions_without_answer(text: str, target: str | None, message: str, hint: str) -> None:
    with pytest.raises(DockerfileError, match=message) as caught:
        read(text).base_image({}, target)
    assert hint in caught.value.hint


def test_no_stage_at_all() -> None:
    with pytest.raises(DockerfileError, match="no FROM"):
        dockerfile.parse("").base_image({})


NAMED: list[Any] = [
    pytest.param("FROM i\nUSER x\n", None, "n", "FROM i AS n\nUSER x\n", id="no name"),
    pytest.param("FROM i AS Dev\n", None, "dev", "FROM i AS Dev\n", id="a name"),
    pytest.param("FROM i   \t\nRUN x", None, "n", "FROM i AS n   \t\nRUN x", id="blanks behind"),
    pytest.param("FROM i\r\nRUN x", None, "n", "FROM i AS n\r\nRUN x", id="from Windows"),
    pytest.param("FROM i", None, "n", "FROM i AS n", id="no line end"),
    pytest.param("FROM --platform=a i \\\n\n", None, "n", "FROM --platform=a i AS n \\\n\n", id="a continued line"),
    pytest.param("FROM \\\n# c\n  i\n", None, "n", "FROM \\\n# c\n  i AS n\n", id="the image in the next line"),
    pytest.param("FROM a AS x\nFROM b\nFROM x", None, "n", "FROM a AS x\nFROM b\nFROM x AS n", id="the last stage"),
    pytest.param("FROM a AS x\nFROM b", "x", "x", "FROM a AS x\nFROM b", id="the one asked for"),
    pytest.param("FROM a AS n\nFROM b", None, "n_2", "FROM a AS n\nFROM b AS n_2", id="a name that is taken"),
    pytest.param('FROM "i"', None, "n", 'FROM "i" AS n', id="quotes"),
    pytest.param("\ufeffFROM i\n", None, "n", "\ufeffFROM i AS n\n", id="a byte order mark"),
]


@pytest.mark.parametrize(("text", "target", "name", "expected"), NAMED)
def test_with_named_final_stage(text: str, target: str | None, name: str, expected: str) -> None:
    found = dockerfile.parse(text)
    assert found.with_named_final_stage("N", target) == (name, expected)
    again = dockerfile.parse(expected)
    assert again.errors == ()
    assert again.final_stage_name(target) == name


def test_a_target_that_is_not_there_is_not_named() -> None:
    with pytest.raises(DockerfileError):
        read("FROM i").with_named_final_stage("n", "m")


SYNTAX: list[Any] = [
    pytest.param("# syntax=docker/dockerfile:1.4\nFROM i\n", "FROM i\n", "1.4", id="first line"),
    pytest.param("#syntax = docker/dockerfile\r\nFROM i\r\n", "FROM i\r\n", "latest", id="from Windows"),
    pytest.param("# escape=`\n# Syntax=docker.io/docker/dockerfile:1\nFROM i", "# escape=`\nFROM i", "1", id="second"),
    pytest.param("# syntax=other/thing:2\nFROM i", "FROM i", None, id="another builder"),
    pytest.param("FROM i\n# syntax=x", "FROM i\n# syntax=x", None, id="too late"),
    pytest.param("# a comment\n# syntax=x\nFROM i", "# a comment\n# syntax=x\nFROM i", None, id="after a comment"),
    pytest.param("\n# syntax=x\nFROM i", "\n# syntax=x\nFROM i", None, id="after an empty line"),
]


@pytest.mark.parametrize(("text", "expected", "version"), SYNTAX)
def test_syntax_directive(text: str, expected: str, version: str | None) -> None:
    found = read(text)
    assert found.without_syntax_directive() == expected
    assert found.syntax_version == version


def test_lines_are_added_behind_the_directives() -> None:
    assert read("# escape=`\nFROM i").with_preamble("ARG A=1") == "# escape=`\nARG A=1\nFROM i"
    assert read("\ufeffFROM i").with_preamble("ARG A=1\n") == "\ufeffARG A=1\nFROM i"
    only = dockerfile.parse("# escape=`").with_preamble("FROM i")
    assert only == "# escape=`\nFROM i\n"


def test_directives() -> None:
    assert read("# syntax=x\n# check=skip=all\nFROM i").directives == {"syntax": "x", "check": "skip=all"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a  b\tc", ["a", "b", "c"]),
        ('a\\ b \'c d\' "e \\" f" g', ["a\\ b", "'c d'", '"e \\" f"', "g"]),
        ("'open b", ["'open b"]),
        ("", []),
        ("a\\", ["a\\"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words.split(text, "\\") == expected


INSTRUCTIONS = ["FROM a", "FROM b AS c", " AS ", "USER x", "ENV A=1", "ARG B", "RUN <<E", "E", "# c", "#syntax=x"]
SIGNS = ["\\", "`", "\n", "\n", "\n", " ", "$A", "${A:-", "}", "'", '"', "\t", "\r\n", "# escape=`"]
PIECES = st.lists(st.sampled_from([*INSTRUCTIONS, *SIGNS]), max_size=14).map("".join)


@given(PIECES | st.text(max_size=40), st.none() | st.just("c"))
def test_any_text_has_answers_or_a_reason(text: str, target: str | None) -> None:
    found = dockerfile.parse(text)
    assert found.with_preamble("").replace("\n", "") == text.replace("\n", "")
    assert found.errors or found.stages
    try:
        found.base_image({"A": "1"}, target)
        found.user("u", {}, {}, target)
        name, changed = found.with_named_final_stage("n", target)
    except DockerfileError as error:
        assert "\n" not in error.message
        return
    if not found.errors:
        assert dockerfile.parse(changed).stage(name).name == name
        assert dockerfile.parse(changed).base_image({"A": "1"}, name) == found.base_image({"A": "1"}, target)


@given(PIECES)
def test_offsets_lead_back_to_the_text(text: str) -> None:
    try:
        source = lines.cut(text)
    except lines.SourceError:
        return
    for instruction in source.instructions:
        assert "".join(text[offset] for offset in instruction.offsets) == instruction.text


@pytest.mark.parametrize(
    ("text", "target", "expected"),
    [
        pytest.param("FROM a\nFROM b", None, ("a", "b"), id="stages that nobody uses may be built all the same"),
        pytest.param("FROM a AS One\nFROM b\nFROM one", None, ("a", "b"), id="a stage is no image"),
        pytest.param("FROM a AS one\nFROM b", "one", ("a",), id="not below the target"),
        pytest.param("FROM scratch\nCOPY --from=tool:1 /x /x", None, ("tool:1",), id="copied from"),
        pytest.param("FROM a AS s\nFROM b\nCOPY --from=s / /\nCOPY --from=0 / /", None, ("a", "b"), id="own stages"),
        pytest.param("FROM a\nRUN --mount=type=bind,from=tool,target=/t true", None, ("a", "tool"), id="mounted"),
        pytest.param("ARG V=1\nFROM a:$V\nFROM a:1", None, ("a:1",), id="variables, each once"),
    ],
)
def test_images_outside_of_the_file(text: str, target: str | None, expected: tuple[str, ...]) -> None:
    assert read(text).images({}, target) == expected
