"""Messages between two processes over a socket, with their arrays in shared memory.

A message is `content`, which is pickled, and arrays, which lie one after another in one payload: in a shared segment
where it is large enough to be worth it, else behind the content. One side sends at a time, so neither waits for the
other to read.
"""

from __future__ import annotations

import array
import contextlib
import os
import pickle
import selectors
import socket
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.engine.shared_memory import Borrower, Lender, Segment

SHARES_MEMORY = hasattr(socket, "send_fds") and hasattr(socket, "AF_UNIX")
"""Whether this system can pass file descriptors to another process."""

_LENGTHS = struct.Struct("<QQ")
_SHARED_FROM_BYTES = 1 << 13
_ALIGNMENT_BYTES = 64
_ONE_SEND_BYTES = 1 << 14
# Not the system's default: one that needs a descriptor of its own is made and closed for each question.
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)
_ANCILLARY_BYTES = socket.CMSG_SPACE(4) if SHARES_MEMORY else 0

Layout = list[tuple[str | np.dtype[Any], tuple[int, ...], int]]
"""Of each array its dtype, its shape and where it begins."""


class Channel:
    """One end of a connection; used by one thread at a time, or by one that sends and one that receives."""

    def __init__(self, connection: socket.socket, shares_memory: bool = SHARES_MEMORY) -> None:
        self._socket = connection
        self._shares_memory = shares_memory
        self._lender = Lender()
        self._borrower = Borrower()

    def send(self, content: Any, arrays: Sequence[NDArray[Any]] = ()) -> None:
        """Send `content`, which must be picklable, and arrays of plain dtypes.

        Raises:
            OSError: The other side is gone.
        """
        layout, size_bytes = _lay_out(arrays)
        segment = self._segment(size_bytes)
        if segment is None:
            inline = np.empty(size_bytes, np.uint8)
            _fill(inline, layout, arrays)
            where: Any = None
        else:
            inline = _NOTHING
            _fill(segment.array, layout, arrays)
            where = segment.number, segment.size_bytes, size_bytes
        book = self._borrower.take_released(), self._lender.take_dropped()
        header = pickle.dumps((content, layout, where, book), 5)
        # The payload is as well aligned as the memory that all of this is received in.
        header += b"\0" * (-len(header) % _ALIGNMENT_BYTES)
        start = _LENGTHS.pack(len(header), len(inline)) + header
        if len(inline) <= _ONE_SEND_BYTES:
            # Each further piece would wake up the other side once more.
            start, inline = start + inline.tobytes(), _NOTHING
        if segment is None or segment.descriptor is None:
            sent = self._socket.send(start)
        else:
            try:
                sent = socket.send_fds(self._socket, [start], [segment.descriptor])
            finally:
                segment.forget_descriptor()
        if sent < len(start):
            self._socket.sendall(memoryview(start)[sent:])
        if len(inline):
            self._socket.sendall(inline.data)

    def _segment(self, size_bytes: int) -> Segment | None:
        if size_bytes < _SHARED_FROM_BYTES or not self._shares_memory:
            return None
        try:
            return self._lender.lend(size_bytes)
        except OSError:  # no descriptor or no memory is left: the message takes the long way
            return None

    def receive(self) -> tuple[Any, list[NDArray[Any]]]:
        """The next message: its content and its arrays, which are writable and nobody else's.

        Raises:
            EOFError: The other side has closed the connection.
            OSError: It is gone.
        """
        lengths, descriptor = self._receive_start()
        try:
            header_bytes, inline_bytes = _LENGTHS.unpack(lengths)
            received = memoryview(self._receive_bytes(header_bytes + inline_bytes))
            content, layout, where, (released, dropped) = pickle.loads(received[:header_bytes])
            self._lender.take_back(released)
            self._borrower.drop(dropped)
            payload: Any = received[header_bytes:]
            if where is not None:
                number, size_bytes, used_bytes = where
                payload = self._borrower.borrow(number, size_bytes, used_bytes, descriptor)
        finally:
            if descriptor is not None:
                os.close(descriptor)
        return content, [np.ndarray(shape, dtype, payload, at) for dtype, shape, at in layout]

    def _receive_start(self) -> tuple[bytes, int | None]:
        """The lengths of what follows, and the descriptor that came with them."""
        if not self._shares_memory:
            return bytes(self._receive_bytes(_LENGTHS.size)), None
        flags = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
        start, ancillary, _, _ = self._socket.recvmsg(_LENGTHS.size, _ANCILLARY_BYTES, flags)
        if not start:
            raise EOFError("the other side has closed the connection")
        descriptor = None
        for _, _, data in ancillary:
            descriptors = array.array("i", data[: len(data) - len(data) % 4])
            descriptor = descriptors[0] if descriptors else None
        if len(start) < _LENGTHS.size:
            start += self._receive_bytes(_LENGTHS.size - len(start))
        return start, descriptor

    def _receive_bytes(self, count: int) -> bytearray:
        received = bytearray(count)
        view = memoryview(received)
        while count:
            got = self._socket.recv_into(view)
            if not got:
                raise EOFError("the other side has closed the connection")
            view = view[got:]
            count -= got
        return received

    def has_message_within(self, seconds: float) -> bool:
        """Whether a message, or the end of the connection, comes within so many seconds or is there."""
        with _Selector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            return bool(selector.select(seconds))

    def forget_memory(self) -> None:
        """Give up all shared memory; both sides have to, between two messages. Arrays at hand live on."""
        self._lender.forget()
        self._borrower.forget()

    def wait_at_most(self, seconds: float | None) -> None:
        """Let `receive` raise TimeoutError when so much time passes without a message; None for never."""
        self._socket.settimeout(seconds)

    def shut(self) -> None:
        """End the connection, from any thread: the other side, and whoever waits here, sees its end at once."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the connection and give up all memory."""
        self.shut()
        self.leave()
        self.forget_memory()

    def leave(self) -> None:
        """Close this process's descriptor: a forked child does not keep the connection of its parent open."""
        self._socket.close()


_NOTHING = np.empty(0, np.uint8)


def _lay_out(arrays: Sequence[NDArray[Any]]) -> tuple[Layout, int]:
    layout: Layout = []
    end = 0
    for each in arrays:
        # A builtin dtype pickles five times as fast by its name.
        dtype = each.dtype.str if each.dtype.isbuiltin == 1 and each.dtype.kind in "biufc" else each.dtype
        layout.append((dtype, each.shape, end))
        end += -(-each.nbytes // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
    return layout, end


def _fill(memory: NDArray[np.uint8], layout: Layout, arrays: Sequence[NDArray[Any]]) -> None:
    for each, (_, shape, at) in zip(arrays, layout, strict=True):
        if each.nbytes:
            np.copyto(np.ndarray(shape, each.dtype, memory.data, at), each)
