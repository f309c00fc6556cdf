"""Stacks of running programs as text: processes of one kind in one line, equal stacks once, own frames marked.

Innermost frames come first, as the question is where a program stands.
"""

import re
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_STATES = {
    "D": "in a system call that cannot be interrupted",
    "T": "stopped by a signal",
    "t": "stopped by a debugger",
    "Z": "ended, not yet waited for",
}
_LONGEST = 60  # letters of a name: C++ has long ones
_VALUE = 200  # letters of a variable's text
_INNERMOST = 8  # library frames that are always shown
_STARTERS = re.compile(r"^(<frozen |runpy\.py$|threading\.py$|multiprocessing/)")


def text(view: "dict[str, Any]", everything: bool = False) -> str:
    processes = {process["pid"]: process for process in view["processes"]}
    count = sum(len(stack["threads"]) for stack in view["stacks"])
    run = f" ({view['run']})" if view["run"] else ""
    clock = time.strftime("%H:%M:%S", time.localtime(view["time"]))
    head = f"{view['name']}{run}: {_many(len(processes), 'process', 'es')}, {_many(count, 'Python thread')}, at {clock}"
    lines = [head, *_processes(view["processes"])]
    for stack in view["stacks"]:
        lines += ["", _who(stack["threads"], processes), *_frames(stack["frames"], everything)]
    return "\n".join(lines) + "\n"


def _many(count: int, word: str, ending: str = "s") -> str:
    return f"{count} {word}{'' if count == 1 else ending}"


def ranges(numbers: "list[int]") -> str:
    """1-3, 7"""
    parts: list[list[int]] = []
    for number in sorted(set(numbers)):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)


def labels(words: "list[str]") -> str:
    """`rank 0-3` for the labels rank 0, rank 1, rank 2, rank 3; different ones stand side by side."""
    kinds: dict[str, list[int]] = {}
    for word in words:
        kind, rank, number = word.rpartition("rank ")
        kinds.setdefault(kind + "rank " if rank and number.isdigit() else word, []).append(
            int(number) if rank and number.isdigit() else -1
        )
    return ", ".join(kind if numbers[0] < 0 else f"{kind}{ranges(numbers)}" for kind, numbers in kinds.items())


def _processes(found: "list[dict[str, Any]]") -> "list[str]":
    """One line for each kind of process."""
    groups: dict[tuple[str, str, str, bool], list[dict[str, Any]]] = {}
    for process in found:
        kind = re.sub(r"rank \d+$", "rank", process["label"])
        state = _STATES.get(process["state"], "")
        key = (kind, state, process["problem"].replace(str(process["pid"]), "#"), process["python"])
        groups.setdefault(key, []).append(process)
    rows = []
    for (_, state, _, python), members in groups.items():
        name = labels([member["label"] for member in members])
        count = f"{len(members)} x " if len(members) > 1 else ""
        notes = [note for note in (state, "" if python else "no Python in it") if note]
        if members[0]["problem"]:
            notes.append(members[0]["problem"])
        pids = ranges([member["pid"] for member in members])
        rows.append((f"{count}{name}", f"pid {pids}", "; ".join(notes), members[0]["hint"]))
    left = max(len(row[0]) for row in rows)
    middle = max(len(row[1]) for row in rows)
    lines = []
    for name, pids, note, hint in rows:
        lines.append(f"  {name:{left}}  {pids:{middle}}  {note}".rstrip())
        if hint:
            lines.append(f"  {'':{left}}  {'':{middle}}  {hint}")
    return lines


def _who(threads: "list[dict[str, Any]]", processes: "dict[int, dict[str, Any]]") -> str:
    pids = list(dict.fromkeys(thread["pid"] for thread in threads))
    names = list(dict.fromkeys(re.sub(r"[-_]\d+( |$)", r"-*\1", thread["name"]) or "a thread" for thread in threads))
    if len(threads) == 1:
        names = [threads[0]["name"] or f"thread {threads[0]['id']}"]
    what = names[0] if len(names) == 1 else f"{', '.join(names[:3])}{', …' if len(names) > 3 else ''}"
    count = f"{len(threads)} x " if len(threads) > 1 else ""
    where = labels([processes[pid]["label"] for pid in pids if pid in processes])
    active = sum(thread["active"] for thread in threads)
    state = "running" if active == len(threads) else "waiting" if not active else f"{active} running, the rest waiting"
    gil = " with the GIL" if len(threads) == 1 and threads[0]["gil"] and active else ""
    return f"{count}{what} of {where} ({ranges(pids)}), {state}{gil}"


def _frames(frames: "list[dict[str, Any]]", everything: bool) -> "list[str]":
    """All of the project's frames, of libraries the innermost; what starts a thread or a program is no news."""
    kept = list(frames)
    if not everything:
        for index, frame in enumerate(kept):
            # A forked process carries its parent's frames below its own first one.
            if frame["name"].endswith("_bootstrap") and frame["short"].endswith("multiprocessing/process.py"):
                kept = kept[: index + 1]
                break
        while len(kept) > 1 and not kept[-1]["own"] and _STARTERS.match(kept[-1]["short"]):
            kept.pop()
    width = min(36, max((len(frame["name"]) for frame in kept), default=0))
    longest = None if everything else _LONGEST
    lines: list[str] = []
    hidden: list[str] = []

    def tell() -> None:
        if hidden:
            packages = ", ".join(dict.fromkeys(hidden))
            lines.append(f"      … {_many(len(hidden), 'frame')} of {packages}")
            hidden.clear()

    for index, frame in enumerate(kept):
        if not everything and not frame["own"] and index >= _INNERMOST:
            hidden.append(frame["short"].partition("/")[0] or frame["short"].rpartition("/")[2])
            continue
        tell()
        mark = "▸" if frame["own"] else " "
        place = frame["host"] if frame["own"] else frame["short"]
        lines.append(
            f"  {mark} {frame['name'][:longest]:{width}}  {place}{':' + str(frame['line']) if frame['line'] else ''}"
        )
        if frame["own"] or everything:
            lines += [f"        {name} = {text[:_VALUE]}" for name, text in frame.get("values", ())]
    tell()
    return lines
