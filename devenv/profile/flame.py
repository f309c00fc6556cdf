"""A flame graph as one page that needs no network: `flame.html` with the stacks in it. Pure.

Names come from the container: they travel as JSON in which no tag can begin, and the page writes them as text only.
"""

from __future__ import annotations

import html
import importlib.resources
import json
from collections.abc import Mapping
from typing import Any

from devenv.profile.frames import Frame, Sources
from devenv.profile.samples import Stack

_MOST_NODES = 30_000
_DEEPEST = 250


class _Node:
    __slots__ = ("after", "before", "children", "frame")

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.before = 0.0
        self.after = 0.0
        self.children: dict[Frame, _Node] = {}

    @property
    def weight(self) -> float:
        return self.before + self.after


def page(
    title: str,
    facts: list[tuple[str, str]],
    unit: str,
    weights: Mapping[Stack, tuple[float, float]],
    sources: Sources,
    *,
    compared: bool = False,
) -> str:
    """`facts` are (label, text) lines of its head. `weights` are (before, after); a single profile has only after."""
    root = _tree(weights)
    least = _least(root)
    data = {
        "title": title,
        "facts": facts,
        "unit": unit,
        "compared": compared,
        "root": _plain(root, least, sources, 0),
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    text = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    template = importlib.resources.files("devenv.profile").joinpath("flame.html").read_text(encoding="utf-8")
    return template.replace("__TITLE__", html.escape(title)).replace("__DATA__", text)


def _tree(weights: Mapping[Stack, tuple[float, float]]) -> _Node:
    root = _Node(Frame("all", "", 0))
    for stack, (before, after) in weights.items():
        node = root
        node.before += before
        node.after += after
        for frame in stack[:_DEEPEST]:
            plain = Frame(frame.name, frame.file, 0)
            node = node.children.setdefault(plain, _Node(plain))
            node.before += before
            node.after += after
    return root


def _least(root: _Node) -> float:
    """The weight below which nothing can be seen, raised until the page stays small."""
    weights: list[float] = []
    queue = [root]
    while queue:
        node = queue.pop()
        weights.append(node.weight)
        queue += node.children.values()
    weights.sort(reverse=True)
    floor = root.weight / 20_000
    return max(floor, weights[_MOST_NODES]) if len(weights) > _MOST_NODES else floor


def _plain(node: _Node, least: float, sources: Sources, depth: int) -> dict[str, Any]:
    view = sources.view(node.frame)
    made: dict[str, Any] = {"n": node.frame.name, "v": round(node.after, 6)}
    if node.before:
        made["b"] = round(node.before, 6)
    if node.frame.file:
        made["f"] = view.host if view.own else view.short
    if view.own:
        made["o"] = 1
    children = [child for child in node.children.values() if child.weight >= least]
    if children:
        ordered = sorted(children, key=lambda child: (child.frame.name, child.frame.file))
        made["c"] = [_plain(child, least, sources, depth + 1) for child in ordered]
    return made
