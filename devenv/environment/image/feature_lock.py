"""The lockfile of features beside the configuration: read before they are resolved, written or compared after.

By default a lockfile that is there is kept up to date and none is made: a file that appears in the repository without
having been asked for is noise. What only a person's own files ask for is never written.
"""

from __future__ import annotations

import pathlib

from devcontainer.features import lockfile as locks
from devcontainer.features.lockfile import Lockfile, LockfileError
from devenv.atomic_file import write_atomic
from devenv.environment.plan import Lock
from devenv.environment.target import Target
from devenv.errors import ConfigError, Problem


class FeatureLock:
    """Blocking. Raises `ConfigError`."""

    def __init__(self, target: Target, policy: Lock) -> None:
        self._target = target
        self._policy = policy
        self._path = pathlib.Path(locks.path(target.config_file))

    def read(self) -> Lockfile | None:
        """None: there is none, or it is not to be looked at."""
        text = self._text()
        if text is None:
            return None
        try:
            return locks.read(text, str(self._path))
        except LockfileError as error:
            raise self._wrong(error) from error

    def settle(self, used: Lockfile) -> None:
        """Compares or writes, as the policy says."""
        if self._policy is Lock.IGNORE:
            return
        text, wanted = self._text(), self._shared(used)
        if self._policy is Lock.FROZEN:
            try:
                locks.check_frozen(text, wanted, str(self._path))
            except LockfileError as error:
                raise self._wrong(error) from error
            return
        if text is None and self._policy is not Lock.WRITE:
            return
        if locks.changed(text, wanted, always=self._policy is Lock.WRITE and text is None and bool(wanted.features)):
            mode = self._path.stat().st_mode & 0o777 if self._path.exists() else 0o644
            write_atomic(self._path, locks.write(wanted), mode=mode)

    def _text(self) -> str | None:
        if self._policy is Lock.IGNORE:
            return None
        try:
            return self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError([Problem(str(self._path), 0, 0, "", f"cannot be read: {error}")]) from error

    def _shared(self, used: Lockfile) -> Lockfile:
        """Without what the person's own files, or this call, added: reached from the team's features only."""
        team = self._target.team_features
        if team == set(self._target.written.features):
            return used
        wanted: set[str] = set()
        queue = [name for name in used.features if name in team]
        while queue:
            name = queue.pop()
            if name not in wanted and name in used.features:
                wanted.add(name)
                queue += used.features[name].depends_on
        return Lockfile({name: entry for name, entry in used.features.items() if name in wanted})

    def _wrong(self, error: LockfileError) -> ConfigError:
        return ConfigError([error.problem or Problem(str(self._path), 0, 0, "", error.message, error.hint)])
