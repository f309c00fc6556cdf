"""One command line of `devcontainer`: read, checked, handed to the file of its command, ended with its exit code.

On the warm path: a command's file is loaded when it is wanted, and nothing else. A wrong command line and every error
end with 1, as with the reference; `exec` passes its command's own code.
"""

import sys

from devenv.dropin import checks, flags, tables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devenv.dropin.log import Log

FILES = {
    "up": "up",
    "set-up": "set_up",
    "build": "build",
    "run-user-commands": "user_commands",
    "read-configuration": "configuration",
    "exec": "execute",
    "outdated": "outdated",
    "upgrade": "upgrade",
    "features test": "feature_tests",
    "features package": "packages",
    "features publish": "packages",
    "features info": "info",
    "features resolve-dependencies": "dependencies",
    "features generate-docs": "docs",
    "templates apply": "apply",
    "templates publish": "packages",
    "templates metadata": "info",
    "templates generate-docs": "docs",
}
"""Command to file of this package. Each has `run(line, log)`, which returns the exit code."""


def run(argv: "list[str]") -> int:
    """The exit code. Every known error has been told when it returns."""
    try:
        line = flags.parse(argv)
        if line.asks or line.command not in tables.COMMANDS:
            return _help(line)
        checks.check(line)
    except flags.Misuse as misuse:
        return _misused(misuse)
    from devenv.dropin.log import WARNING, of

    log = of(line)
    if line.on("oci-auth-hardening"):
        line.warnings.append(
            "--oci-auth-hardening has no effect: a registry may name another host for its tokens, by https"
        )
    for warning in line.warnings:
        log.text(warning, WARNING)
    try:
        module = __import__(f"devenv.dropin.{FILES[line.command]}", fromlist=["run"])
        return int(module.run(line, log))
    except flags.Misuse as misuse:
        return _misused(misuse)
    except Exception as error:
        return _failed(error, log)


def _help(line: flags.Line) -> int:
    from devenv.dropin import pages

    if line.asks == "version":
        sys.stdout.write(pages.version() + "\n")
        return 0
    wrong = not line.asks and not line.command
    (sys.stderr if wrong else sys.stdout).write(pages.page(line.command))
    return 1 if wrong else 0


def _misused(misuse: flags.Misuse) -> int:
    name = f"devcontainer {misuse.command}".rstrip()
    sys.stderr.write("".join(f"{name}: {problem}\n" for problem in misuse.problems))
    sys.stderr.write(f"see `{name} --help`\n")
    return 1


def _failed(error: Exception, log: "Log") -> int:
    from devenv.dropin.failures import known, tell

    wire = known(error)
    if wire is None:
        raise error
    tell(wire, log)
    return 1
