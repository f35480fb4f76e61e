"""Paths and classes of the images in a folder of folders: `from_image_folder`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
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

IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""What the names of images end in, in letters of either case."""


def from_image_folder(
    cls: type[Dataset[Any]], folder: Any, class_names: Sequence[str] | None = None
) -> Dataset[tuple[Any, Any]]:
    """Make a (path, label) pair of each image in a folder that holds a folder for each class.

    >>> import fsspec
    >>> with fsspec.open_files(["memory://pets/dog/1.jpg", "memory://pets/cat/7.jpg"], "wb") as files:
    ...     _ = [file.write(b"...") for file in files]
    >>> [(path, int(label)) for path, label in Dataset.from_image_folder("memory://pets")]
    [('memory://pets/cat/7.jpg', 0), ('memory://pets/dog/1.jpg', 1)]
    >>> penstock.image_folder_classes("memory://pets")
    ['cat', 'dog']

    Images are looked for once, when this is called, by their suffixes: .bmp, .gif, .jpeg, .jpg, .png, .tif, .tiff or
    .webp. Folders inside that of a class belong to it. Left out are other files, those beside the folders of classes,
    hidden files and folders, and what is in linked folders below a class.

    Args:
        folder: A path or URL.
        class_names: The names of all classes in the order of their labels; by default sorted, as
            `penstock.image_folder_classes(folder)` gives them.

    Spec: (shape (), dtype `str`; shape (), int64).
    Cardinality: the number of images.
    Order: by label, then by path.  Random access: yes.
    Memory: the paths.  State: an index.

    Raises:
        TypeError: `folder` is no path, or `class_names` no list of text.
        ValueError: There is no folder of a class or no image in any, or `class_names` are not the names of all classes.
        FileNotFoundError: There is no such folder.
        NotADirectoryError: It is a file.

    See also: list_files, map.
    """
    method = "from_image_folder"
    root = _one_path(method, folder)
    names = _classes(method, root)
    if class_names is not None:
        names = _in_order(names, class_names)
    found: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        below = paths.files_below(f"{root.rstrip('/')}/{name}" if paths.is_remote(root) else os.path.join(root, name))
        images = [path for path in below if path.lower().endswith(IMAGE_SUFFIXES)]
        found += images
        labels += [label] * len(images)
    if not found:
        raise ValueError(
            f"{method}(): there is no image in the folders {_some(names)} of {root}; images are files that end in "
            f"{', '.join(IMAGE_SUFFIXES)}"
        )
    array = np.empty(len(found), object)
    array[:] = found
    columns = [Dense(array, str), Dense(np.array(labels, np.int64))]
    return cls(Images(Block(_PAIR, columns, len(found), provenance=paths_themselves(array)), len(names)))


def image_folder_classes(folder: Any) -> list[str]:
    """The names of the classes that `Dataset.from_image_folder(folder)` gives labels to: label i is that of entry i.

    Args:
        folder: A path or URL.

    Raises:
        TypeError: `folder` is no path.
        ValueError: There is no folder of a class in it.
        FileNotFoundError: There is no such folder.
        NotADirectoryError: It is a file.
    """
    root = _one_path("image_folder_classes", folder)
    return _classes("image_folder_classes", root)


def _one_path(method: str, folder: Any) -> str:
    if isinstance(folder, (list, tuple, np.ndarray)):
        raise TypeError(f"{method}(): folder must be one path, but is {folder!r}; concatenate() a dataset for each")
    return calls.path(method, "folder", folder)


def _classes(method: str, root: str) -> list[str]:
    try:
        names = paths.folders_in(root)
    except (FileNotFoundError, NotADirectoryError) as error:
        told = "is a file" if isinstance(error, NotADirectoryError) else "is not there"
        raise type(error)(f"{method}(): {root!r} {told}; give the folder that holds a folder for each class") from None
    if not names:
        raise ValueError(
            f"{method}(): {root!r} holds no folder of a class; move the images of each class into a folder of its own, "
            "or use list_files() for images without classes"
        )
    return names


def _in_order(names: list[str], class_names: Any) -> list[str]:
    is_list = isinstance(class_names, Iterable) and not isinstance(class_names, str)
    if not is_list or not all(isinstance(name, str) for name in class_names):
        raise TypeError(f"from_image_folder(): class_names must be a list of names, but is {class_names!r}")
    wanted = list(class_names)
    if sorted(wanted) != names:
        missing = sorted(set(wanted) - set(names))
        left_out = sorted(set(names) - set(wanted))
        found = [f"there is no folder {_some(missing)}"] if missing else []
        found += [f"{_some(left_out)} is left out"] if left_out else []
        raise ValueError(
            "from_image_folder(): class_names must name each folder once, but "
            f"{' and '.join(found) or 'a name comes twice'}; filter() the dataset for some of the classes"
        )
    return wanted


def _some(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:5]))
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


_PAIR = tree.flatten((0, 0))[1]


@record
class Images(Source):
    """Paths that were found, with their labels."""

    block: Block = field(repr=False)
    num_classes: int

    def known_spec(self) -> Spec | None:
        return Spec(_PAIR, (TensorSpec((), str), TensorSpec((), np.int64)))

    def cardinality(self) -> int:
        return self.block.rows

    def gather(self, indices: Indices) -> Block:
        return self.block.take(indices)

    def slice(self, start: int, stop: int) -> Block | None:
        return self.block.slice(start, stop)

    def signature(self) -> str:
        return f"from_image_folder({self.block.rows} images of {self.num_classes} classes)"
