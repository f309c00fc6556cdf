"""The configurations of one folder, as rows to choose from, and the short name of one."""

from __future__ import annotations

from pathlib import PurePosixPath

from devenv.api.views import ConfigurationView, EnvironmentView, EnvStatus
from tui.model.choices import Choices
from tui.model.formatting import STATUS
from tui.model.spans import Line, Lines, Row, Span, Tone, clean, wrap


def configuration_choices(found: list[ConfigurationView], current: str) -> Choices:
    """`current` is the one that is shown, "" for none; keys are the paths."""
    return Choices(
        title="Which configuration?",
        rows=configuration_rows(found, current),
        about=lambda key, cells: about(found, key, cells),
        does="uses it",
        leaves="none",
        first=current or next((view.file for view in found if view.default or view.remembered), ""),
    )


def configuration_rows(found: list[ConfigurationView], current: str) -> tuple[Row, ...]:
    """One row for each; keys are the paths. One that cannot be used cannot be chosen."""
    return tuple(_row(view, current) for view in found)


def _row(view: ConfigurationView, current: str) -> Row:
    if view.problem:
        return Row("", (Span("✘ ", Tone.BAD), Span(clean(view.config), Tone.DIM)), (Span("cannot be used", Tone.BAD),))
    symbol, tone = STATUS[view.status]
    left: Line = (Span(f"{symbol} ", tone), Span(clean(view.config), Tone.STRONG))
    left += (Span(f"  {clean(view.made_from)}", Tone.DIM),)
    word = "no container" if view.status is EnvStatus.ABSENT else view.status.value
    if view.file == current:
        word = "shown now"
    elif view.default:
        word += ", default"
    elif view.remembered:
        word += ", last"
    return Row(view.file, left, (Span(word, Tone.DIM),))


def about(found: list[ConfigurationView], key: str, cells: int) -> Lines:
    """What is known of the one under the cursor, and why others cannot be used."""
    lines: list[Line] = []
    for view in found:
        if view.file == key:
            title = view.name if view.name and view.name != view.config else view.kind
            lines += [(Span(part, Tone.FAINT),) for part in wrap(f"{title}: {view.made_from}", cells)]
    for view in found:
        if view.problem:
            lines += [(Span(part, Tone.WARN),) for part in wrap(view.problem, cells)]
    return tuple(lines)


def short_name(env: EnvironmentView) -> str:
    """What `--config` takes for it: the folder's name, else the path in the project."""
    if not env.config_file:
        return ""
    file = PurePosixPath(env.config_file)
    if file.parent.parent.name == ".devcontainer":
        return file.parent.name
    folder = PurePosixPath(env.local_folder)
    return str(file.relative_to(folder)) if file.is_relative_to(folder) else str(file)
