"""The laws that every transformation keeps, for those who write one: state a `Case`, and they run on it.

A case is a transformation, a `reference` that says in a few lines of plain Python what it yields, and the arguments
that it may be given:

    def reference(elements, count):
        return itertools.islice(elements, count)

    CASE = Case("take", Dataset.take, reference, lambda sample: st.fixed_dictionaries({"count": st.integers(0, 9)}))

    test_laws = laws_for(CASE)

The laws compare what the engine yields with what the references yield, for the case alone and in chains with others:
whole, from any index, cut and resumed, as written and as optimised, in blocks of any size, in passes and in shards.

A format for files has laws of its own, in `penstock.testing.reader_laws`.
"""

from penstock.testing.case import Case, Chain, Step
from penstock.testing.laws import LAWS, Law
from penstock.testing.observe import difference, observe, same
from penstock.testing.reference import Failure, Recording, Stream, call, rows_of, stack
from penstock.testing.strategies import chains_of, laws_for
from penstock.testing.workers import PROCESSES, THREADS, laws_apart, laws_with

__all__ = [
    "LAWS",
    "PROCESSES",
    "THREADS",
    "Case",
    "Chain",
    "Failure",
    "Law",
    "Recording",
    "Step",
    "Stream",
    "call",
    "chains_of",
    "difference",
    "laws_apart",
    "laws_for",
    "laws_with",
    "observe",
    "rows_of",
    "same",
    "stack",
]
