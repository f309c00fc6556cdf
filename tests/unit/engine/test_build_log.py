"""What builders print becomes steps, lines and the step that failed."""

from __future__ import annotations

import base64
import json

import pytest

from devenv.engine.build_log import BuildLog, ClassicLog, PlainLog, RawJsonLog
from tests.unit.engine.recorder import Recorder


def status(*, indent: int | None = None, **fields: object) -> list[str]:
    return [line + "\n" for line in json.dumps(fields, indent=indent).splitlines()]


def vertex(digest: str, name: str, **fields: object) -> dict[str, object]:
    return {"digest": f"sha256:{digest}", "name": name, **fields}


def log(digest: str, text: str, stream: int = 1) -> dict[str, object]:
    return {"vertex": f"sha256:{digest}", "stream": stream, "data": base64.b64encode(text.encode()).decode()}


BEGAN, ENDED = "2026-01-01T10:00:01.5Z", "2026-01-01T10:00:04Z"


@pytest.mark.parametrize("indent", [None, 2], ids=["one line each", "indented"])
def test_rawjson(indent: int | None) -> None:
    progress, kept = Recorder(), list[str]()
    reader = RawJsonLog(progress, kept.append)
    lines = [
        *status(indent=indent, vertexes=[vertex("aa", "[1/2] FROM x"), vertex("bb", "[2/2] RUN make")]),
        *status(indent=indent, vertexes=[vertex("aa", "[1/2] FROM x", started=BEGAN, completed=BEGAN, cached=True)]),
        *status(indent=indent, vertexes=[vertex("bb", "[2/2] RUN make", started=BEGAN)]),
        *status(indent=indent, statuses=[{"id": "layer", "vertex": "sha256:bb", "current": 5, "total": 10}]),
        *status(indent=indent, logs=[log("bb", "one\nhalf"), log("bb", " line\nbad thing\n", 2)]),
        *status(
            indent=indent,
            vertexes=[vertex("bb", "[2/2] RUN make", started=BEGAN, completed=ENDED, error="exit code: 2")],
        ),
        "Dockerfile:2\n",
        "ERROR: failed to solve\n",
    ]
    for line in lines:
        reader.feed(line)
    reader.finish()
    assert progress.steps == [("build:aa", "[1/2] FROM x"), ("build:bb", "[2/2] RUN make")]
    assert [line[1] for line in progress.lines] == ["one", "half line", "bad thing"]
    assert progress.ended == [("build:aa", True, "cached"), ("build:bb", False, "exit code: 2")]
    assert progress.updates == [("build:bb", 0.5, "layer")]
    assert reader.failure() == ("[2/2] RUN make", ["one", "half line", "bad thing"])
    assert "=> [2/2] RUN make" in kept and "   half line" in kept


def test_an_error_before_any_step() -> None:
    reader = RawJsonLog(Recorder(), lambda line: None)
    for line in ("Dockerfile:3\n", "ERROR: dockerfile parse error on line 3: unknown instruction: RNU\n"):
        reader.feed(line)
    step, lines = reader.failure()
    assert step == "" and lines[-1].endswith("unknown instruction: RNU")


def test_plain() -> None:
    progress = Recorder()
    reader = PlainLog(progress, lambda line: None)
    for line in (
        "#1 [internal] load build definition",
        "#1 DONE 0.1s",
        "",
        "#5 [2/2] RUN make",
        "#5 0.123 compiling",
        "#5 0.200 it broke",
        "#5 ERROR: process did not complete successfully: exit code: 1",
        "ERROR: failed to solve",
    ):
        reader.feed(line + "\n")
    reader.finish()
    assert reader.failure() == ("[2/2] RUN make", ["compiling", "it broke"])
    assert progress.ended[0] == ("build:1", True, "0.1 s")


def test_classic() -> None:
    progress = Recorder()
    reader = ClassicLog(progress, lambda line: None)
    for line in (
        "Sending build context to Docker daemon  2.048kB",
        "Step 1/2 : FROM x",
        " ---> 123",
        "Step 2/2 : RUN make",
        " ---> Running in 456",
        "\x1b[91mit broke",
        "\x1b[0m",
    ):
        reader.feed(line + "\n")
    reader.failed("The command '/bin/sh -c make' returned a non-zero code: 2")
    reader.finish()
    assert reader.failure()[0] == "[2/2] RUN make"
    assert "it broke" in reader.failure()[1]
    assert [ended[:2] for ended in progress.ended] == [("build:1", True), ("build:2", False)]


def test_podman_s_builder_in_its_own_words() -> None:
    progress = Recorder()
    reader = ClassicLog(progress, lambda line: None)
    for line in (
        "STEP 1/3: FROM x",
        "STEP 2/3: COPY a /a",
        "--> Using cache d4d61f6e5bafaa2390e93fb33d4e44b1e9434b7c56a898cf2d7b35abec59ba25",
        "--> d4d61f6e5ba",
        "STEP 3/3: RUN make",
        "--> made by hand",
        "COMMIT docker.io/library/x",
        "--> 30fff85a892",
    ):
        reader.feed(line + "\n")
    reader.finish()
    assert [title for _, title in progress.steps] == ["[1/3] FROM x", "[2/3] COPY a /a", "[3/3] RUN make"]
    assert [text for _, text, _ in progress.lines] == ["--> made by hand", "COMMIT docker.io/library/x"]
    assert progress.ended[1] == ("build:2", True, "cached")


@pytest.mark.parametrize("kind", [RawJsonLog, PlainLog, ClassicLog])
def test_only_the_last_lines_of_a_step_are_kept(kind: type[BuildLog]) -> None:
    reader = kind(Recorder(), lambda line: None)
    if kind is RawJsonLog:
        text = "".join(f"line {n}\n" for n in range(5000))
        feed = [*status(vertexes=[vertex("a", "RUN x", started=BEGAN)]), *status(logs=[log("a", text)])]
        feed += status(vertexes=[vertex("a", "RUN x", started=BEGAN, completed=ENDED, error="no")])
    elif kind is PlainLog:
        feed = ["#1 RUN x", *(f"#1 0.1 line {n}" for n in range(5000)), "#1 ERROR: no"]
    else:
        feed = ["Step 1/1 : RUN x", *(f"line {n}" for n in range(5000))]
    for line in feed:
        reader.feed(line)
    if isinstance(reader, ClassicLog):
        reader.failed("no")
    _, lines = reader.failure()
    assert len(lines) <= 40 and lines[-1] == "line 4999"
