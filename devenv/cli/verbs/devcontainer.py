"""`devenv devcontainer`: the command line of the reference, `devcontainer`, answered by devenv. See devenv.dropin."""

from devenv.cli.options import Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class DropIn(Verb):
    """A verb whose words are another command line's: nothing in them is an option of ours."""

    def parse(self, argv: "list[str]") -> "dict[str, Any]":
        return {"words": argv}

    def help(self) -> str:
        from devenv.dropin import pages

        return f"usage: devenv {self.name} ...\n\nThe words are those of another command line:\n\n{pages.page('')}"


def run(values: "dict[str, Any]") -> int:
    words = values["words"]
    if words and words[0] == "--install-wrapper":
        from devenv.dropin import wrapper

        return wrapper.run(words[1:])
    from devenv.dropin import program

    return program.run(words)


VERB = DropIn("devcontainer", "The reference's command line: up, exec, build, features, templates, ...", run)
