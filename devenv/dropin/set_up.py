"""`set-up`: a container that something else started becomes a dev container."""

from devenv.dropin import answers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devenv.dropin.flags import Line
    from devenv.dropin.log import Log


def run(line: "Line", log: "Log") -> int:
    description = "An error occurred running user commands in the container."
    return answers.run("dropin-set-up", line, log, description, diagnostics=False)
