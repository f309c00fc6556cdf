"""`run-user-commands`: the lifecycle commands that are due, in a container that runs."""

from devenv.dropin import answers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devenv.dropin.flags import Line
    from devenv.dropin.log import Log


def run(line: "Line", log: "Log") -> int:
    description = "An error occurred running user commands in the container."
    return answers.run("dropin-run-user-commands", line, log, description, diagnostics=False)
