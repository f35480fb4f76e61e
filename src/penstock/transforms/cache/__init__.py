"""Elements kept after they were first computed, in memory (`memory.py`) or in a file (`disk.py`)."""

from penstock.transforms.cache.node import Cache, cache

__all__ = ["Cache", "cache"]
