"""Which element of which input each element of a mixture is, found by counting picks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.mixing.picks import ERROR, Picker
from penstock.node import Context, Indices, Node, follow_one_another
from penstock.record import record

_RUNS_KEPT = 64
_UNBOUNDED = 2**62


@record(eq=True)
class _Run:
    """Elements that follow one another."""

    which: NDArray[Any]
    within: Indices
    failures: tuple[Exception, ...]
    """Those rows whose `which` is one beyond the last input, by their `within`."""


class Ledger:
    """Counts the picks of one epoch, run by run; keeps the counts before each, and the last 64 runs.

    Args:
        picker: Whose picks.
        sizes: How many elements each input has; below 0 for endless.
        chooser: The dataset that tells the picks, if there is one.
        epoch: The epoch in which it does.
        context: That of the run of the plan.
    """

    def __init__(
        self, picker: Picker, sizes: Sequence[int], chooser: Node | None, epoch: int, context: Context
    ) -> None:
        self._picker = picker
        # Errors are counted like the elements of one more, endless input.
        self._sizes = np.array([*(size if size >= 0 else _UNBOUNDED for size in sizes), _UNBOUNDED], np.int64)
        self._is_open = np.ones(len(sizes), np.bool_)
        self._chooser = chooser
        self._epoch = epoch
        self._context = context
        self._run_steps = picker.run_steps
        self._steps = None if chooser is None or chooser.cardinality() < 0 else chooser.cardinality()
        self._starts: list[int] = [0]
        self._counts: list[Indices] = [np.zeros(len(self._sizes), np.int64)]
        self._kept: dict[int, _Run] = {}
        self._picked: tuple[int, NDArray[np.int64], tuple[Exception, ...]] | None = None

    def locate(self, indices: Indices) -> tuple[NDArray[np.int64], Indices, list[Exception]]:
        """For each element: the number of its input, and which element of that it is; and the errors among them.

        An error has a number beyond the last input, and its place among the errors that are returned.
        """
        which = np.empty(len(indices), np.int64)
        within = np.empty(len(indices), np.int64)
        failures: list[Exception] = []
        if not len(indices):
            return which, within, failures
        last = int(indices.max())
        while self._starts[-1] <= last:
            self._count()
        for number, here, offsets in self._by_run(indices):
            run = self._run(number)
            which[here] = run.which[offsets]
            within[here] = run.within[offsets]
            if run.failures:
                within[here] = self._collected(run, which[here], within[here], failures)
        return which, within, failures

    def _by_run(self, indices: Indices) -> Iterator[tuple[int, Any, Any]]:
        """The runs that elements are in, where these stand among `indices`, and where in the run."""
        starts = self._starts
        if follow_one_another(indices):
            first, stop = int(indices[0]), int(indices[-1]) + 1
            number = bisect_right(starts, first) - 1
            while starts[number] < stop:
                low, high = max(first, starts[number]), min(stop, starts[number + 1])
                if low < high:
                    yield number, slice(low - first, high - first), slice(low - starts[number], high - starts[number])
                number += 1
            return
        numbers = np.searchsorted(np.asarray(starts), indices, side="right") - 1
        for number in np.unique(numbers).tolist():
            here = np.flatnonzero(numbers == number)
            yield number, here, indices[here] - starts[number]

    def _collected(self, run: _Run, which: Indices, within: Indices, failures: list[Exception]) -> Indices:
        """`within`, with the places that errors of a run have behind those that were collected before."""
        within = within.copy()
        for row in np.flatnonzero(which == len(self._sizes) - 1).tolist():
            failures.append(run.failures[int(within[row])])
            within[row] = len(failures) - 1
        return within

    def _count(self) -> None:
        """Note where the run after the last known one begins."""
        number = len(self._starts) - 1
        which, _ = self._pick(number)
        before = self._counts[number]
        after = np.minimum(before + np.bincount(which, minlength=len(before)), self._sizes)
        self._counts.append(after)
        self._starts.append(self._starts[number] + int((after - before).sum()))

    def _run(self, number: int) -> _Run:
        found = self._kept.get(number)
        if found is None:
            while len(self._kept) >= _RUNS_KEPT:
                del self._kept[next(iter(self._kept))]
            found = self._kept[number] = self._make(number)
        return found

    def _make(self, number: int) -> _Run:
        which, failures = self._pick(number)
        before = self._counts[number].copy()
        before[-1] = 0  # errors have their places in this run
        # The sort is a radix sort where the numbers are narrow.
        order = np.argsort(which.astype(np.min_scalar_type(len(before))), kind="stable")
        counts = np.bincount(which, minlength=len(before))
        within = np.empty(len(which), np.int64)
        within[order] = np.arange(len(which)) + np.repeat(before - (np.cumsum(counts) - counts), counts)
        is_there = within < self._sizes[which]
        if not is_there.all():
            which, within = which[is_there], within[is_there]
        return _Run(which, within, failures)

    def _pick(self, number: int) -> tuple[NDArray[np.int64], tuple[Exception, ...]]:
        """The input of each step of a run, one beyond the last for an error; and those errors."""
        if self._picked is None or self._picked[0] != number:
            self._picked = (number, *self._pick_anew(number * self._run_steps))
        return self._picked[1:]

    def _pick_anew(self, start: int) -> tuple[NDArray[np.int64], tuple[Exception, ...]]:
        count, given = self._run_steps, None
        if self._chooser is not None:
            count = count if self._steps is None else min(count, self._steps - start)
            steps = np.arange(start, start + count, dtype=np.int64)
            given = self._chooser.resolve(self._epoch, steps, self._context).gather(0, count)
        picks = self._picker.pick(start, count, given, self._is_open, self._context)
        if not picks.errors:
            return picks.which, ()
        which = np.where(picks.which == ERROR, len(self._is_open), picks.which)
        return which, tuple(picks.errors[step] for step in sorted(picks.errors))
