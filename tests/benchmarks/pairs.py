"""Times whole commands in turns, A B A B, so that both meet the same load of the machine.

Run as a program by the interpreter and the user that the commands are for: what starts them must be small, because a
fork of a large process costs as much as some of them. Standard library only.

    python pairs.py '{"rounds": 20, "warm": 2, "commands": [{"argv": [...], "before": [[...]]}]}'

prints a list of seconds for each command. `before` runs each time, untimed. A command that fails ends everything.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any


def timed(argv: list[str]) -> float:
    """Seconds from the start of a process to its end; input and output are nowhere, errors in a file."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    errors = os.open("/tmp", os.O_TMPFILE | os.O_RDWR)
    files = [(os.POSIX_SPAWN_DUP2, nowhere, 0), (os.POSIX_SPAWN_DUP2, nowhere, 1), (os.POSIX_SPAWN_DUP2, errors, 2)]
    began = time.perf_counter()
    pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=files)
    _, status = os.waitpid(pid, 0)
    took = time.perf_counter() - began
    if status:
        said = os.pread(errors, 4000, 0).decode(errors="replace")
        raise SystemExit(f"{argv}: exit code {os.waitstatus_to_exitcode(status)}\n{said}")
    os.close(nowhere)
    os.close(errors)
    return took


def main() -> None:
    order: dict[str, Any] = json.loads(sys.argv[1])
    times: list[list[float]] = [[] for _ in order["commands"]]
    for index in range(order["warm"] + order["rounds"]):
        for command, kept in zip(order["commands"], times, strict=True):
            for argv in command.get("before", []):
                timed(argv)
            took = timed(command["argv"])
            if index >= order["warm"]:
                kept.append(took)
    print(json.dumps(times))


if __name__ == "__main__":
    main()
