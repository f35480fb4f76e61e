"""What ends a pipeline: iteration, folding, access by index, and what is known without either."""

from penstock.ends.describe import cardinality, element_spec, explain, length, show
from penstock.ends.fold import get_single_element, reduce
from penstock.ends.index import Lookup, getitem
from penstock.ends.look import look, show_html
from penstock.ends.options import options_of, with_options
from penstock.ends.replay import replay
from penstock.ends.run import as_numpy_iterator, head, iterate, iterator

__all__ = [
    "Lookup",
    "as_numpy_iterator",
    "cardinality",
    "element_spec",
    "explain",
    "get_single_element",
    "getitem",
    "head",
    "iterate",
    "iterator",
    "length",
    "look",
    "options_of",
    "reduce",
    "replay",
    "show",
    "show_html",
    "with_options",
]
