"""`--json` of every verb: a document or lines with the documented keys on stdout, narration as JSON lines on stderr."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.daily.conftest import Founder
from tests.e2e.daily.site import Site
from tests.kit.fixtures import Images

pytestmark = [pytest.mark.engine, pytest.mark.users]

ENVIRONMENT = {
    "key", "name", "local_folder", "config_file", "status", "container", "container_id", "image", "started",
    "remote_user", "workspace_folder", "python", "python_version", "engine", "tier", "tier_reason", "adopted",
    "owner", "usage", "drift", "notes", "pending", "shutdown_action", "others",
}  # fmt: skip
SNAPSHOT = {"environment", "configs", "runs", "services", "ports", "tests", "debug"}
RUN = {
    "id", "name", "kind", "state", "argv", "cwd", "tty", "started", "ended", "exit_code", "signal", "size", "dropped",
    "gap", "attached", "reason",
}  # fmt: skip
PORT = {
    "port", "host_port", "host", "label", "source", "protocol", "process", "pid", "listening", "url", "note", "tier",
    "connections", "auto_forward", "since",
}  # fmt: skip
ERROR = {"kind", "message", "hint", "code", "details"}


def narration(text: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in text.splitlines()]
    assert all(line["t"] in ("progress", "line", "note") for line in lines)
    return lines


@pytest.fixture(scope="module")
def site(found: Founder, images: Images) -> Site:
    return found("json", images.python_user, up=False)


def test_up_status_and_the_way_down(site: Site) -> None:
    planned = site.json("up", "--dry-run")
    assert {"steps", "create", "drift", "notes"} <= planned.keys()
    assert planned["create"][0] != "docker" and f"devcontainer.local_folder={site.folder}" in " ".join(
        planned["create"]
    )
    assert site.containers() == []

    up = site.devenv("up", "--json").ok()
    lines = narration(up.err)
    assert {line["key"] for line in lines if line["t"] == "progress" and line["done"]} >= {"link"}
    assert up.json().keys() >= SNAPSHOT
    assert up.json()["environment"].keys() >= ENVIRONMENT
    status = site.json("status")
    assert status.keys() >= SNAPSHOT
    assert status["environment"].keys() >= ENVIRONMENT
    assert status["environment"]["python_version"].startswith("3.11")
    assert {config["name"] for config in status["configs"]} == {"greet", "list", "shellish"}
    assert status["debug"].keys() >= {"host", "port", "run", "waiting", "attached", "note"}

    rebuilt = site.devenv("rebuild", "--json", "--force").ok()
    narration(rebuilt.err)
    assert rebuilt.json()["environment"]["status"] == "running"
    for verb in ("stop", "down"):
        outcome = site.devenv(verb, "--json").ok()
        narration(outcome.err)
        assert outcome.json().keys() >= {"ended", "sentence", "notes"}
        if verb == "stop":
            started = site.devenv("start", "--json").ok()
            narration(started.err)
            assert started.json()["environment"]["status"] == "running"


def test_ls(daily: Site) -> None:
    views = daily.json("ls")["environments"]
    assert all(view.keys() >= ENVIRONMENT for view in views)
    assert str(daily.folder) in {view["local_folder"] for view in views}


def test_exec_and_run(daily: Site) -> None:
    words = "echo out; echo err >&2; exit 3"
    lines = daily.devenv("exec", "--json", "--", "sh", "-c", words).failed(3).json_lines()
    outputs = {line["stream"]: line["text"] for line in lines if line["type"] == "output"}
    assert outputs == {"stdout": "out\n", "stderr": "err\n"}
    assert lines[-1] == {"type": "result", "exit": 3}
    started = daily.json("run", "--detach", "--name", "detached", "streams.py")
    assert started["run"].keys() >= RUN
    ended = daily.devenv("attach", "--json", "detached").ok().json_lines()[-1]
    assert ended.keys() >= {"type", "run", "state", "reason", "exit"}


def test_runs_logs_kill_and_rerun(daily: Site) -> None:
    run = daily.json("run", "--detach", "wait.py")["run"]["id"]
    views = daily.json("runs")["runs"]
    assert all(view.keys() >= RUN for view in views)
    assert next(view for view in views if view["id"] == run)["state"] == "running"
    killed = daily.json("kill", "--force", run)["run"]
    assert killed.keys() >= RUN
    assert killed["state"] == "signaled"
    lines = daily.devenv("logs", "--json", run).ok().json_lines()
    assert lines[-1]["type"] == "result"
    again = daily.json("rerun", "--detach", run)["run"]
    assert again["argv"] == killed["argv"]
    daily.json("kill", "--force", again["id"])


def test_ports_forward_and_address(daily: Site) -> None:
    made = daily.json("forward", "--label", "mine", "7401")
    assert made.keys() >= PORT
    views = daily.json("ports")["ports"]
    assert all(view.keys() >= PORT for view in views)
    assert "mine" in {view["label"] for view in views}
    assert daily.json("open", "mine").keys() >= {"url", "secret_url"}


def test_services_tests_and_debug(daily: Site) -> None:
    assert "services" in daily.json("services")
    debug = daily.json("debug", "--detach", "--no-launch-json", "--no-wait", "wait.py")
    assert debug["run"].keys() >= RUN
    assert debug["debug"].keys() >= {"host", "port"}
    daily.json("kill", "--force", debug["run"]["id"])


def test_logs_of_the_build_and_of_the_container(daily: Site) -> None:
    assert "text" in daily.json("logs", "--build")
    assert "text" in daily.json("logs", "--container")
    daily.devenv("logs", "--build").ok()


def test_the_supervisor_the_version_the_schema_and_editors(daily: Site) -> None:
    assert daily.json("supervisor").keys() >= {"pid", "version", "started", "environments", "state"}
    assert daily.json("version")["version"]
    assert daily.devenv("schema").ok().json()["type"] == "object"
    assert daily.json("ide", "show")["editors"]
    assert "text" in daily.json("ide", "show", "vscode")
    shown = daily.json("init", "--print")
    assert shown.keys() >= {"files", "reasons", "written"}
    assert shown["written"] is False


@pytest.mark.parametrize(
    ("words", "kind", "code"),
    [
        (("run", "--json", "no-such-script.py"), "NotFound", 66),
        (("logs", "--json", "no-such-run"), "NotFound", 66),
        (("kill", "--json", "no-such-run"), "NotFound", 66),
        (("up", "--json", "--nonsense"), "UsageError", 64),
        (("open", "--json", "no-such-service"), "NotFound", 66),
        (("status", "--json", "--folder", "/nowhere"), "NotFound", 66),
    ],
)
def test_errors(daily: Site, words: tuple[str, ...], kind: str, code: int) -> None:
    error = daily.devenv(*words).failed(code).json()["error"]
    assert error.keys() >= ERROR
    assert (error["kind"], error["code"]) == (kind, code)


def test_a_programs_own_json_option_is_its_own(daily: Site) -> None:
    assert daily.devenv("exec", "echo", "--json").ok().out == "--json\n"
    outcome = daily.devenv("exec", "no-such-program", "--json").failed(127)
    assert outcome.out == ""
