"""renameat2: exchanging two names, and never replacing one. Python has neither."""

import ctypes
import errno
import os
import platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NOREPLACE, _EXCHANGE = 1, 2
_NUMBERS = {"x86_64": 316, "aarch64": 276, "arm64": 276}
_MISSING = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


class Unsupported(OSError):
    """This file system cannot (a network's, some FUSE ones)."""


def _find() -> "Any":
    library = ctypes.CDLL(None, use_errno=True)
    number = _NUMBERS.get(platform.machine())
    function = getattr(library, "renameat2", None)
    types = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]  # type: list[Any]
    if function is not None:
        function.argtypes = types
        return function
    if number is None or not hasattr(library, "syscall"):
        return None
    library.syscall.argtypes = [ctypes.c_long] + types
    return lambda *args: library.syscall(number, *args)


_renameat2 = _find()


def _call(old_folder: int, old: str, new_folder: int, new: str, flags: int) -> None:
    if _renameat2 is None:
        raise Unsupported(errno.ENOSYS, "renameat2")
    if _renameat2(old_folder, os.fsencode(old), new_folder, os.fsencode(new), flags) != 0:
        number = ctypes.get_errno()
        kind = Unsupported if number in _MISSING else OSError
        raise kind(number, os.strerror(number), new)


def exchange(old_folder: int, old: str, new_folder: int, new: str) -> None:
    """Two names change places at once. Folders are descriptors, names have no `/`. Raises Unsupported and OSError."""
    _call(old_folder, old, new_folder, new, _EXCHANGE)


def move(old_folder: int, old: str, new_folder: int, new: str) -> None:
    """Raises FileExistsError where something is there already: it is never replaced."""
    try:
        _call(old_folder, old, new_folder, new, _NOREPLACE)
    except Unsupported:
        # A second name, then the first one goes: folders have no second names, and for them a rename onto an
        # existing one works only where that is empty.
        if _is_folder(old_folder, old):
            if _exists(new_folder, new):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new) from None
            os.rename(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder)
            return
        os.link(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder, follow_symlinks=False)
        os.unlink(old, dir_fd=old_folder)


def take(old_folder: int, old: str, new_folder: int, new: str) -> None:
    """`move` to a folder that nobody else enters. Where it is made of two steps, the old name could be somebody's newer
    file at the second one."""
    try:
        _call(old_folder, old, new_folder, new, _NOREPLACE)
    except Unsupported:
        if _exists(new_folder, new):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new) from None
        os.rename(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder)


def _exists(folder: int, name: str) -> bool:
    try:
        os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    return True


def _is_folder(folder: int, name: str) -> bool:
    import stat

    return stat.S_ISDIR(os.lstat(name, dir_fd=folder).st_mode)


def flush(folder: int) -> None:
    """Everything that was written on this file system is durable when it returns."""
    library = ctypes.CDLL(None, use_errno=True)
    function = getattr(library, "syncfs", None)
    if function is None or function(ctypes.c_int(folder)) != 0:
        os.sync()
