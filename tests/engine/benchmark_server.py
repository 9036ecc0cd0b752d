"""A web server on this computer that stands for those of the data sets: it knows ranges, and fails when asked to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote


@dataclass
class Mirror:
    """What the server gives.

    Attributes:
        files: content by the true address.
        faults: for the next requests, one each: a status to answer with, or ``-n`` to break off after n bytes.
        ranges: whether it knows ranges.
        page: whether it says that what it sends is a web page.
        log: address, and range asked for, of each request.
    """

    files: dict[str, bytes]
    faults: list[int] = field(default_factory=list)
    ranges: bool = True
    page: bool = False
    log: list[tuple[str, str]] = field(default_factory=list)
    address: str = ""

    def tag(self, url: str) -> str:
        return f'"{hash(self.files[url])}"'


class _Handler(BaseHTTPRequestHandler):
    mirror: Mirror

    def do_GET(self) -> None:
        mirror, url = self.mirror, unquote(self.path[1:])
        asked = self.headers.get("Range", "")
        mirror.log.append((url, asked))
        fault = mirror.faults.pop(0) if mirror.faults else 0
        if fault > 0 or url not in mirror.files:
            self.send_error(fault if fault > 0 else 404)
            return
        content, start = mirror.files[url], 0
        if asked and mirror.ranges and self.headers.get("If-Range", mirror.tag(url)) == mirror.tag(url):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8" if mirror.page else "application/octet-stream")
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", mirror.tag(url))
        self.end_headers()
        self.wfile.write(content[start : start - fault] if fault else content[start:])

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(mirror: Mirror) -> Iterator[Mirror]:
    """The mirror, served until the end of the block."""
    handler = type("Handler", (_Handler,), {"mirror": mirror})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    mirror.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield mirror
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def redirect(monkeypatch, mirror: Mirror) -> None:
    """Send every request to the mirror instead of the true address."""
    import requests

    get = requests.get
    monkeypatch.setattr(requests, "get", lambda url, **kw: get(f"{mirror.address}/{quote(url, safe='')}", **kw))
