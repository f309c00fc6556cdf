"""GPUs for containers: what is asked, what this machine and its engine have, and how the one becomes the other.

`asked()` reads requests, `gather()` looks at the machine, `wire()` decides. Only `survey` looks at a disk or starts a
program; everything else is pure, so that `up --dry-run` says exactly what `up` does. Nothing here talks to an engine.
"""

from devenv.gpu.answers import Refusal
from devenv.gpu.describe import describe
from devenv.gpu.own import of_run_args, of_service
from devenv.gpu.request import Asked, Choice, NotAChoice, asked, from_option
from devenv.gpu.survey import HostDevices, gather
from devenv.gpu.ways import Way
from devenv.gpu.wiring import Wiring, explain_start_failure, next_way, parse_way, wire

__all__ = [
    "Asked",
    "Choice",
    "HostDevices",
    "NotAChoice",
    "Refusal",
    "Way",
    "Wiring",
    "asked",
    "describe",
    "explain_start_failure",
    "from_option",
    "gather",
    "next_way",
    "of_run_args",
    "of_service",
    "parse_way",
    "wire",
]
