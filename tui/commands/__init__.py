"""What the actions do. Each module has one group of them; `COMMANDS` joins them, and a test keeps it equal to the table."""

from __future__ import annotations

from tui.commands import environment, output, ports, runs, screen, tests
from tui.commands.desk import Command

COMMANDS: dict[str, Command] = {
    **environment.COMMANDS,
    **runs.COMMANDS,
    **output.COMMANDS,
    **tests.COMMANDS,
    **ports.COMMANDS,
    **screen.COMMANDS,
}
