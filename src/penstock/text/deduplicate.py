"""Texts that are equal or nearly equal to one before them, left out: `deduplicate`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from penstock import calls, tree
from penstock.block import Block
from penstock.depth import ask
from penstock.errors import SpecError
from penstock.node import UNKNOWN, Context, Node, Operator
from penstock.novelty import NoveltyOperator
from penstock.record import record
from penstock.spec import Spec
from penstock.text.minhash import NearIndex, Signer, normal_form

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")

_METHOD = "text.deduplicate"
_DIGEST_BYTES = 16


def deduplicate(
    threshold: float | None = None,
    *,
    key: str | int | None = None,
    shingle_words: int = 5,
    num_permutations: int = 128,
) -> Callable[[Dataset[T]], Dataset[T]]:
    """Leave out texts that are equal to one before them, or nearly equal; for `Dataset.apply`.

    >>> ds = Dataset.from_list(["To be, or not to be", "to be,  or not to BE", "that is the question"])
    >>> list(ds.apply(text.deduplicate()))
    ['To be, or not to be', 'that is the question']
    >>> words = "whether tis nobler in the mind to suffer the slings and arrows of outrageous fortune or to take arms"
    >>> near = Dataset.from_list([words, words + " against", "a sea of troubles and by opposing end them"])
    >>> len(list(near.apply(text.deduplicate(0.8))))
    2

    Two texts are equal if they differ in letter case, white space and compatibility forms of Unicode (NFKC) alone. They
    are near if of all runs of `shingle_words` words that one of them has, a share of at least `threshold` are in both.
    That share is estimated by MinHash signatures, with a standard error of sqrt(s * (1 - s) / `num_permutations`),
    0.035 for s = 0.8 and 128 numbers; texts are compared where they agree in a band of their signatures, as those just
    at the threshold do in 95 %. The first text of those that are alike is kept, as it is. A text that was left out
    is compared with no other, so that no chain of small changes leads away from the one that was kept.

    Args:
        threshold: From which share on texts are near, above 0 and up to 1; None for equal texts alone.
        key: Which component is the text: the key of a dict, or the place in a tuple. None where elements are texts.
        shingle_words: Words in a run; a text of fewer is one run. Words are what stands between white space.
        num_permutations: Numbers in a signature.

    Spec: kept.
    Cardinality: unknown.
    Order: kept.  Random access: no.
    Memory: for each text that was kept, about 110 bytes without `threshold`, a digest of 16 bytes (BLAKE2b) in a set.
        With it about 3 KB for 128 numbers: the signature, 4 bytes a number, and about 130 bytes for each of its bands.
    State: how many elements of the input were read. They are read and signed again to resume, from the first one on.

    An element that is an error is handed on each time.

    Raises:
        TypeError: `threshold` is no number, or another argument of another type.
        ValueError: `threshold` is not above 0 and up to 1, or a number below 1.
        SpecError: The component is no text, or there is none of that key; raised in the place of that element.

    References:
        Broder, "On the resemblance and containment of documents", 1997.

    See also: Dataset.unique, text.clean.
    """
    if threshold is not None:
        if isinstance(threshold, bool) or not isinstance(threshold, (int, float)):
            raise TypeError(f"{_METHOD}(): threshold must be a number or None, but is {threshold!r}")
        if not 0 < threshold <= 1:
            raise ValueError(f"{_METHOD}(): threshold must be above 0 and up to 1, but is {threshold}")
    if key is not None and (isinstance(key, bool) or not isinstance(key, (str, int))):
        raise TypeError(f"{_METHOD}(): key must be the key of a dict or the place in a tuple, but is {key!r}")
    words = calls.count(_METHOD, "shingle_words", shingle_words, 1)
    numbers = calls.count(_METHOD, "num_permutations", num_permutations, 1)

    def apply(dataset: Dataset[T]) -> Dataset[T]:
        node = Deduplicate(dataset._node, None if threshold is None else float(threshold), key, words, numbers)
        spec = ask(dataset._node, lambda asked: asked.known_spec())
        if spec is not None:
            leaf = spec.leaves[_place(spec.treedef, key)]
            if leaf.dtype is not str and leaf.dtype is not object:
                raise SpecError(
                    f"{_METHOD}(): the component is {leaf}, no text; map(text.clean) it first, or give key="
                )
        return dataset._then(node)

    return apply


def _place(treedef: tree.Treedef, key: str | int | None) -> int:
    """Which component of such elements is the text.

    Raises:
        SpecError: There is none of that key.
    """
    numbered = tree.unflatten(treedef, range(treedef.num_leaves))
    try:
        found = numbered if key is None else numbered[key]
    except (KeyError, IndexError, TypeError):
        found = None
    if type(found) is not int:
        asked = "elements are no bare texts" if key is None else f"elements have no component {key!r}"
        raise SpecError(f"{_METHOD}(): {asked}, but of the structure {tree.show(treedef)}; give key= for the text's")
    return found


@record
class Deduplicate(Node):
    """The first of all texts that are alike, and errors."""

    input: Node
    threshold: float | None
    key: str | int | None
    shingle_words: int
    num_permutations: int

    def known_spec(self) -> Spec | None:
        return self.input.known_spec()

    def cardinality(self) -> int:
        return UNKNOWN

    def open(self, context: Context) -> Operator:
        return _DeduplicateOperator(self, context.open(self.input))

    def signature(self) -> str:
        given = [] if self.threshold is None else [str(self.threshold), f"shingle_words={self.shingle_words}"]
        given += [] if self.threshold is None else [f"num_permutations={self.num_permutations}"]
        given += [] if self.key is None else [f"key={self.key!r}"]
        return f"{_METHOD}({', '.join(given)})"


class _DeduplicateOperator(NoveltyOperator):
    """Keeps a digest of each text that was handed on, or its signature."""

    def __init__(self, node: Deduplicate, source: Operator) -> None:
        super().__init__(node, source)
        self._key = node.key
        self._digests: set[bytes] = set()
        self._signer: Signer | None = None
        self._index: NearIndex | None = None
        if node.threshold is not None:
            self._signer = Signer(node.shingle_words, node.num_permutations)
            self._index = NearIndex(node.threshold, node.num_permutations)

    def new_rows(self, block: Block) -> tuple[Block, Sequence[int]]:
        assert block.treedef is not None
        errors = dict(block.errors)
        rows: list[int] = []
        forms: list[str] = []
        try:
            values = block.columns[_place(block.treedef, self._key)].values(writable=False)
        except SpecError as error:
            wrong: dict[int, Exception] = {row: SpecError(str(error)) for row in range(block.rows)}
            return Block(None, (), block.rows, {**wrong, **errors}), range(block.rows)
        for row, value in enumerate(values):
            if row in errors:
                continue
            if isinstance(value, str):
                rows.append(row)
                forms.append(normal_form(value))
            else:
                at = self.source.read - block.rows + row
                errors[row] = SpecError(
                    f"{_METHOD}(): the component of element {at} is a {type(value).__name__}, no text; "
                    "map(text.clean) it first, or give key= for the text's"
                )
        kept = [row for row, is_new in zip(rows, self._are_new(forms), strict=True) if is_new]
        return block.with_errors(errors), sorted([*kept, *errors])

    def _are_new(self, forms: list[str]) -> list[bool]:
        """For each text in its normal form, whether it is like none before it; those that are new are kept."""
        if not forms:
            return []
        if self._signer is not None and self._index is not None:
            return self._index.add_new(self._signer.sign(forms))
        seen = self._digests
        found = []
        for form in forms:
            digest = hashlib.blake2b(form.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()
            found.append(digest not in seen)
            seen.add(digest)
        return found
