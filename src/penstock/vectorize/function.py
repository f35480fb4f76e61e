"""A user's per-element function, run on blocks: vectorised where that is proven to be the same, else row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import starmap
from typing import Any

import numpy as np

from penstock import tree
from penstock.block import Block, Dense
from penstock.columns import Column, SparseTensor, column_from_rows
from penstock.errors import SpecError
from penstock.node import Context, Indices, Purity
from penstock.spec import Spec, TensorSpec
from penstock.vectorize.purity import Verdict, judge
from penstock.vectorize.scalar import ScalarProof, prove_scalars
from penstock.vectorize.trace import Refusal, Trace, trace

_ROWS_TO_PROVE = 64
_MAX_FAILURES = 3
_LARGE_BYTES = 1 << 20
_COMPONENTS = (np.ndarray, np.generic, int, float, complex, bool, str, bytes, SparseTensor)


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
        self._purity = purity
        self._verdict: Verdict | None = None
        self._form: tuple[Any, list[tuple[Any, ...]]] | None = None
        self._plan: _Vectorised | None = None
        self._scalars: ScalarProof | None = None
        self._treedef: tree.Treedef | None = None
        self._traced: tuple[Spec, Trace | Refusal] | None = None
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
            self._verdict = judge(self.function)
        return self._verdict

    @property
    def purity(self) -> Purity:
        """The verdict's purity, unless the user overrode it."""
        return self.verdict.purity if self._purity is None else self._purity

    def output_spec(self, spec: Spec | None) -> Spec | None:
        """The spec of its results as far as a trace tells; the function is never run on data for it."""
        if spec is None or self.verdict.purity is not Purity.PURE or not self._allowed:
            return None
        traced = self._trace(spec)
        return None if isinstance(traced, Refusal) else traced.output

    def _trace(self, spec: Spec) -> Trace | Refusal:
        """The function traced on elements of `spec`, once for the spec seen last."""
        if self._traced is None or self._traced[0] != spec:
            self._traced = (spec, trace(self.function, spec))
        return self._traced[1]

    def describe(self, spec: Spec | None) -> str:
        """How it runs or will run on elements of `spec`, and why."""
        if not self.way and spec is not None:
            if self.verdict.purity is not Purity.PURE:
                return f"per element: {self.verdict.reason}"
            traced = self._trace(spec)
            return f"per element: {traced.reason}" if isinstance(traced, Refusal) else "vectorised"
        return self.way or "not known before the first element"

    def apply(self, block: Block, context: Context, indices: Indices | int) -> Block:
        """The function's result for every row; errors stand in their rows."""
        if block.treedef is None or block.rows == 0:
            return block
        if not self._allowed:
            return self._row_by_row(block, indices)
        if not self._is_prepared(block):
            self._prepare(block)
        plan = self._plan
        if plan is None:
            return self._row_by_row(block, indices)
        if plan.rows_proven >= _ROWS_TO_PROVE:
            result = plan.run(block, context)
            return self._row_by_row(block, indices) if result is None else result
        return self._prove(plan, block, context, indices)

    def apply_keyed(self, block: Block, indices: Indices, extra: Callable[[int], Any]) -> Block:
        """The function's result for every row, called with one more argument that `extra` makes for the row."""
        return self._row_by_row(block, indices, extra)

    def _is_prepared(self, block: Block) -> bool:
        """Whether it was decided how to run on columns of this form."""
        form = self._form
        if form is None or (block.treedef is not form[0] and block.treedef != form[0]):
            return False
        return all(_column_form(column) == known for column, known in zip(block.columns, form[1], strict=True))

    def _prepare(self, block: Block) -> None:
        """Decide how to run on columns of a new form."""
        forms = [_column_form(column) for column in block.columns]
        self._form, self._plan, self._scalars = (block.treedef, forms), None, None
        if self.verdict.purity is not Purity.PURE:
            self.way = f"per element: {self.verdict.reason}"
            return
        assert block.treedef is not None
        spec = Spec(block.treedef, tuple(_form_spec(form) for form in forms))
        traced = self._trace(spec)
        if isinstance(traced, Refusal):
            self.way = f"per element: {traced.reason}"
            self._scalars = prove_scalars(self.function, spec)
            return
        self.way = "vectorised"
        self._plan = _Vectorised(traced, self)

    def _prove(self, plan: _Vectorised, block: Block, context: Context, indices: Indices | int) -> Block:
        """Run both ways on the first rows; vectorised code that differs in a bit is dropped for good."""
        rows = min(block.rows, _ROWS_TO_PROVE - plan.rows_proven)
        expected = self._row_by_row(block.slice(0, rows), indices)
        result = plan.run(block, context)
        if result is None or expected.errors:
            return self._row_by_row(block, indices) if rows < block.rows else expected
        difference = _difference(expected, result.slice(0, rows))
        if difference:
            self._plan = None
            self.way = f"per element: vectorised, it gave another {difference}"
            return self._row_by_row(block, indices) if rows < block.rows else expected
        plan.rows_proven += rows
        return result

    def give_up(self, reason: str) -> None:
        """Run row by row from now on."""
        self._plan = None
        self.way = f"per element: {reason}"

    def _row_by_row(self, block: Block, indices: Indices | int, extra: Callable[[int], Any] | None = None) -> Block:
        assert block.treedef is not None
        bad = block.errors
        if bad:
            good = np.array([row for row in range(block.rows) if row not in bad], np.intp)
            if not len(good):
                return block
            kept = block.take(good)
        else:
            good, kept = None, block
        results, errors = self._call(kept, indices, good, extra)
        return _spread(results, errors, bad, good, block.rows)

    def _call(
        self, block: Block, indices: Indices | int, good: Any, extra: Callable[[int], Any] | None
    ) -> tuple[Block | None, dict[int, Exception]]:
        """Results of the rows that succeed, in order, and the errors of the others by row."""
        writes = self.verdict.writes_argument
        if writes:
            block = block.private()
        rows = block.rows
        if extra is None:
            arguments = self._arguments(block, writes)
        else:
            extras = map(extra, range(rows) if good is None else good.tolist())
            arguments = self._arguments_with(block, writes, extras)
        results: list[Any] = []
        errors: dict[int, Exception] = {}
        while len(results) + len(errors) < rows:
            try:
                # extend keeps what came before an exception, so a failure costs no second call of any row.
                results.extend(arguments)
                if len(results) + len(errors) < rows:
                    raise RuntimeError(
                        "the function raised StopIteration, which would end the data; raise another error"
                    )
            except Exception as error:
                row = len(results) + len(errors)
                at = row if good is None else int(good[row])
                self._note(error, block, row, at, indices)
                errors[row] = error
        if not results:
            return None, errors
        return self._collect(results, errors)

    def _arguments(self, block: Block, writable: bool) -> Iterator[Any]:
        """An iterator that calls the function for one row after another."""
        assert block.treedef is not None
        function = self.function
        if self._scalars is not None and _scalars_fit(self._scalars, block):
            columns: list[Any] = [column.scalars() for column in block.columns]  # type: ignore[union-attr]
        elif block.treedef == tree.LEAF or tree.is_flat_tuple(block.treedef):
            columns = [column.values(writable) for column in block.columns]
        elif tree.is_tuple(block.treedef):
            return starmap(function, block.elements(writable))
        else:
            return map(function, block.elements(writable))
        return map(function, *columns) if columns else starmap(function, [()] * block.rows)

    def _arguments_with(self, block: Block, writable: bool, extras: Iterator[Any]) -> Iterator[Any]:
        """Like `_arguments`, with a last argument for each row."""
        assert block.treedef is not None
        elements = block.elements(writable)
        if tree.is_tuple(block.treedef):
            return starmap(self.function, ((*element, last) for element, last in zip(elements, extras, strict=True)))
        return map(self.function, elements, extras)

    def _collect(self, results: list[Any], errors: dict[int, Exception]) -> tuple[Block | None, dict[int, Exception]]:
        """Results as columns: bare components and flat tuples of them at once, anything else one by one."""
        known = self._treedef
        if _are_components(results) and (known is None or known == tree.LEAF):
            self._treedef = tree.LEAF
            return Block(tree.LEAF, [column_from_rows(results)], len(results), fresh=True), errors
        widths = set(map(len, results)) if set(map(type, results)) == {tuple} else set()
        if len(widths) == 1 and widths != {0}:
            columns = [list(column) for column in zip(*results, strict=True)]
            if all(map(_are_components, columns)):
                treedef = tree.tuple_of([tree.LEAF] * len(columns))
                if known is None or known == treedef:
                    self._treedef = treedef
                    return Block(treedef, [column_from_rows(c) for c in columns], len(results), fresh=True), errors
        return self._collect_structures(results, errors)

    def _collect_structures(
        self, results: list[Any], errors: dict[int, Exception]
    ) -> tuple[Block | None, dict[int, Exception]]:
        rows = sorted(set(range(len(results) + len(errors))) - set(errors))
        leaves: list[list[Any]] = []
        for row, result in zip(rows, results, strict=True):
            try:
                flat, treedef = tree.flatten(tuple(result) if type(result) is list else result)
                self._check_result(result, flat, treedef)
                leaves.append(flat)
            except Exception as error:
                error.add_note(self._where())
                errors[row] = error
        if not leaves:
            return None, errors
        assert self._treedef is not None
        columns = [column_from_rows(list(column)) for column in zip(*leaves, strict=True)]
        return Block(self._treedef, columns, len(leaves), fresh=True), errors

    def _check_result(self, result: Any, leaves: list[Any], treedef: tree.Treedef) -> None:
        if result is None:
            raise SpecError(f"{self.transformation}(): {self.name} returned None; return the element")
        for leaf in leaves:
            if isinstance(leaf, (set, frozenset, type)) or hasattr(leaf, "gi_frame"):
                kind = leaf if isinstance(leaf, type) else type(leaf)
                raise SpecError(
                    f"{self.transformation}(): {self.name} returned a {kind.__name__}, which is no component; "
                    "return arrays, numbers, text or nested tuples and dicts of them"
                )
        if self._treedef is None:
            self._treedef = treedef
        elif treedef != self._treedef:
            raise SpecError(
                f"{self.transformation}(): {self.name} returned the structure {_show(treedef)} where it had returned "
                f"{_show(self._treedef)}; return the same structure for every element"
            )

    def _where(self) -> str:
        return f"in {self.transformation}({self.name}), added at {self.origin}"

    def _note(self, error: Exception, block: Block, row: int, at: int, indices: Indices | int) -> None:
        index = indices + at if isinstance(indices, int) else int(indices[at])
        error.add_note(f"{self._where()}, element {index}")
        if hasattr(error, "__dict__") and not hasattr(error, "penstock_replay"):
            error.penstock_replay = Replay(self, block.slice(row, row + 1))  # type: ignore[attr-defined]


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


class Replay:
    """One failed call: the function and the element that it failed on."""

    def __init__(self, function: ElementFunction, row: Block) -> None:
        self._function = function
        self._row = row

    def __call__(self) -> Any:
        """Call the function on the element again, in this thread, on a copy of it."""
        row = Block(self._row.treedef, [c.copy() for c in self._row.columns], 1, fresh=True)
        return next(self._function._arguments(row, writable=True))

    def __reduce__(self) -> Any:
        return Replay, (self._function, self._row)


class _Vectorised:
    """A traced function and how far it is trusted."""

    def __init__(self, traced: Trace, owner: ElementFunction) -> None:
        self._trace = traced
        self._owner = owner
        self._failures = 0
        self._passes = traced.passes
        self._treedef = traced.output.treedef
        self._bytes_per_row = sum(_num_bytes(leaf) for leaf in traced.output.leaves)
        self.rows_proven = 0

    def run(self, block: Block, context: Context) -> Block | None:
        """The block's results, or None where it raised or warned: then the rows have to be run one by one."""
        columns, rows, passes = block.columns, block.rows, self._passes
        arrays = [column.array if isinstance(column, Dense) else None for column in columns]
        # Small results are not worth the detour of being written into memory that was made elsewhere.
        allocate = context.allocate if rows * self._bytes_per_row >= _LARGE_BYTES else None
        try:
            with np.errstate(divide="raise", over="raise", invalid="raise"):
                results = self._trace.run(arrays, rows, allocate)
        except Exception:
            self._failures += 1
            if self._failures >= _MAX_FAILURES:
                self._owner.give_up("vectorised, it raised or warned on several blocks")
            return None
        made: list[Column] = [columns[passes[at]] if at in passes else Dense(array) for at, array in enumerate(results)]
        return Block(self._treedef, made, rows, block.errors, block.fresh or not passes)


def _are_components(values: list[Any]) -> bool:
    return all(issubclass(kind, _COMPONENTS) for kind in set(map(type, values)))


def _num_bytes(leaf: TensorSpec) -> int:
    if leaf.shape is None or not isinstance(leaf.dtype, np.dtype):
        return 0
    return int(leaf.dtype.itemsize * np.prod([dim or 1 for dim in leaf.shape], dtype=np.int64))


def _column_form(column: Column) -> tuple[Any, ...]:
    if isinstance(column, Dense):
        array = column._array
        return (column.dtype, () if array is None else array.shape[1:])
    return (type(column),)


def _form_spec(form: tuple[Any, ...]) -> TensorSpec:
    if len(form) == 1:
        return TensorSpec(None, object)
    return TensorSpec(form[1], form[0])


def _scalars_fit(proof: ScalarProof, block: Block) -> bool:
    if not all(isinstance(column, Dense) and column.dtype == np.int64 for column in block.columns):
        return False
    arrays = [column.array for column in block.columns]  # type: ignore[union-attr]
    if any(array.ndim != 1 for array in arrays):
        return False
    return proof.fits(min(int(a.min()) for a in arrays), max(int(a.max()) for a in arrays))


def _difference(expected: Block, got: Block) -> str:
    """What differs between two blocks, in a word; "" where every bit is the same."""
    if expected.treedef != got.treedef:
        return "structure"
    for left, right in zip(expected.columns, got.columns, strict=True):
        if not isinstance(left, Dense) or not isinstance(right, Dense):
            if left.spec() != right.spec():
                return "kind of component"
            continue
        if left.dtype != right.dtype:
            return f"dtype ({right.dtype} for {left.dtype})"
        if left.array.shape != right.array.shape:
            return f"shape ({right.array.shape[1:]} for {left.array.shape[1:]})"
        if not _same_bits(left.array, right.array):
            return "value"
    return ""


def _same_bits(left: Any, right: Any) -> bool:
    """Whether arrays differ in nothing but which NaN stands for not-a-number."""
    if left.dtype.kind == "O" or left.tobytes() == right.tobytes():
        return True
    if left.dtype.kind not in "fc":
        return False
    both = np.isnan(left) & np.isnan(right)
    return bool(left[~both].tobytes() == right[~both].tobytes())


def _spread(
    results: Block | None, errors: dict[int, Exception], bad: dict[int, Exception], good: Any, rows: int
) -> Block:
    """Put results and errors back into the rows they belong to."""
    if not errors and not bad:
        assert results is not None
        return results
    everything = dict(bad)
    everything.update({row if good is None else int(good[row]): error for row, error in errors.items()})
    if results is None:
        return Block(None, (), rows, everything)
    source = np.zeros(rows, np.intp)
    source[[row for row in range(rows) if row not in everything]] = np.arange(results.rows)
    spread = results.take(source)
    return Block(spread.treedef, spread.columns, rows, everything, fresh=True)


def _show(treedef: tree.Treedef) -> str:
    return str(treedef).removeprefix("PyTreeSpec(").removesuffix(")").removesuffix(", namespace='penstock'")
