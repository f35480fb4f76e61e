"""Facts that bind a plan to a pass of a chosen number: those that normal binding would have come to by then."""

from __future__ import annotations

from collections import Counter
from typing import Any

from penstock.node import Node
from penstock.plan import walk


def pass_facts(node: Node, number: int, first: int = 0) -> list[Any]:
    """Facts for every node of a plan, the last step first, in pass `number` over a dataset built anew.

    A node that stands n times in the plan takes the numbers k * n to k * n + n - 1 in pass k. What stands above a cache
    is bound in the first pass alone, and takes numbers in that one only.

    Args:
        node: The plan.
        number: The pass, at least `first`.
        first: The first pass; `number` itself for datasets whose passes do not follow one another.
    """
    steps = walk(node)
    # Nodes are told apart by what they have, a `counter` or the `cell` of a cache: the engine knows none by name.
    counters = [id(getattr(step, "counter", step)) for step in steps]
    cells = [getattr(step, "cell", None) for step in steps]
    if len(set(counters)) == len(steps) and cells.count(None) == len(steps):
        return [{"pass": number} for _ in steps]
    sizes = [0 if cell is None else len(walk(step)) for step, cell in zip(steps, cells, strict=True)]
    opening = _opening_numbers(counters, cells, sizes)
    is_kept = _kept(sizes)
    in_first: Counter[int] = Counter()
    in_later: Counter[int] = Counter()
    later: list[int] = []
    for counter, taken, kept in zip(counters, opening, is_kept, strict=True):
        in_first[counter] = max(in_first[counter], taken + 1)
        later.append(in_later[counter])
        in_later[counter] += not kept
    numbers: list[int] = []
    for at, counter in enumerate(counters):
        if number == first or is_kept[at]:
            numbers.append(first * in_first[counter] + opening[at])
        else:
            numbers.append((first + 1) * in_first[counter] + (number - first - 1) * in_later[counter] + later[at])
    return [{"pass": taken} for taken in numbers]


def _opening_numbers(counters: list[int], cells: list[Any], sizes: list[int]) -> list[int]:
    """The number that each step takes from its counter in pass 0; what one cell keeps is bound once."""
    numbers: list[int] = []
    taken: Counter[int] = Counter()
    kept_at: dict[int, int] = {}
    while len(numbers) < len(counters):
        at = len(numbers)
        numbers.append(taken[counters[at]])
        taken[counters[at]] += 1
        if cells[at] is not None:
            start = kept_at.setdefault(id(cells[at]), at)
            if start < at:
                numbers += numbers[start + 1 : start + sizes[at]]
    return numbers


def _kept(sizes: list[int]) -> list[bool]:
    """Whether each step stands above a cache; `sizes` counts the steps from each cache up, itself included."""
    found: list[bool] = []
    end = 0
    for at, size in enumerate(sizes):
        found.append(at < end)
        end = max(end, at + size)
    return found
