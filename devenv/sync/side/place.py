"""One side whole: what is there, what is made there, and what was heard of since. One call at a time."""

import binascii
import hashlib
import json
import os
import stat
import time

from . import memory, pack, trash
from .apply import MOVING, OWN, Applier
from .receiver import Receiver
from .rules import MEANING, Matcher
from .scan import RECORD, Scanner
from .watch import POLL, Poller, Watcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from typing import Any

    from .apply import Step
    from .pack import Wanted

    Tree = tuple[Any, ...]

_DAY = 86400.0
_UNKNOWN = bytes(32)
_MUCH = 500  # files that were read: worth to be remembered at once
MOST_LARGE = 200
BIG = 8 << 20
"""From this size on only the changed blocks of a file travel."""


_ATTRIBUTE = "user.devenv.replica"


class Contents:
    """What comes ahead of the steps that need it. Use with `with`."""

    def __init__(self, applier: Applier, wanted: "dict[bytes, str] | None") -> None:
        self.applier = applier
        self.receiver = Receiver(applier.contents, wanted)

    def __enter__(self) -> "Contents":
        return self

    def __exit__(self, *_: "Any") -> None:
        self.receiver.close()
        self.applier.__exit__()


class Place:
    """A folder. The files that it makes have the umask's modes. Raises OSError where the folder is not there."""

    def __init__(self, root: str, umask: int = 0o022, algorithm: str = "sha256") -> None:
        self.root = root
        self._umask = umask
        self._algorithm = algorithm
        self.scanner = Scanner(root, _only_own, algorithm)
        self.tree = None  # type: Tree | None
        self.watcher = None  # type: Any
        self.other = None  # type: Callable[[str, Callable[[str, bool], bool], Callable[[], None]], Any] | None
        """Makes a watcher where there is no inotify."""
        self._took = 0.0  # seconds that the last full scan took
        self._notify = None  # type: Callable[[], None] | None
        self._record = RECORD + hashlib.new(algorithm).digest_size
        self._rules = _word(None)
        self._loaded = False
        self._unsaved = 0  # files whose contents were read, and only memory knows what they are
        self._pruned = 0.0
        self._whole = True  # the next scan must be a full one
        self._mine = set()  # type: set[str]
        """Folders in which steps were made since the last scan: what was made there is not taken for somebody's
        deletion because no hint came of it."""
        self.staged = True  # whether anything may be left of contents that came
        self._ahead = None  # type: Any
        """Through which contents came that nobody asked for."""

    def watch(self, notify: "Callable[[], None]") -> None:
        """From now on `notify` is called when something is written, once until the next `settle`, from another thread.
        Without inotify nobody is told."""
        self._notify = notify
        self._rewatch()

    @property
    def watching(self) -> bool:
        return self._notify is not None

    @property
    def lacking(self) -> str:
        """Why not everything is watched."""
        return self.watcher.lacking if self.watcher is not None else ""

    def is_staged(self) -> bool:
        """Whether contents may be there that came for steps which were not made."""
        try:
            self.staged = bool(os.listdir(os.path.join(self.root, OWN, "stage")))
        except FileNotFoundError:
            self.staged = False
        return self.staged

    def _rewatch(self) -> None:
        self._whole = True
        if self.watcher is not None:
            self.watcher.close()
        self.watcher = self.scanner.entered = None
        if self._notify is None:
            return
        notify = self._notify

        def ignored(path: str, is_folder: bool) -> bool:
            return self.scanner.ignored(path, is_folder)

        try:
            self.watcher = Watcher(ignored, notify, self._every)
        except OSError:
            self.watcher = self.other(self.root, ignored, notify) if self.other else Poller(notify, self._every)
        self.scanner.entered = self.watcher.add

    def _every(self) -> float:
        """Seconds between looks where nobody tells: a twentieth of a core's time at most."""
        return max(POLL, 20 * self._took)

    def use_rules(self, rules: "Any") -> None:
        """The next scan is a full one."""
        self.scanner.ignored, self.scanner.too_big = _matching(rules)
        self.scanner.tracked = False
        self._rules = _word(rules)
        self.tree = None
        self._rewatch()

    def scan(self, dirty: "Collection[str] | None", rehash: bool = False) -> "Tree | None":
        if self._whole or rehash:
            dirty = None
        if not self._loaded:
            self._loaded = True
            self.scanner.known, word = memory.load(self._memory, self._record)
            self.scanner.tracked = word == self._rules
            self._recover()
        began = time.monotonic()
        dirty = None if dirty is None else self._mine.union(dirty)
        self._ahead = None  # whoever asked has no use for it, or was not told
        self.tree = self.scanner.scan(self.tree, dirty, rehash)
        self._mine = set()
        if dirty is None:
            self._took = time.monotonic() - began
        self._whole = False
        self._unsaved += self.scanner.hashed
        if self._unsaved >= _MUCH:
            self.remember()
        return self.tree

    def scan_aloud(self, say: "Callable[[str, bytes, bytes], None]") -> "Tree | None":
        """All of it; `say(path, digest, content)` hears of the small files that are read."""
        self.scanner.aloud = say
        try:
            return self.scan(None)
        finally:
            self.scanner.aloud = None

    def _recover(self) -> None:
        """What a process that was killed had in its hands is not left for the next one that has something to do."""
        try:
            names = os.listdir(os.path.join(self.root, OWN, "stage"))
            if any(name.startswith(MOVING) for name in names):
                with self._applier() as applier:
                    applier.recover()
        except OSError:
            pass  # none is there, or nothing may be moved: whoever applies steps tries it again, and says why not

    @property
    def _memory(self) -> str:
        return os.path.join(self.root, OWN, "scan")

    def remember(self) -> None:
        """For the next process: what it finds as it was it need not read."""
        if not self._unsaved or not (os.path.isdir(os.path.join(self.root, OWN)) or self._attribute()):
            return
        try:
            self._made()
            word = self._rules if self.scanner.tracked else _UNKNOWN
            memory.save(self._memory, self.scanner.known, self._record, word)
        except OSError:
            return  # a full disk, or one that may not be written: reading again is all that it costs
        self._unsaved = 0

    def replica(self, new: bool = False) -> "tuple[str, int]":
        """(the word that is kept in the folder, its device); with `new` it gets a word if it has none. Who cleans the
        folder of all that is ignored (`git clean -fdx`) takes the file; the folder's own attribute stays."""
        path = os.path.join(self.root, OWN, "replica")
        word = ""
        try:
            with open(path, encoding="ascii") as file:
                word = file.read(64).strip()
        except FileNotFoundError:
            pass
        if not word:  # one that nobody came to write to its end is none
            word = self._attribute()
            if new:
                self._made()
                word = word or binascii.hexlify(os.urandom(16)).decode("ascii")
                with open(path + ".new", "w", encoding="ascii") as file:
                    file.write(word + "\n")
                os.rename(path + ".new", path)
                self._set_attribute(word)
        try:
            return word, os.lstat(self.root).st_dev
        except FileNotFoundError:
            return word, 0

    def _attribute(self) -> str:
        try:
            return os.getxattr(self.root, _ATTRIBUTE).decode("ascii", "replace")[:64]
        except (AttributeError, OSError):
            return ""  # none there, or a system without them

    def _set_attribute(self, word: str) -> None:
        try:
            os.setxattr(self.root, _ATTRIBUTE, word.encode("ascii"))
        except (AttributeError, OSError):
            pass  # the file alone has to do

    def _made(self) -> None:
        """Our own folder, which no version control shall see."""
        own = os.path.join(self.root, OWN)
        rule = os.path.join(own, ".gitignore")
        try:
            os.lstat(rule)
            return
        except FileNotFoundError:
            pass
        try:
            os.mkdir(own, 0o700)
        except FileExistsError:
            pass
        try:
            with open(rule, "x", encoding="ascii") as file:
                file.write("*\n")
        except FileExistsError:
            pass

    def _applier(self) -> Applier:
        self._made()
        scanner = self.scanner
        applier = Applier(self.root, scanner.key, self._algorithm, self._umask, scanner.made, scanner.vouched)
        if self._ahead is not None:
            applier.contents.follow(self._ahead)
        return applier

    def missing(self, digests: "Collection[bytes]") -> "dict[bytes, int]":
        """Those that are not staged, and how much there is of each."""
        if not self.staged:
            return dict.fromkeys(digests, 0)
        with self._applier() as applier:
            stage = applier.contents
            return {digest: stage.partly(digest) for digest in digests if not stage.has(digest)}

    def pack(self, wanted: "Sequence[Wanted]") -> "Iterator[bytes]":
        return pack.write(self.root, wanted, self._algorithm)

    def big(self, paths: "Collection[str]") -> "list[str]":
        found = []
        for path in paths:
            try:
                info = os.lstat(os.path.join(self.root, path))
            except OSError:
                continue
            if stat.S_ISREG(info.st_mode) and info.st_size >= BIG:
                found.append(path)
        return found

    def large(self) -> "dict[str, int]":
        """Files that are larger than the rules allow, as the last scan saw what is there, and their sizes in bytes; the
        first ones where there are many."""
        found = {}  # type: dict[str, int]
        if self.scanner.too_big is not None and self.tree is not None:
            for path in _untracked(self.tree, ""):
                if len(found) == MOST_LARGE:
                    break
                try:
                    info = os.lstat(os.path.join(self.root, path))
                except OSError:
                    continue
                large = stat.S_ISREG(info.st_mode) and self.scanner.too_big(path, info.st_size)
                if large and not self.scanner.ignored(path, False):
                    found[path] = info.st_size
        return found

    def blocks(self, paths: "Collection[str]") -> "dict[str, bytes]":
        """Of those that are big files, what they consist of now."""
        found = {}
        for path in self.big(paths):
            try:
                found[path] = pack.blocks(os.path.join(self.root, path), self._algorithm)
            except OSError:
                continue
        return found

    def receive(self, steps: "Sequence[Step]") -> Contents:
        wanted = {}  # type: dict[bytes, str]
        for path, before, after in steps:
            if after is not None and after[0] == "f":
                old = os.path.join(self.root, path) if before is not None and before[0] == "f" else ""
                wanted[after[1]] = old or wanted.get(after[1], "")
        self.staged = True
        return Contents(self._applier(), wanted)

    def receive_ahead(self) -> Contents:
        """Whatever comes is for the next steps, if there is no other look in between."""
        self.staged = True
        coming = Contents(self._applier(), None)
        self._ahead = coming.applier.contents
        return coming

    def apply(self, steps: "Sequence[Step]", cycle: str, contents: "Contents | None" = None) -> "list[str]":
        """For each step "" or why not. Afterwards nothing is staged any more."""
        applier = contents.applier if contents is not None else self._applier()
        for path, before, after in steps:
            self._mine.add(path.rpartition("/")[0])
            if (before or after)[0] == "d":  # type: ignore[index]
                self._mine.add(path)
        try:
            results = applier.apply(steps, cycle)
            if contents is not None:
                for at, (_, _, after) in enumerate(steps):
                    if results[at] and after is not None and after[0] == "f":
                        receiver = contents.receiver
                        results[at] = receiver.failed.get(after[1]) or receiver.refused or results[at]
            applier.clear()
            self.staged = False
            self._ahead = None
            self._unsaved += len(steps)
            self._prune()
            return results
        finally:
            applier.__exit__()

    def described(self, paths: "Collection[str]") -> "dict[str, tuple[int, float]]":
        """(bytes, when it was written) of those that are there."""
        found = {}
        for path in paths:
            try:
                info = os.lstat(os.path.join(self.root, path))
            except OSError:
                continue
            found[path] = (info.st_size, info.st_mtime)
        return found

    def trashed(self) -> "list[tuple[str, float, list[str], int]]":
        return trash.trashed(self._trash)

    def restore(self, cycle: str) -> "dict[str, str]":
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        self._whole = True
        root = os.open(self.root, flags)
        try:
            there = os.open(self._trash, flags)
            try:
                return trash.restore(root, there, cycle)
            finally:
                os.close(there)
        finally:
            os.close(root)

    @property
    def _trash(self) -> str:
        return os.path.join(self.root, OWN, "trash")

    def _prune(self) -> None:
        now = time.time()
        if not 0 <= now - self._pruned < _DAY:
            self._pruned = now
            trash.prune(self._trash, now)

    def settle(self) -> "tuple[set[str], bool]":
        """(folders in which something may have been written before this call, whether elsewhere as well)"""
        if self.watcher is None:
            return set(), True
        dirty, fresh, lost = self.watcher.take()
        self.scanner.fresh |= fresh
        return dirty | fresh, lost or self._whole

    def close(self) -> None:
        self.remember()
        if self.watcher is not None:
            self.watcher.close()
            self.watcher = self.scanner.entered = None


def _untracked(tree: "Tree", path: str) -> "Iterator[str]":
    if tree[0] == "u":
        yield path
    elif tree[0] == "d":
        for name, child in tree[1].items():
            if child[0] in "du":
                yield from _untracked(child, path + "/" + name if path else name)


def _matching(rules: "Any") -> "tuple[Callable[[str, bool], bool], Callable[[str, int], bool] | None]":
    if rules is None:
        return _only_own, None
    matcher = Matcher(rules)
    return matcher.ignored, matcher.too_big


def _word(rules: "Any") -> bytes:
    """Of equal rules an equal one."""
    return hashlib.sha256(json.dumps([MEANING, rules], sort_keys=True).encode("ascii")).digest()


def _only_own(path: str, is_folder: bool) -> bool:
    return path == OWN
