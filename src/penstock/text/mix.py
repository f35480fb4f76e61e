"""Several corpora as one, by weights that hold at every step: `mix`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from penstock import calls
from penstock.dataset import Dataset

T = TypeVar("T")

_METHOD = "text.mix"

AtEnd = Literal["repeat", "stop", "go_on"]


def mix(
    corpora: Mapping[str, Dataset[T]],
    weights: Mapping[str, float] | Callable[[Any], Any] | None = None,
    *,
    at_end: AtEnd = "repeat",
    with_source: bool = False,
) -> Dataset[Any]:
    """Take elements from several corpora in turn, so that each has its share at every step.

    >>> wiki, code = Dataset.from_list(["w1", "w2"]), Dataset.from_list(["c1", "c2", "c3"])
    >>> list(text.mix({"wiki": wiki, "code": code}, {"wiki": 2, "code": 1}).take(6))
    ['w1', 'c1', 'w2', 'w1', 'c2', 'w2']
    >>> list(text.mix({"wiki": wiki, "code": code}, at_end="stop", with_source=True))
    [('wiki', 'w1'), ('code', 'c1'), ('wiki', 'w2'), ('code', 'c2')]

    Nothing is drawn: after n steps each corpus has had its share of n to less than one element. Shuffle corpora before
    they are mixed, and longer runs of one corpus do not come about. Weights count elements; where documents of one
    corpus are longer, `pack` each before, and weights count tokens.

    With a function the weights change: its argument is the step, an int64 that counts from 0, and it returns a number
    for each corpus, by name or in their order. Next is the corpus that is furthest behind the sum of its shares. None
    of k corpora is ever a whole element ahead of that sum, or more than 1/2 + 1/3 + ... + 1/k elements behind it.

    Args:
        corpora: Datasets by name, at least one; elements of the same structure and dtypes.
        weights: For each name a number of at least 0, in any proportion; or a function of the step; equal shares if not
            given.
        at_end: What comes when a corpus has no element left: "repeat" begins it anew, so that the mixture has no end;
            "stop" ends everything; "go_on" goes on with the others in the proportion of their weights.
        with_source: Make each element a pair of the corpus' name and the element.

    Spec: dimensions that differ become None, a number of axes that differs makes the shape unknown; a pair
        with `with_source`.
    Cardinality: infinite with "repeat"; the sum with "go_on" and weights that stay; else unknown.
    Order: kept within each corpus.  Random access: with weights that stay, if the corpora have it, but for "stop".
    Memory: none.  State: an index, or the corpora's states, and with a function a number for each corpus.

    Raises:
        TypeError: Something is no Dataset, or a weight is no number.
        ValueError: There is no corpus, names differ, all weights are 0, or one is below 0. Of a function: raised in the
            place of that element.

    References:
        Weights that stay: Tijdeman, "The chairman assignment problem", 1980.

    See also: Dataset.sample_from_datasets, Dataset.choose_from_datasets, Dataset.pack.
    """
    names, parts = _parts(corpora)
    calls.choice(_METHOD, "at_end", at_end, get_args(AtEnd))
    if with_source:
        parts = [Dataset.zip(Dataset.from_list([name]).repeat(), part) for name, part in zip(names, parts, strict=True)]
    if at_end == "repeat":
        parts = [part.repeat() for part in parts]
    stops = at_end == "stop"
    if callable(weights):
        steps = Dataset.counter().map(weights)
        turns = steps.scan(np.zeros(len(names)), _Turns(names), purity="pure")
        return Dataset.choose_from_datasets(parts, turns, stop_on_empty_dataset=stops)
    shares = _shares(names, weights)
    return Dataset.sample_from_datasets(parts, shares, stop_on_empty_dataset=stops, evenly=True)


def _parts(corpora: Any) -> tuple[tuple[str, ...], list[Dataset[Any]]]:
    if not isinstance(corpora, Mapping):
        raise TypeError(f"{_METHOD}(): corpora must be a dict of datasets by name, but is {corpora!r}")
    return tuple(map(str, corpora)), calls.datasets(_METHOD, Dataset, list(corpora.values()))


def _shares(names: tuple[str, ...], weights: Mapping[str, float] | None) -> list[float]:
    """The weights in the order of the names.

    Raises:
        TypeError: They are no mapping, or one is no number.
        ValueError: They are not of these names, one is below 0 or not finite, or all are 0.
    """
    if weights is None:
        return [1.0] * len(names)
    if not isinstance(weights, Mapping):
        raise TypeError(f"{_METHOD}(): weights must be a dict by name or a function of the step, but is {weights!r}")
    if set(weights) != set(names):
        raise ValueError(
            f"{_METHOD}(): weights are of {sorted(weights)}, corpora of {sorted(names)}; give one for each"
        )
    for name, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, (int, float, np.integer, np.floating)):
            raise TypeError(f"{_METHOD}(): the weight of {name!r} must be a number, but is {weight!r}")
        if not (math.isfinite(weight) and weight >= 0):
            raise ValueError(f"{_METHOD}(): the weight of {name!r} must be finite and at least 0, but is {weight}")
    if not any(weights.values()):
        raise ValueError(f"{_METHOD}(): all weights are 0; give one above 0")
    return [float(weights[name]) for name in names]


@dataclass(frozen=True)
class _Turns:
    """Whose turn it is: the corpus that is furthest behind its share, the first of several.

    Attributes:
        names: The corpora.
    """

    names: tuple[str, ...]

    def __call__(self, behind: NDArray[np.float64], weights: Any) -> tuple[NDArray[np.float64], np.int64]:
        """How far each corpus is behind after this step, and the number of the one that is taken from.

        Args:
            behind: How far each was before, in elements, shape (corpora,).
            weights: Of this step, by name or in the order of the names.

        Raises:
            ValueError: They are no such numbers.
        """
        given = weights
        if isinstance(weights, dict) and set(weights) == set(self.names):
            given = [weights[name] for name in self.names]
        shares = np.asarray(given, np.float64) if not isinstance(given, dict) else np.empty(0)
        if shares.shape != behind.shape or not (np.isfinite(shares).all() and (shares >= 0).all() and shares.any()):
            raise ValueError(
                f"{_METHOD}(): the function of the step returned {weights!r}; return a number of at least 0 for each "
                f"of {', '.join(self.names)}, not all 0"
            )
        due = behind + shares / shares.sum()
        turn = np.int64(due.argmax())
        due[turn] -= 1
        return due, turn
