"""How does a file get here whole and unaltered? The only place that fetches files for us.

    fetched = fetch(url, path)
    fetched.sha256, fetched.published

Beside the target stand, while they are needed:

| file | holds |
|---|---|
| `NAME.part`, `NAME.part.json` | what has come, and of which version it is; `NAME` itself is never a part of a file |
| `NAME.lock` | one process fetches, others wait and then find the file |
| `NAME.sha256` | the checksum recorded at first use, where none was published; later files are compared with it |

A full disk or Ctrl-C leaves the part, and the next call goes on from it. Bytes with a wrong checksum are removed:
nothing can be built on them.
"""

from __future__ import annotations

import errno
import hashlib
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from neuro_explain import transfer


@dataclass(frozen=True)
class Fetched:
    """A file that is here and was checked.

    Attributes:
        path: where it is.
        size: its bytes.
        sha256: its checksum, in hexadecimal.
        published: whether that checksum was published with the file; otherwise it is the one of first use.
    """

    path: Path
    size: int
    sha256: str
    published: bool


def fetch(
    url: str,
    path: Path,
    *,
    sha256: str | None = None,
    progress: bool | None = None,
    timeout: float = 30.0,
    pause: float = 1.0,
) -> Fetched:
    """The file of this address at this place, fetched if it is not there, and checked either way.

    Args:
        url: an http or https address; redirects are followed.
        path: where the file goes; folders are made.
        sha256: the published checksum. Without one the file's own is recorded beside it at first use, and every
            later file of this name is compared with that.
        progress: whether to show a bar on the standard error; None shows one if that is a terminal.
        timeout: seconds without a byte after which a connection counts as broken.
        pause: seconds before another attempt.

    Raises:
        ConnectionError: the file cannot be had; the message says why, and where to put it by hand.
        OSError: the disk is full, or the place cannot be written to.
        ValueError: not an http address; the file that is there, or what came, has another checksum.
    """
    if not re.match(r"https?://[^/\s]", url):
        raise ValueError(f"url: expected an http or https address, got {url!r}")
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path):
            if not path.is_file():  # another process may have brought it while this one waited
                return _fetch(url, path, sha256, progress, timeout, pause)
    return verify(path, sha256=sha256)


def _fetch(
    url: str, path: Path, sha256: str | None, progress: bool | None, timeout: float, pause: float
) -> Fetched:
    transfer.fill(url, path, progress=progress, timeout=timeout, pause=pause)
    found, (expected, whose) = checksum(transfer.part_of(path)), _expected(path, sha256)
    if expected not in (None, found):
        transfer.drop(path)
        raise ValueError(
            f"what came from {url} has the SHA-256 {found}, but {whose} is {expected}: it was not kept; try again, "
            f"from another network if need be{_replaced(path, sha256)}"
        )
    if expected is None:
        _record(path, found)
    transfer.finish(path)
    return Fetched(path, path.stat().st_size, found, sha256 is not None)


def verify(path: Path, *, sha256: str | None = None) -> Fetched:
    """A file that is there, compared with the published checksum or else with the one of first use.

    Where there is neither, this is the first use.

    Raises:
        ValueError: its checksum is another one; the file stays as it is.
    """
    found, (expected, whose) = checksum(path), _expected(path, sha256)
    if expected not in (None, found):
        raise ValueError(
            f"{path} has the SHA-256 {found}, but {whose} is {expected}: remove the file and fetch it again"
            f"{_replaced(path, sha256)}"
        )
    if expected is None:
        _record(path, found)
    return Fetched(path, path.stat().st_size, found, sha256 is not None)


def checksum(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def record_of(path: Path) -> Path:
    """Where the checksum of first use stands."""
    return path.with_name(f"{path.name}.sha256")


def _expected(path: Path, published: str | None) -> tuple[str | None, str]:
    """The checksum that a file must have, and whose it is; None if nothing is known of it."""
    if published is not None:
        return published.lower(), "the published one"
    note = record_of(path)
    try:
        text = note.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None, ""
    found = re.match(r"[0-9a-fA-F]{64}\b", text)
    if found is None:
        raise ValueError(f"{note}: expected a SHA-256 of 64 hexadecimal digits, got {text[:80]!r}; remove it")
    return found[0].lower(), f"the one recorded at first use in {note.name}"


def _replaced(path: Path, published: str | None) -> str:
    return "" if published else f"; if its publisher has replaced the file, remove {record_of(path)} too"


def _record(path: Path, digest: str) -> None:
    # As sha256sum writes it, so that `sha256sum -c` reads it. A folder that may only be read stays without one.
    try:
        record_of(path).write_text(f"{digest}  {path.name}\n", encoding="utf-8")
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Waits until no other process fetches the same file. The system frees the lock of a process that dies."""
    lock = path.with_name(f"{path.name}.lock")
    with lock.open("a+b") as file:
        while not _locked(file):
            time.sleep(0.2)
        yield
        # Whoever still waits for this lock finds the file. After a failure the lock file stays: were it removed, a
        # waiting process and a new one would each hold a lock of its own.
        if sys.platform != "win32":
            lock.unlink(missing_ok=True)


if sys.platform == "win32":
    import msvcrt

    def _locked(file: IO[bytes]) -> bool:
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def _locked(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
