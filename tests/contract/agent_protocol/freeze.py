"""Freezes today's agent as the keeper of a release: `python -m tests.contract.agent_protocol.freeze 1`."""

from __future__ import annotations

import pathlib
import sys

from devenv.link import bundle


def main() -> None:
    folder = pathlib.Path(__file__).parent / f"keeper_v{int(sys.argv[1])}"
    folder.mkdir()
    (folder / "agent.bundle").write_bytes(bundle.payload())


if __name__ == "__main__":
    main()
