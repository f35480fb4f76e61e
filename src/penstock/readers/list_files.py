"""The paths of files: `list_files`."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock import calls, tree
from penstock.block import Block, Dense
from penstock.files import paths
from penstock.node import Indices, Source
from penstock.provenance import paths_themselves
from penstock.record import record
from penstock.spec import Spec, TensorSpec

if TYPE_CHECKING:
    from penstock.dataset import Dataset


def list_files(
    cls: type[Dataset[Any]], file_pattern: Any, shuffle: bool | None = None, seed: int | None = None
) -> Dataset[Any]:
    """Make an element of the path of each file that matches.

    >>> import fsspec
    >>> with fsspec.open_files(["memory://photos/b.png", "memory://photos/a.png"], "wb") as files:
    ...     _ = [file.write(b"...") for file in files]
    >>> list(Dataset.list_files("memory://photos/*.png", shuffle=False))
    ['memory:///photos/a.png', 'memory:///photos/b.png']

    Files are looked for once, when this is called. `Dataset.list_files(pattern, shuffle=False).shard(n, i)` deals whole
    files, for a reader behind it.

    Args:
        file_pattern: A path or URL, or a list of them, with `*`, `?`, `[...]` and `**`. Folders do not match, nor do
            hidden files where the pattern does not begin with a dot. A file that matches two patterns comes twice.
        shuffle: None stands for True: another order in each pass.
        seed: Makes the orders the same each time; see `shuffle`.

    Spec: shape (), dtype `str`.
    Cardinality: the number of files.
    Order: shuffled; with `shuffle=False`, of the paths as text.  Random access: yes.
    Memory: the paths.  State: an index.

    Raises:
        TypeError: `file_pattern` is no path, `shuffle` no bool or `seed` no integer.
        FileNotFoundError: No file matches a pattern.
        IsADirectoryError: A pattern names a folder.

    See also: from_text, from_image_folder, shuffle.
    """
    if not (shuffle is None or isinstance(shuffle, bool)):
        raise TypeError(f"list_files(): shuffle must be True, False or None, but is {shuffle!r}")
    calls.seed("list_files", seed)
    found = paths.expand("list_files", paths.asked("list_files", "file_pattern", file_pattern))
    array = np.empty(len(found), object)
    array[:] = found
    block = Block(tree.LEAF, [Dense(array, str)], len(found), provenance=paths_themselves(array))
    files: Dataset[Any] = cls(Paths(block))
    return files if shuffle is False or not found else files.shuffle(len(found), seed)


@record
class Paths(Source):
    """Paths that were found."""

    block: Block = field(repr=False)

    def known_spec(self) -> Spec | None:
        return Spec(tree.LEAF, (TensorSpec((), str),))

    def cardinality(self) -> int:
        return self.block.rows

    def gather(self, indices: Indices) -> Block:
        return self.block.take(indices)

    def slice(self, start: int, stop: int) -> Block | None:
        return self.block.slice(start, stop)

    def signature(self) -> str:
        return f"list_files({self.block.rows} files)"
