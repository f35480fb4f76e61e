"""Elements of several datasets at random, by weights: `sample_from_datasets`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from penstock import calls, random
from penstock.depth import ask
from penstock.mixing.alike import unified
from penstock.mixing.drawn import Drawn, DrawnByStep
from penstock.mixing.even import Even
from penstock.mixing.mixture import Mixture
from penstock.mixing.picks import Picker
from penstock.node import Node, Purity
from penstock.passes import PassCounter, bind_pass
from penstock.record import record
from penstock.vectorize.function import ElementFunction

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")

_METHOD = "sample_from_datasets"


def sample_from_datasets(
    cls: type[Dataset[Any]],
    datasets: Sequence[Dataset[T]],
    weights: Sequence[float] | Dataset[Any] | Callable[[Any], Any] | None = None,
    seed: int | None = None,
    stop_on_empty_dataset: bool = False,
    rerandomize_each_iteration: bool | None = None,
    *,
    evenly: bool = False,
) -> Dataset[T]:
    """Take each element from a dataset that is drawn by weights.

    >>> poems, news = Dataset.range(100), Dataset.range(1000, 2000)
    >>> mixture = Dataset.sample_from_datasets([poems, news], [0.25, 0.75], seed=1)
    >>> [int(n) for n in mixture.take(8)]
    [1000, 1001, 0, 1, 1002, 1003, 1004, 2]

    Which dataset is drawn is a function of the seed and the step alone. The step counts the draws from 0; it is the
    element's index, plus how many draws before fell on datasets that had ended, which are passed over.

    Args:
        datasets: At least one; elements of the same structure and dtypes.
        weights: For each dataset a number of at least 0, in any proportion to the share that it is to have; equal
            shares if not given. Or weights that change: a function from the step, an int64, to so many numbers, which
            runs on many steps at once where it is arithmetic; or a Dataset of them, whose end ends everything. A
            function may be called before its step comes unless it has effects.
        seed: Any whole number; drawn from the operating system if not given.
        stop_on_empty_dataset: The first draw of a dataset that has no element left ends everything. By default the
            others go on in the proportion of their weights, until none with a weight above 0 is left.
        rerandomize_each_iteration: Draw anew in each iteration and epoch; the same draws by default.
        evenly: Draw nothing: spread each dataset as evenly as possible, so that after any number n of steps it has had
            its share of n to less than one element. Weights must stay.

    Spec: dimensions that differ become None, a number of axes that differs makes the shape unknown.
    Cardinality: the sum, if no dataset ends the others and weights stay; infinite if a dataset is then, or if all are;
    else unknown. Datasets of weight 0 do not count.
    Order: random.  Random access: if the cardinality is known and the inputs have it; steps are counted to find an
    element, in about 25 ms a million, so beyond 2^20 elements it is quick in growing order only.
    Memory: none.  State: an index, or over streams the step, the inputs' states and which have ended.

    Weights of a step that are no such numbers, or fail, are an error in the place of the element.

    Raises:
        TypeError: Something is no Dataset, structures or dtypes are known and differ, or `weights` are no numbers.
        ValueError: There is no dataset, the weights are not one for each or below 0, or `evenly` is asked for with
            weights that change.

    References:
        Even picks: Tijdeman, "The chairman assignment problem", 1980.

    See also: choose_from_datasets, interleave.
    """
    parts = calls.datasets(_METHOD, cls, datasets)
    given = calls.seed(_METHOD, seed)
    key = random.fresh_seed() if given is None else given
    function, chooser, fixed = None, None, None
    if isinstance(weights, cls):
        chooser = weights._node
    elif callable(weights):
        function = ElementFunction(weights, _METHOD, calls.origin())
    else:
        fixed = _numbers(weights, len(parts))
        if not any(fixed):
            return parts[0].take(0)
        parts = [part for part, weight in zip(parts, fixed, strict=True) if weight]
        fixed = tuple(weight for weight in fixed if weight)
    if evenly and fixed is None:
        raise ValueError(f"{_METHOD}(): evenly=True needs weights that stay; give a list of numbers, or leave it out")
    nodes = tuple(part._node for part in parts)
    spec = unified(_METHOD, [ask(node, lambda asked: asked.known_spec()) for node in nodes])
    stop, again = bool(stop_on_empty_dataset), bool(rerandomize_each_iteration)
    return cls(Sample(nodes, chooser, stop, spec, fixed, function, bool(evenly), key, PassCounter(), again))


def _numbers(weights: Any, count: int) -> tuple[float, ...]:
    """Weights that stay, as floats.

    Raises:
        TypeError: They are no numbers.
        ValueError: They are not one for each dataset, below 0, or not finite.
    """
    if weights is None:
        return (1.0,) * count
    try:
        found = tuple(float(weight) for weight in np.asarray(weights).tolist())
    except (TypeError, ValueError):
        raise TypeError(
            f"{_METHOD}(): weights must be numbers, a Dataset or a function of the step, but are {weights!r}"
        ) from None
    if len(found) != count:
        raise ValueError(f"{_METHOD}(): there are {len(found)} weights for {count} datasets; give one for each")
    if not all(math.isfinite(weight) and weight >= 0 for weight in found):
        raise ValueError(f"{_METHOD}(): weights are {found}; each must be finite and at least 0")
    return found


@record
class Sample(Mixture):
    """The part that is drawn, or whose turn it is."""

    weights: tuple[float, ...] | None
    function: ElementFunction | None
    evenly: bool
    seed: int
    counter: PassCounter = field(repr=False)
    rerandomizes: bool
    pass_number: int = 0

    @property
    def method(self) -> str:
        return _METHOD

    def bind(self, fact: Any | None) -> tuple[Node, Any | None]:
        fact = bind_pass(self.counter, self.seed, fact)
        return replace(self, seed=fact["seed"], pass_number=fact["pass"] if self.rerandomizes else 0), fact

    def picker(self, epoch: int) -> Picker:
        if self.evenly:
            assert self.weights is not None
            return Even(self.weights)
        key = random.Key(self.seed, _METHOD, self.pass_number, epoch if self.rerandomizes else 0)
        if self.weights is not None:
            return Drawn(key, self.weights)
        return DrawnByStep(key, len(self.parts), self.function)

    @property
    def purity(self) -> Purity:
        return Purity.PURE if self.function is None else self.function.purity

    @property
    def gives_all(self) -> bool:
        return self.weights is not None

    @property
    def has_alike_epochs(self) -> bool:
        return self.chooser is None and not self.rerandomizes

    def signature(self) -> str:
        how = "weights of a dataset" if self.function is None else self.function.name
        if self.weights is not None:
            total = sum(self.weights)
            how = f"{'evenly, ' if self.evenly else ''}weights={[round(weight / total, 12) for weight in self.weights]}"
        return f"{_METHOD}({len(self.parts)} datasets, {how}, stop_on_empty_dataset={self.stop_on_empty})"
