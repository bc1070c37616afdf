"""An HTTP server on this machine that does as a test says: it breaks off, lies, redirects, sends other bytes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Script:
    """How the server behaves, and what it was asked.

    `contents` holds the body of a path where it is not `content`; `url` is the server's address.
    """

    content: bytes = b""
    breaks: list[int] = field(default_factory=list)  # after so many bytes of the body, one entry per request
    always_breaks: int | None = None
    announced: int | None = None  # a Content-Length that is not the body's
    announced_rest: int | None = None  # the same for the rest of a file
    ranges: bool = True
    etag: str | None = '"one"'
    date: str | None = None
    checks_version: bool = True
    status: list[int] = field(default_factory=list)
    type: str = "application/octet-stream"
    location: str | None = None
    contents: dict[str, bytes] = field(default_factory=dict)
    url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)


class Server(ThreadingHTTPServer):
    script: Script

    def handle_error(self, *_: Any) -> None:  # a client that hangs up is part of the tests
        pass


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        script = self.server.script
        script.asked.append({k.lower(): v for k, v in self.headers.items()})
        if script.status and (code := script.status.pop(0)) != 200:
            self.send_error(code)
            return
        if script.location and self.path == "/file":
            self.send_response(302)
            self.send_header("Location", script.location)
            self.end_headers()
            return
        body, start = script.contents.get(self.path, script.content), 0
        wanted, version = self.headers["Range"], self.headers["If-Range"]
        same = not script.checks_version or version in (None, script.etag, script.date)
        if script.ranges and wanted and same:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        rest = body[start:]
        self.send_header("Content-Type", script.type)
        lie = script.announced_rest if start else script.announced
        self.send_header("Content-Length", str(len(rest) if lie is None else lie))
        if script.etag:
            self.send_header("ETag", script.etag)
        if script.date:
            self.send_header("Last-Modified", script.date)
        self.end_headers()
        stop = script.breaks.pop(0) if script.breaks else script.always_breaks
        self.wfile.write(rest[:stop])


@contextmanager
def serving(script: Script) -> Iterator[str]:
    """The address of a server that follows the script."""
    with Server(("127.0.0.1", 0), Handler) as server:
        server.script = script
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        script.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield script.url
        finally:
            server.shutdown()
            thread.join()
