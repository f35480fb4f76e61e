"""States that come from another process: what grows there after it was told is made to grow here too."""

from __future__ import annotations

import weakref
from collections import defaultdict
from collections.abc import Iterator

from penstock.nested.order_log import OrderLog
from penstock.node import State

_Path = tuple[str | int, ...]


class ReceivedStates:
    """Keeps the order logs in all states that somebody holds like those of the operators that run elsewhere.

    There, each log goes on growing with every row that is handed over. Here, what the log of the newest state has
    beyond the one before it is added to all older logs at the same place.
    """

    def __init__(self) -> None:
        self._kept: defaultdict[_Path, weakref.WeakSet[OrderLog]] = defaultdict(weakref.WeakSet)
        self._told: dict[_Path, int] = {}

    def take_up(self, before: State, after: State) -> None:
        """Take up the states before and after a further block."""
        for path, log in _logs(before):
            for older in list(self._kept[path]):
                older.extend(list(taken) for taken in log[self._told.get(path, 0) :])
            self._kept[path].add(log)
        self._told = {}
        for path, log in _logs(after):
            self._told[path] = len(log)
            self._kept[path].add(log)

    def begin_again(self) -> None:
        """What comes next is of operators that were opened anew."""
        self._told = {}


def _logs(state: State, path: _Path = ()) -> Iterator[tuple[_Path, OrderLog]]:
    if isinstance(state, OrderLog):
        yield path, state
    elif isinstance(state, dict):
        for name, part in state.items():
            if isinstance(part, (dict, list)):
                yield from _logs(part, (*path, name))
    elif isinstance(state, list):
        for at, part in enumerate(state):
            if isinstance(part, (dict, list)):
                yield from _logs(part, (*path, at))
