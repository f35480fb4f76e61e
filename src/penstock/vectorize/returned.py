"""Whether a user function returns memory that it writes into again: a buffer that is filled anew for each element."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock import tree
from penstock.building import component
from penstock.spec import is_array_like

_RESULTS_WATCHED = 64
# What most tuples hold; they need not be taken apart with care (bench_resume.py).
_ITEMS = frozenset([np.ndarray, np.int64, np.int32, np.uint8, np.float32, np.float64, np.bool_, int, float, bool, str])
_NUMBERS = _ITEMS - {np.ndarray}


class ReturnedMemory:
    """Keeps what a function returned from changing with its next call.

    Arrays are copied as they are returned until 64 results have been seen to be memory of their own; where the same
    memory came twice, always.
    """

    def __init__(self) -> None:
        self._owners: dict[int, weakref.ref[NDArray[Any]]] = {}
        self._lists: dict[int, list[Any]] = {}
        self._results_seen = 0
        self._comes_again = False

    @property
    def is_trusted(self) -> bool:
        """Whether results need no copy any more."""
        return self._results_seen >= _RESULTS_WATCHED and not self._comes_again

    def keep(self, result: Any) -> Any:
        """`result` as it is now, whatever the function does to it later."""
        self._results_seen += 1
        if isinstance(result, np.ndarray):
            result = self._kept(result)
        elif type(result) is tuple and _ITEMS.issuperset(map(type, result)):
            result = tuple(map(self._kept, result))
        elif isinstance(result, (tuple, dict)) or hasattr(result, "__dict__"):
            leaves, treedef = tree.flatten(result)
            result = tree.unflatten(treedef, map(self._kept, leaves))
        else:
            result = self._kept(result)
        if self.is_trusted:
            self._owners.clear()
            self._lists.clear()
        return result

    def _kept(self, value: Any) -> Any:
        if type(value) is list:
            return self._kept_list(value)
        if not isinstance(value, np.ndarray):
            if type(value) in _ITEMS or hasattr(value, "dtype") or not is_array_like(value):
                return value
            self._comes_again = True  # what it is over cannot be told from it: an object is easily filled anew
            return component(value)
        if not value.flags.writeable:
            return value
        if not self._comes_again:
            self._watch(value)
        return value.copy()

    def _kept_list(self, items: list[Any]) -> list[Any]:
        if not self._comes_again:
            self._comes_again = id(items) in self._lists
            self._lists[id(items)] = items  # itself, so that no other list gets its identity
        return list(items) if _NUMBERS.issuperset(map(type, items)) else [self._kept(item) for item in items]

    def _watch(self, array: NDArray[Any]) -> None:
        owner = array.base if isinstance(array.base, np.ndarray) else array
        address = array.__array_interface__["data"][0]
        last = self._owners.get(address)
        # An address says nothing where its last owner is gone: the memory was free to be used again.
        self._comes_again = last is not None and last() is owner
        self._owners[address] = weakref.ref(owner)
