"""Generated chains of deterministic steps that both engines can run; TensorFlow's spec says which step may follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.oracle.engines import TF, Engine
from tests.oracle.outcome import Component, is_structure, parts, rebuilt, spec

MOST_STEPS = 6
MOST_AXES = 4


@dataclass(frozen=True)
class Step:
    """One call: how it is written, and what it does with a dataset of either engine; a source gets None."""

    text: str
    apply: Callable[[Engine, Any], Any]

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Chain:
    """Steps, and what decides what may follow them.

    Attributes:
        steps: The source first.
        theirs: The dataset that TensorFlow makes of them.
        endless: It may never end, whatever its cardinality says.
        aligned: The first axes of an element's components are equal.
    """

    steps: tuple[Step, ...]
    theirs: Any
    endless: bool = False
    aligned: bool = True

    def __repr__(self) -> str:
        return ".".join(map(repr, self.steps))

    def build(self, engine: Engine) -> Any:
        """The dataset."""
        dataset = None
        for step in self.steps:
            dataset = step.apply(engine, dataset)
        return dataset

    def then(self, step: Step, **changes: bool) -> Chain:
        """With another step."""
        return replace(self, steps=(*self.steps, step), theirs=step.apply(TF, self.theirs), **changes)

    def shapes(self) -> list[Any]:
        """What TensorFlow knows of each component's shape."""
        return [component.shape for component in leaves(spec(self.theirs))]

    def can_batch(self) -> bool:
        """Whether all elements are sure to have the same shapes, and few axes."""
        return all(None not in shape and len(shape) < MOST_AXES for shape in self.shapes())

    def can_unbatch(self) -> bool:
        """Whether all components of an element are sure to have the same number of rows."""
        shapes = self.shapes()
        if () in shapes:
            return False
        first = {shape[0] for shape in shapes}
        return len(first) == 1 and (self.aligned or len(shapes) == 1 or None not in first)


def leaves(element: Any) -> list[Any]:
    """The components of nested tuples and dicts."""
    if not is_structure(element):
        return [element]
    return [leaf for part in parts(element).values() for leaf in leaves(part)]


def each(function: Callable[[Any], Any], element: Any) -> Any:
    """`function` of every component."""
    return rebuilt(element, lambda part: each(function, part)) if is_structure(element) else function(element)


def whole(arguments: tuple[Any, ...]) -> Any:
    """The element that a user function was called with."""
    return arguments if len(arguments) > 1 else arguments[0]


def first_total(e: Engine, element: Any) -> Any:
    """The sum of the first component as an int64; exact whatever the order."""
    return e.total(e.cast(leaves(element)[0], np.int64))


NUMBERS = np.arange(12, dtype=np.int64).reshape(6, 2)
HALVES = np.arange(6, dtype=np.float32) / 2
LABELS = np.array([3, -1, 4, -1, 5, -9], np.int32)

ENDLESS = "Dataset.counter()"

SOURCES = [
    Step("Dataset.range(10)", lambda e, _: e.Dataset.range(10)),
    Step("Dataset.range(7, -8, -3)", lambda e, _: e.Dataset.range(7, -8, -3)),
    Step("Dataset.range(90, 390)", lambda e, _: e.Dataset.range(90, 390)),
    Step("Dataset.range(0)", lambda e, _: e.Dataset.range(0)),
    Step(ENDLESS, lambda e, _: e.Dataset.counter()),
    Step("from_tensor_slices(NUMBERS)", lambda e, _: e.Dataset.from_tensor_slices(NUMBERS)),
    Step("from_tensor_slices((NUMBERS, HALVES))", lambda e, _: e.Dataset.from_tensor_slices((NUMBERS, HALVES))),
    Step(
        "from_tensor_slices({'z': NUMBERS, 'a': (LABELS, HALVES)})",
        lambda e, _: e.Dataset.from_tensor_slices({"z": NUMBERS, "a": (LABELS, HALVES)}),
    ),
    Step("from_tensors(LABELS)", lambda e, _: e.Dataset.from_tensors(LABELS)),
    Step("from_list(ones)", lambda e, _: e.from_list([np.ones(n, np.int64) for n in (2, 0, 3)])),
]

MAPS = [
    Step("map(x * 2 + 1)", lambda e, ds: ds.map(lambda *x: each(lambda leaf: leaf * 2 + 1, whole(x)))),
    Step(
        "map(cast to float32)", lambda e, ds: ds.map(lambda *x: each(lambda leaf: e.cast(leaf, np.float32), whole(x)))
    ),
    Step("map((x, first total))", lambda e, ds: ds.map(lambda *x: (whole(x), first_total(e, whole(x))))),
    Step("map({b: x, a: total})", lambda e, ds: ds.map(lambda *x: {"b": whole(x), "a": first_total(e, whole(x))})),
    Step("map(first component)", lambda e, ds: ds.map(lambda *x: leaves(whole(x))[0])),
    Step("map([total, x])", lambda e, ds: ds.map(lambda *x: [first_total(e, whole(x)), whole(x)])),
]

MAPS_OF_ONE = [
    Step("map(-x)", lambda e, ds: ds.map(lambda x: -x)),
    Step("map((x, x > 2))", lambda e, ds: ds.map(lambda x: (x, e.cast(x > 2, np.int64)))),
    Step("map({b: x * 3, a: x // 2})", lambda e, ds: ds.map(lambda x: {"b": x * 3, "a": x // 2})),
]

MAPS_OF_PAIRS = [
    Step("map((y, x))", lambda e, ds: ds.map(lambda x, y: (y, x))),
    Step("map({b: x, a: y})", lambda e, ds: ds.map(lambda x, y: {"b": x, "a": y})),
    Step("map([x, y])", lambda e, ds: ds.map(lambda x, y: [x, (y, x)])),
]

STACK = Step("map(stack x, x)", lambda e, ds: ds.map(lambda *x: each(lambda leaf: e.stack([leaf, leaf]), whole(x))))
FILTER = Step("filter(total % 3 > 0)", lambda e, ds: ds.filter(lambda *x: first_total(e, whole(x)) % 3 > 0))

FLAT_MAPS = [
    Step("flat_map(x twice)", lambda e, ds: ds.flat_map(lambda *x: e.Dataset.from_tensors(whole(x)).repeat(2))),
    Step(
        "flat_map(range beside total)",
        lambda e, ds: ds.flat_map(lambda *x: numbered(e, first_total(e, whole(x)))),
    ),
]
SLICES = Step("flat_map(slices)", lambda e, ds: ds.flat_map(lambda *x: e.Dataset.from_tensor_slices(whole(x))))


def numbered(e: Engine, total: Any) -> Any:
    """Up to three numbers, each beside `total`; at least one."""
    return e.Dataset.range(total % 3 + 1).map(lambda n: (n, total))


def called(method: str, *arguments: Any) -> Step:
    """A method of the dataset with plain arguments."""
    shown = ", ".join(map(repr, arguments))
    return Step(f"{method}({shown})", lambda e, ds: getattr(ds, method)(*arguments))


@st.composite
def chains(draw: st.DrawFn, most_steps: int = MOST_STEPS, most_others: int = 1) -> Chain:
    """A source and up to `most_steps` steps; `zip` lays up to `most_others` further chains beside it."""
    source = draw(st.sampled_from(SOURCES))
    chain = Chain((source,), source.apply(TF, None), endless=source.text == ENDLESS)
    for _ in range(draw(st.integers(1, most_steps))):
        grow = draw(st.sampled_from(growths(chain, most_others)))
        chain = grow(draw, chain)
    return chain


Growth = Callable[[st.DrawFn, Chain], Chain]


def growths(chain: Chain, most_others: int) -> list[Growth]:
    """What may follow."""
    found: list[Growth] = [take, skip, shard, prefetch, repeat, enumerate_, map_, map_, flat_map, concatenate]
    if chain.can_batch():
        found += [batch, batch, stack]
    if chain.can_unbatch():
        found += [unbatch, slices]
    if not chain.endless:
        found += [filter_, cache]
    if most_others:
        found += [zip_, zip_with_itself]
    return found


def take(draw: st.DrawFn, chain: Chain) -> Chain:
    count = draw(st.integers(-1, 9))
    return chain.then(called("take", count), endless=chain.endless and count < 0)


def skip(draw: st.DrawFn, chain: Chain) -> Chain:
    return chain.then(called("skip", draw(st.integers(0, 7))))


def shard(draw: st.DrawFn, chain: Chain) -> Chain:
    number = draw(st.integers(1, 4))
    return chain.then(called("shard", number, draw(st.integers(0, number - 1))))


def prefetch(draw: st.DrawFn, chain: Chain) -> Chain:
    return chain.then(called("prefetch", draw(st.sampled_from([-1, 0, 1, 3]))))


def repeat(draw: st.DrawFn, chain: Chain) -> Chain:
    count = draw(st.sampled_from([None, 0, 1, 2, 3]))
    return chain.then(called("repeat", count), endless=count is None or (chain.endless and count > 0))


def enumerate_(draw: st.DrawFn, chain: Chain) -> Chain:
    return chain.then(called("enumerate", draw(st.integers(-2, 5))))


def is_pair(element: Any) -> bool:
    """Whether a user function gets the element as two arguments."""
    return type(element) is tuple and len(element) == 2


def map_(draw: st.DrawFn, chain: Chain) -> Chain:
    found = spec(chain.theirs)
    traceable = MAPS_OF_ONE if isinstance(found, Component) else MAPS_OF_PAIRS if is_pair(found) else []
    return chain.then(draw(st.sampled_from(MAPS + traceable)))


def stack(draw: st.DrawFn, chain: Chain) -> Chain:
    return chain.then(STACK, aligned=True)


def filter_(draw: st.DrawFn, chain: Chain) -> Chain:
    return chain.then(FILTER)


def cache(draw: st.DrawFn, chain: Chain) -> Chain:
    return chain.then(called("cache"))


def flat_map(draw: st.DrawFn, chain: Chain) -> Chain:
    return chain.then(draw(st.sampled_from(FLAT_MAPS)))


def slices(draw: st.DrawFn, chain: Chain) -> Chain:
    return _split(chain, SLICES)


def unbatch(draw: st.DrawFn, chain: Chain) -> Chain:
    return _split(chain, called("unbatch"))


def _split(chain: Chain, step: Step) -> Chain:
    # Rows of nothing, as a slice of `from_list(ones)` has, may keep an endless chain from ever yielding anything.
    if chain.endless:
        step = Step(f"take(9).{step}", lambda e, ds, split=step.apply: split(e, ds.take(9)))
    return chain.then(step, endless=False, aligned=False)


def batch(draw: st.DrawFn, chain: Chain) -> Chain:
    return chain.then(called("batch", draw(st.integers(1, 5)), draw(st.booleans())), aligned=True)


def concatenate(draw: st.DrawFn, chain: Chain) -> Chain:
    count = draw(st.integers(0, 4))
    return chain.then(Step(f"concatenate(its first {count})", lambda e, ds: ds.concatenate(ds.take(count))))


def zip_(draw: st.DrawFn, chain: Chain) -> Chain:
    other = draw(chains(most_steps=2, most_others=0))
    step = draw(
        st.sampled_from(
            [
                Step(f"zip(it, {other!r})", lambda e, ds: e.Dataset.zip(ds, other.build(e))),
                Step(f"zip(n=it, m={other!r})", lambda e, ds: e.Dataset.zip({"n": ds, "m": other.build(e)})),
                Step(f"zip(({other!r}, it))", lambda e, ds: e.Dataset.zip((other.build(e), ds))),
            ]
        )
    )
    return chain.then(step, endless=chain.endless and other.endless, aligned=False)


def zip_with_itself(draw: st.DrawFn, chain: Chain) -> Chain:
    return chain.then(Step("zip(it, it.skip(1))", lambda e, ds: e.Dataset.zip(ds, ds.skip(1))), aligned=False)
