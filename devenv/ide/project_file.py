"""One file of the project, read and written without following a link and without losing what somebody else wrote.

The container can write the project's folder: it may plant a link, or a pipe, where we expect a file, and would have
the host write where it points. So every folder on the way is opened from the one above it, links are refused, and a
file is replaced by a rename only while it is the one that was read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import pathlib
import secrets
import stat
import subprocess
from collections.abc import Iterator

_MOST_BYTES = 4 << 20
_GIT_WITHIN = 10.0  # seconds


class FileProblem(Exception):
    """The file cannot be read or written; the text is the reason, without the file's name."""


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """`text` as it was read; the rest tells whether it is still the same file when it is written."""

    text: str
    mode: int
    identity: tuple[int, int, int, int]


def read(project: pathlib.Path, path: str) -> Found | None:
    """The file `path` (relative, "/" between its parts), None when it is not there. Raises FileProblem. Blocks."""
    with _problems():
        try:
            with _folder_of(project, path, umask=None) as folder:
                return _read(folder, path.rpartition("/")[2])
        except FileNotFoundError:
            return None


def write(project: pathlib.Path, path: str, text: str, before: Found | None, *, umask: int = 0o022) -> None:
    """Puts `text` there by a rename, in place of `before` (None: there was no file), whose mode is kept.

    What is new gets the modes of the client's `umask`. Raises FileProblem, also when the file was changed since it
    was read. Blocks.
    """
    name = path.rpartition("/")[2]
    with _problems(), _folder_of(project, path, umask=umask) as folder:
        if before is not None:
            _check_writable(folder, name)
        work = f".{name}.{secrets.token_hex(4)}"
        descriptor = os.open(work, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode("utf-8"))
                os.fchmod(file.fileno(), 0o666 & ~umask if before is None else before.mode)
            now = _read(folder, name)
            if (now and now.identity) != (before and before.identity):
                raise FileProblem("it was changed by somebody else just now")
            os.rename(work, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(work, dir_fd=folder)
            raise


def is_tracked(project: pathlib.Path, path: str) -> bool:
    """Whether Git tracks the file, or does not say in time; False without Git or outside a repository. Blocks."""
    # The repository's own configuration may name programs to run, and the container can write it.
    argv = ["git", "-C", str(project), "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]
    try:
        done = subprocess.run(
            [*argv, "ls-files", "--error-unmatch", "--", path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=_GIT_WITHIN,
        )
    except OSError:
        return False
    except subprocess.TimeoutExpired:
        return True  # a pipe planted in its folder must hold up nobody
    return done.returncode == 0


@contextlib.contextmanager
def _problems() -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError:
        raise FileProblem("it is not UTF-8 text") from None
    except OSError as error:
        raise FileProblem(_reason(error)) from error


def _reason(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "it is a link, or lies behind one, and links are not followed"
    if error.errno == errno.ENOTDIR:
        return "a part of its path is a link or a file, not a folder"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "there is no permission for it"
    return error.strerror or str(error)


@contextlib.contextmanager
def _folder_of(project: pathlib.Path, path: str, umask: int | None) -> Iterator[int]:
    """A descriptor of the folder that holds the file; with a `umask`, folders that are not there are made."""
    folder = os.open(project, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in path.split("/")[:-1]:
            made = False
            if umask is not None:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=folder)
                    made = True
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
            if made and umask is not None:
                os.fchmod(folder, 0o777 & ~umask)
        yield folder
    finally:
        os.close(folder)


def _read(folder: int, name: str) -> Found | None:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except FileNotFoundError:
        return None
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, descriptor)
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise FileProblem("it is a folder")
        if not stat.S_ISREG(status.st_mode):
            raise FileProblem("it is not a regular file")
        if status.st_size > _MOST_BYTES:
            raise FileProblem(f"it is larger than {_MOST_BYTES >> 20} MiB")
        stack.pop_all()
        with os.fdopen(descriptor, "rb") as file:
            text = file.read(_MOST_BYTES).decode("utf-8")
    identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    return Found(text, stat.S_IMODE(status.st_mode), identity)


def _check_writable(folder: int, name: str) -> None:
    """A rename would replace a file that its owner has locked against writing."""
    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except PermissionError:
        raise FileProblem("it is read-only") from None
    try:
        if not os.fstat(descriptor).st_mode & 0o222:
            raise FileProblem("it is read-only")  # root may write it all the same
    finally:
        os.close(descriptor)
