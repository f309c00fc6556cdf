"""Run records as views, and finding the run that a person means. Pure: records come in any order.

A record may have been written by a keeper of another version: unknown keys are passed over, missing ones have defaults.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from devenv.api.views import RunState, RunView
from devenv.errors import NotFound

Record = Mapping[str, Any]
LAST = "last"


def _state(record: Record) -> RunState:
    try:
        return RunState(record.get("state", ""))
    except ValueError:
        return RunState.LOST  # a state of a later version: what is certain is that we cannot say


def to_view(record: Record) -> RunView:
    gap = record.get("gap")
    return RunView(
        id=str(record["id"]),
        name=str(record.get("name", "")),
        kind=str(record.get("kind", "run")),
        state=_state(record),
        argv=[str(word) for word in record.get("argv") or []],
        cwd=str(record.get("cwd", "")),
        tty=bool(record.get("tty")),
        started=float(record.get("started") or 0.0),
        ended=record.get("ended"),
        exit_code=record.get("exit_code"),
        signal=record.get("signal"),
        size=int(record.get("size") or 0),
        dropped=int(record.get("dropped") or 0),
        gap=(int(gap[0]), int(gap[1])) if gap else None,
        attached=int(record.get("attached") or 0),
        reason=str(record.get("reason") or ""),
    )


def newest_first(records: Iterable[Record]) -> list[Record]:
    return sorted(records, key=lambda record: (float(record.get("started") or 0.0), str(record["id"])), reverse=True)


def find(records: Iterable[Record], reference: str, *, live: bool = False, kinds: Sequence[str] = ()) -> Record:
    """The run that `reference` names: a whole id, `last`, a name (its newest run), or the beginning of one id.

    `live` looks among live runs only. A name goes before the beginning of an id; of several runs with one name a live
    one goes before a newer, ended one. Raises NotFound, naming the candidates.
    """
    known = [
        record
        for record in newest_first(records)
        if (not live or _state(record).live) and (not kinds or record.get("kind") in kinds)
    ]
    exact = [record for record in known if record["id"] == reference]
    if exact:
        return exact[0]
    if reference == LAST:
        if not known:
            raise NotFound("there is no live run" if live else "there is no run yet", "start one: devenv run SCRIPT")
        return known[0]
    named = [record for record in known if record.get("name") == reference]
    if named:
        return next((record for record in named if _state(record).live), named[0])
    # Ids begin with the date, which says nothing: their last part, the hexadecimal one, is what people type.
    matches = [r for r in known if str(r["id"]).startswith(reference) or str(r["id"]).split("-")[-1] == reference]
    if len(matches) == 1:
        return matches[0]
    word = "live run" if live else "run"
    if matches:
        raise NotFound(
            f"{reference!r} is the beginning of {len(matches)} runs",
            "say which: " + ", ".join(str(record["id"]) for record in matches[:5]),
            details={"candidates": [str(record["id"]) for record in matches]},
        )
    names = list(dict.fromkeys(str(record.get("name", "")) for record in known))
    near = difflib.get_close_matches(reference, names, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "see: devenv runs"
    raise NotFound(f"there is no {word} {reference!r}", hint, details={"near": near})


@dataclasses.dataclass(frozen=True, slots=True)
class Again:
    """What to ask for to run something again: the same words, with the environment and the files of today."""

    kind: str
    target: str
    args: tuple[str, ...]
    client_cwd: str
    tty: bool
    wait: bool = False
    mode: str = ""  # of a debug run: "ranks" or "post-mortem"; "" for the program itself
    ranks: tuple[int, ...] | None = None


def rerun(record: Record) -> Again:
    """How to start this run again. Raises NotFound for a record that does not say (made by something else)."""
    meta = record.get("meta") or {}
    target = meta.get("target")
    if not isinstance(target, str):
        raise NotFound(
            f"the record of run {record['id']} does not say how it was started", "start it by its name or script"
        )
    debug = meta.get("debug") or {}
    entry = debug.get("entry") or {}
    ranks = entry.get("ranks")
    return Again(
        kind=str(record.get("kind", "run")),
        target=target,
        args=tuple(str(word) for word in meta.get("args") or ()),
        client_cwd=str(meta.get("client_cwd", "")),
        tty=bool(record.get("tty")),
        wait=bool(debug.get("wait")),
        mode=str(entry.get("mode") or ""),
        ranks=tuple(int(rank) for rank in ranks) if isinstance(ranks, list) else None,
    )
