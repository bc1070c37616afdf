"""Files over HTTP: connections that break, servers that lie, wrong bytes, two at once, and where files stay."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import multiprocessing
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from local_server import Script, serving

from neuro_explain import cache, transfer
from neuro_explain.download import Fetched, checksum, fetch, record_of, verify

CONTENT = bytes(range(256)) * 4000  # 1,024,000 bytes: more than one block
DIGEST = hashlib.sha256(CONTENT).hexdigest()
OTHER = CONTENT[::-1]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    monkeypatch.setenv("no_proxy", "*")
    told = Script(CONTENT)
    with serving(told) as address:
        monkeypatch.setattr(f"{__name__}.URL", f"{address}/file")
        yield told


URL = ""


def get(path: Path, **options: Any) -> Fetched:
    return fetch(URL, path, **{"progress": False, "timeout": 5.0, "pause": 0.0} | options)


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


def test_a_file_comes_whole_and_is_recorded(script: Script, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "w.pth"
    assert get(path) == Fetched(path, len(CONTENT), DIGEST, published=False)
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == {"w.pth", "w.pth.sha256"}
    assert record_of(path).read_text() == f"{DIGEST}  w.pth\n"
    assert len(script.asked) == 1 and "range" not in script.asked[0]
    assert get(path).sha256 == DIGEST and len(script.asked) == 1  # it is there: nothing is asked


def test_a_published_checksum_is_compared_and_none_recorded(script: Script, tmp_path: Path) -> None:
    assert get(tmp_path / "w", sha256=DIGEST.upper()).published
    assert names(tmp_path) == {"w"}


def test_a_broken_connection_is_taken_up_where_it_broke(script: Script, tmp_path: Path) -> None:
    script.breaks = [300_000, 0, 500_000, 0, 0]
    get(tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == CONTENT
    ranges = [asked.get("range") for asked in script.asked]
    assert ranges == [None, *["bytes=300000-"] * 2, *["bytes=800000-"] * 3]
    assert all(asked["if-range"] == '"one"' for asked in script.asked[1:])


def test_the_date_names_a_version_where_there_is_no_strong_etag(script: Script, tmp_path: Path) -> None:
    script.etag, script.date, script.breaks = 'W/"weak"', "Mon, 02 Jan 2017 03:04:05 GMT", [10]
    get(tmp_path / "w")
    assert script.asked[1]["if-range"] == script.date and script.asked[1]["range"] == "bytes=10-"
    assert (tmp_path / "w").read_bytes() == CONTENT


def test_a_later_call_goes_on_from_the_part(script: Script, tmp_path: Path) -> None:
    script.breaks = [400_000, 0, 0, 0]
    with pytest.raises(
        ConnectionError, match=r"400,000 of 1,024,000.*400,000 bytes are kept.*put it at .*w$"
    ):
        get(tmp_path / "w")
    assert names(tmp_path) == {"w.part", "w.part.json", "w.lock"}
    assert (tmp_path / "w.part").read_bytes() == CONTENT[:400_000]
    script.asked.clear()
    get(tmp_path / "w")
    assert [asked["range"] for asked in script.asked] == ["bytes=400000-"]
    assert (tmp_path / "w").read_bytes() == CONTENT and names(tmp_path) == {"w", "w.sha256"}


@pytest.mark.parametrize("honest", [True, False])
def test_another_version_is_never_spliced(script: Script, tmp_path: Path, honest: bool) -> None:
    script.breaks = [400_000, 0, 0, 0]
    with pytest.raises(ConnectionError):
        get(tmp_path / "w")
    script.content, script.etag, script.checks_version = OTHER, '"two"', honest
    get(tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == OTHER


def test_a_part_of_another_address_or_of_no_version_is_not_continued(script: Script, tmp_path: Path) -> None:
    note = tmp_path / "w.part.json"
    kept = ['{"url": "http://elsewhere/", "version": "\\"one\\""}', "damaged", json.dumps([1])]
    for text in [*kept, json.dumps({"url": URL, "version": None})]:
        (tmp_path / "w.part").write_bytes(b"of something else")
        note.write_text(text)
        get(tmp_path / "w")
        assert (tmp_path / "w").read_bytes() == CONTENT and "range" not in script.asked.pop()
        (tmp_path / "w").unlink()


def test_a_server_without_ranges_sends_it_anew(script: Script, tmp_path: Path) -> None:
    script.ranges, script.breaks = False, [300_000, 900_000]
    get(tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == CONTENT and len(script.asked) == 3


def test_a_server_that_always_breaks_at_the_same_place_is_given_up(script: Script, tmp_path: Path) -> None:
    script.ranges, script.always_breaks = False, 1000
    with pytest.raises(ConnectionError, match="broke after 1,000 of 1,024,000 bytes"):
        get(tmp_path / "w")
    assert len(script.asked) == 4 and not (tmp_path / "w").exists()


def test_a_whole_part_only_gets_its_name(script: Script, tmp_path: Path) -> None:
    (tmp_path / "w.part").write_bytes(CONTENT)
    (tmp_path / "w.part.json").write_text(json.dumps({"url": URL, "version": '"one"'}))
    get(tmp_path / "w", sha256=DIGEST)
    assert names(tmp_path) == {"w"} and len(script.asked) == 1


def test_a_part_longer_than_the_file_is_dropped(script: Script, tmp_path: Path) -> None:
    (tmp_path / "w.part").write_bytes(CONTENT + b"more")
    (tmp_path / "w.part.json").write_text(json.dumps({"url": URL, "version": '"one"'}))
    get(tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == CONTENT


def test_a_body_shorter_than_announced_is_no_file(script: Script, tmp_path: Path) -> None:
    script.announced, script.ranges = len(CONTENT) + 5, False
    with pytest.raises(ConnectionError, match="broke after 1,024,000 of 1,024,005 bytes"):
        get(tmp_path / "w")
    assert not (tmp_path / "w").exists()


def test_a_body_longer_than_announced_is_no_file(script: Script, tmp_path: Path) -> None:
    script.announced = 1000
    with pytest.raises(ConnectionError, match="sends more than the 1,000 bytes that it announced"):
        get(tmp_path / "w")
    assert names(tmp_path) == {"w.lock"} and len(script.asked) == 1


def test_a_partial_answer_that_contradicts_itself(script: Script, tmp_path: Path) -> None:
    script.breaks, script.announced_rest = [400_000], 7
    with pytest.raises(ConnectionError, match="contradicts itself: 7 bytes after 400,000 of 1,024,000"):
        get(tmp_path / "w")
    assert (tmp_path / "w.part").read_bytes() == CONTENT[:400_000]


@pytest.mark.parametrize("published", [True, False])
def test_wrong_bytes_are_not_kept(script: Script, tmp_path: Path, published: bool) -> None:
    path, known = tmp_path / "w", DIGEST if published else None
    if not published:
        get(path)
        path.unlink()  # the record stays
    script.content = OTHER
    wrong = hashlib.sha256(OTHER).hexdigest()
    whose = "the published one" if published else r"the one recorded at first use in w\.sha256"
    with pytest.raises(
        ValueError, match=f"what came from http.*{wrong}, but {whose} is {DIGEST}: it was not kept"
    ):
        get(path, sha256=known)
    assert not path.exists() and not (tmp_path / "w.part").exists()
    script.content = CONTENT
    assert get(path, sha256=known).sha256 == DIGEST


@pytest.mark.parametrize("published", [True, False])
def test_a_file_that_was_altered_is_found_out(script: Script, tmp_path: Path, published: bool) -> None:
    path, known = tmp_path / "w", DIGEST if published else None
    get(path, sha256=known)
    path.write_bytes(CONTENT[:-1] + b"!")
    for look in (lambda: get(path, sha256=known), lambda: verify(path, sha256=known)):
        with pytest.raises(ValueError, match=f"has the SHA-256 {checksum(path)}, but .* {DIGEST}: remove"):
            look()
    assert path.exists() and len(script.asked) == 1


def test_a_file_put_there_by_hand_is_recorded_at_first_use(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(CONTENT)
    assert verify(tmp_path / "w") == Fetched(tmp_path / "w", len(CONTENT), DIGEST, published=False)
    assert record_of(tmp_path / "w").read_text() == f"{DIGEST}  w\n"
    record_of(tmp_path / "w").write_text("abc")
    with pytest.raises(ValueError, match=r"w\.sha256: expected a SHA-256 of 64 .*got 'abc'; remove it"):
        verify(tmp_path / "w")


def test_an_answer_that_will_not_change_is_believed_at_once(script: Script, tmp_path: Path) -> None:
    script.status = [404]
    with pytest.raises(
        ConnectionError, match=rf"{URL}: the server answered 404 Not Found; .*put it at"
    ) as error:
        get(tmp_path / "w")
    assert len(script.asked) == 1 and "\n" not in str(error.value)


def test_a_passing_fault_is_tried_again(script: Script, tmp_path: Path) -> None:
    script.status = [503, 429]
    get(tmp_path / "w")
    assert len(script.asked) == 3
    script.status = [500] * 9
    with pytest.raises(ConnectionError, match="the server answered 500"):
        get(tmp_path / "other")
    assert len(script.asked) == 6


def test_a_page_in_place_of_a_file_is_refused(script: Script, tmp_path: Path) -> None:
    script.type = "text/html; charset=utf-8"
    with pytest.raises(ConnectionError, match="a web page came in place of the file"):
        get(tmp_path / "w")
    script.type, script.content = "application/x-tar", b""
    with pytest.raises(ConnectionError, match="says that the file is empty"):
        get(tmp_path / "w")


def test_redirects_are_followed_and_ranges_go_with_them(script: Script, tmp_path: Path) -> None:
    script.location, script.breaks = URL.replace("/file", "/moved"), [1000]
    get(tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == CONTENT
    assert [asked.get("range") for asked in script.asked] == [None, None, "bytes=1000-", "bytes=1000-"]
    script.location = URL  # in a circle
    with pytest.raises(ConnectionError, match="the server answered 302") as error:
        get(tmp_path / "other")
    assert "\n" not in str(error.value)


def test_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(ConnectionError, match=rf"could not fetch http://127\.0\.0\.1:{port}/w: .*put it at"):
        fetch(f"http://127.0.0.1:{port}/w", tmp_path / "w", pause=0.0, timeout=1.0)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://host/w", "w.pth", "http://", ""])
def test_only_http_addresses(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match="url: expected an http or https address"):
        fetch(url, tmp_path / "w")
    assert not names(tmp_path)


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_and_an_interrupt_leave_the_part(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    real = transfer._blocks

    def failing(*arguments: Any) -> Iterator[bytes]:
        for number, block in enumerate(real(*arguments)):
            if number == 2:
                raise failure
            yield block

    with monkeypatch.context() as patched:
        patched.setattr(transfer, "_blocks", failing)
        expected = KeyboardInterrupt if isinstance(failure, KeyboardInterrupt) else OSError
        with pytest.raises(expected) as error:
            get(tmp_path / "w")
    if expected is OSError:
        assert "the disk is full; 524,288 bytes of w are at" in str(error.value)
        assert not isinstance(error.value, ConnectionError)
    assert (tmp_path / "w.part").read_bytes() == CONTENT[: 2 << 18] and not (tmp_path / "w").exists()
    get(tmp_path / "w")
    assert script.asked[-1]["range"] == f"bytes={2 << 18}-" and (tmp_path / "w").read_bytes() == CONTENT


def _fetch_in_a_process(url: str, path: Path) -> None:
    fetch(url, path, progress=False, pause=0.0)


def test_two_at_once_fetch_it_once(script: Script, tmp_path: Path) -> None:
    script.breaks = [300_000, 300_000]
    starter = multiprocessing.get_context("spawn")
    others = [starter.Process(target=_fetch_in_a_process, args=(URL, tmp_path / "w")) for _ in range(2)]
    for other in others:
        other.start()
    get(tmp_path / "w")
    for other in others:
        other.join(120)
    assert [other.exitcode for other in others] == [0, 0]
    assert (tmp_path / "w").read_bytes() == CONTENT and len(script.asked) == 3
    assert names(tmp_path) == {"w", "w.sha256"}


def test_the_bar_is_for_terminals(script: Script, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    get(tmp_path / "w", progress=None)
    assert capsys.readouterr().err == ""
    get(tmp_path / "v", progress=True)
    assert "v: 100%" in capsys.readouterr().err


def test_where_files_stay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    with contextlib.suppress(KeyError):
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(cache.VARIABLE, "")
    assert cache.folder() == tmp_path / ".cache" / "neuro-explain"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache.folder() == tmp_path / ".cache" / "neuro-explain"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.folder() == tmp_path / "xdg" / "neuro-explain"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache.folder() == tmp_path / "local" / "neuro-explain"
    monkeypatch.setenv(cache.VARIABLE, "~/mine")
    assert cache.folder() == tmp_path / "mine"
    assert cache.weights("w.pth") == tmp_path / "mine" / "weights" / "w.pth"
    assert not (tmp_path / "mine").exists()
