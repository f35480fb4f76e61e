"""Picks that are spread evenly: at any step each input has been picked its share of all steps, to less than one."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, lcm

import numpy as np
from numpy.typing import NDArray

from penstock.block import Block
from penstock.mixing.picks import NONE_LEFT, Open, Picks
from penstock.node import Context, Purity

_RUN_STEPS = 1024
_RUNS_KEPT = 64


class Even:
    """Picks of which input i has had between n * w_i - 1 and n * w_i + 1 after any n steps, both excluded.

    Of the inputs that are behind by more than a little, the one that would be the first to be behind by too much is
    picked (Tijdeman, "The chairman assignment problem", 1980: with k inputs none is ever off by more than
    1 - 1 / (2k - 2)). Weights are the decimal numbers that they print as, in exact arithmetic; the picks come again
    after as many steps as the smallest whole numbers in the ratio of the weights have as their sum.

    Args:
        weights: One for each input, all above 0.
    """

    run_steps = 4096
    purity = Purity.PURE

    def __init__(self, weights: Sequence[float]) -> None:
        # Imported here: with the decimal numbers that it brings, it takes three milliseconds, and few mix by weights.
        from fractions import Fraction

        fractions = [Fraction(repr(float(weight))) for weight in weights]
        scale = lcm(*(fraction.denominator for fraction in fractions))
        shares = [int(fraction * scale) for fraction in fractions]
        divisor = gcd(*shares)
        self._shares = [share // divisor for share in shares]
        self._period = sum(self._shares)
        # How often each input was picked before each run; the runs themselves are made again when needed.
        self._marks = [(0,) * len(shares)]
        self._runs: dict[int, NDArray[np.int64]] = {}

    def pick(self, start: int, count: int, given: Block | None, is_open: Open, context: Context) -> Picks:
        if not is_open.any():
            return NONE_LEFT
        return Picks(self.picks(start, count))

    def picks(self, start: int, count: int) -> NDArray[np.int64]:
        """The inputs of `count` steps from `start` on.

        >>> Even([0.5, 0.3, 0.2]).picks(0, 10).tolist()
        [0, 1, 0, 2, 0, 1, 0, 2, 1, 0]
        """
        found = np.empty(count, np.int64)
        done = 0
        while done < count:
            step = (start + done) % self._period
            number, skipped = divmod(step, _RUN_STEPS)
            run = self._run(number)[skipped : skipped + count - done]
            found[done : done + len(run)] = run
            done += len(run)
        return found

    def _run(self, number: int) -> NDArray[np.int64]:
        while len(self._marks) <= number:
            self._make(len(self._marks) - 1)
        found = self._runs.get(number)
        return self._make(number) if found is None else found

    def _make(self, number: int) -> NDArray[np.int64]:
        counts = list(self._marks[number])
        steps = min(_RUN_STEPS, self._period - number * _RUN_STEPS)
        run = np.array([self._next(number * _RUN_STEPS + at, counts) for at in range(steps)], np.int64)
        if number + 1 == len(self._marks):
            self._marks.append(tuple(counts))
        while len(self._runs) >= _RUNS_KEPT:
            del self._runs[next(iter(self._runs))]
        self._runs[number] = run
        return run

    def _next(self, step: int, counts: list[int]) -> int:
        """The pick of a step, added to `counts`, which are those before it."""
        shares, period = self._shares, self._period
        slack = max(1, 2 * len(shares) - 2)
        best, best_due, best_share = 0, 0, 0
        for number, share in enumerate(shares):
            had = counts[number]
            if slack * (share * (step + 1) - had * period) < period and len(shares) > 1:
                continue
            # The step by which it must be picked is due / share, in units that are the same for all.
            due = slack * (had + 1) - 1
            if not best_share or due * best_share < best_due * share:
                best, best_due, best_share = number, due, share
        counts[best] += 1
        return best
