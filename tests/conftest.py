"""For all tests: Keras and JAX, how many examples hypothesis draws, and that no thread is left behind."""

from __future__ import annotations

import gc
import os
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from penstock.parallel import IDLE

# Keras reads this when it is first imported; its own default is TensorFlow.
os.environ.setdefault("KERAS_BACKEND", "jax")

# So does JAX. The tests compile the same few functions many times over, in several processes; this folder keeps what
# came of the first time.
_compiled = tempfile.TemporaryDirectory(prefix="penstock-compiled-")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", _compiled.name)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

# Few examples by hand. No deadline: on a busy machine it would time the neighbours, not penstock.
settings.register_profile("default", max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples in each run, so that a change is blamed only for what it changes.
settings.register_profile("ci", settings.get_profile("default"), max_examples=20, derandomize=True, print_blob=True)
settings.register_profile("long", settings.get_profile("default"), max_examples=20_000, print_blob=True)

# `--hypothesis-profile` is read after this and wins.
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))

SECONDS_TO_END = 10.0
BYTES_SPELLED_OUT = 32


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a case by the length of its content: a packed file may hold the time, and workers must find equal names."""
    return f"{len(val)} bytes" if isinstance(val, bytes) and len(val) > BYTES_SPELLED_OUT else None


def _working() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("penstock") and thread.name != IDLE]


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Fail the test that leaves a working thread behind, rather than a later one that counts threads."""
    yield
    if not _working():
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a thread that takes its time, which is what is waited for here
        gc.collect()  # an iterator in a cycle, such as that of an exception with its frames, ends when it is collected
    end = time.monotonic() + SECONDS_TO_END
    while (left := _working()) and time.monotonic() < end:
        left[0].join(0.05)
    assert not left, f"the test left threads at work: {[thread.name for thread in left]}"
