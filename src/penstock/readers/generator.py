"""A source that calls the user's generator: `from_generator`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from penstock import calls, policies, tree
from penstock.block import Block, all_errors, concatenate, is_own_memory
from penstock.building import column_from_rows, component
from penstock.columns import SCALAR_DTYPES
from penstock.ending import end
from penstock.errors import DataLossError, SpecError
from penstock.node import UNKNOWN, Context, Node, Operator, Purity, State
from penstock.record import record
from penstock.signatures import declared
from penstock.spec import Spec, TensorSpec, is_array_like, spec_of_value
from penstock.tally import Tally

if TYPE_CHECKING:
    from penstock.dataset import Dataset
    from penstock.faults import OnError

_PLAIN = frozenset(
    {int, float, bool, complex, str, bytes, np.ndarray}
    | {np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64}
    | {np.float16, np.float32, np.float64, np.complex64, np.complex128, np.bool_}
)
"""Types whose values are components wherever they stand, so that no structure has to be looked for in them."""

_READY = _PLAIN - {np.ndarray}
"""Those of them that a column takes as they are."""

_LONGEST_WAIT_SECONDS = 0.01
"""A row does not wait longer for those that come after it in its block."""

_MISSING = object()
_READY_AS = {kind: SCALAR_DTYPES[kind] for kind in (int, float, bool)}

_NUMERIC_KINDS = frozenset("biufc")
_SMALL_BYTES = 1 << 16

_Leaves = list[Any]
Row = _Leaves | Exception
"""The components of an element, or the error in its place."""


def from_generator(
    cls: type[Dataset[Any]],
    generator: Callable[..., Any],
    output_types: Any = None,
    output_shapes: Any = None,
    args: Sequence[Any] | None = None,
    output_signature: Any = None,
    *,
    on_error: OnError = "raise",
    max_errors: int | float | None = None,
) -> Dataset[Any]:
    """Make elements of what a generator function yields.

    >>> def squares(stop):
    ...     for n in range(int(stop)):
    ...         yield n * n
    >>> [int(n) for n in Dataset.from_generator(squares, args=(4,))]
    [0, 1, 4, 9]

    Args:
        generator: Called anew for each iteration and each epoch of a `repeat`; returns anything iterable.
        output_types: A dtype for each component, in the structure of an element; the older form of `output_signature`.
        output_shapes: A shape for each component; goes with `output_types`.
        args: What `generator` is called with, as NumPy values.
        output_signature: A `TensorSpec` for each component. Elements are converted to its dtypes, and refused where
            they do not fit. Without one, elements are taken as they come.
        on_error: As in `map`, without `retry(...)`. Where the generator raises, it has ended all the same.
        max_errors: As in `map`.

    Spec: `output_signature`, if given.
    Cardinality: unknown.
    Order: the generator's.  Random access: no.
    Memory: one element.  State: how many elements were taken; they are generated again on resume, and dropped.

    Raises:
        TypeError: `generator` cannot be called, or the signature holds something else than specs.
        ValueError: `on_error` or `max_errors` is none of those values.
        SpecError: An element does not fit; raised in its place, names component, element and what was declared.
        TooManyErrorsError: More elements failed than `max_errors`; raised in the place of the first that is too many.
        DataLossError: On resume, the generator gives fewer elements than it had given; raised by the next `next`.

    See also: from_tensor_slices, from_list.
    """
    calls.function("from_generator", "generator", generator)
    signature = declared(output_types, output_shapes, output_signature)
    if args is not None and not isinstance(args, (tuple, list)):
        raise TypeError(f"from_generator(): args must be a tuple, but is {args!r}; write args=({args!r},)")
    values = tuple(component(value) for value in args or ())
    policy = policies.asked("from_generator", on_error, max_errors, refused=("retry",))
    node = Generator(generator, values, signature, calls.origin())
    return cls(policy.around(node, _name(generator), node.origin))


@record
class Generator(Node):
    """Calls `function(*args)` and takes what it yields."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    spec: Spec | None
    origin: str

    def known_spec(self) -> Spec | None:
        return self.spec

    def cardinality(self) -> int:
        return UNKNOWN

    @property
    def purity(self) -> Purity:
        return Purity.STATEFUL

    def open(self, context: Context) -> Operator:
        return _GeneratorOperator(self)

    def signature(self) -> str:
        return f"from_generator({_name(self.function)})"


class _GeneratorOperator:
    """Holds the running generator and how many elements it has given."""

    def __init__(self, node: Generator) -> None:
        self._node = node
        self._iterator: Iterator[Any] | None = None
        self._taken = 0
        self._ended = False
        self._yielded = _Yielded(node.spec)
        self._waiting: list[Row] = []
        self.tally = Tally()

    def next_block(self, rows: int) -> Block | None:
        # Where Ctrl-C breaks it off, what was yielded before that stays for the next block.
        until = perf_counter() + _LONGEST_WAIT_SECONDS

        def put(row: Row) -> bool:
            self._waiting.append(row)
            return perf_counter() > until

        self.pour(rows, put)
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return None
        block = self.join(waiting)
        self.tally.blocks += 1
        if block.rows != 1 or block.errors:
            self.tally.add(block)
        return block

    @property
    def treedef(self) -> tree.Treedef | None:
        """See `penstock.node.Pouring`."""
        return self._yielded.treedef

    def pour(self, rows: int, put: Callable[[Row], bool | None]) -> bool:
        """See `penstock.node.Pouring`."""
        if self._ended:
            return False
        take_up = self._yielded.take_up
        row: Row
        for _ in range(rows):
            try:
                element = next(self._iterator or self._start())
            except StopIteration:
                self.close()
                return False
            except Exception as error:
                error.add_note(f"{self._where()}, element {self._taken}")
                self._taken += 1
                self.close()
                put(error)
                return False
            if element is _MISSING:
                self.close()
                # No row: where rows after the state are skipped, it would be skipped with them.
                less = f"only {self._taken} elements, and had given more when the state was saved"
                raise DataLossError(f"from_generator(): the generator gives {less}; has its data changed?")
            try:
                row = take_up(element)
            except Exception as error:
                error.add_note(f"{self._where()}, element {self._taken}")
                row = error
            self._taken += 1
            if put(row):
                break
        return True

    def join(self, rows: Sequence[Row]) -> Block:
        """See `penstock.node.Pouring`."""
        blocks: list[Block] = []
        leaves: list[_Leaves] = []
        if set(map(type, rows)) == {list}:
            return self._yielded.block(rows)[0]  # type: ignore[arg-type]
        for row in rows:
            if isinstance(row, Exception):
                blocks += [*self._yielded.block(leaves), all_errors(row)]
                leaves = []
            else:
                leaves.append(row)
        return concatenate([*blocks, *self._yielded.block(leaves)])

    def _start(self) -> Iterator[Any]:
        if self._iterator is None:
            made = self._node.function(*self._node.args)
            try:
                self._iterator = iter(made)
            except TypeError:
                raise TypeError(
                    f"from_generator(): {self._node.function!r} returned a {type(made).__name__}, which cannot be "
                    "iterated over; return a generator, a list or another iterable"
                ) from None
            for number in range(self._taken):
                if next(self._iterator, _MISSING) is _MISSING:
                    self._taken = number
                    return iter((_MISSING,))
        return self._iterator

    def _where(self) -> str:
        return f"in from_generator({_name(self._node.function)}), added at {self._node.origin}"

    def get_state(self) -> State:
        return {"taken": self._taken, "ended": self._ended}

    def set_state(self, state: State) -> None:
        self._taken, self._ended = int(state["taken"]), bool(state["ended"])

    def close(self) -> None:
        self._ended = True
        iterator, self._iterator = self._iterator, None
        end(iterator, f"the generator {self._where()}")


class _Yielded:
    """Takes the elements of a generator apart; all have one structure.

    Args:
        spec: What elements are declared to be; None where they are taken as they come.
    """

    def __init__(self, spec: Spec | None) -> None:
        self._spec = spec
        self.treedef = None if spec is None else spec.treedef
        self._names = None if spec is None else tree.paths(spec.treedef)
        self._take_apart: Callable[[Any], _Leaves | None] | None = None

    def take_up(self, element: Any) -> _Leaves:
        """The components of an element, as a column takes them.

        Raises:
            SpecError: It has no component, another structure than those before, or does not fit the signature.
        """
        leaves = None if self._take_apart is None else self._take_apart(element)
        if leaves is None:
            leaves = self._flattened(element)
        if self._spec is None:
            return [leaf if type(leaf) in _READY else _own_component(leaf) for leaf in leaves]
        assert self._names is not None
        found = zip(leaves, self._spec.leaves, self._names, strict=True)
        return [_fit(_own(leaf), spec, name) for leaf, spec, name in found]

    def _flattened(self, element: Any) -> _Leaves:
        """The components of an element whose structure has to be looked for."""
        leaves, treedef = tree.flatten(element)
        if self._spec is not None and treedef != self.treedef and self.treedef == tree.LEAF:
            leaves, treedef = [np.asarray(element)], tree.LEAF
        if element is None or (not leaves and self.treedef is None):
            raise SpecError(f"from_generator(): the generator yielded {element!r}, which has no component")
        if self.treedef is None:
            self.treedef = treedef
        if treedef != self.treedef:
            found = f"the structure {tree.show(treedef)}, not {tree.show(self.treedef)}"
            raise SpecError(f"from_generator(): an element has {found}; yield the same structure each time")
        if self._take_apart is None:
            self._take_apart = _quick_way(element, treedef)
        return leaves

    def block(self, rows: list[_Leaves]) -> list[Block]:
        """Elements that were taken up as one block, or none."""
        if not rows:
            return []
        assert self.treedef is not None
        columns = [column_from_rows(list(column)) for column in zip(*rows, strict=True)]
        return [Block(self.treedef, columns, len(rows), fresh=is_own_memory(columns, len(rows)))]


def _by_structure(element: Any) -> _Leaves | None:
    return None


def _quick_way(element: Any, treedef: tree.Treedef) -> Callable[[Any], _Leaves | None]:
    """How to take elements apart that are built like `element`; the way gives None for those that are not.

    Flattening takes longer than all else that is done for an element of a few components.
    """
    kind = type(element)
    if treedef == tree.LEAF:
        return lambda other: [other] if type(other) in _PLAIN else None
    if kind is tuple and tree.form(treedef) is tree.Form.FLAT_TUPLE:
        size = len(element)
        return lambda other: (
            list(other) if type(other) is tuple and len(other) == size and _PLAIN.issuperset(map(type, other)) else None
        )
    if kind is dict:
        probe = {key: object() for key in element}
        in_order, flat = tree.flatten(probe)
        # Components stand in an order of their own; where the keys do too, the values are the components.
        if flat == treedef and in_order == list(probe.values()):
            keys = list(element)
            return lambda other: (
                list(other.values())
                if type(other) is dict and list(other) == keys and _PLAIN.issuperset(map(type, other.values()))
                else None
            )
    return _by_structure


def _own_component(value: Any) -> Any:
    """The component that a value becomes, in memory that the generator does not write into."""
    if type(value) is np.ndarray and value.ndim and value.dtype.kind in _NUMERIC_KINDS:
        return _copied(value) if value.flags.writeable else value
    return component(_own(value))


def _copied(value: NDArray[Any]) -> NDArray[Any]:
    """A copy; of few bytes without letting go of the GIL, which others would take for longer (bench_slow_files.py)."""
    if not 0 < value.nbytes <= _SMALL_BYTES:
        return value.copy()
    return np.frombuffer(value.tobytes(), value.dtype).reshape(value.shape)


def _own(value: Any) -> Any:
    """A copy of an array that the generator may write into when it goes on; all else as it is."""
    return value.copy() if isinstance(value, np.ndarray) and value.flags.writeable else value


def _fit(value: Any, spec: TensorSpec, name: str) -> Any:
    """`value` as the declared dtype, if that loses no kind of information, and of the declared shape."""
    kind, dtype = type(value), spec.dtype
    if kind is np.ndarray and value.dtype == dtype and value.ndim and value.shape == spec.shape:
        return value
    if spec.shape == () and _READY_AS.get(kind) == dtype and not (kind is int and abs(value) >= 2**63):
        return value
    if isinstance(dtype, type):
        found = component(value)
    else:
        raw = np.asarray(component(value) if is_array_like(value) else value)
        if raw.dtype != dtype and not _may_become(raw.dtype, dtype):
            raise SpecError(f"from_generator(): component{name} is {raw.dtype}, but output_signature says {dtype}")
        found = raw.astype(dtype, copy=False)[()]
        if spec.shape is not None and np.shape(found) == spec.shape:
            return found
    fits = spec_of_value(found)
    if not spec.is_compatible_with(fits):
        raise SpecError(f"from_generator(): component{name} is {fits}, but output_signature says {spec}")
    return found


def _may_become(found: np.dtype[Any], wanted: np.dtype[Any]) -> bool:
    numeric = "biufc"
    return found.kind in numeric and wanted.kind in numeric and not (found.kind == "c" and wanted.kind != "c")


def _name(function: Callable[..., Any]) -> str:
    """The function's qualified name, the same in every process."""
    return getattr(function, "__qualname__", None) or type(function).__qualname__
