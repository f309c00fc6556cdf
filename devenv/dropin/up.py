"""`up`: the container made or found, started, and its lifecycle commands run."""

from devenv.dropin import answers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devenv.dropin.flags import Line
    from devenv.dropin.log import Log


def run(line: "Line", log: "Log") -> int:
    return answers.run("dropin-up", line, log, "An error occurred setting up the container.")
