"""The libraries that tokenize: found when they are first needed, and kept to the one core that a call has."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from penstock.engine.autotune import usable_cores

PARALLELISM = "TOKENIZERS_PARALLELISM"
"""What tokenizers asks the environment about its own threads, at each call."""


def tokenizers(method: str) -> Any:
    """The module of that name.

    Raises:
        ImportError: It is not installed.
    """
    try:
        return importlib.import_module("tokenizers")
    except ImportError:
        raise ImportError(
            f'text.{method}() needs tokenizers, which is not installed; pip install "penstock[text]"'
        ) from None


def loaded(name: str) -> Any:
    """The module if somebody imported it already, as whoever holds an object of its classes has; or None."""
    return sys.modules.get(name)


def is_any_installed() -> bool:
    """Whether there is a library whose tokenizers are known."""
    return any(importlib.util.find_spec(name) is not None for name in ("tokenizers", "tiktoken"))


class _OneThread:
    """The library tokenizers held to the calling thread while any of our calls runs.

    Our workers are as many as the budget of cores allows; its own threads would come on top. It knows of no other
    switch than the environment, which is put back when the last call has ended. A user's own setting stands.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls = 0
        self._is_ours = False

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if not self._calls and PARALLELISM not in os.environ:
                os.environ[PARALLELISM] = "false"
                self._is_ours = True
            self._calls += 1
        try:
            yield
        finally:
            with self._lock:
                self._calls -= 1
                if not self._calls and self._is_ours:
                    os.environ.pop(PARALLELISM, None)
                    self._is_ours = False


one_thread = _OneThread()


@contextmanager
def threads_within(cpu_budget: int | None) -> Iterator[None]:
    """The library's own threads where all cores are ours, or the calling thread alone: it takes all or one."""
    if cpu_budget is None or cpu_budget >= usable_cores():
        yield
    else:
        with one_thread():
            yield
