"""The libraries that decode and resize: whichever are installed, asked for when they are first needed."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import threading
from typing import Any

_SHOWN = {"simplejpeg": "simplejpeg", "cv2": "OpenCV", "PIL": "Pillow"}


@functools.cache
def find(name: str) -> Any:
    """The module of that name, or None if it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def simplejpeg() -> Any:
    """libjpeg-turbo with scaled decoding, and its warnings as errors; or None."""
    return find("simplejpeg")


def opencv() -> Any:
    """OpenCV; or None."""
    return find("cv2")


def pillow() -> Any:
    """Pillow's `PIL.Image`; or None."""
    return find("PIL.Image")


def missing(method: str, names: str) -> ImportError:
    """The error of a function that finds none of the libraries it can use."""
    return ImportError(f'image.{method}() needs {names}, and none is installed; pip install "penstock[image]"')


@functools.cache
def in_use() -> str:
    """The installed ones by name, for `explain()`; loads none."""
    found = [shown for name, shown in _SHOWN.items() if importlib.util.find_spec(name) is not None]
    return ", ".join(found) or "no library for images"


class _OneThread:
    """OpenCV held to one thread while any of our calls runs: workers keep the cores busy, and its own would fight them.

    OpenCV knows this number for the whole process alone, so the user's own is put back when the last call has ended.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls = 0
        self._own = 1
        self._cv2: Any = None

    def __call__(self, cv2: Any) -> _OneThread:
        self._cv2 = cv2
        return self

    def __enter__(self) -> None:
        with self._lock:
            if not self._calls:
                self._own = self._cv2.getNumThreads()
                if self._own != 1:
                    self._cv2.setNumThreads(1)
            self._calls += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._calls -= 1
            if not self._calls and self._own != 1:
                self._cv2.setNumThreads(self._own)


one_thread = _OneThread()
