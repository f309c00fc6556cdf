"""Images without Python, without bash: what works goes through the engine, what does not says what is missing."""

from __future__ import annotations

import pytest

from tests.e2e.daily.conftest import Founder
from tests.e2e.daily.site import Site
from tests.kit.fixtures import Images
from tests.kit.tmux import Tmux
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users]


@pytest.fixture(scope="module", params=["nopython", "busybox"])
def bare(request: pytest.FixtureRequest, found: Founder, images: Images) -> Site:
    return found(f"bare-{request.param}", getattr(images, request.param), forwardPorts=[7301])


def test_exec_passes_streams_and_exit_codes(bare: Site) -> None:
    outcome = bare.exec("sh", "-c", "pwd; cat; echo two >&2; exit 6", stdin=b"\x00\xff").failed(6)
    assert outcome.stdout == f"/workspaces/{bare.folder.name}\n".encode() + b"\x00\xff"
    assert outcome.err == "two\n"
    bare.exec("no-such-program").failed()


def test_the_project_is_there(bare: Site) -> None:
    bare.exec("sh", "-c", "echo made > made-inside").ok()
    assert bare.path("made-inside").read_text() == "made\n"


def test_a_shell_works(bare: Site) -> None:
    with Tmux(bare.shell, "devenv", "shell", columns=90, rows=20) as tmux:
        tmux.type("stty size; echo in=$(pwd)\n")
        tmux.wait_for("20 90")
        tmux.wait_for(f"in=/workspaces/{bare.folder.name}")
        tmux.type("exit 11\n")
        assert tmux.exit_code() == 11


def test_running_a_script_says_what_is_missing(bare: Site) -> None:
    bare.devenv("run", "streams.py").failed(74).says("(?i)python", "devenv exec")
    bare.devenv("debug", "streams.py").failed().says("(?i)python")
    bare.devenv("test").failed().says("(?i)python")


def test_status_and_logs_work(bare: Site) -> None:
    view = bare.view()
    assert (view["status"], view["tier"]) == ("running", "engine")
    assert "ython" in view["tier_reason"]
    bare.devenv("status").ok()
    assert bare.devenv("runs").ok()
    bare.devenv("logs", "--container").ok()
    bare.devenv("logs", "--build").ok()


# Each image has something else that can listen.
SERVERS = {
    "nopython": """perl -MIO::Socket::INET -e '
        my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 7301, Listen => 5, ReuseAddr => 1);
        while (my $peer = $server->accept) { print $peer "pong\\n"; close $peer }'""",
    "busybox": "while true; do echo pong | nc -l -p 7301; done",
}


def test_a_configured_port_is_forwarded(bare: Site) -> None:
    with bare.background("exec", "--", "sh", "-c", SERVERS[bare.folder.name.removeprefix("bare-")]) as server:
        view = next(view for view in bare.json("ports")["ports"] if view["port"] == 7301)
        words = f"exec 3<>/dev/tcp/127.0.0.1/{view['host_port']}; timeout 5 cat <&3"

        def answered() -> bool:
            assert "pong" in bare.shell.run("bash", "-c", words).out, server.err
            return True

        eventually(answered, "an answer through the forward", every=0.3)
