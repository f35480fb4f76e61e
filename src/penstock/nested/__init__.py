"""Datasets that a user function makes of elements, read one after another, in turn, or ahead in threads.

Attributes:
    Flattening: The node of a step that hands on the elements of such datasets.
    CycleOperator: Reads several in turn.
    feed: Gives it the datasets, as the settings for parallel calls say.
"""

from penstock.nested.cycle import CycleOperator
from penstock.nested.feed import feed
from penstock.nested.node import Flattening

__all__ = ["CycleOperator", "Flattening", "feed"]
