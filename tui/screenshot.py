"""`python -m tui.screenshot [docs/screenshot.svg]`: the picture in the README, drawn from the fake client.

Nothing in it depends on the time or on this machine, so that it changes only when the screen does.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from pathlib import Path

import msgspec

from devenv.api import fake_scenes
from tui.app import DevenvApp
from tui.model.state import Ticked

SIZE = (160, 36)
LOADS = (310, 420, 580, 640, 610, 590, 630, 655, 600, 540, 620, 612)


async def draw() -> str:
    """The picture of a busy environment, as SVG."""
    client = fake_scenes.busy()
    app = DevenvApp(client, clock=fake_scenes.clock, theme="devenv-dark", ticks=False)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(0.5)
        for load in LOADS:
            usage = msgspec.structs.replace(client.snapshot.environment.usage, cpu_percent=float(load))
            client.change_environment(usage=usage)
            await pilot.pause()
            app.dispatch(Ticked(fake_scenes.NOW))
        await pilot.press("3", "down")
        await pilot.pause(0.5)
        svg = app.export_screenshot(title="devenv")
    return re.sub(r"terminal-\d+", "terminal", svg)


def main() -> int:
    os.environ["TZ"] = "UTC"
    time.tzset()
    file = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/screenshot.svg")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(asyncio.run(draw()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
