"""A user's per-element function, run on blocks: vectorised where that is proven to be the same, else row by row."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import starmap
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock import tree
from penstock.block import Block, another
from penstock.calls import message
from penstock.node import Context, Indices, Purity
from penstock.spec import Spec
from penstock.vectorize.own_form import OwnForm, has_own_form
from penstock.vectorize.results import Results, spread
from penstock.vectorize.returned import ReturnedMemory
from penstock.vectorize.vectorised import ROWS_TO_PROVE, Form, Vectorised, form_spec, scalars_fit

if TYPE_CHECKING:
    from penstock.vectorize.purity import Verdict
    from penstock.vectorize.scalar import ScalarProof
    from penstock.vectorize.trace import Trace

# Judging and tracing are imported when a function has been called this often: until then that costs more than it gives.
_ROWS_UNJUDGED = 256
# So many kinds of columns are traced and proven; a function that meets more runs row by row.
_MOST_FORMS = 8
_TUPLES = (tree.Form.FLAT_TUPLE, tree.Form.TUPLE)
_noting = threading.Lock()


class ElementFunction:
    """One user function at one place of a plan, with what has been learnt of it; shared by all runs of the plan.

    Attributes:
        function: What the user passed.
        transformation: The name of the method that took it.
        origin: The user's line that added it, "file:line".
        way: How it runs, in one line for `explain`.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        transformation: str,
        origin: str,
        vectorize: bool = True,
        purity: Purity | None = None,
    ) -> None:
        self.function = function
        self.transformation = transformation
        self.origin = origin
        self._allowed = vectorize
        self._has_own_form = has_own_form(function)
        self._purity = purity
        self._verdict: Verdict | None = None
        self._forms: list[Form] = []
        self._traced: tuple[Spec, Trace | str] | None = None
        self._results = Results(f"{transformation}(): {self.name}")
        self._returned = ReturnedMemory()
        self._rows_unjudged = _ROWS_UNJUDGED
        self._writes = False
        self.way = "" if vectorize else "per element: vectorize=False"

    def __reduce__(self) -> Any:
        arguments = (self.function, self.transformation, self.origin, self._allowed, self._purity)
        return ElementFunction, arguments

    @property
    def name(self) -> str:
        """The function's qualified name."""
        return getattr(self.function, "__qualname__", None) or type(self.function).__qualname__

    @property
    def verdict(self) -> Verdict:
        """What its code says of it; judged once."""
        if self._verdict is None:
            from penstock.vectorize.purity import judge

            self._verdict = judge(self.function, draws=self.transformation == "random_map")
        return self._verdict

    @property
    def purity(self) -> Purity:
        """The verdict's purity, unless the user overrode it."""
        return self.verdict.purity if self._purity is None else self._purity

    @property
    def _impurity(self) -> str:
        return self.verdict.reason or f'purity="{self.purity.name.lower()}"'

    def output_spec(self, spec: Spec | None) -> Spec | None:
        """The spec of its results as far as a trace tells; the function is never run on data for it."""
        if spec is None or self.purity is not Purity.PURE or not self._allowed:
            return None
        traced = self._trace(spec)
        return None if isinstance(traced, str) else traced.output

    def uses(self, spec: Spec) -> frozenset[int] | None:
        """The components of an element of `spec` that it looks at, whatever is bound meanwhile; None where unknown."""
        traced = self._trace(spec) if self.purity is Purity.PURE and self._allowed else ""
        return None if isinstance(traced, str) or not traced.is_lasting else traced.uses

    def _trace(self, spec: Spec) -> Trace | str:
        """The function traced on elements of `spec`, once for the spec seen last; or why it cannot be."""
        if self._has_own_form:
            return OwnForm.name
        if self._traced is None or self._traced[0] != spec:
            from penstock.vectorize.trace import Refusal, trace

            traced = trace(self.function, spec)
            found = traced.reason if isinstance(traced, Refusal) else traced
            if not isinstance(found, str) and not found.output.leaves:
                found = "returns no component"
            self._traced = (spec, found)
        return self._traced[1]

    def describe(self, spec: Spec | None) -> str:
        """How it runs or will run on elements of `spec`, and why."""
        if not self.way and spec is not None:
            if self.purity is not Purity.PURE:
                return f"per element: {self._impurity}"
            traced = self._trace(spec)
            if not isinstance(traced, str) or self._has_own_form:
                return OwnForm.name if self._has_own_form else Vectorised.name
            return f"per element: {traced}"
        return self.way or "not known before the first element"

    @property
    def is_vectorised(self) -> bool:
        """Whether it is known to run on whole blocks."""
        return self.way == Vectorised.name

    @property
    def results(self) -> Results:
        """What all of its results have to agree with."""
        return self._results

    def note(self, index: int) -> str:
        """What an error of the call for element `index` is told about where it comes from."""
        return f"in {self.transformation}({self.name}), added at {self.origin}, element {index}"

    def apply(self, block: Block, context: Context, indices: Indices | int) -> Block:
        """The function's result for every row; errors stand in their rows."""
        if block.treedef is None or block.rows == 0:
            return block
        if not self._allowed or self._is_too_early(block.rows):
            return self._row_by_row(block, indices)
        form = self._form_of(block)
        plan = form.plan
        if plan is None:
            return self._row_by_row(block, indices, form.scalars)
        if not plan.is_current:
            # A name that the function reads was bound to something else meanwhile: it is traced and proven again.
            self._forms, self._traced = [], None
            return self.apply(block, context, indices)
        if plan.rows_proven >= ROWS_TO_PROVE:
            result = plan.run(block, context)
            if result is not None:
                return result
            if plan.fails:
                self._drop(form, f"{plan.name}, it raised or warned on several blocks")
            return self._row_by_row(block, indices)
        return self._prove(form, plan, block, context, indices)

    def _is_too_early(self, rows: int) -> bool:
        """Whether nothing is to be learnt yet, so that the first elements come soon."""
        self._rows_unjudged -= rows
        return self._verdict is None and self._rows_unjudged >= 0

    def apply_keyed(self, block: Block, indices: Indices, extra: Callable[[int], Any]) -> Block:
        """The function's result for every row, called with one more argument that `extra` makes for the row."""
        return self._row_by_row(block, indices, extra=extra)

    def _form_of(self, block: Block) -> Form:
        """How to run on columns like these; decided when they are first seen."""
        # Threads may share this function: what is read is a whole form, never half of one and half of another.
        for form in self._forms:
            if form.fits(block):
                return form
        form = self._prepare(block)
        self._forms = [form, *self._forms]
        return form

    def _prepare(self, block: Block) -> Form:
        assert block.treedef is not None
        form = Form(block)
        if len(self._forms) >= _MOST_FORMS:
            self.way = "per element: shapes or dtypes differ from block to block"
            self._allowed = False
        elif self.purity is not Purity.PURE:
            self.way = f"per element: {self._impurity}"
        elif self._has_own_form:
            self.way, form.plan = OwnForm.name, OwnForm(self.function, self._results)
        else:
            spec = Spec(block.treedef, tuple(form_spec(part) for part in form.columns))
            traced = self._trace(spec)
            if isinstance(traced, str):
                from penstock.vectorize.scalar import prove_scalars

                self.way = f"per element: {traced}"
                form.scalars = prove_scalars(self.function, spec)
            else:
                self.way = Vectorised.name
                form.plan = Vectorised(traced)
        return form

    def _prove(
        self, form: Form, plan: Vectorised | OwnForm, block: Block, context: Context, indices: Indices | int
    ) -> Block:
        """Run both ways on the first rows; vectorised code that differs in a bit is dropped for good."""
        rows = min(block.rows, ROWS_TO_PROVE - plan.rows_proven)
        expected = self._row_by_row(block.slice(0, rows), indices)
        result = plan.run(block, context)
        if result is None and plan.fails:
            self._drop(form, f"{plan.name}, it raised or warned on several blocks")
        if result is None or expected.errors:
            return self._row_by_row(block, indices) if rows < block.rows else expected
        changed = plan.difference(expected, result.slice(0, rows))
        if changed:
            self._drop(form, f"{plan.name}, it gave another {changed}")
            return self._row_by_row(block, indices) if rows < block.rows else expected
        plan.rows_proven += rows
        return result

    def _drop(self, form: Form, reason: str) -> None:
        """Run row by row from now on."""
        form.plan = None
        self.way = f"per element: {reason}"

    def _row_by_row(
        self,
        block: Block,
        indices: Indices | int,
        scalars: ScalarProof | None = None,
        extra: Callable[[int], Any] | None = None,
    ) -> Block:
        bad = block.errors
        good: Any = None
        kept = block
        if bad:
            good = np.array([row for row in range(block.rows) if row not in bad], np.intp)
            if not len(good):
                # Not the block as it is: its structure is that of what came in.
                return Block(None, (), block.rows, bad)
            kept = block.take(good)
        if scalars is not None and not bad and scalars_fit(scalars, block):
            collected = self._call_with_scalars(scalars, block)
            if collected is not None:
                return collected
        results, errors = self._call(kept, indices, good, extra)
        return spread(results, errors, bad, good, block.rows)

    def _call(
        self, block: Block, indices: Indices | int, good: Any, extra: Callable[[int], Any] | None
    ) -> tuple[Block | None, dict[int, Exception]]:
        """Results of the rows that succeed, in order, and the errors of the others by row."""
        rows = block.rows
        places = range(rows) if good is None else good.tolist()
        calls = self._calls(block, None if extra is None else map(extra, places))
        if not self._returned.is_trusted and (self._verdict is None or self.purity is Purity.STATEFUL):
            calls = map(self._returned.keep, calls)
        results: list[Any] = []
        errors: dict[int, Exception] = {}
        while len(results) + len(errors) < rows:
            try:
                # extend keeps what came before an exception, so a failure costs no second call of any row.
                results.extend(calls)
                if len(results) + len(errors) < rows:
                    raise RuntimeError(
                        "the function raised StopIteration, which would end the data; raise another error"
                    )
            except Exception as error:
                if not self._writes and "read-only" in message(error):
                    # It writes where its code did not show it, and is pure: all rows are called anew, on copies.
                    self._writes = True
                    return self._call(block, indices, good, extra)
                row = len(results) + len(errors)
                last = None if extra is None else partial(extra, places[row])
                failure, result = self._call_again(error, block.slice(row, row + 1), last)
                if failure is None:
                    results.append(self._returned.keep(result))
                else:
                    errors[row] = failure
        computed = range(rows) if not errors else [row for row in range(rows) if row not in errors]
        collected = self._results.collect(results, computed, errors) if results else None
        for row, failure in errors.items():
            errors[row] = self._note(failure, block, row, places[row], indices, extra)
        return collected, errors

    def _call_again(self, error: Exception, row: Block, last: Callable[[], Any] | None) -> tuple[Exception | None, Any]:
        """What stands for a call that failed: the error, or None and a result."""
        return error, None

    def _call_with_scalars(self, proof: ScalarProof, block: Block) -> Block | None:
        """Results of all rows, called with plain Python numbers; None where a row raises: then each is called anew."""
        try:
            results = list(map(self.function, *(column.scalars() for column in block.columns)))  # type: ignore[union-attr]
        except Exception:
            return None
        if len(results) < block.rows:
            return None  # the function raised StopIteration, which map takes for the end
        if proof.treedef == tree.LEAF and proof.output_kinds[0] is not str:
            return self._results.collect_scalars(results, proof.output_kinds[0])
        return self._results.collect(results, range(block.rows), {})

    def _calls(self, block: Block, extras: Iterator[Any] | None = None) -> Iterator[Any]:
        """An iterator that calls the function for one row after another, on memory that it may write into."""
        writes = self._writes or self._verdict is None or self._verdict.writes_argument
        if writes:
            # A copy even of fresh memory: the row as it was is needed for a proof, or to call the function again.
            block = Block(block.treedef, [column.copy() for column in block.columns], block.rows, fresh=True)
        treedef = block.treedef
        assert treedef is not None
        form = tree.form(treedef)
        if extras is not None:
            elements = block.elements(writes)
            if form in _TUPLES:
                return starmap(
                    self.function, ((*element, last) for element, last in zip(elements, extras, strict=True))
                )
            return map(self.function, elements, extras)
        if form is tree.Form.BARE or form is tree.Form.FLAT_TUPLE:
            columns: list[Any] = [column.values(writes) for column in block.columns]
        else:
            call = starmap if form in _TUPLES else map
            return call(self.function, block.elements(writes))
        return map(self.function, *columns) if columns else starmap(self.function, [()] * block.rows)

    def _note(
        self,
        error: Exception,
        block: Block,
        row: int,
        place: int,
        indices: Indices | int,
        extra: Callable[[int], Any] | None,
    ) -> Exception:
        index = indices + place if isinstance(indices, int) else int(indices[place])
        with _noting:
            before: Any = getattr(error, "penstock_replay", None)
            is_known = before is not None and before.function is self
            if is_known:  # an object that is raised again and again: each element has one that tells of it alone
                error = another(error, without=self.note(before.index))
            error.add_note(self.note(index))
            if hasattr(error, "__dict__") and (before is None or is_known):
                last = None if extra is None else partial(extra, place)
                error.penstock_replay = Replay(self, block.slice(row, row + 1), last, index)  # type: ignore[attr-defined]
        return error


class Replay:
    """One failed call, to be made again.

    Attributes:
        function: What was called.
        row: The element that it failed on.
        last: How a last argument is made, if there is one.
        index: The element's number.
    """

    def __init__(
        self, function: ElementFunction, row: Block, last: Callable[[], Any] | None, index: int | None = None
    ) -> None:
        self.function = function
        self.row = row
        self.last = last
        self.index = index

    def __call__(self) -> Any:
        """Call the function on the element again, in this thread, on a copy of it, and look at what it returns."""
        extras = None if self.last is None else iter([self.last()])
        result = next(self.function._calls(self.row, extras))
        errors: dict[int, Exception] = {}
        self.function.results.collect([result], [0], errors)
        if errors:
            raise errors[0]
        return result

    def __reduce__(self) -> Any:
        return Replay, (self.function, self.row, None, self.index)


def purity_of(method: str, name: str | None) -> Purity | None:
    """The purity that a keyword names; None for None.

    Raises:
        ValueError: It names none.
    """
    if name is None:
        return None
    try:
        return Purity[name.upper()]
    except (KeyError, AttributeError):
        raise ValueError(f'{method}(): purity must be "pure", "stateless" or "stateful", but is {name!r}') from None
