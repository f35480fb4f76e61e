"""A traced function, ready to run: the steps that are needed, and whose memory each may write into."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from penstock.spec import Spec
from penstock.vectorize.tape import Array, Step, Tape

Allocate = Callable[[tuple[int, ...], np.dtype[Any]], Array]

Program = Callable[[Sequence[Any], int, Any], list[Any]]

_OWN = -1
"""Instead of a slot to write into: the step makes its own memory."""


@dataclass(frozen=True, slots=True)
class _Output:
    """How one component of the result is handed over."""

    place: int
    leaf: int | None
    """The input leaf that it is, unchanged."""
    direct: bool
    """A step writes into the memory that was allocated for it."""
    owned: bool
    """It is memory of this run alone, contiguous and used once."""
    shape: tuple[int, ...]
    dtype: Any


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A per-element function as a function of whole blocks, with the same bits in every row."""

    output: Spec
    """Shapes and dtypes of the result of one element."""
    uses: frozenset[int]
    """The input leaves that it needs."""
    operations: tuple[str, ...]
    """Names of the operations, for display."""
    passes: dict[int, int]
    """From output leaf to the input leaf that it hands on unchanged."""
    _outputs: tuple[_Output, ...] = field(repr=False)
    _fresh: Program = field(repr=False)
    """The steps, every result in memory that NumPy makes."""
    _placed: Program = field(repr=False)
    """The same with results written into memory that `allocate` makes."""
    _watched: tuple[Callable[[], bool], ...] = field(repr=False, default=())

    @property
    def is_lasting(self) -> bool:
        """Whether it captured nothing that may be bound to something else."""
        return not self._watched

    def is_current(self) -> bool:
        """Whether every name that the function captured is still bound to what it was bound to when it was traced.

        Captured arrays are read anew by each run; numbers, functions and the like are part of the trace.
        """
        return all(holds() for holds in self._watched)

    def run(
        self,
        columns: Sequence[Array | None],
        rows: int,
        allocate: Allocate | None = None,
    ) -> list[Any]:
        """Compute `rows` rows.

        Args:
            columns: One array for each input leaf, its first axis rows; None for leaves that are not in `uses`. Never
                written into.
            rows: Rows to compute.
            allocate: Where the memory of computed outputs comes from.

        Returns:
            One array for each output leaf: contiguous memory of its own, or the column itself for those in `passes`.
        """
        if rows == 0:
            return self._empty(columns, allocate)
        return self._fresh(columns, rows, np.empty) if allocate is None else self._placed(columns, rows, allocate)

    def _empty(self, columns: Sequence[Any], allocate: Allocate | None) -> list[Any]:
        make = np.empty if allocate is None else allocate
        return [
            columns[made.leaf] if made.leaf is not None else make((0, *made.shape), made.dtype)
            for made in self._outputs
        ]


def build(
    tape: Tape,
    inputs: Mapping[int, int],
    results: Sequence[tuple[int | None, int]],
    output: Spec,
    watched: Sequence[Callable[[], bool]] = (),
) -> Trace:
    """Plan the run of a tape.

    Args:
        tape: What was recorded.
        inputs: From slot to input leaf.
        results: For each output leaf, the input leaf that it passes on, or None and the slot that holds it.
        output: Shapes and dtypes.
        watched: What has to hold for the trace to be that of the function as it is now.
    """
    steps = _needed(tape, [place for leaf, place in results if leaf is None])
    plan = _Plan(tape, steps, inputs, results)
    outputs = tuple(plan.output(number, leaf, place, output) for number, (leaf, place) in enumerate(results))
    outs = plan.memory(outputs)
    used = {place for step in steps for place in step.arguments}
    read = {place for leaf, place in results if leaf is None}
    wanted = {place: leaf for place, leaf in inputs.items() if place in used | read}
    writer = _Writer(tape, steps, wanted, outputs, outs, plan.ends())
    passes = {number: leaf for number, (leaf, _) in enumerate(results) if leaf is not None}
    names = tuple(step.name for step in steps)
    uses = frozenset(wanted.values()) | frozenset(passes.values())
    return Trace(
        output,
        uses,
        names,
        passes,
        outputs,
        writer.program(places=False),
        writer.program(places=True),
        tuple(watched),
    )


class _Writer:
    """Writes the steps as one Python function: reading them from a table costs more than the smaller of them do."""

    def __init__(
        self,
        tape: Tape,
        steps: Sequence[Step],
        inputs: Mapping[int, int],
        outputs: Sequence[_Output],
        outs: Mapping[int, int],
        ends: Mapping[int, Sequence[int]],
    ) -> None:
        self._ends = ends
        self._tape = tape
        self._steps = steps
        self._inputs = inputs
        self._outputs = outputs
        self._outs = outs

    def program(self, places: bool) -> Program:
        """The function; with `places`, results are written into memory that `allocate` makes, where a step can."""
        names: dict[str, Any] = {"row_contiguous": _row_contiguous}
        known = {0: "rows"}
        lines = ["def program(columns, rows, allocate):"]
        for place, leaf in self._inputs.items():
            known[place] = f"s{place}"
            lines.append(f"    s{place} = columns[{leaf}]")
            lines.append(f"    if not s{place}.flags.c_contiguous: s{place} = row_contiguous(s{place})")
        for number, step in enumerate(self._steps):
            names[f"f{number}"] = step.function
            arguments = [self._argument(place, known, names) for place in step.arguments]
            out = self._outs.get(step.place, _OWN)
            if out > _OWN:
                arguments.append(f"out={known[out]}")
            elif out < _OWN and places:
                lines.append(self._allocation(-2 - out, names))
                shape = np.shape(self._tape.slots[step.place].sample)
                same = shape == self._outputs[-2 - out].shape
                arguments.append(f"out=b{-2 - out}" + ("" if same else f".reshape((rows, *{shape!r}))"))
            known[step.place] = f"s{step.place}"
            lines.append(f"    s{step.place} = f{number}({', '.join(arguments)})")
            if self._ends.get(number):
                lines.append(f"    {' = '.join(f's{place}' for place in self._ends[number])} = None")
        results = [self._result(number, places, known, names, lines) for number in range(len(self._outputs))]
        lines.append(f"    return [{', '.join(results)}]")
        exec("\n".join(lines), names)  # the text is made of numbers alone
        return names["program"]  # type: ignore[no-any-return]

    def _argument(self, place: int, known: Mapping[int, str], names: dict[str, Any]) -> str:
        if place in known:
            return known[place]
        names[f"k{place}"] = self._tape.slots[place].block
        return f"k{place}"

    def _allocation(self, number: int, names: dict[str, Any]) -> str:
        made = self._outputs[number]
        names[f"d{number}"] = made.dtype
        return f"    b{number} = allocate((rows, *{made.shape!r}), d{number})"

    def _result(
        self, number: int, places: bool, known: Mapping[int, str], names: dict[str, Any], lines: list[str]
    ) -> str:
        made = self._outputs[number]
        if made.leaf is not None:
            return f"columns[{made.leaf}]"
        if made.direct and places:
            return f"b{number}"
        found = self._argument(made.place, known, names)
        if made.owned and not places:
            return found
        lines += [self._allocation(number, names), f"    b{number}[...] = {found}"]
        return f"b{number}"


def _needed(tape: Tape, places: Sequence[int]) -> list[Step]:
    """The steps that the outputs depend on, and those that may raise for some rows."""
    wanted = set(places)
    kept = []
    for step in reversed(tape.steps):
        if step.place in wanted or step.name == "power" or getattr(step.function, "may_raise", False):
            wanted.update(step.arguments)
            kept.append(step)
    return kept[::-1]


class _Plan:
    """Which slots share memory, and until when each is read."""

    def __init__(
        self, tape: Tape, steps: Sequence[Step], inputs: Mapping[int, int], results: Sequence[tuple[int | None, int]]
    ) -> None:
        self.tape = tape
        self.steps = steps
        self.results = [place for leaf, place in results if leaf is None]
        self.maker = {step.place: step for step in steps}
        self.root: dict[int, int] = {}
        for step in steps:
            self.root[step.place] = self._root_of(step)
        self.last: dict[int, int] = {}
        for when, step in enumerate(steps):
            for place in step.arguments:
                self.last[self.owner(place)] = when
        for place in self.results:
            self.last[self.owner(place)] = len(steps)

    def owner(self, place: int) -> int:
        """The slot whose memory `place` lies in."""
        return self.root.get(place, place)

    def _root_of(self, step: Step) -> int:
        block = self.tape.slots[step.place].block
        for place in step.arguments:
            other = self.tape.slots[place].block
            if isinstance(other, np.ndarray) and isinstance(block, np.ndarray) and np.may_share_memory(block, other):
                return self.owner(place)
        return step.place

    def ends(self) -> dict[int, list[int]]:
        """The slots of computed memory that nothing reads after a step, by that step."""
        found: dict[int, list[int]] = {}
        for place in self.maker:
            when = self.last.get(self.owner(place), len(self.steps))
            if self.owner(place) in self.maker and when < len(self.steps) - 1:
                found.setdefault(when, []).append(place)
        return found

    def output(self, number: int, leaf: int | None, place: int, output: Spec) -> _Output:
        """How output `number` is handed over."""
        spec = output.leaves[number]
        shape: Any = spec.shape
        if leaf is not None:
            return _Output(place, leaf, False, False, shape, spec.dtype)
        slot, owner = self.tape.slots[place], self.owner(place)
        alone = sum(self.owner(other) == owner for other in self.results) == 1
        made = self.maker.get(owner)
        owned = (
            slot.lifted and made is not None and alone and slot.block.flags.c_contiguous and slot.block.flags.writeable
        )
        direct = False
        if owned and made is not None and made.takes_out:
            root = self.tape.slots[owner].block
            direct = root.flags.c_contiguous and root.nbytes == slot.block.nbytes and self._in_order(place, owner)
        return _Output(place, None, direct, owned, shape, spec.dtype)

    def _in_order(self, place: int, owner: int) -> bool:
        """Whether a view that is contiguous like its owner begins where the owner does."""
        blocks = self.tape.slots[place].block, self.tape.slots[owner].block
        starts = {int(block.__array_interface__["data"][0]) for block in blocks}
        return len(starts) == 1

    def memory(self, outputs: Sequence[_Output]) -> dict[int, int]:
        """Where the steps write that do not make their own memory."""
        outs = {self.owner(made.place): -2 - number for number, made in enumerate(outputs) if made.direct}
        for when in range(len(self.steps) - 1, -1, -1):
            step = self.steps[when]
            if not step.in_place:
                continue
            for place in step.arguments:
                if self._may_overwrite(place, step, when):
                    maker = self.maker[place]
                    if step.place in outs and maker.takes_out:
                        outs[place] = outs.pop(step.place)
                    elif step.place in outs:
                        break
                    outs[step.place] = place
                    break
        return outs

    def _may_overwrite(self, place: int, step: Step, when: int) -> bool:
        maker = self.maker.get(place)
        if maker is None or self.owner(place) != place or self.last[place] != when:
            return False
        if any(other != place and self.owner(other) == place for other in step.arguments):
            return False
        mine, wanted = self.tape.slots[place], self.tape.slots[step.place]
        if not mine.lifted or mine.block.dtype != wanted.block.dtype or mine.block.shape != wanted.block.shape:
            return False
        return bool(mine.block.strides == wanted.block.strides and mine.block.flags.writeable)


def _row_contiguous(column: Any) -> Array:
    """`column`, copied if its rows are not contiguous."""
    if column[0].flags.c_contiguous and column.strides[0] > 0:
        return column  # type: ignore[no-any-return]
    return np.ascontiguousarray(column)
