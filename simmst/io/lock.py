"""One writer a folder: a lock that the system drops when its process ends, however it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from simmst.errors import SimmstError


class LockedError(SimmstError):
    """Another process writes here."""


@contextmanager
def locked(folder: Path, name: str = ".lock") -> Iterator[None]:
    """Hold a folder while the block runs.

    The system keeps the lock, not the file: what a killed process leaves behind is taken over. Where the file
    system has no locks (some network drives), the block runs without one.

    Parameters
    ----------
    folder : Path
        An existing folder.
    name : str
        File in it that the lock is on, with the number of the process; it goes with the lock. Links are not
        followed: the folder may come from others, and the file that they lead to would be overwritten.

    Raises
    ------
    LockedError
        If another process holds it, or the file is a link or no plain file.
    """
    path = folder / name
    handle = _held(path, folder)
    try:
        with suppress(OSError):  # a full disk: the number is for messages only
            os.ftruncate(handle, 0)
            os.write(handle, b"%d\n" % os.getpid())
        yield
    finally:
        if sys.platform != "win32":
            path.unlink(missing_ok=True)
        os.close(handle)


def _held(path: Path, folder: Path) -> int:
    """Open the file and take the lock; again where its last holder removed it in between."""
    while True:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise LockedError(f"{path}: is a link, or no plain file; remove it")
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            try:
                _take(handle)
            except BlockingIOError:
                holder = os.read(handle, 20).decode("ascii", "replace").strip() or "unknown"
                raise LockedError(
                    f"{folder}: process {holder} is at work here; wait for it to end, or name another folder"
                ) from None
            except OSError:
                return handle
            if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


if sys.platform != "win32":
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

else:

    def _take(handle: int) -> None:
        """Do without: Windows refuses to replace a file that another process holds open."""


def sweep(folder: Path, pattern: str = ".*.tmp") -> None:
    """Remove what a killed process had begun to write; call it while holding the folder."""
    for rest in folder.glob(pattern):
        rest.unlink(missing_ok=True)
