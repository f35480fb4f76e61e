"""The nodes around a step with a policy: errors of earlier steps go round it, its own are replaced or left out."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from penstock import tree
from penstock.block import Block, all_errors, another, concatenate
from penstock.blockwise import Blockwise
from penstock.calls import shown
from penstock.columns import Objects
from penstock.errors import DataLossError, SpecError, TooManyErrorsError
from penstock.faults import FaultCounts
from penstock.node import UNKNOWN, Context, Epochs, Indices, Node, Operator, State
from penstock.passes import PassCounter, bind_pass
from penstock.provenance import Place
from penstock.quarantined import FailedElement, QuarantineFile, failed_element
from penstock.record import record
from penstock.spec import Spec
from penstock.stream import SurplusOperator

FEWEST_FOR_SHARE = 100
"""Elements before which a share of errors is not judged, but at the end."""

_log = logging.getLogger("penstock")


class Sheltered(Exception):
    """An error of an earlier step on its way through a step whose policy is not for it."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def __copy__(self) -> Sheltered:
        return Sheltered(another(self.error))

    def __reduce__(self) -> Any:
        return Sheltered, (self.error,)


@record
class Shelter(Blockwise):
    """The input, its errors sheltered; stands right before a step with a policy."""

    input: Node

    def known_spec(self) -> Spec | None:
        return self.input.known_spec()

    def apply(self, block: Block, context: Context, epochs: Epochs, indices: Indices | int) -> Block:
        if not block.errors:
            return block
        errors: dict[int, Exception] = {row: Sheltered(error) for row, error in block.errors.items()}
        return block.with_errors(errors)

    def signature(self) -> str:
        return "errors of earlier steps set apart"


@dataclass(frozen=True, slots=True)
class Step:
    """The step that a policy is for, as records and messages name it.

    Attributes:
        method: The transformation.
        function: The name of the user's function; "" where there is none.
        origin: The user's line that added it, "file:line".
        is_aligned: Whether its row i comes of its element i.
    """

    method: str
    function: str
    origin: str
    is_aligned: bool = True

    def __str__(self) -> str:
        return f"{self.method}({self.function})"


class _SeenForm:
    """Structure and dtypes of the first results of a step; kept by identity, pickles as new."""

    def __init__(self) -> None:
        self.found: _Form | None = None

    def __reduce__(self) -> Any:
        return _SeenForm, ()


_Form = tuple[tree.Treedef, tuple[Any, ...]]
"""Structure, and the dtype of each component; None for one whose dtype differs from row to row."""


@record
class SubstituteErrors(Blockwise):
    """The input, with `value` in the place of each of its own errors."""

    input: Node
    step: Step
    value: Block
    shown: str
    faults: FaultCounts = field(repr=False)
    seen: _SeenForm = field(default_factory=_SeenForm, repr=False)

    def known_spec(self) -> Spec | None:
        found, value = self.input.known_spec(), self.value.spec()
        if found is None or value is None or found.treedef != value.treedef:
            return found
        pairs = zip(found.leaves, value.leaves, strict=True)
        return found if all(ours.is_compatible_with(theirs) for ours, theirs in pairs) else None

    def apply(self, block: Block, context: Context, epochs: Epochs, indices: Indices | int) -> Block:
        if self.seen.found is None and block.treedef is not None and len(block.errors) < block.rows:
            self.seen.found = _form(block)
        if not block.errors:
            return block
        own = [row for row, error in block.errors.items() if not isinstance(error, Sheltered)]
        left = {row: error.error for row, error in block.errors.items() if isinstance(error, Sheltered)}
        told = _difference(self._form_of_results(), _form(self.value)) if own else ""
        if told:
            left |= {row: self._misfit(told, block.errors[row]) for row in own}
        if told or not own:
            return block.with_errors(left)
        self.faults.add(substituted=len(own))
        return self._substituted(block, own, left)

    def _substituted(self, block: Block, own: list[int], left: dict[int, Exception]) -> Block:
        if block.treedef is None:
            whole = self.value.take(np.zeros(block.rows, np.intp))
        else:
            order = np.arange(block.rows)
            order[own] = block.rows
            whole = concatenate([Block(block.treedef, block.columns, block.rows), self.value]).take(order)
        return Block(whole.treedef, whole.columns, whole.rows, left, whole.fresh)

    def _form_of_results(self) -> _Form | None:
        spec = self.input.known_spec()
        if spec is None:
            return self.seen.found
        return spec.treedef, tuple(None if leaf.dtype is object else leaf.dtype for leaf in spec.leaves)

    def _misfit(self, told: str, error: Exception) -> SpecError:
        found = SpecError(f"{self.step.method}(): {self.shown} does not fit what {self.step.function} gives: {told}")
        found.__cause__ = error
        for note in getattr(error, "__notes__", []):
            found.add_note(note)
        return found

    def signature(self) -> str:
        return f"errors of {self.step.method} replaced by {self.shown}"


def _form(block: Block) -> _Form:
    assert block.treedef is not None
    return block.treedef, tuple(None if isinstance(part, Objects) else part.dtype for part in block.columns)


def _difference(results: _Form | None, value: _Form) -> str:
    """How the form of a value differs from that of results, and what to write; "" where it does not."""
    if results is None:
        return ""
    treedef, dtypes = results
    if treedef != value[0]:
        return f"the value has the structure {tree.show(value[0])}, other elements have {tree.show(treedef)}"
    for path, wanted, found in zip(tree.paths(treedef), dtypes, value[1], strict=True):
        if wanted is not None and found is not None and wanted != found:
            names = [getattr(dtype, "__name__", dtype) for dtype in (found, wanted)]
            return (
                f"component{path} of the value is {names[0]}, that of other elements {names[1]}; substitute such a one"
            )
    return ""


@record
class DropErrors(Node):
    """The input without its own errors; with those of earlier steps, taken out of their shelter."""

    input: Node
    step: Step
    max_errors: int | float | None
    file: QuarantineFile | None
    faults: FaultCounts = field(repr=False)
    logs: bool = False
    counter: PassCounter = field(default_factory=PassCounter, repr=False)
    pass_number: int = 0

    def known_spec(self) -> Spec | None:
        return self.input.known_spec()

    def cardinality(self) -> int:
        return UNKNOWN

    def bind(self, fact: Any | None) -> tuple[Node, Any | None]:
        fact = bind_pass(self.counter, 0, fact)
        return replace(self, pass_number=fact["pass"]), fact

    def open(self, context: Context) -> Operator:
        above = context if self.file is None else context.keeping_provenance()
        return _DropErrorsOperator(self, above.open(self.input), context.epoch)

    def signature(self) -> str:
        # How many may fail and where they are written is not part of it: a state goes on after a change of either.
        return "ignore_errors()" if self.step.method == "ignore_errors" else f"errors of {self.step.method} left out"

    def label(self) -> str:
        told = [] if self.max_errors is None else [f"max_errors={self.max_errors}"]
        told += [] if self.file is None else [f"written to {self.file.path}"]
        return f"{self.signature()}  # {', '.join(told)}" if told else self.signature()


class _DropErrorsOperator(SurplusOperator):
    """Counts what passes and what fails; both are in the state."""

    def __init__(self, node: DropErrors, source: Operator, epoch: int) -> None:
        super().__init__(source)
        self._node = node
        self._epoch = epoch
        self._seen = 0
        self._failed = 0
        self._has_judged = False
        self._last: Exception | None = None

    def produce(self, rows: int) -> Block | None:
        block = self.source.next_block(rows)
        if block is None:
            return self._judged_at_end()
        first = self._seen
        self._seen += block.rows
        return self._without_errors(block, first) if block.errors else block

    def _without_errors(self, block: Block, first: int) -> Block:
        left: dict[int, Exception] = {}
        dropped: list[int] = []
        for row in sorted(block.errors):
            error = block.errors[row]
            if isinstance(error, Sheltered):
                left[row] = error.error
                continue
            self._failed += 1
            if self._is_too_much(first + row + 1):
                left[row] = self._too_many(first + row + 1, error)
            # A step that is repeated after a resume: what came before its rows in hand was dropped before.
            elif row - len(dropped) < self._to_skip or self._drop(block, row, first + row, left):
                dropped.append(row)
        kept = np.ones(block.rows, np.bool_)
        kept[dropped] = False
        return block.with_errors(left).take(np.flatnonzero(kept))

    def _drop(self, block: Block, row: int, number: int, left: dict[int, Exception]) -> bool:
        """Leave an element out, as it is counted, logged and written down; False where that cannot be done."""
        node, error = self._node, block.errors[row]
        if node.max_errors is not None:
            self._last = error
        if node.logs:
            _log.warning("%s: element %d left out: %s", node.step.method, number, shown(error))
        if node.file is None:
            node.faults.add(skipped=1)
            return True
        try:
            node.file.add(self._record(block, row, number))
        except (OSError, DataLossError) as failure:
            error.add_note(f"not left out, as it could not be written to {node.file.path}: {failure!r}")
            left[row] = error
            return False
        node.faults.add(quarantined=1)
        return True

    def _record(self, block: Block, row: int, number: int) -> FailedElement:
        step = self._node.step
        return failed_element(
            block.errors[row],
            *(step.method, step.function, step.origin),
            number if step.is_aligned else None,
            self._node.pass_number,
            self._epoch,
            Place(None, None) if block.provenance is None else block.provenance.at(row),
        )

    def _is_too_much(self, seen: int, is_end: bool = False) -> bool:
        most = self._node.max_errors
        if isinstance(most, float):
            return (is_end or seen >= FEWEST_FOR_SHARE) and self._failed > most * seen
        return most is not None and self._failed > most

    def _too_many(self, seen: int, error: Exception | None) -> TooManyErrorsError:
        step = self._node.step
        last = "" if error is None else f"; the last one: {shown(error)}"
        found = TooManyErrorsError(
            f"{step}, added at {step.origin}: {self._failed} of {seen} elements failed, more than "
            f"max_errors={self._node.max_errors}{last}"
        )
        found.__cause__ = error
        return found

    def _judged_at_end(self) -> Block | None:
        """One more row where the share of errors is too large in a short dataset, of which it is known only now."""
        last, self._last = self._last, None
        is_share = isinstance(self._node.max_errors, float)
        if (
            self._has_judged
            or not is_share
            or self._seen >= FEWEST_FOR_SHARE
            or not self._is_too_much(self._seen, True)
        ):
            return None
        self._has_judged = True
        return all_errors(self._too_many(self._seen, last))

    def own_state(self) -> Any:
        return {"seen": self._seen, "failed": self._failed, "judged": self._has_judged}

    def set_own_state(self, state: State) -> None:
        self._seen, self._failed = int(state["seen"]), int(state["failed"])
        self._has_judged = bool(state["judged"])

    def close(self) -> None:
        self._last = None
        super().close()
