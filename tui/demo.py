"""`python -m tui.demo [SCENE]`: the terminal UI over the fake client, with no engine at all.

Scenes: absent, ready, busy, rushing, undecided, finishing (devenv.api.fake_scenes).
"""

from __future__ import annotations

import sys

from devenv.api import fake_scenes
from tui.app import DevenvApp


def main() -> int:
    scene = sys.argv[1] if len(sys.argv) > 1 else "busy"
    return DevenvApp(getattr(fake_scenes, scene)(), clock=fake_scenes.live_clock).run() or 0


if __name__ == "__main__":
    sys.exit(main())
