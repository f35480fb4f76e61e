"""One HTTP answer as a stream of bytes that goes on where an earlier one stopped, and never hangs."""

from __future__ import annotations

import http.client
import queue
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_READ_BYTES = 1 << 16
_PARTIAL_CONTENT = 206
_RANGE_NOT_SATISFIABLE = 416


class Interrupted(Exception):
    """The server could not be reached, refused, went silent or broke off; the message says which, in a few words."""


@dataclass(frozen=True, slots=True)
class Body:
    """What a server is about to send.

    Attributes:
        start: Position in the file of the first byte that comes; 0 if the server ignored where we wanted to go on.
        total_bytes: Size of the whole file; None if the server does not say.
        etag: The version of the file, in the strong form that a later request may go on from.
    """

    start: int
    total_bytes: int | None
    etag: str | None
    _response: http.client.HTTPResponse | None

    def pieces(self) -> Iterator[bytes]:
        """The bytes, as they arrive.

        Raises:
            Interrupted: They stopped before the end that the server had announced.
        """
        received = self.start
        while self._response is not None:
            try:
                piece = self._response.read1(_READ_BYTES)
            except (OSError, http.client.HTTPException) as error:
                raise Interrupted(_reason(error)) from error
            if not piece:
                break
            received += len(piece)
            yield piece
        if self.total_bytes is not None and received < self.total_bytes:
            raise Interrupted(f"broke off after {received} of {self.total_bytes} bytes")


@contextmanager
def open_body(url: str, start: int, etag: str | None, wait_seconds: float) -> Iterator[Body]:
    """Ask for the file at `url` from byte `start` on, if it is still the version `etag`.

    Args:
        url: The address; proxies are taken from the environment.
        start: How many bytes are there already.
        etag: Their version, or None if it is not known.
        wait_seconds: For name look-up, connection and the first answer together, and then for each next byte.

    Raises:
        Interrupted: There is no answer, or it is an error.
    """
    # A server that compresses on the way would count other bytes than those of the file.
    headers = {"Accept-Encoding": "identity", "User-Agent": "penstock"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if etag is not None:
            headers["If-Range"] = etag
    try:
        response = _open_within(urllib.request.Request(url, headers=headers), wait_seconds)
    except urllib.error.HTTPError as error:
        with error:
            if error.code != _RANGE_NOT_SATISFIABLE or not start:
                raise Interrupted(_reason(error)) from error
        # All of the file is here already, or more than that: the checksum tells.
        yield Body(start, None, etag, None)
        return
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Interrupted(_reason(error)) from error
    with response:
        yield _describe(response, start)


def _describe(response: http.client.HTTPResponse, wanted_start: int) -> Body:
    etag = response.headers["ETag"]
    strong_etag = etag if etag is not None and etag.startswith('"') else None
    if response.status != _PARTIAL_CONTENT:
        return Body(0, response.length, strong_etag, response)
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if found is None or int(found[1]) != wanted_start:
        raise Interrupted(f"answered with another range than was asked for: {response.headers.get('Content-Range')}")
    total = response.length + wanted_start if response.length is not None else None
    return Body(wanted_start, total if found[2] == "*" else int(found[2]), strong_etag, response)


def _open_within(request: urllib.request.Request, wait_seconds: float) -> http.client.HTTPResponse:
    """Open in a thread, because no timeout reaches the look-up of a name, which can take half a minute to fail."""
    outcome: queue.SimpleQueue[http.client.HTTPResponse | BaseException] = queue.SimpleQueue()
    is_abandoned = threading.Event()

    def open_it() -> None:
        try:
            response = urllib.request.urlopen(request, timeout=wait_seconds)
        except BaseException as error:
            outcome.put(error)
            return
        outcome.put(response)
        if is_abandoned.is_set():
            response.close()

    threading.Thread(target=open_it, name="penstock-connect", daemon=True).start()
    try:
        opened = outcome.get(timeout=wait_seconds)
    except queue.Empty:
        is_abandoned.set()
        raise TimeoutError(f"no answer within {wait_seconds:g} s") from None
    if isinstance(opened, BaseException):
        raise opened
    return opened


def _reason(error: BaseException) -> str:
    """A few words on one line."""
    if isinstance(error, urllib.error.HTTPError):
        return f"{error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, BaseException):
        return _reason(error.reason)
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())
