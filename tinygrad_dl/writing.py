"""Writing a file whole or not at all: the one way in which the package writes to disk."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import IO, Any

__all__ = ["Path", "destination", "remove_leftovers", "replacing", "write_file"]

Path = str | os.PathLike[str]

# Unfinished files bear no name of what is written: a name of 255 bytes, the most there is, leaves no room for more.
PREFIX, SUFFIX = ".tinygrad_dl-", ".tmp"


def destination(path: Path, what: str) -> str:
    """The file that a path means, links followed, once it is clear that one can be written there.

    A training asks before its first epoch, so that a place which can't be written to does not cost it the epoch.

    Raises:
        FileNotFoundError: the folder is missing. IsADirectoryError: the path is a folder. PermissionError: no file can
            be made in the folder. ValueError: the path is a device, a pipe or a socket. OSError: the name is too long.
    """
    target = os.path.realpath(os.fspath(path))
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise FileNotFoundError(
            f"{what}: got the folder {folder}, expected one that is there; make it first, with os.makedirs"
        )
    try:
        kind = os.lstat(target).st_mode
    except FileNotFoundError:
        kind = stat.S_IFREG
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(f"{what}: got {os.fspath(path)}, which is a folder, expected the path of a file")
    if not stat.S_ISREG(kind):
        raise ValueError(f"{what}: got {os.fspath(path)}, which is no ordinary file, expected the path of one")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(
            f"{what}: got the folder {folder}, expected one in which a file can be made; ask for the right to, or go "
            "elsewhere"
        )
    return target


@contextlib.contextmanager
def replacing(path: Path, what: str) -> Iterator[IO[bytes]]:
    """A file to write to, which takes the place of `path` when the block has ended without an error.

    - Whoever opens `path`, at whatever time, finds the file from before or the new one, whole: the content goes to a
      file of another name in the same folder, which is then renamed. After an error the one from before is untouched.
    - When the block has ended the new file is on the disk, and so is its name: the file is fsynced before it is renamed
      and its folder afterwards, so that neither a killed process nor a power failure leaves an empty or half a file.
    - A file that is replaced keeps its mode and, where the process may give files away, its owner; a new one gets the
      umask's mode. A symbolic link stays, and what it leads to is replaced. Other hard links keep the old content.
    - A name as long as the file system takes will do.
    - What writers that were killed have left in the folder is removed first. Writers at work are known by the lock that
      they hold on their unfinished file; it ends with the process, however that ends.

    Args:
        path: where to. what: who writes, for errors.

    Raises:
        OSError, ValueError: as `destination` does, and what the disk says (it is full, for one).

    >>> import os, tempfile
    >>> from tinygrad_dl.writing import replacing
    >>> path = os.path.join(tempfile.mkdtemp(), "numbers.txt")
    >>> with replacing(path, "example") as file:
    ...     count = file.write(b"1 2 3")
    >>> os.path.getsize(path), os.listdir(os.path.dirname(path))
    (5, ['numbers.txt'])

    Source: https://man7.org/linux/man-pages/man2/fsync.2.html
    """
    target = destination(path, what)
    folder = os.path.dirname(target)
    remove_leftovers(folder)
    before = os.stat(target) if os.path.exists(target) else None
    # What takes the place of a file that others may not read is never theirs to read.
    unfinished, file = _unfinished(folder, 0o666 if before is None else 0o600)
    try:
        with file:
            if before is not None:
                _take_over(file, before)
            yield file
            file.flush()
            os.fsync(file.fileno())
            if os.name == "nt":
                file.close()  # Windows renames no open file; elsewhere the lock is held until the name is gone
            os.replace(unfinished, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(unfinished)
        raise
    _sync_folder(folder)


def write_file(path: Path, content: bytes, what: str) -> None:
    """Writes a file as `replacing` does, and its folder first if that is missing.

    Raises:
        TypeError: the path is none. OSError, ValueError: nothing can be written there, and why.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{what}: got {type(path).__name__}, expected a path")
    try:
        os.makedirs(os.path.dirname(os.fspath(path)) or ".", exist_ok=True)
        with replacing(path, what) as file:
            file.write(content)
    except (OSError, ValueError) as error:
        if str(error).startswith(f"{what}: "):
            raise
        reason = getattr(error, "strerror", None) or error
        raise type(error)(
            f"{what}: got {os.fspath(path)!r}, which cannot be written ({reason}), expected a path in a folder where "
            "files may be made; choose another one"
        ) from error


def remove_leftovers(folder: str) -> None:
    """Removes the unfinished files of writers that were killed."""
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.name.startswith(PREFIX)]
    except OSError:  # a folder that can be written to, and not read
        return
    for name in names:
        path = os.path.join(folder, name)
        with contextlib.suppress(OSError):
            if not name.endswith(SUFFIX) or not stat.S_ISREG(os.lstat(path).st_mode):
                continue
            with open(path, "rb") as file:
                if _lock(file):
                    os.remove(path)


def _unfinished(folder: str, mode: int) -> tuple[str, IO[bytes]]:
    """A new file, locked, of this mode but for the umask, and its name."""
    while True:
        path = os.path.join(folder, f"{PREFIX}{os.urandom(6).hex()}{SUFFIX}")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        file = os.fdopen(os.open(path, flags, mode), "w+b")
        locked = _lock(file)
        # Between the two lines above another process may have taken it for a leftover.
        if locked is None or (locked and os.path.exists(path)):
            return path, file
        file.close()
        with contextlib.suppress(OSError):
            os.remove(path)


def _lock(file: IO[Any]) -> bool | None:
    """Whether nobody else holds the file's lock, which is then ours; None where there are no locks.

    Windows removes no file that is open, which serves as well.
    """
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _take_over(file: IO[bytes], before: os.stat_result) -> None:
    """Gives a file the mode of the one that it replaces, and its owner if that is allowed."""
    if os.name == "nt":
        return
    if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(PermissionError):
            os.fchown(file.fileno(), before.st_uid, before.st_gid)
    os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))


def _sync_folder(folder: str) -> None:
    """Makes the names in a folder outlast a power failure."""
    if os.name == "nt":  # which gives no handle of a folder
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems know no such thing
            os.fsync(handle)
    finally:
        os.close(handle)
