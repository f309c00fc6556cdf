"""The command palette, filled from the action table."""

from __future__ import annotations

from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from tui.actions import ACTIONS, Action


class Actions(Provider):
    """Offers every action that makes sense now."""

    def _fitting(self) -> list[Action]:
        state = self.app.state  # type: ignore[attr-defined]
        return [action for action in ACTIONS if action.id != "palette" and action.when(state)]

    def _run(self, action: Action) -> partial[None]:
        return partial(self.app.perform, action.id)  # type: ignore[attr-defined]

    async def discover(self) -> Hits:
        for action in self._fitting():
            yield DiscoveryHit(title(action), self._run(action))

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for action in self._fitting():
            if (score := matcher.match(title(action))) > 0:
                yield Hit(score, matcher.highlight(title(action)), self._run(action))


def title(action: Action) -> str:
    return f"{action.text}  ({action.key_text})" if action.keys else action.text
