"""Every random decision of a pipeline, as a pure function of a key and an index: nothing else draws numbers."""

from penstock.random.draws import Key, fresh_seed, generator_at, integers, raw
from penstock.random.orders import BufferedOrder, Permutation

__all__ = ["BufferedOrder", "Key", "Permutation", "fresh_seed", "generator_at", "integers", "raw"]
