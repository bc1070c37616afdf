"""How do the bytes of a file come over a bad line? Connections, one after another, into `NAME.part`.

    fill(url, path)        # all of the file is now in path + ".part"

A connection that breaks is taken up again where it broke, as long as more comes each time. What has come is continued
only if the server still has that version of the file (HTTP's Range with If-Range; the ETag or the date stands in
`NAME.part.json`): another version is never spliced to it. A server that knows no ranges sends the file anew.
"""

from __future__ import annotations

import errno
import http.client
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from email.message import Message
from pathlib import Path
from typing import Any

from tqdm import tqdm

_BLOCK = 1 << 18
_FAILURES = 3  # so many attempts in a row that bring nothing new, and it is given up
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class _Broken(Exception):
    """The connection failed in a way that another attempt may mend."""


class _Refused(Exception):
    """The server's answer is of no use, and will be the same next time. What had come before may be continued."""


class _Spoiled(_Refused):
    """As `_Refused`, and what has come is not to be trusted either."""


class _Stale(Exception):
    """What has come cannot be continued: it is of another version, or longer than the file."""


def part_of(path: Path) -> Path:
    """Where the bytes of a file gather."""
    return path.with_name(f"{path.name}.part")


def drop(path: Path) -> None:
    """Removes what has come of a file."""
    part_of(path).unlink(missing_ok=True)
    _note(path).unlink(missing_ok=True)


def finish(path: Path) -> None:
    """Gives the whole part its name, in one step."""
    part_of(path).replace(path)
    _note(path).unlink(missing_ok=True)


def fill(
    url: str, path: Path, *, progress: bool | None = None, timeout: float = 30.0, pause: float = 1.0
) -> None:
    """Brings all of the file into `NAME.part`.

    Args:
        url: an http or https address; redirects are followed.
        path: the file's place, beside which the part is; its folder exists.
        progress: whether to show a bar on the standard error; None shows one if that is a terminal.
        timeout: seconds without a byte after which a connection counts as broken.
        pause: seconds before another attempt.

    Raises:
        ConnectionError: the file cannot be had; the message says why, and where to put it by hand.
        OSError: the disk is full, or the place cannot be written to.
    """
    part, failures = part_of(path), 0
    most = _size(part)
    hidden = None if progress is None else not progress
    with tqdm(desc=path.name, unit="B", unit_scale=True, unit_divisor=1024, disable=hidden) as bar:
        while True:
            try:
                return _attempt(url, path, bar, timeout)
            except _Stale:
                drop(path)
                reason, most = "what had come before could not be continued", 0
            except _Refused as error:
                if isinstance(error, _Spoiled):
                    drop(path)
                raise ConnectionError(_sentence(url, path, str(error))) from error
            except _Broken as error:
                reason = str(error)
            except OSError as error:  # of the disk: those of the network have become _Broken
                if error.errno not in _FULL:
                    raise
                raise OSError(
                    f"the disk is full; {_size(part):,} bytes of {path.name} are at {part}: make room and fetch it "
                    "again, it goes on from there"
                ) from error
            failures = 0 if _size(part) > most else failures + 1
            most = max(most, _size(part))
            if failures >= _FAILURES:
                there = _size(part)
                kept = f" ({there:,} bytes are kept; the next call goes on from there)" if there else ""
                raise ConnectionError(_sentence(url, path, f"{reason}{kept}"))
            time.sleep(pause)


def _sentence(url: str, path: Path, reason: str) -> str:
    return f"could not fetch {url}: {reason}; try again, or get the file by other means and put it at {path}"


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _attempt(url: str, path: Path, bar: Any, timeout: float) -> None:
    """One connection: goes on from what is in the part if the server still has that version, else begins anew."""
    part, version = part_of(path), _version(path, url)
    have = _size(part)
    headers = {"User-Agent": "neuro-explain", "Accept-Encoding": "identity"}
    if have and version:
        headers |= {"Range": f"bytes={have}-", "If-Range": version}
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            _judge_status(error, have)
        return
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(_words(error)) from error
    with response:
        if response.headers.get_content_type() == "text/html":
            raise _Refused("a web page came in place of the file (is there a login in between?)")
        if response.status == 206:
            at, total = _continues(response.headers, have, version)
        else:
            at, total = 0, _whole_number(response.headers["Content-Length"])
            if total == 0:
                raise _Refused("the server says that the file is empty")
            _keep_version(path, url, response.headers)
        bar.total, bar.n = total, at
        bar.refresh()
        with part.open("ab" if at else "wb") as file:
            for block in _blocks(response, None if total is None else total - at):
                file.write(block)
                bar.update(len(block))
    if _size(part) < (total or 1):
        of = "" if total is None else f" of {total:,}"
        raise _Broken(f"the connection broke after {_size(part):,}{of} bytes")


def _blocks(response: http.client.HTTPResponse, length: int | None) -> Iterator[bytes]:
    """The body. With a known length it is read past `http.client`, which would hide that more comes than announced."""
    source: Any = response if length is None or response.chunked else response.fp
    left, more = length, b""
    try:
        while left is None or left > 0:
            block = source.read(_BLOCK if left is None else min(_BLOCK, left))
            if not block:
                return
            left = left if left is None else left - len(block)
            yield block
        if source is response.fp and response.will_close:
            with suppress(OSError):  # a server that keeps the line open says nothing wrong
                more = source.read(1)
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(_words(error)) from error
    if more:
        raise _Spoiled(f"the server sends more than the {length:,} bytes that it announced")


def _judge_status(error: urllib.error.HTTPError, have: int) -> None:
    if error.code == 416 and have:
        if (error.headers["Content-Range"] or "").strip() == f"bytes */{have}":
            return  # the part is the whole file
        raise _Stale
    words = f"the server answered {error.code} {str(error.reason).splitlines()[0]}"
    raise _Broken(words) if error.code in (408, 425, 429) or error.code >= 500 else _Refused(words)


def _continues(headers: Message, have: int, version: str | None) -> tuple[int, int | None]:
    """Where a partial answer begins and how long the whole is, if it is the rest of what is here."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", (headers["Content-Range"] or "").strip())
    if found is None or int(found[1]) != have or version is None:
        raise _Stale
    # A server may leave the date out of a partial answer; but what it says must agree.
    if headers["ETag" if version.startswith('"') else "Last-Modified"] not in (None, version):
        raise _Stale
    length = _whole_number(headers["Content-Length"])
    if found[2] == "*":
        return have, None if length is None else have + length
    if length is not None and have + length != int(found[2]):
        raise _Refused(f"the server contradicts itself: {length:,} bytes after {have:,} of {int(found[2]):,}")
    return have, int(found[2])


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.part.json")


def _version(path: Path, url: str) -> str | None:
    """What names the version of the part to the server; None if the part cannot be continued."""
    try:
        kept = json.loads(_note(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    version = kept.get("version") if isinstance(kept, dict) and kept.get("url") == url else None
    return version if isinstance(version, str) else None


def _keep_version(path: Path, url: str, headers: Message) -> None:
    # A weak ETag does not promise the same bytes, so it names no version.
    etag = headers["ETag"]
    version = etag if etag and not etag.startswith("W/") else headers["Last-Modified"]
    drop(path)  # first, so that bytes of one version never stand beside the name of another
    _note(path).write_text(json.dumps({"url": url, "version": version}), encoding="utf-8")


def _whole_number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _words(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason) or type(reason).__name__
