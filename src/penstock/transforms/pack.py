"""Sequences of tokens laid into rows of one length: `pack`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from penstock import calls
from penstock.depth import ask
from penstock.errors import SpecError
from penstock.node import INFINITE, UNKNOWN, Context, Node, Operator
from penstock.packing import STRATEGIES, WAYS, Asked, Fill, PackOperator, Strategy, TooLong, packed_spec
from penstock.record import record
from penstock.scatter import NUMBERS
from penstock.spec import Spec

if TYPE_CHECKING:
    from penstock.dataset import Dataset


def pack(
    self: Dataset[Any],
    length: int,
    strategy: Strategy = "split",
    *,
    open_rows: int = 64,
    padding_values: Any = 0,
    bos: Any = None,
    eos: Any = None,
    too_long: TooLong = "error",
    drop_remainder: bool = False,
) -> Dataset[dict[str, Any]]:
    """Lay sequences of tokens into rows of `length` tokens, with what tells the sequences in a row apart.

    >>> ds = Dataset.from_list([[1, 2, 3], [4, 5, 6, 7], [8]])
    >>> for row in ds.pack(4):
    ...     print(row["tokens"], row["segment_ids"], row["positions"])
    [1 2 3 4] [1 1 1 2] [0 1 2 0]
    [5 6 7 8] [1 1 1 2] [0 1 2 0]
    >>> [row["tokens"].tolist() for row in ds.pack(4, "best_fit")]
    [[4, 5, 6, 7], [1, 2, 3, 8]]

    An element is an array of tokens, shape (n,), or a structure of arrays of one length, such as ids and labels. A row
    is a dict: "tokens", of the element's structure; "segment_ids", from 1 on for each sequence in the row, 0 for
    padding; and "positions", from 0 on in each segment. Two tokens may attend to each other where their segment ids
    are equal.

    "split" lays all sequences one after another and cuts them wherever a row is full: nothing is padded but the last
    row, and a sequence that is cut is a segment of each of its rows. The others keep sequences whole. "first_fit" puts
    each into the first open row that has room, and closes the oldest one where none has. "best_fit" lets sequences wait
    until their tokens would fill `open_rows` rows. Then it fills a row: a quarter with those that have waited longest,
    the rest with one or two that fill it to the last token, or the longest that fits. In each row sequences stand in
    the order of the input.

    Args:
        length: Tokens in a row; at least 1.
        strategy: "split", "first_fit" or "best_fit".
        open_rows: How many rows are open at a time with "first_fit", and wait to be filled with "best_fit".
        padding_values: What stands where no token does: a number, or a structure of one for each component.
        bos: A token, or a structure of one for each component, put before each element, and counted with it.
        eos: The same behind each element.
        too_long: What becomes of a sequence of more than `length` tokens with "first_fit" and "best_fit": "error",
            "truncate" for its first ones, or "split" for pieces of `length` tokens, each of which is a sequence.
        drop_remainder: Drop the last row, unless it is full.

    Spec: a dict; tokens of shape (n, *s) become (length, *s), their dtype is kept; segment ids and positions are int32
        of shape (length,).
    Cardinality: unknown; infinite if the input's is.
    Order: rows come when they are complete, those that are open at the end in the order of their first sequence.
        Random access: no.
    Memory: the sequences that wait, about `open_rows` * `length` tokens, and one block.
    State: the input's before the oldest sequence that waits, and which ones of those after it wait. They are read again
        to resume.

    An element that is an error is handed on when it comes; the rows are what they would be without it. A sequence
    without tokens is in no row.

    Raises:
        TypeError: A number is no whole number, or a token is none of the component's dtype.
        ValueError: `length` or `open_rows` is below 1, there is no such strategy, or `too_long` is asked for with
            "split".
        SpecError: A component is no array of numbers, components differ in length, tokens of elements in dtype, or a
            sequence is too long; raised at once where that is known, else in the place of that element.

    See also: batch_by_tokens, bucket_by_sequence_length.
    """
    asked = Asked(
        calls.count("pack", "length", length, 1),
        calls.choice("pack", "strategy", strategy, STRATEGIES),
        calls.count("pack", "open_rows", open_rows, 1),
        Fill("padding_values", padding_values),
        None if bos is None else Fill("bos", bos),
        None if eos is None else Fill("eos", eos),
        calls.choice("pack", "too_long", too_long, WAYS),
        bool(drop_remainder),
    )
    if asked.strategy == "split" and asked.too_long != "error":
        raise ValueError(
            f"pack(): too_long={too_long!r} is for 'first_fit' and 'best_fit'; with 'split' no sequence is too long; "
            "leave it out"
        )
    spec = ask(self._node, lambda node: node.known_spec())
    if spec is not None:
        _check(spec, asked)
    return self._then(Pack(self._node, asked))


def _check(spec: Spec, asked: Asked) -> None:
    """Refuse elements that are known to be no tokens.

    Raises:
        SpecError: They are none.
        TypeError: A token to fill up with is none of their dtype.
        ValueError: Those tokens are of another structure.
    """
    dtypes: list[np.dtype[Any]] = []
    for leaf in spec.leaves:
        if leaf.shape == () or not isinstance(leaf.dtype, np.dtype) or leaf.dtype.kind not in NUMBERS:
            raise SpecError(f"pack(): elements are {spec.as_element()}; map() them to arrays of tokens, shape (n,)")
        dtypes.append(leaf.dtype)
    for fill in (asked.padding, asked.bos, asked.eos):
        if fill is not None:
            fill.values(spec.treedef, tuple(dtypes))


@record
class Pack(Node):
    """The input's tokens, `asked.length` in a row."""

    input: Node
    asked: Asked

    def known_spec(self) -> Spec | None:
        spec = self.input.known_spec()
        return None if spec is None else packed_spec(spec, self.asked.length)

    def cardinality(self) -> int:
        return INFINITE if self.input.cardinality() == INFINITE else UNKNOWN

    @property
    def yields_batches(self) -> bool:
        return True

    def open(self, context: Context) -> Operator:
        return PackOperator(self, self.asked, context.open(self.input), context)

    def signature(self) -> str:
        return f"pack({', '.join(self.asked.arguments())})"
