"""The images of a folder: found, tried, and split into those to train on and those to test on."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import penstock
from penstock import AUTOTUNE, Dataset, image
from penstock.errors import DataLossError

Labels = np.ndarray[Any, np.dtype[np.int64]]

TEST_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class BrokenImage:
    """An image that could not be read.

    Attributes:
        path: Where it is, below the folder.
        reason: What the error says of it, without the path.
    """

    path: str
    reason: str


@dataclass(frozen=True, eq=False)
class Photos:
    """Images that are files.

    Attributes:
        paths: One per image.
        labels: int64 of shape (n,): positions in the names of the classes.
    """

    paths: tuple[str, ...]
    labels: Labels

    def __len__(self) -> int:
        return len(self.paths)

    def dataset(self) -> Dataset[tuple[Any, Any]]:
        """(path, label) of each image."""
        return Dataset.from_tensor_slices((list(self.paths), self.labels))


@dataclass(frozen=True, eq=False)
class PhotoFolder:
    """The images of a folder, split.

    Attributes:
        class_names: The names of the folders, sorted.
        train: Images to train on.
        test: Images to test on.
        broken: Images that are left out.
        fingerprint: The same for the same images wherever the folder lies: their number, and a hash of classes and
            paths.
    """

    class_names: tuple[str, ...]
    train: Photos
    test: Photos
    broken: tuple[BrokenImage, ...]
    fingerprint: str


def open_folder(root: str | os.PathLike[str], broken_log: Path, side: int = 64) -> PhotoFolder:
    """Find the images of a folder that holds a folder for each class, try to read each, and split them.

    An image's path below `root` decides by its hash, and by nothing else, whether it is for testing: about one in five
    is, and stays so when others are added or the folder is moved. Only a class that would have no image to test on, or
    none to train on, gets the one that is nearest to it.

    Args:
        root: A path or URL.
        broken_log: A quarantine file (`penstock.read_quarantine`) for images that cannot be read; begun anew, and
            there only if there are any.
        side: Pixels that images will have; JPEGs are decoded no larger than that needs, here too.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: There are not two classes with an image that can be read, or none is left to test on.
    """
    found = Dataset.from_image_folder(root)
    names = tuple(penstock.image_folder_classes(root))
    if len(names) < 2:
        raise ValueError(f"{root} has one class only, {names[0]!r}; put images of another into a folder beside it")
    pairs = [(str(path), int(label)) for path, label in found]
    below = [_below(root, path) for path, _ in pairs]
    reasons = _try_to_read(found, broken_log, side)
    broken = tuple(BrokenImage(below[at], _told(reason, pairs[at][0])) for at, reason in sorted(reasons.items()))
    good = [at for at in range(len(pairs)) if at not in reasons]
    _refuse_empty_classes(root, names, [pairs[at][1] for at in good], broken)
    chosen = _chosen_for_test([below[at] for at in good], [pairs[at][1] for at in good])
    train, test = (
        _photos([pairs[at] for at, is_test in zip(good, chosen, strict=True) if is_test is wanted])
        for wanted in (False, True)
    )
    if not len(test):
        raise ValueError(f"{root} has one image of each class, so none is left to test on; add more")
    digest = _hash("\0".join([*names, *(below[at] for at in good)])).hexdigest()
    return PhotoFolder(names, train, test, broken, f"{len(good)} ({digest})")


def _photos(pairs: Sequence[tuple[str, int]]) -> Photos:
    return Photos(tuple(path for path, _ in pairs), np.array([label for _, label in pairs], np.int64))


def _below(root: str | os.PathLike[str], path: str) -> str:
    """The path from the folder on, with slashes on every system, so that a split is the same on all."""
    inside = path.removeprefix(os.fspath(root).rstrip("/" + os.sep))
    return inside.replace(os.sep, "/").lstrip("/")


def _try_to_read(found: Dataset[Any], broken_log: Path, side: int) -> dict[int, str]:
    """Why images cannot be read, by their positions."""
    broken_log.parent.mkdir(parents=True, exist_ok=True)
    broken_log.unlink(missing_ok=True)

    def read(path: Any, label: Any) -> Any:
        image.central_crop(path, side, shorter_side=side)
        return label

    tried = found.map(read, num_parallel_calls=AUTOTUNE, on_error=penstock.quarantine(os.fspath(broken_log)))
    num_read = sum(1 for _ in tried)
    if not broken_log.exists():
        return {}
    reasons = {record.position: record.error for record in penstock.read_quarantine(broken_log)}
    if not num_read:
        raise DataLossError(f"none of {len(reasons):,} images can be read; the first: {reasons[0]}")
    return {position: reason for position, reason in reasons.items() if position is not None}


def _told(reason: str, path: str) -> str:
    """An error of `penstock.image` without what a list of broken images says itself: the path, and what to do."""
    start = f"image.central_crop(): {path} "
    return reason.removeprefix(start).split("; ")[0] if reason.startswith(start) else reason


def _refuse_empty_classes(
    root: Any, names: Sequence[str], labels: Sequence[int], broken: Sequence[BrokenImage]
) -> None:
    empty = [name for label, name in enumerate(names) if label not in set(labels)]
    if empty:
        told = "; ".join(f"{image.path} {image.reason}" for image in broken[:3])
        raise ValueError(
            f"{root}: there is no image that can be read of {', '.join(map(repr, empty[:5]))}; add some, or move the "
            f"folder away{f' ({told})' if told else ''}"
        )


def _chosen_for_test(below: Sequence[str], labels: Sequence[int]) -> list[bool]:
    draws = [int.from_bytes(_hash(path).digest()) / 2**64 for path in below]
    chosen = [draw < TEST_SHARE for draw in draws]
    sizes = Counter(labels)
    num_chosen = Counter(label for label, is_test in zip(labels, chosen, strict=True) if is_test)
    for label, size in sizes.items():
        own = sorted((at for at in range(len(below)) if labels[at] == label), key=draws.__getitem__)
        if size > 1 and not num_chosen[label]:
            chosen[own[0]] = True
        if num_chosen[label] == size:
            chosen[own[-1]] = False
    return chosen


def _hash(text: str) -> hashlib.blake2b:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8)
