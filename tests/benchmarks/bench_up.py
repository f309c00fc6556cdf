"""`up` beside the reference dev container CLI's: the same image, the same project, nothing to build or to pull."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.figures import Figure, Goal
from tests.benchmarks.ground import Ground
from tests.kit.rig import node_program

PEER = "devcontainer up"


def measure(ground: Ground, scale: float) -> Iterator[Figure]:
    ours_at, peer_at = ground.place("up"), ground.place("up-reference")
    ours = ["devenv", "up"]
    reference = [str(node_program("devcontainer")), "up", "--workspace-folder", str(peer_at.folder)]
    stop = ours_at.stop_supervisor
    down = ["devenv", "down", "--force", "--volumes"]
    remove = f"docker ps -aq --filter label=devcontainer.local_folder={peer_at.folder} | xargs -r docker rm -f"
    gone = {1: [["sh", "-c", remove]]}
    ours_at.devenv("up")
    rounds = max(3, int(10 * scale))
    mine, peer = ours_at.pairs(rounds, ours, reference, warm=1)
    yield Figure.of("up, warm", "s", mine, PEER, peer, Goal(0.3))
    mine, peer = ours_at.pairs(rounds, ours, reference, warm=1, before={0: [stop]})
    yield Figure.of("up, warm, supervisor's start included", "s", mine, PEER, peer, Goal(0.3))
    rounds = max(3, int(7 * scale))
    mine, peer = ours_at.pairs(rounds, ours, reference, warm=1, before={0: [down], **gone})
    yield Figure.of("up, cold, image present", "s", mine, PEER, peer, Goal(1.0))
    mine, peer = ours_at.pairs(rounds, ours, reference, warm=1, before={0: [down, stop], **gone})
    yield Figure.of("up, cold, supervisor's start included", "s", mine, PEER, peer, Goal(1.0))
