"""`devenv profile`: where the time and the memory of a program go."""

import os
import sys

from devenv.cli import ends, wire
from devenv.cli.options import BadUsage, Option, Verb
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RECORDING = (
    Option("--cpu", "samples of what runs, of every process, by py-spy (default)"),
    Option("--memory", "what a script had allocated at its peak, by memray"),
    Option("--gpu", "operations and kernels of a script, by torch.profiler; a trace for Perfetto"),
    Option("--trace", "every call of a script, by viztracer; a trace for Perfetto"),
    Option("--line", "as --cpu, with a table of lines instead of functions"),
    Option("--for", "how long: 30s, 5m, or `end` (default: 10s of what runs; a script to its end)", "text", "TIME"),
    Option("--rate", "samples in a second (default: 100)", "int", "N"),
    Option("--native", "C and C++ frames too"),
    Option("--idle", "threads that wait, too"),
    Option("--gil", "only what holds the interpreter's lock"),
    Option("--nonblocking", "never pause the program for a sample; some are wrong then, and waiting counts"),
    Option("--new", "start the script, although a run of its name is alive"),
    Option("--top", "rows of the table (default: 20)", "int", "N"),
    Option("--open", "open the flame graph in the browser"),
    Option("-d --detach", "start a script, record it, and return at once; --list has the result"),
)
_OPTIONS = (
    *RECORDING,
    Option("-m --module", "start a module; what follows is its own, as with python -m", "last", "MODULE"),
    Option("-n --name", "a name for a script's run", "text", "NAME"),
    Option("-e --env", "set a variable for a script's run", "pairs", "NAME=VALUE"),
    Option("-l --list", "what was recorded in this environment, newest first"),
    Option("--show", "a recording again: an id, the end of one, a run's name or `last`", "text", "PROFILE"),
    Option("--compare", "two recordings: what grew and what shrank"),
    Option("--fetch", "bring every tool into this host's cache, for a time without network"),
)
_KINDS = ("memory", "gpu", "trace", "cpu")
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """30s, 5m, 1h, 30, end (0)."""
    if text == "end":
        return 0.0
    number = text.rstrip("smh")
    try:
        value = float(number) * _UNITS[text[len(number) :]]
    except (KeyError, ValueError):
        raise BadUsage(f"--for: {text!r} is no time", "for example 30s, 5m or end") from None
    if not 1.0 <= value <= 7 * 86400.0:
        raise BadUsage("--for: give a time between 1s and a week", "`--for end` records to the end")
    return value


def split(values: "dict[str, Any]") -> "tuple[str, list[str], dict[str, Any]]":
    """(target, its own words, options). Options of ours may follow the target, up to the first other word or `--`."""
    if values.get("module"):
        return "-m", [values["module"], *values["args"]], values
    rest = list(values["args"])
    target = rest.pop(0) if rest else ""
    known = {name: option for option in (*RECORDING, Option("--json", "")) for name in option.names}
    ours: list[str] = []
    while rest and rest[0].partition("=")[0] in known:
        name, equals, _ = rest[0].partition("=")
        ours.append(rest.pop(0))
        if known[name].kind in ("text", "int") and not equals and rest:
            ours.append(rest.pop(0))
    if rest and rest[0] == "--":
        rest.pop(0)
    more = Verb("profile", "", run, RECORDING).parse(ours)
    return target, rest, {**values, **more}


def run(values: "dict[str, Any]") -> int:
    for action in ("list", "compare", "fetch"):
        if values.get(action):
            return _kept(values, action, list(values["args"]))
    if values.get("show"):
        return _kept(values, "show", [values["show"]])
    target, args, values = split(values)
    kinds = [kind for kind in _KINDS if values.get(kind)]
    if not 1 <= values.get("rate", 1) <= 1000:
        raise BadUsage("--rate: give 1 to 1000 samples in a second")
    if len(kinds) > 1 or (values.get("line") and kinds not in ([], ["cpu"])):
        raise BadUsage("profile: one kind at a time", "--cpu, --line, --memory, --gpu or --trace")
    as_json = bool(values.get("json"))
    starts = bool(args or target == "-m" or values.get("new") or os.path.exists(target))
    detach = bool(values.get("detach"))
    tty = os.isatty(0) and os.isatty(1) and not as_json and starts and not detach
    payload = request(
        values,
        kind=kinds[0] if kinds else "cpu",
        target=target,
        args=args,
        seconds=seconds(values["for"]) if values.get("for") else None,
        rate=values.get("rate"),
        native=values.get("native"),
        idle=values.get("idle"),
        gil=values.get("gil"),
        nonblocking=values.get("nonblocking"),
        new=values.get("new"),
        lines=values.get("line"),
        top=values.get("top"),
        name=values.get("name"),
        env=values.get("env"),
        tty=tty,
        detach=detach,
    )
    told = ends.JsonOutput() if as_json else None
    end = wire.stream("profile", payload, tty=tty, detachable=tty, output=told or wire.Output())
    result = end.get("profile")
    if result and not as_json:
        _show(values, result)
    return ends.ended(end, told)


def _kept(values: "dict[str, Any]", action: str, names: "list[str]") -> int:
    from devenv.cli import profiles

    args = request(values, action=action, profiles=names, lines=values.get("line"), top=values.get("top"))
    result = wire.call("profiles", args)
    if values.get("json"):
        return emit(values, result, "")
    if action == "show":
        return _show(values, result)
    if action == "compare":
        _open(values, result["page"])
        return emit(values, result, profiles.comparison(result))
    if action == "fetch":
        return emit(values, result, "\n".join(result["fetched"]))
    return emit(values, result, profiles.listed(result["profiles"]))


def _show(values: "dict[str, Any]", result: "dict[str, Any]") -> int:
    from devenv.cli import profiles

    _open(values, result["profile"]["page"])
    return emit(values, result, profiles.table_of(result, lines=bool(values.get("line"))))


def _open(values: "dict[str, Any]", path: str) -> None:
    if values.get("open"):
        import webbrowser
        from urllib.parse import quote

        if not webbrowser.open("file://" + quote(path)):
            sys.stderr.write("devenv: no browser here; the page's path is below\n")


VERB = Verb(
    "profile",
    "Records where the time or memory of a run, a process or a script goes: a table, a flame graph, a speedscope file.",
    run,
    _OPTIONS,
    ("args...",),
    "devenv profile                         # 10 s of the newest live run, all its processes\n"
    "devenv profile train --for 1m --line\n"
    "devenv profile --memory train.py --epochs 1\n"
    "devenv profile --list\n"
    "devenv profile --compare BEFORE AFTER",
)
