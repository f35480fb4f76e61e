"""A real HTTP server on loopback that behaves well or badly, as each test tells it."""

from __future__ import annotations

import re
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[["Handler"], None]


class FileServer(ThreadingHTTPServer):
    """Serves `files`; each path's requests meet the behaviours in `script` one after another, then `ranges`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.etag: str | None = '"first"'
        self.script: dict[str, deque[Behaviour]] = defaultdict(deque)
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.sent_bytes = 0
        self.has_stalled = threading.Event()
        self.released = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what these tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        self.server.requests.append((self.path, dict(self.headers)))
        script = self.server.script[self.path]
        (script.popleft() if script else ranges)(self)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    @property
    def content(self) -> bytes:
        return self.server.files[self.path]

    @property
    def wanted_start(self) -> int:
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        is_same = self.headers.get("If-Range") in (None, self.server.etag)
        return int(found[1]) if found and is_same else 0

    def start(self, status: int, **headers: object) -> None:
        self.send_response(status)
        if self.server.etag is not None:
            self.send_header("ETag", self.server.etag)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def start_range(self, start: int) -> bytes:
        """Send the head for what is left from `start` on, and return that."""
        rest = self.content[start:]
        if start:
            last = f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"
            self.start(206, Content_Length=len(rest), Content_Range=last)
        else:
            self.start(200, Content_Length=len(rest))
        return rest

    def send(self, content: bytes) -> None:
        self.server.sent_bytes += len(content)
        self.wfile.write(content)
        self.wfile.flush()


def ranges(handler: Handler) -> None:
    """What a good server does."""
    if handler.path not in handler.server.files:
        return missing(handler)
    if handler.wanted_start >= len(handler.content) > 0:
        return handler.start(416, Content_Length=0)
    handler.send(handler.start_range(handler.wanted_start))
    return None


def ignore_ranges(handler: Handler) -> None:
    handler.start(200, Content_Length=len(handler.content))
    handler.send(handler.content)


def cut_after(num_bytes: int) -> Behaviour:
    """Break off after `num_bytes` of what was announced."""
    return lambda handler: handler.send(handler.start_range(handler.wanted_start)[:num_bytes])


def send_part_ignoring_ranges(num_bytes: int) -> Behaviour:
    """Break off after the first `num_bytes` of the file, each time."""

    def behave(handler: Handler) -> None:
        handler.start(200, Content_Length=len(handler.content))
        handler.send(handler.content[:num_bytes])

    return behave


def stall_after(num_bytes: int) -> Behaviour:
    """Fall silent after `num_bytes` of what was announced."""

    def behave(handler: Handler) -> None:
        handler.send(handler.start_range(handler.wanted_start)[:num_bytes])
        handler.server.has_stalled.set()
        handler.server.released.wait()

    return behave


def send_instead(content: bytes) -> Behaviour:
    def behave(handler: Handler) -> None:
        handler.start(200, Content_Length=len(content))
        handler.send(content)

    return behave


def another_range(handler: Handler) -> None:
    rest = handler.content[1:]
    size = len(handler.content)
    handler.start(206, Content_Length=len(rest), Content_Range=f"bytes 1-{size - 1}/{size}")
    handler.send(rest)


def missing(handler: Handler) -> None:
    handler.start(404, Content_Length=0)


def hang(handler: Handler) -> None:
    """Say nothing until the test is over."""
    handler.server.released.wait()


def wait_for(barrier: threading.Barrier) -> Behaviour:
    """Answer well, once as many requests are here as the barrier has parties."""

    def behave(handler: Handler) -> None:
        barrier.wait(timeout=60)
        ranges(handler)

    return behave


@contextmanager
def running_file_server() -> Iterator[FileServer]:
    server = FileServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
