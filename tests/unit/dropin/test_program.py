"""One command line from its words to its exit code, with a supervisor that says what the test wants."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from devenv.cli import main, wire
from devenv.dropin import program, tables
from devenv.errors import NoProgram, NotFound, NotUp

RESULT = b'{"t":"result","result":{"outcome":"success","containerId":"abc"}}'
NOTE = b'{"t":"note","text":"a note","level":"info"}'


def error(failed: Any) -> bytes:
    return json.dumps({"t": "error", "error": failed.to_wire()}).encode()


class Supervisor:
    """Stands for `wire.Call`: keeps the request, gives the lines."""

    lines: list[bytes] = []
    asked: list[tuple[str, dict[str, Any]]] = []

    def __init__(self, verb: str, args: dict[str, Any], ctx: dict[str, Any] | None = None) -> None:
        self.asked.append((verb, args))
        self.rows = (ctx or {}).get("rows")
        self._lines = iter(list(self.lines))

    def line(self) -> bytes | None:
        return next(self._lines, None)

    def close(self) -> None: ...


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Supervisor]]:
    monkeypatch.setattr(wire, "Call", Supervisor)
    Supervisor.lines, Supervisor.asked = [RESULT], []
    yield Supervisor


VERBS = {
    "up": "dropin-up",
    "set-up --container-id x": "dropin-set-up",
    "build": "dropin-build",
    "run-user-commands": "dropin-run-user-commands",
    "read-configuration": "dropin-read-configuration",
}


def test_hardening_that_is_asked_for_and_not_there_is_told(
    supervisor: type[Supervisor], capfd: pytest.CaptureFixture[str]
) -> None:
    assert program.run(["up", "--oci-auth-hardening"]) == 0
    assert "--oci-auth-hardening has no effect" in capfd.readouterr().err


@pytest.mark.parametrize("line", VERBS)
def test_a_result_is_passed_on_as_it_is(
    supervisor: type[Supervisor], capfd: pytest.CaptureFixture[str], line: str
) -> None:
    supervisor.lines = [NOTE, RESULT]
    assert program.run(line.split()) == 0
    out, err = capfd.readouterr()
    given = json.loads(out)
    if line.startswith(("set-up", "run")):
        assert out == '{"outcome":"success","containerId":"abc"}\n'
    else:
        assert list(given) == ["outcome", "containerId", "ociAuthDiagnostics"]
        assert given["ociAuthDiagnostics"]["authServerRedirect"] is False
    assert err.endswith("] a note\n")
    assert supervisor.asked[0][0] == VERBS[line]


def test_an_empty_result(supervisor: type[Supervisor], capfd: pytest.CaptureFixture[str]) -> None:
    supervisor.lines = [b'{"t":"result","result":{}}']
    assert program.run(["read-configuration"]) == 0
    assert list(json.loads(capfd.readouterr().out)) == ["ociAuthDiagnostics"]


def test_the_log_may_be_json(supervisor: type[Supervisor], capfd: pytest.CaptureFixture[str]) -> None:
    supervisor.lines = [NOTE, RESULT]
    assert program.run(["up", "--log-format", "json", "--workspace-folder="]) == 0
    told = [json.loads(line)["text"] for line in capfd.readouterr().err.splitlines()]
    assert told == ["--workspace-folder has no value; it counts as not given", "a note"]


@pytest.mark.parametrize("line", [line for line in VERBS if line != "read-configuration"])
def test_a_failure_is_a_result(supervisor: type[Supervisor], capfd: pytest.CaptureFixture[str], line: str) -> None:
    supervisor.lines = [error(NotFound("Dev container not found."))]
    assert program.run(line.split()) == 1
    out, err = capfd.readouterr()
    assert json.loads(out) == {
        "outcome": "error",
        "message": "Dev container not found.",
        "description": "Dev container not found.",
    }
    assert "Dev container not found." in err


def test_a_configuration_that_cannot_be_read_has_no_result(
    supervisor: type[Supervisor], capfd: pytest.CaptureFixture[str]
) -> None:
    supervisor.lines = [error(NotFound("gone"))]
    assert program.run(["read-configuration"]) == 1
    out, err = capfd.readouterr()
    assert (out, err.endswith("] gone\n")) == ("", True)


def test_a_supervisor_that_goes_away(supervisor: type[Supervisor], capfd: pytest.CaptureFixture[str]) -> None:
    supervisor.lines = [NOTE]
    assert program.run(["up"]) == 1
    assert json.loads(capfd.readouterr().out)["message"].startswith("the supervisor went away")


ENDS: list[tuple[str, Any, int]] = [
    ("its own code", {"exit": 7}, 7),
    ("success", {"exit": 0}, 0),
    ("a signal", {"signal": 9}, 137),
    ("a lost supervisor", {"lost": True}, 1),
    ("an error on the way", {"error": {"message": "broken"}}, 1),
    ("no such program", NoProgram("x: no such file"), 127),
    ("a stopped container", NotUp("it is not running"), 1),
]


@pytest.mark.parametrize(("end", "code"), [case[1:] for case in ENDS], ids=[case[0] for case in ENDS])
def test_exec_ends_as_its_command(monkeypatch: pytest.MonkeyPatch, end: Any, code: int) -> None:
    asked: dict[str, Any] = {}

    def stream(verb: str, args: dict[str, Any], **options: Any) -> dict[str, Any]:
        asked.update(args, **options)
        if isinstance(end, Exception):
            raise wire.WireError(end.to_wire())  # type: ignore[attr-defined]
        return dict(end)

    monkeypatch.setattr(wire, "stream", stream)
    assert program.run(["exec", "--remote-env", "A=b", "ls", "-la", "1e3"]) == code
    assert asked["argv"] == ["ls", "-la", "1e3"]
    assert asked["remote_env"] == {"A": "b"}
    assert (asked["tty"], asked["output"], asked["size"]) == (False, None, None)


def test_exec_may_be_logged(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """It has a terminal then, whatever we have, and its output comes on stderr."""
    asked: dict[str, Any] = {}

    def stream(verb: str, args: dict[str, Any], **options: Any) -> dict[str, Any]:
        asked.update(options, terminal=args["tty"])
        for data in (b"h\xc3", b"\xa9", b""):
            options["output"].write(wire.STDOUT, data)
        options["output"].note("a note")
        return {"exit": 0}

    monkeypatch.setattr(wire, "stream", stream)
    line = "exec --log-format json --terminal-rows 5 --terminal-columns 6 ls"
    assert program.run(line.split()) == 0
    assert (asked["terminal"], asked["tty"], asked["size"]) == (True, False, (5, 6))
    out, err = capfd.readouterr()
    assert out == ""
    told = [json.loads(line) for line in err.splitlines()]
    assert [(one["type"], one["text"]) for one in told] == [("raw", "h"), ("raw", "é"), ("text", "a note")]


def test_misuse_has_nothing_on_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    assert program.run(["up", "--no-such", "--id-label", "a"]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "devcontainer up: unknown argument --no-such",
        "see `devcontainer up --help`",
    ]


def test_features_that_are_no_object_are_misuse(capfd: pytest.CaptureFixture[str]) -> None:
    assert program.run(["up", "--additional-features", "[]"]) == 1
    out, err = capfd.readouterr()
    assert (out, "must be a JSON object" in err) == ("", True)


PAGES = [("--help", 0), ("", 1), ("features", 0), ("exec --help ls", 0), ("--version", 0)]


@pytest.mark.parametrize(("line", "code"), PAGES)
def test_help(capfd: pytest.CaptureFixture[str], line: str, code: int) -> None:
    assert program.run(line.split()) == code
    out, err = capfd.readouterr()
    assert bool(out) is (code == 0)
    assert bool(err) is (code == 1)


def test_a_defect_is_not_hidden(monkeypatch: pytest.MonkeyPatch, supervisor: type[Supervisor]) -> None:
    monkeypatch.setattr(wire, "decode", lambda line: 1 / 0)
    supervisor.lines = [NOTE]
    with pytest.raises(ZeroDivisionError):
        program.run(["up"])


def test_every_command_has_a_file_that_runs_it() -> None:
    assert set(program.FILES) == set(tables.COMMANDS)


def test_the_verb_passes_every_word(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(program, "run", lambda words: seen.append(words) or 5)
    assert main.dispatch(["devcontainer", "exec", "--help", "--json", "-C"]) == 5
    assert seen == [["exec", "--help", "--json", "-C"]]


HEAVY = ("argparse", "asyncio", "msgspec", "dataclasses", "re", "typing", "pathlib", "json", "subprocess", "shlex")


@pytest.mark.parametrize("line", ["up", "exec true", "read-configuration"])
def test_the_warm_path_loads_next_to_nothing(line: str) -> None:
    """In a process of its own, up to the request."""
    import subprocess

    source = (
        "import sys; from devenv.cli import wire\n"
        "def asked(*words): raise SystemExit(sorted(sys.modules))\n"
        "wire.connect = asked\n"
        f"from devenv.cli.main import dispatch; dispatch(['devcontainer', *{line.split()!r}])"
    )
    done = subprocess.run([sys.executable, "-S", "-c", source], capture_output=True, env={"PYTHONPATH": _root()})
    loaded = done.stderr.decode()
    assert "devenv.cli.wire" in loaded, loaded
    assert [name for name in HEAVY if f"'{name}'" in loaded] == []


def _root() -> str:
    import pathlib

    import devenv

    return str(pathlib.Path(devenv.__file__).parent.parent)
