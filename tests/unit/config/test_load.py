"""Reading devenv.yaml: what is written is what is meant, and every mistake is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devenv import config
from devenv.config.load import parse
from devenv.config.model import AutoForward, PortConfig, PortsConfig, RunConfig, RunDebugConfig, ServiceConfig
from devenv.errors import ConfigError, ExitCode, Problem

FULL = """
version: 1
runs:
  train: {script: train.py, args: [--epochs, "3"], env: {A: b}, cwd: ., python: /opt/conda/bin/python,
          debug: {wait: true, just-my-code: false, subprocess: true}}
  serve: {module: http.server, args: ["9000"]}
  lint:  {command: "ruff check ."}
  list:  {command: [ruff, check]}
services:
  jupyter: {kind: jupyter, port: 8888, autostart: true, root: .}
  tensorboard: {kind: tensorboard, logdir: runs, port: 6006}
  api: {kind: command, command: "uvicorn app:app --port 8000", port: 8000}
ports: {8000: {label: API, host-port: 8000, protocol: http, auto-forward: silent}, ignore: [9229], same-user: true}
test: {args: [-q], paths: [tests], ignore: [data/, runs/]}
debug: {port: 5678, just-my-code: true}
sync:
  mode: two-way-prefer-host
  ignore: [data/, "*.npz", 3]
  outputs: [runs/, {pattern: "reports/*.html"}, {pattern: checkpoints/**, max: 100MB}]
  max-file: 1 GiB
  max-files: 1000
  git: host-to-container
  on: always
"""


def test_every_key() -> None:
    loaded = parse(FULL, "devenv.yaml").config
    assert loaded.runs == {
        "train": RunConfig(
            script="train.py",
            args=["--epochs", "3"],
            env={"A": "b"},
            cwd=".",
            python="/opt/conda/bin/python",
            debug=RunDebugConfig(wait=True, just_my_code=False, subprocess=True),
        ),
        "serve": RunConfig(module="http.server", args=["9000"]),
        "lint": RunConfig(command="ruff check ."),
        "list": RunConfig(command=["ruff", "check"]),
    }
    assert loaded.services == {
        "jupyter": ServiceConfig(kind=config.ServiceKind.JUPYTER, port=8888, autostart=True),
        "tensorboard": ServiceConfig(kind=config.ServiceKind.TENSORBOARD, logdir="runs", port=6006),
        "api": ServiceConfig(kind=config.ServiceKind.COMMAND, command="uvicorn app:app --port 8000", port=8000),
    }
    assert loaded.ports == PortsConfig(
        configured={8000: PortConfig(label="API", host_port=8000, protocol="http", auto_forward=AutoForward.SILENT)},
        ignore=[9229],
        same_user=True,
    )
    assert loaded.test == config.TestConfig(args=["-q"], paths=["tests"], ignore=["data/", "runs/"])
    assert loaded.debug == config.DebugConfig(port=5678, just_my_code=True)
    assert loaded.sync == config.SyncConfig(
        mode="two-way-prefer-host",
        ignore=["data/", "*.npz", "3"],
        outputs=[
            "runs/",
            config.OutputConfig(pattern="reports/*.html"),
            config.OutputConfig(pattern="checkpoints/**", max="100MB"),
        ],
        max_file="1 GiB",
        max_files=1000,
        git="host-to-container",
        on="always",
    )


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "{}", "\ufeff# a byte order mark"])
def test_nothing_said_is_all_defaults(text: str, tmp_path: Path) -> None:
    (tmp_path / "devenv.yaml").write_text(text, encoding="utf-8")
    assert config.load(tmp_path) == config.DevenvConfig() == config.load(tmp_path / "without")


AS_WRITTEN = [
    "3",
    "1e-3",
    "1_000",
    "010",
    "0x1F",
    "1:30",
    "yes",
    "on",
    "off",
    "True",
    "2026-01-01",
    "1.10",
    ".5",
    "=",
    "é",
]


@pytest.mark.parametrize("word", [*AS_WRITTEN, "'x'", '"3"', "!!str 3"])
def test_texts_stay_as_written(word: str) -> None:
    """YAML 1.1 would make numbers, truths, dates and minutes of them."""
    plain = word.removeprefix("!!str ").strip("'\"")
    loaded = parse(f"runs: {{a: {{script: x, args: [{word}], env: {{A: {word}}}, cwd: {word}}}}}", "f").config
    assert (loaded.runs["a"].args, loaded.runs["a"].env, loaded.runs["a"].cwd) == ([plain], {"A": plain}, plain)


def test_keys_stay_as_written() -> None:
    loaded = parse("runs: {on: {script: x}, 1: {script: y}, no: {script: z, env: {NO: 1, 2: x}}}", "f").config
    assert list(loaded.runs) == ["on", "1", "no"]
    assert loaded.runs["no"].env == {"NO": "1", "2": "x"}


def test_aliases_and_merge_keys() -> None:
    text = "runs:\n  a: &a {script: x, args: [1]}\n  b: {<<: *a, args: [2]}\n  c: {<<: [{cwd: d}, *a], script: z}\n"
    runs = parse(text, "f").config.runs
    assert (runs["b"].script, runs["b"].args) == ("x", ["2"])
    assert (runs["c"].script, runs["c"].args, runs["c"].cwd) == ("z", ["1"], "d")


def test_a_block_text_is_a_command() -> None:
    loaded = parse("runs:\n  a:\n    command: |\n      set -e\n      make\n", "f").config
    assert loaded.runs["a"].command == "set -e\nmake\n"


MISTAKES = [
    pytest.param("[1]", 1, 1, "", "must be a mapping, not a list", id="a list"),
    pytest.param("just words", 1, 1, "", "must be a mapping, not the text", id="a text"),
    pytest.param("a: b: c", 1, 5, "", "needs quotes", id="a colon in a text"),
    pytest.param("runs:\n\ta: 1", 2, 1, "", "not with tabs", id="a tab"),
    pytest.param("runs: {a: {script: x}", 1, 22, "", "flow mapping", id="an open brace"),
    pytest.param("runs: *x", 1, 7, "", "undefined alias", id="an alias of nothing"),
    pytest.param("---\n---\n", 2, 1, "", "single document", id="two documents"),
    pytest.param("runs:\n  a: \x01", 2, 6, "", "a character that YAML forbids", id="a control character"),
    pytest.param("runs: &r {a: *r}", 1, 7, "runs.a", "contains itself", id="a ring"),
    pytest.param("test: !python/object:os.system x", 1, 7, "test", "unknown tag", id="a tag"),
    pytest.param("runs: {? [a] : {script: x}}", 1, 10, "runs", "key that is not a text", id="a list as key"),
    pytest.param("runs: {a: {<<: 3, script: x}}", 1, 16, "runs.a", "needs a mapping", id="merging a number"),
    pytest.param("verson: 1", 1, 1, "verson", "did you mean 'version'?", id="a key, nearly"),
    pytest.param("zzz: 1", 1, 1, "zzz", "known here: version, runs", id="a key like no other"),
    pytest.param(
        "debug: {justMyCode: true}", 1, 9, "debug.justMyCode", "did you mean 'just-my-code'?", id="camel case"
    ),
    pytest.param("debug: {just_my_code: true}", 1, 9, "debug.just_my_code", "'just-my-code'", id="an underscore"),
    pytest.param("version: 2", 1, 10, "version", "2 is not one of 1", id="a version to come"),
    pytest.param("runs: 3", 1, 7, "runs", "must be a mapping, not the number 3", id="a number for a mapping"),
    pytest.param("runs:", 1, 6, "runs", "must be a mapping, not nothing", id="nothing for a mapping"),
    pytest.param("runs: {a: }", 1, 10, "runs.a", "must be a mapping, not nothing", id="a run that says nothing"),
    pytest.param("runs: {a: {args: []}}", 1, 8, "runs.a", "has nothing to run", id="a run without a form"),
    pytest.param("runs:\n  a: {script: x, module: y}", 2, 3, "runs.a", "has script and module", id="two forms"),
    pytest.param("runs: {a: {script: ''}}", 1, 20, "runs.a.script", "must not be empty", id="an empty script"),
    pytest.param(
        "runs: {a: {script: [x]}}", 1, 20, "runs.a.script", "must be a text, not a list", id="a list of scripts"
    ),
    pytest.param("runs: {a: {command: []}}", 1, 21, "runs.a.command", "must not be empty", id="an empty command"),
    pytest.param(
        "runs: {a: {command: {b: c}}}", 1, 21, "runs.a.command", "a text or a list, not a mapping", id="forms"
    ),
    pytest.param("runs: {a: {command: [[b]]}}", 1, 22, "runs.a.command.0", "must be a text, not a list", id="a word"),
    pytest.param("runs: {a: {script: x, args: --x}}", 1, 29, "runs.a.args", "must be a list, not the text", id="args"),
    pytest.param(
        "runs: {a: {script: x, env: {A: }}}", 1, 31, "runs.a.env.A", "not nothing", id="a variable left empty"
    ),
    pytest.param("runs: {a: {script: x, env: {A: null}}}", 1, 32, "runs.a.env.A", "not nothing", id="null"),
    pytest.param(
        "runs: {a: {script: x, debug: {wait: 1}}}", 1, 37, "runs.a.debug.wait", "true or false", id="one is no truth"
    ),
    pytest.param(
        'runs: {a: {script: x, debug: {wait: "yes"}}}', 1, 37, "runs.a.debug.wait", "true or false", id="quoted"
    ),
    pytest.param(
        "runs:\n  a: {script: x}\n  a: {script: y}", 3, 3, "runs.a", "the first is in line 2", id="a run twice"
    ),
    pytest.param(
        "services: {j: {kind: jupiter}}", 1, 22, "services.j.kind", "did you mean 'jupyter'?", id="a kind, nearly"
    ),
    pytest.param("services: {j: {port: 1}}", 1, 12, "services.j", "needs the key 'kind'", id="no kind"),
    pytest.param("services: {j: {kind: command}}", 1, 12, "services.j", "needs the key 'command'", id="no command"),
    pytest.param(
        "services: {j: {kind: jupyter, port: 0x50}}", 1, 37, "services.j.port", "a whole number, not the text", id="hex"
    ),
    pytest.param(
        "services: {j: {kind: jupyter, port: 80:80}}", 1, 37, "services.j.port", "not the text '80:80'", id="minutes"
    ),
    pytest.param(
        "services: {j: {kind: jupyter, port: 010}}", 1, 37, "services.j.port", "not the text '010'", id="octal"
    ),
    pytest.param("debug: {port: 0}", 1, 15, "debug.port", "out of range: 1 to 65535", id="port zero"),
    pytest.param('debug: {port: "1"}', 1, 15, "debug.port", "a whole number, not the text '1'", id="a quoted number"),
    pytest.param("debug: {port: 1.5}", 1, 15, "debug.port", "a whole number, not the number 1.5", id="half a port"),
    pytest.param("ports: {70000: {}}", 1, 9, "ports.70000", "the range is 1 to 65535", id="no port"),
    pytest.param(
        "ports: {8000: 9000}", 1, 15, "ports.8000", "must be a mapping, not the number", id="a port for a port"
    ),
    pytest.param("ports: {8000: {auto-forward: open}}", 1, 30, "ports.8000.auto-forward", "is not one of", id="a word"),
    pytest.param("ports: {sameuser: no}", 1, 9, "ports.sameuser", "did you mean 'same-user'?", id="beside the ports"),
    pytest.param("ports: {ignore: [x]}", 1, 18, "ports.ignore.0", "a whole number", id="a name for a port"),
    pytest.param("sync: 3", 1, 7, "sync", "must be a mapping", id="a number for rules"),
    pytest.param("sync: {mode: two-way}", 1, 14, "sync.mode", "did you mean 'two-way-safe'?", id="a mode, nearly"),
    pytest.param("sync: {git: include}", 1, 13, "sync.git", "one of exclude, host-to-container", id="git both ways"),
    pytest.param("sync: {on: yes}", 1, 12, "sync.on", "is not one of always, never, remote", id="a truth for a place"),
    pytest.param("sync: {ignore: data/}", 1, 16, "sync.ignore", "must be a list, not the text", id="one pattern"),
    pytest.param("sync: {ignore: [a, '']}", 1, 20, "sync.ignore.1", "must not be empty", id="an empty pattern"),
    pytest.param("sync: {max-file: 2 apples}", 1, 18, "sync.max-file", "for example 100MB or 2GB", id="no size"),
    pytest.param("sync: {max-file: -1}", 1, 18, "sync.max-file", "'-1' is not valid", id="a size below zero"),
    pytest.param("sync: {max-files: 0}", 1, 19, "sync.max-files", "out of range: 1 to 2000000", id="no files"),
    pytest.param("sync: {outputs: [[a]]}", 1, 18, "sync.outputs.0", "a text or a mapping, not a list", id="an output"),
    pytest.param("sync: {outputs: ['']}", 1, 18, "sync.outputs.0", "must not be empty", id="an empty output"),
    pytest.param("sync: {outputs: ['!a']}", 1, 18, "sync.outputs.0", "'!a' is not valid", id="an output taken back"),
    pytest.param(
        "sync: {outputs: ['**/x']}", 1, 18, "sync.outputs.0", "for example runs/", id="an output that is anywhere"
    ),
    pytest.param(
        "sync: {outputs: [{patern: a, pattern: b}]}", 1, 19, "sync.outputs.0.patern", "did you mean", id="its keys"
    ),
    pytest.param(
        "sync: {outputs: [{max: 1g}]}", 1, 18, "sync.outputs.0", "needs the key 'pattern'", id="an output of nothing"
    ),
    pytest.param(
        "sync: {outputs: [{pattern: a, max: big}]}", 1, 36, "sync.outputs.0.max", "'big' is not valid", id="its size"
    ),
]


@pytest.mark.parametrize(("text", "line", "column", "key", "words"), MISTAKES)
def test_mistakes(text: str, line: int, column: int, key: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "devenv.yaml")
    assert caught.value.code is ExitCode.CONFIG
    problem = caught.value.problems[0]
    assert (problem.file, problem.line, problem.column, problem.key) == ("devenv.yaml", line, column, key)
    assert words in f"{problem.message} {problem.hint}"
    assert len(caught.value.problems) == 1


def test_all_problems_at_once_in_the_order_of_the_file() -> None:
    text = "verson: 1\nruns:\n  a: {script: 1, argss: []}\n  b: {}\ndebug: {port: x}\nruns: {}\n"
    with pytest.raises(ConfigError) as caught:
        parse(text, "devenv.yaml")
    assert [str(problem) for problem in caught.value.problems] == [
        "devenv.yaml:1:1: verson: is not a known key (did you mean 'version'?)",
        "devenv.yaml:3:18: runs.a.argss: is not a known key (did you mean 'args'?)",
        "devenv.yaml:4:3: runs.b: has nothing to run (give exactly one of script, module, command)",
        "devenv.yaml:5:15: debug.port: must be a whole number, not the text 'x'",
        "devenv.yaml:6:1: runs: is written twice; the first is in line 2",
    ]


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ConfigError) as caught:
        parse("sync:\n  " + "\n  ".join(lines), "devenv.yaml")
    told = [problem.message for problem in caught.value.problems]
    assert [text for text in told if text != "is not a known key"] == [
        "holds too much: aliases multiply what they stand for"
    ]


def test_all_problems_of_one_output_are_told() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("sync: {outputs: [{pattern: '!', max: much, size: 1}]}", "devenv.yaml")
    assert [problem.key for problem in caught.value.problems] == [
        "sync.outputs.0.pattern",
        "sync.outputs.0.max",
        "sync.outputs.0.size",
    ]


def test_deep_nesting_is_a_problem_not_a_crash() -> None:
    with pytest.raises(ConfigError):
        parse("sync: " + "[" * 5000, "devenv.yaml")
    with pytest.raises(ConfigError):
        parse("sync: {a: " + "[" * 100 + "]" * 100 + "}", "devenv.yaml")


@pytest.mark.parametrize("name", ["devenv.yml", ".devenv.yaml"])
def test_a_file_of_another_name_is_not_ignored_in_silence(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("runs: {}")
    with pytest.raises(ConfigError) as caught:
        config.load(tmp_path)
    assert caught.value.problems == [Problem(str(tmp_path / name), 0, 0, "", "is not read; name it devenv.yaml")]


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "devenv.yaml").write_bytes(b"runs:\n  \xff: 1")
    with pytest.raises(ConfigError, match=r"devenv\.yaml:2: is not UTF-8"):
        config.load(tmp_path)


def test_a_folder_where_the_file_should_be(tmp_path: Path) -> None:
    (tmp_path / "devenv.yaml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path)


def test_every_value_knows_where_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "devenv.yaml").write_text(
        "runs:\n  train:\n    script: x.py\n    args: [a,\n      b]\nports: {80: {}}\n"
    )
    file = str(tmp_path / "devenv.yaml")
    sources = config.read(tmp_path).sources
    assert sources.of("runs", "train", "script") == (file, 3, 13)
    assert sources.of("runs", "train", "args", 1) == (file, 5, 7)
    assert sources.of("ports", "80") == (file, 6, 13)
    assert sources.key(("runs", "train")) == (file, 2, 3)
    assert sources.of("runs", "train", "cwd") == (file, 0, 0), "a default has no line"
    assert config.read(tmp_path / "none").sources.of("version").line == 0


@given(st.text(alphabet="runs:{}[]&*a<>|-? \n!'\"#,1%\x00é"))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse(text, "devenv.yaml")
    except ConfigError as error:
        assert error.problems


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(alphabet="ab:1"),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "runs",
                        "services",
                        "ports",
                        "test",
                        "sync",
                        "outputs",
                        "pattern",
                        "max",
                        "a",
                        "script",
                        "command",
                        "kind",
                        "args",
                        "env",
                        "8000",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    )
)
def test_any_value_is_read_or_refused(value: object) -> None:
    import json

    try:
        parse(json.dumps(value), "devenv.yaml")
    except ConfigError as error:
        assert all(problem.message for problem in error.problems)
