"""What the actions do, a module per group. `COMMANDS` joins them; a test keeps it equal to the action table."""

from __future__ import annotations

from tui.commands import configurations, debugging, environment, files, output, ports, runs, screen, tests
from tui.commands.desk import Command

COMMANDS: dict[str, Command] = {
    **environment.COMMANDS,
    **configurations.COMMANDS,
    **runs.COMMANDS,
    **debugging.COMMANDS,
    **files.COMMANDS,
    **output.COMMANDS,
    **tests.COMMANDS,
    **ports.COMMANDS,
    **screen.COMMANDS,
}
