"""`build`: the image, with features and metadata, into the engine, a registry or a file."""

from devenv.dropin import answers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devenv.dropin.flags import Line
    from devenv.dropin.log import Log


def run(line: "Line", log: "Log") -> int:
    return answers.run("dropin-build", line, log, "An error occurred building the container.")
