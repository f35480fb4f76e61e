"""Messages between two ends of a socket: arrays through shared memory and inline, and what becomes of the memory."""

import errno
import gc
import os
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest

from penstock.engine import shared_memory
from penstock.engine.transport import SHARES_MEMORY, Channel

LARGE = 100_000


@pytest.fixture(params=[True, False] if SHARES_MEMORY else [False], ids=lambda shares: "shared" if shares else "inline")
def ends(request):
    first, second = (Channel(end, request.param) for end in socket.socketpair())
    yield first, second
    first.close()
    second.close()


def through(ends, content=None, arrays=()):
    """What arrives; sent in a thread, since a large message waits for its reader."""
    thread = threading.Thread(target=ends[0].send, args=(content, arrays))
    thread.start()
    received = ends[1].receive()
    thread.join()
    return received


def descriptors():
    return set(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize(
    "dtype", ["?", "i1", "u8", ">i4", "f2", "c16", "M8[s]", "U3", "S5", [("a", "i4"), ("b", "f8")]]
)
def test_arrays_of_plain_dtypes_arrive(ends, dtype):
    sent = [np.zeros(shape, dtype) for shape in [(0,), (3,), (2, 0, 4), (LARGE // 64, 3)]]
    for array in sent:
        array.view(np.uint8).reshape(-1)[:] = 1 if np.dtype(dtype).kind == "U" else np.arange(array.nbytes) % 2
        if np.dtype(dtype).kind == "U":
            array[...] = "äb"
    content, received = through(ends, {"key": [1, "x"]}, sent)
    assert content == {"key": [1, "x"]}
    for before, after in zip(sent, received, strict=True):
        assert after.dtype == before.dtype
        assert after.shape == before.shape
        assert after.tobytes() == before.tobytes()


def test_arrays_of_any_layout_arrive_writable_and_aligned(ends):
    frozen = np.arange(LARGE)
    frozen.flags.writeable = False
    sent = [np.arange(LARGE).reshape(100, -1).T, np.arange(LARGE)[::-2], frozen, np.array([1], np.int8), np.ones(3)]
    _, received = through(ends, None, sent)
    for before, after in zip(sent, received, strict=True):
        np.testing.assert_array_equal(after, before)
        assert after.flags.writeable
        assert after.flags.aligned
    received[0][:] = 0
    np.testing.assert_array_equal(received[1], sent[1])


def test_a_message_larger_than_the_sockets_buffer_arrives(ends):
    content, (array,) = through(ends, "x" * 5_000_000, [np.ones(3_000_000)])
    assert len(content) == 5_000_000
    assert array.sum() == 3_000_000


def test_what_is_sent_may_change_afterwards(ends):
    sent = np.zeros(LARGE)
    _, (received,) = through(ends, None, [sent])
    sent[:] = 1
    assert not received.any()


def test_memory_is_used_again_only_when_the_last_array_over_it_has_gone(ends):
    _, (first, beside) = through(ends, None, [np.zeros(LARGE), np.zeros(LARGE)])
    part = first[10:20]
    del first, beside
    through(ends[::-1])
    _, (second,) = through(ends, None, [np.ones(LARGE)])
    through(ends[::-1])
    assert not part.any()
    assert second.all()


@pytest.mark.skipif(not SHARES_MEMORY, reason="no shared memory here")
def test_a_segment_that_came_back_is_lent_again():
    first, second = (Channel(end) for end in socket.socketpair())
    addresses = set()
    for _ in range(5):
        _, (array,) = through((first, second), None, [np.ones(LARGE)])
        addresses.add(array.ctypes.data)
        del array
        through((second, first))
    assert len(addresses) == 1
    first.close()
    second.close()


@pytest.mark.skipif(not SHARES_MEMORY, reason="no shared memory here")
def test_a_reader_keeps_any_number_of_results_where_few_files_may_be_open():
    program = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
import numpy as np
from penstock import Dataset

def filled(n):
    return np.full(50_000, int(n))


ds = Dataset.range(400)
for each in (ds.map(filled, num_parallel_calls=2, executor="process"), ds.map(filled).prefetch(2, executor="process")):
    assert [int(array.max()) for array in list(each)] == list(range(400))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not SHARES_MEMORY, reason="no shared memory here")
@pytest.mark.parametrize(
    ("number", "kind", "told"),
    [
        (errno.EMFILE, RuntimeError, r"open files \(ulimit -n\)"),
        (errno.ENOMEM, MemoryError, r"400,000 bytes.*ulimit -v"),
    ],
)
def test_memory_that_cannot_be_mapped_says_what_to_raise(monkeypatch, number, kind, told):
    def refused(descriptor, size_bytes):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(shared_memory, "_mapped", refused)
    with pytest.raises(kind, match=told):
        shared_memory.Borrower().borrow(1, 400_000, 400_000, 3)


@pytest.mark.skipif(not SHARES_MEMORY, reason="no shared memory here")
def test_a_reader_that_keeps_very_much_gets_copies(monkeypatch):
    monkeypatch.setattr(shared_memory, "_MOST_HELD", len(shared_memory._held) + 3)
    first, second = (Channel(end) for end in socket.socketpair())
    kept = [through((first, second), None, [np.full(LARGE, n)])[1][0] for n in range(6)]
    assert len(shared_memory._held) <= shared_memory._MOST_HELD
    assert [int(array.max()) for array in kept] == list(range(6))
    del kept
    gc.collect()
    first.close()
    second.close()


@pytest.mark.skipif(not SHARES_MEMORY, reason="no shared memory here")
def test_without_memory_left_a_message_goes_inline(monkeypatch):
    def refuse(size_bytes):
        raise OSError("no memory")

    monkeypatch.setattr(shared_memory, "_anonymous_file", refuse)
    first, second = (Channel(end) for end in socket.socketpair())
    _, (array,) = through((first, second), None, [np.ones(LARGE)])
    assert array.sum() == LARGE
    first.close()
    second.close()


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="there is one way only")
def test_shared_memory_without_memfd_leaves_no_name(monkeypatch):
    before = set(os.listdir("/dev/shm"))
    monkeypatch.delattr(os, "memfd_create")
    first, second = (Channel(end) for end in socket.socketpair())
    _, (array,) = through((first, second), None, [np.ones(LARGE)])
    assert array.sum() == LARGE
    assert set(os.listdir("/dev/shm")) == before
    first.close()
    second.close()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="descriptors are counted in /proc")
def test_many_sizes_leave_no_descriptors(ends):
    before = descriptors()
    for power in range(25):
        through(ends, None, [np.ones(1 << power, np.uint8)])
        through(ends[::-1])
    for end in ends:
        end.forget_memory()
    assert descriptors() == before


def test_arrays_outlive_the_connection():
    first, second = (Channel(end) for end in socket.socketpair())
    _, (array,) = through((first, second), None, [np.ones(LARGE)])
    first.close()
    second.close()
    array += 1
    assert array.sum() == 2 * LARGE


def test_memory_that_was_given_up_is_not_mistaken_for_newer_one():
    first, second = (Channel(end) for end in socket.socketpair())
    _, (old,) = through((first, second), None, [np.zeros(LARGE)])
    first.forget_memory()
    second.forget_memory()
    _, (new,) = through((first, second), None, [np.ones(LARGE)])
    del old
    through((second, first))
    through((first, second), None, [np.full(LARGE, 5.0)])
    assert (new == 1).all()
    first.close()
    second.close()


def test_the_end_of_the_connection_is_an_error(ends):
    ends[0].close()
    with pytest.raises(EOFError):
        ends[1].receive()
    with pytest.raises(OSError):
        ends[1].send(None)
