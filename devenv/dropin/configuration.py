"""`read-configuration`: the configuration as it is understood. A failure has nothing on stdout."""

from devenv.dropin import answers, requests

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devenv.dropin.flags import Line
    from devenv.dropin.log import Log


def run(line: "Line", log: "Log") -> int:
    return answers.give(answers.ask("dropin-read-configuration", requests.arguments(line), line, log))
