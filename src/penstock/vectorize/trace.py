"""Run a per-element function once on symbols, and keep what it did as a function of whole blocks."""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from penstock import tree
from penstock.spec import Spec, TensorSpec
from penstock.vectorize.opaque import Opaque
from penstock.vectorize.program import Trace, build
from penstock.vectorize.rewrite import Rewriter, Watch
from penstock.vectorize.selected import Selected
from penstock.vectorize.stand_ins import convert
from penstock.vectorize.symbol import Symbol
from penstock.vectorize.tape import Handle, Stop, Tape, dtype_of

__all__ = ["Refusal", "Trace", "trace"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a function cannot run on blocks, in one line."""

    reason: str


def trace(function: Callable[..., object], spec: Spec) -> Trace | Refusal:
    """Record what `function`, which must be pure, does with elements of `spec`.

    >>> from penstock.spec import spec_of_element
    >>> scale = trace(lambda x: x.astype(np.float32) / 255, spec_of_element(np.zeros(3, np.uint8)))
    >>> scale.operations, scale.output.leaves
    (('astype(float32)', 'divide'), (TensorSpec((3,), float32),))
    >>> trace(lambda x: x if x > 0 else -x, spec_of_element(1)).reason
    'branches on a value'

    The function is called once, on symbols. An element that is exactly a tuple is passed as several arguments.
    """
    tape = Tape(Symbol)
    leaves = [_argument(tape, leaf, number) for number, leaf in enumerate(spec.leaves)]
    inputs = {leaf.place: number for number, leaf in enumerate(leaves) if issubclass(type(leaf), Handle)}
    element = tree.unflatten(spec.treedef, leaves)
    try:
        rewriter = Rewriter(tape)
        rewritten = rewriter.value(function)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = rewritten(*element) if type(element) is tuple else rewritten(element)
        if tape.stopped:
            return Refusal(tape.stopped)
        return _built(tape, inputs, result, rewriter.watched)
    except Stop as stop:
        return Refusal(_located(str(stop), stop.__traceback__, function))
    except Exception as error:
        reason = tape.stopped or f"raises {type(error).__name__} when it is traced: {error}"
        return Refusal(_located(reason, error.__traceback__, function))


def _argument(tape: Tape, leaf: TensorSpec, number: int) -> Any:
    dtype, shape = leaf.dtype, leaf.shape
    if not isinstance(dtype, np.dtype) or dtype.kind not in "biufc" or shape is None or None in shape:
        return Opaque(tape, number, leaf)
    zeros = np.zeros(tuple(size for size in shape if size is not None), dtype)
    return Symbol(tape, tape.column(zeros if shape else zeros[()]))


def _built(tape: Tape, inputs: dict[int, int], result: Any, watched: list[Watch]) -> Trace:
    if type(result) is list:
        result = tuple(result)
    leaves, treedef = tree.flatten(result)
    results: list[tuple[int | None, int]] = []
    specs: list[TensorSpec] = []
    for leaf in leaves:
        if isinstance(leaf, Opaque):
            results.append((leaf.number, 0))
            specs.append(leaf.spec)
            continue
        place = _place(tape, leaf)
        sample = tape.slots[place].sample
        results.append((inputs.get(place), place))
        specs.append(TensorSpec(np.shape(sample), dtype_of(sample)))
    return build(tape, inputs, results, Spec(treedef, tuple(specs)), watched)


def _place(tape: Tape, leaf: Any) -> int:
    """The slot of one component of the result; Python's numbers and lists become arrays."""
    if isinstance(leaf, Handle):
        if leaf.stale:
            raise tape.stop("returns an array that was changed through another name")
        return leaf.place
    if type(leaf) is Selected:
        leaf.stop()
    if isinstance(leaf, list):
        found = convert(tape, np.asarray, (leaf,), {})
        if isinstance(found, Handle):
            return found.place
        leaf = found
    if isinstance(leaf, (bool, int, float, complex)):
        leaf = np.asarray(leaf)
    if isinstance(leaf, (np.ndarray, np.generic)) and leaf.dtype.kind in "biufc":
        return tape.constant(leaf)
    raise tape.stop(f"returns a {type(leaf).__name__}, which is no array of numbers")


def _located(reason: str, traceback: types.TracebackType | None, function: Any) -> str:
    """`reason` on one line, with the line of the user's code where that is known."""
    reason = " ".join(reason.split())
    code = getattr(getattr(function, "func", function), "__code__", None)
    while traceback is not None:
        if code is not None and traceback.tb_frame.f_code is code and code.co_name != "<lambda>":
            return f"{reason} (line {traceback.tb_lineno})"
        traceback = traceback.tb_next
    return reason
