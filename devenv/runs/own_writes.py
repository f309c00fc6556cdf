"""Telling a person's edits from files that the tests themselves write, so that a test run never starts the next one.

Pure. Nobody tells us who wrote a file, so this goes by what it is and when it changed:
* between runs, every change is an edit;
* during a run, changed source files that were there before, and new test files, are edits; new other files and
  changed data files are the run's own, and are passed over;
* a source file that changes again in the very run that it caused may be a person saving twice, or a test that
  rewrites it: after some such runs in a row it no longer interrupts a run, and when it has changed in several whole
  runs in a row it is the tests' own, until it changes between runs. A person's save is so delayed, never lost.
"""

from __future__ import annotations

from collections.abc import Iterable

from devenv.runs.affected import is_test_file
from devenv.runs.ignore import SOURCE_SUFFIXES
from devenv.runs.snapshot import Change, ChangeKind

PATIENT_AFTER = 3  # runs in a row that one file caused and interrupted
OWN_AFTER = 5  # whole runs in a row that one file caused and changed in


class OwnWrites:
    def __init__(self) -> None:
        self._running = False
        self._cause: frozenset[str] = frozenset()
        self._changed_again = False
        self._interrupted = 0
        self._whole = 0
        self._produced: set[str] = set()

    @property
    def produced(self) -> frozenset[str]:
        """Files known to be written by the tests."""
        return frozenset(self._produced)

    @property
    def patient(self) -> bool:
        """Whether to let the current run end before an edit starts the next one."""
        return self._running and self._interrupted >= PATIENT_AFTER

    def began(self, cause: Iterable[str]) -> None:
        """A test run starts because these files changed."""
        cause = frozenset(cause)
        if cause != self._cause or len(cause) != 1 or not self._changed_again:
            self._interrupted = self._whole = 0
        self._running, self._cause, self._changed_again = True, cause, False

    def ended(self, *, whole: bool) -> None:
        """The run is over (`whole`: to its own end), and what changed in it has been judged."""
        self._running = False
        if not self._changed_again:
            return
        if whole:
            self._whole += 1
        else:
            self._interrupted += 1
        if self._whole >= OWN_AFTER:
            self._produced |= self._cause

    def edits(self, changes: Iterable[Change]) -> list[Change]:
        """Those of the changes that a person made."""
        return [change for change in changes if self._is_edit(change)]

    def _is_edit(self, change: Change) -> bool:
        if not self._running:
            self._produced.discard(change.path)
            return True
        if change.path in self._produced:
            return False
        source = change.path.endswith(SOURCE_SUFFIXES)
        if not (is_test_file(change.path) if change.kind is ChangeKind.ADDED else source):
            self._produced.add(change.path)
            return False
        if self._cause == {change.path}:
            self._changed_again = True
        return True
