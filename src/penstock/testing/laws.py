"""The laws: what is true of every transformation, alone and in any chain.

A law that holds for workers too, threads and processes, joins this list with them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from penstock import tree
from penstock.dataset import Dataset
from penstock.ends.run import bind, prepare
from penstock.engine.iterator import DatasetIterator
from penstock.engine.pass_facts import pass_facts
from penstock.engine.run import RunContext, open_node
from penstock.errors import CardinalityError
from penstock.fingerprint import fingerprint
from penstock.node import INFINITE, UNKNOWN, Access, Node
from penstock.spec import Spec, TensorSpec, spec_of_value
from penstock.testing.case import Chain
from penstock.testing.closing import close
from penstock.testing.laziness import laziness
from penstock.testing.observe import HORIZON, as_failure, block_items, first, observe, pull, same
from penstock.testing.reference import Failure
from penstock.testing.resuming import resume, resume_on_other_shards, resume_operators, shards

Choose = Callable[[int, int], int]
"""Picks a whole number between two, both included: where to cut, how many shards."""

Law = Callable[[Chain, Choose], None]


def values(chain: Chain, choose: Choose) -> None:
    """A dataset yields what the references say, and errors in their places; a read-only iterator too."""
    expected = first(chain.elements())
    same(expected, observe(iter(chain.build())), "values")
    same(expected, observe(chain.build().as_numpy_iterator()), "values of as_numpy_iterator")


def passes(chain: Chain, choose: Choose) -> None:
    """Passes follow one another alike for all datasets built alike, and any of them can be had by its number.

    That the pass before was left early shows nowhere, and a look at the first elements is no pass.
    """
    dataset = chain.build()
    left_early = observe(iter(dataset), choose(0, 9))
    for number in range(1, 3):
        if left_early and not isinstance(left_early[0], Failure):
            same(left_early[:1], dataset.head(1), "passes: head(1)")
        same(first(chain.elements(number, first=0)), observe(iter(dataset)), f"pass {number}")
    chosen = choose(0, 3)
    same(
        first(chain.elements(chosen, first=0)),
        observe(chain.build().iterator(epoch=chosen)),
        f"iterator(epoch={chosen})",
    )


def spec(chain: Chain, choose: Choose) -> None:
    """Every element fits the spec that is known before, and `element_spec` is the spec of the first one."""
    dataset = chain.build()
    elements = first(chain.elements())
    known = dataset._node.known_spec()
    for element in elements:
        if known is not None and not isinstance(element, Failure):
            _check_fit(known, element)
    if known is None and not elements:
        try:
            found = dataset.element_spec
        except CardinalityError:
            return
        raise AssertionError(f"spec: an empty dataset has the spec {found}, and none is known")
    if known is not None or not isinstance(elements[0], Failure):
        leaves, treedef = tree.flatten(dataset.element_spec)
        if elements and not isinstance(elements[0], Failure):
            _check_fit(Spec(treedef, tuple(leaves)), elements[0])


def _check_fit(known: Spec, element: Any) -> None:
    leaves, treedef = tree.flatten(element)
    assert treedef == known.treedef, f"spec: structure {treedef}, but the spec says {known.treedef}"
    for leaf, told in zip(leaves, known.leaves, strict=True):
        assert isinstance(told, TensorSpec)
        found = spec_of_value(leaf)
        if isinstance(told.dtype, type) and isinstance(leaf, np.ndarray) and leaf.size == 0:
            continue  # an empty array of objects does not tell what it has none of
        assert told.is_compatible_with(found), f"spec: {leaf!r} is {found}, but the spec says {told}"


def cardinality(chain: Chain, choose: Choose) -> None:
    """The number of elements is what it was said to be, in every pass, and what the cases say."""
    dataset = chain.build()
    told, expected = dataset.cardinality(), chain.cardinality()
    assert expected is None or told == expected, f"cardinality: {told}, but the cases say {expected}"
    elements = first(chain.elements(), HORIZON + 1)
    if told == INFINITE:
        assert len(elements) > HORIZON or _may_end(chain), f"cardinality: endless, but {len(elements)} elements"
    elif told != UNKNOWN and not _loses_places(chain, elements):
        right = min(told, HORIZON + 1)
        assert len(elements) == right or (len(elements) < right and _may_end(chain)), (
            f"cardinality: {told}, but {len(elements)} elements"
        )
    try:
        size = len(dataset)
    except TypeError:
        assert told < 0, f"cardinality: len() refuses, but there are {told} elements"
    else:
        assert size == told, f"cardinality: len() is {size}, not {told}"


def _may_end(chain: Chain) -> bool:
    # An endless repeat of what turns out to be nothing ends; so does all that is made of it.
    counts = [step.arguments.get("count") for step in chain.walk() if step.case.name == "repeat"]
    return any(count is None or count < 0 for count in counts)


def _loses_places(chain: Chain, elements: list[Any]) -> bool:
    # A batch that is an error stands for one element where it is taken apart, whatever its size would have been.
    return "unbatch" in chain.names and any(isinstance(element, Failure) for element in elements)


def gather(chain: Chain, choose: Choose) -> None:
    """Elements by index are those of iteration, in any order and with repeats, of any epoch and of several at once."""
    dataset = chain.build()
    plan, _ = prepare(dataset._node, pass_facts(dataset._node, 0))
    if plan.access is Access.STREAM:
        return
    expected = first(chain.elements())
    if not expected:
        return
    at = choose(0, len(expected) - 1)
    same([expected[at]], _at(dataset, at), f"gather: element [{at}]")
    epochs = [0, choose(0, 5)]
    streams = [first(chain.elements(epoch=epoch)) for epoch in epochs]
    wanted = [(choose(0, 1), choose(0, len(expected) - 1)) for _ in range(choose(1, 12))]
    wanted = [(which, index) for which, index in wanted if index < len(streams[which])]
    if plan.access is Access.FORWARD:
        wanted.sort()
    _check_places(plan, wanted, streams, epochs)
    _check_places(plan, sorted(place for place in wanted if place[0]), streams, epochs)


def _at(dataset: Dataset[Any], index: int) -> list[Any]:
    try:
        return [dataset[index]]
    except Exception as error:
        return [as_failure(error)]


def _check_places(plan: Node, wanted: list[tuple[int, int]], streams: list[list[Any]], epochs: list[int]) -> None:
    if not wanted:
        return
    indices = np.array([index for _, index in wanted], np.int64)
    per_place = np.array([epochs[which] for which, _ in wanted], np.uint64)
    expected = [streams[which][index] for which, index in wanted]
    context = RunContext(prepare)
    places = plan.resolve(per_place, indices, context)
    assert places.rows == len(wanted), f"gather: {places.rows} places, not {len(wanted)}"
    same(expected, block_items(places.gather(0, len(wanted))), f"gather: places {wanted} of epochs {epochs}")
    middle = len(wanted) // 2
    if middle:
        parts = [*block_items(places.gather(0, middle)), *block_items(places.gather(middle, len(wanted)))]
        same(expected, parts, f"gather: places {wanted} of epochs {epochs}, in two parts")


def rewrite(chain: Chain, choose: Choose) -> None:
    """The plan as written yields what the optimised one does, which is what the references say."""
    number = choose(0, 2)
    node = chain.build()._node
    written: Any = DatasetIterator(node, bind, pass_facts(node, number), fingerprint=fingerprint)
    same(first(chain.elements(number, first=0)), observe(written), f"rewrite: as written, in pass {number}")


def blocks(chain: Chain, choose: Choose) -> None:
    """Demands of any size give the same rows, and never more than were asked for."""
    pattern = ([1], [2], [7], [1024], [choose(1, 9) for _ in range(4)])[choose(0, 4)]
    number = choose(0, 2)
    dataset = chain.build()
    plan, _ = prepare(dataset._node, pass_facts(dataset._node, number))
    operator = open_node(plan, RunContext(prepare))
    found: list[Any] = []
    for _, items in pull(operator, (pattern * (2 * HORIZON))[: 2 * HORIZON]):
        found += items
    operator.close()
    operator.close()
    expected = first(chain.elements(number, first=0), max(HORIZON, len(found)))
    wanted = expected[: len(found)] if len(found) >= HORIZON else expected
    same(wanted, found, f"blocks: demands of {pattern} in pass {number}")


def errors(chain: Chain, choose: Choose) -> None:
    """An error keeps its type, says which transformation, function, line and element it is of, and can be replayed."""
    expected = first(chain.elements())
    raised: list[Exception] = []
    dataset = chain.build()
    found = observe(iter(dataset), errors=raised)
    same(expected, found, "errors")
    for failure, error in zip([item for item in expected if isinstance(item, Failure)], raised, strict=True):
        notes = getattr(error, "__notes__", [])
        if failure.method:
            assert any(f"in {failure.method}(" in note and "added at" in note for note in notes), (
                f"errors: {error!r} does not say that it is of {failure.method}(), but {notes}"
            )
        if hasattr(error, "penstock_replay"):
            try:
                dataset.replay(error)
            except type(error):
                continue
            raise AssertionError(f"errors: replay({error!r}) does not raise it again")


def ownership(chain: Chain, choose: Choose) -> None:
    """What is done to an element changes no other one, now or in the next pass."""
    dataset = chain.build()
    for number in range(2):
        found = []
        elements = iter(dataset)
        for expected in first(chain.elements(number, first=0)):
            (item,) = observe(elements, 1)
            same([expected], [item], f"ownership: pass {number}, after elements were overwritten")
            found.append(item)
            _overwrite(item)


def _overwrite(item: Any) -> None:
    leaves, _ = tree.flatten(item)
    for leaf in leaves:
        if isinstance(leaf, np.ndarray) and leaf.flags.writeable and leaf.dtype.kind in "biufc":
            leaf[...] = 77


LAWS: tuple[Law, ...] = (
    values,
    passes,
    spec,
    cardinality,
    gather,
    rewrite,
    blocks,
    errors,
    ownership,
    laziness,
    close,
    resume,
    resume_operators,
    shards,
    resume_on_other_shards,
)
