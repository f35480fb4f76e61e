"""What a language model reads and what it is to say: `shift_targets`."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


def shift_targets(ids: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Inputs and targets of a model that foretells the next token: all tokens but the last, and all but the first.

    >>> text.shift_targets(np.array([5, 6, 7]))
    (array([5, 6]), array([6, 7]))

    Args:
        ids: Tokens, shape (length,); length at least 2.

    Raises:
        ValueError: There are fewer than two tokens.

    See also: Dataset.pack, mask_tokens, span_corruption.
    """
    if len(ids) < 2:
        raise ValueError(
            f"text.shift_targets(): needs at least 2 tokens, but has {len(ids)}; leave shorter rows out with "
            "ds.filter(lambda ids: len(ids) > 1)"
        )
    return ids[:-1], ids[1:]
