"""One writer at a time: a lock on a folder that ends with the process that holds it.

with locked(folder):
    ...

The system takes the lock away when the process ends, however it ends, so a killed run leaves nothing that a person
would have to remove; processes that it has forked off, and that may outlive it, do not hold it. It holds among the
processes of one machine; whether it does between machines that share a folder is up to the file system.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dissection.artifact import ArtifactError

LOCK = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the folder's lock.

    Raises:
        ArtifactError: another process holds it.
    """
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    _held.add(handle)
    try:
        try:
            _take(handle)
        except OSError as error:
            raise ArtifactError(
                f"{folder} is being written by another process; wait for it, or choose another folder"
            ) from error
        yield
    finally:
        _held.discard(handle)
        os.close(handle)


_held: set[int] = set()


def _let_go() -> None:
    """In a process that is forked off: the lock is its parent's, and must end with it."""
    while _held:
        os.close(_held.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


def _take(handle: int) -> None:
    if sys.platform == "win32":  # pragma: no cover
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
