"""Elements in another order: `shuffle`."""

from penstock.transforms.shuffle.node import Shuffle, shuffle

__all__ = ["Shuffle", "shuffle"]
