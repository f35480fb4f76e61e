"""Three small sets of images to train on: as arrays in memory, and from there as datasets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from penstock.dataset import Dataset
from penstock.errors import DataLossError
from penstock.recipes.download import RemoteFile, cache_folder, fetch, is_intact
from penstock.recipes.idx import read_idx

Name = Literal["digits", "mnist", "fashion_mnist"]
Images = np.ndarray[Any, np.dtype[np.uint8]]
Labels = np.ndarray[Any, np.dtype[np.int64]]

NAMES: tuple[Name, ...] = ("digits", "mnist", "fashion_mnist")
"""What `load` knows."""

_DIGITS_NUM_TRAIN = 1_437
_DIGITS_SEED = 0
_DIGITS_LARGEST_VALUE = 16


@dataclass(frozen=True, eq=False)
class ImageData:
    """A set of images with a class each, split for training and testing.

    Attributes:
        name: What `load` was asked for.
        train_images: uint8 of shape (n, height, width); 0 is the background, 255 the strongest ink.
        train_labels: int64 of shape (n,): positions in `class_names`.
        test_images: As `train_images`, of the same height and width.
        test_labels: As `train_labels`.
        class_names: One per class.
    """

    name: str
    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels
    class_names: tuple[str, ...]

    def train(self) -> Dataset[tuple[Images, np.int64]]:
        """The training images with their labels, one pair an element, in the order of the files."""
        return _as_dataset(self.train_images, self.train_labels)

    def test(self) -> Dataset[tuple[Images, np.int64]]:
        """The test images with their labels, one pair an element, in the order of the files."""
        return _as_dataset(self.test_images, self.test_labels)


def load(
    name: Name,
    data_dir: Path | None = None,
    progress: bool = True,
    timeout_seconds: float = 5.0,
) -> ImageData:
    """Load a set of images into memory, downloading it into the cache folder the first time.

    >>> data = load("digits")
    >>> data.train_images.shape, data.test_images.shape
    ((1437, 8, 8), (360, 8, 8))

    Args:
        name: "digits" (1,797 scans of 8x8 that scikit-learn carries: no network, no file), "mnist" or "fashion_mnist"
            (60,000 and 10,000 images of 28x28).
        data_dir: A folder that has the four IDX files already, gzipped or not, here or where torchvision puts them
            (`MNIST/raw`); nothing is downloaded then, and nothing written there. "digits" needs none.
        progress: Show a progress bar per file that is downloaded, on stderr.
        timeout_seconds: How long to wait for mirrors when none of them answers.

    Memory: the arrays: 2 MB for "digits", 55 MB for the others.

    Raises:
        ValueError: `name` is unknown, or `data_dir` holds another data set than `name`.
        FileNotFoundError: `data_dir` lacks a file; names what was looked for, and where.
        DownloadError: No mirror could be reached; one line.
        DataLossError: A file is broken; names it and the position.
        ImportError: "digits" without scikit-learn.
    """
    if name not in NAMES:
        raise ValueError(f"load(): name is {name!r}; write one of {', '.join(map(repr, NAMES))}")
    if name == "digits":
        return _load_digits()
    source = _SOURCES[name]
    if data_dir is None:
        paths = fetch(
            source.files, source.mirrors, _cached_at(name), progress=progress, timeout_seconds=timeout_seconds
        )
    else:
        paths = _locate(source, Path(data_dir))
        _refuse_another_set(name, paths)
    return _read(name, paths, source.class_names)


def is_at_hand(name: Name, data_dir: Path | None = None) -> bool:
    """Whether `load` with the same arguments would need no network and miss no file.

    With a `data_dir` only the presence of its files is looked at; in the cache folder their checksums too.
    """
    if name not in NAMES:
        raise ValueError(f"is_at_hand(): name is {name!r}; write one of {', '.join(map(repr, NAMES))}")
    if name == "digits":
        return find_spec("sklearn") is not None
    source = _SOURCES[name]
    if data_dir is None:
        return all(is_intact(_cached_at(name) / file.name, file) for file in source.files)
    try:
        _locate(source, Path(data_dir))
    except FileNotFoundError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a set of four IDX files is published: training images and labels, test images and labels."""

    files: tuple[RemoteFile, RemoteFile, RemoteFile, RemoteFile]
    mirrors: tuple[str, ...]
    torchvision_folder: str
    class_names: tuple[str, ...]


_SOURCES: dict[str, _Source] = {
    "mnist": _Source(
        files=(
            RemoteFile(
                "train-images-idx3-ubyte.gz",
                "f68b3c2dcbeaaa9fbdd348bbdeb94873",
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
            RemoteFile(
                "train-labels-idx1-ubyte.gz",
                "d53e105ee54ea40749a09fcbcd1e9432",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
            RemoteFile(
                "t10k-images-idx3-ubyte.gz",
                "9fb629c4189551a2d022fa330f9573f3",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
            RemoteFile(
                "t10k-labels-idx1-ubyte.gz",
                "ec29112dd5afa0611ce80d1b7f02629c",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ),
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist",
            "https://storage.googleapis.com/cvdf-datasets/mnist",
        ),
        torchvision_folder="MNIST",
        class_names=tuple("0123456789"),
    ),
    "fashion_mnist": _Source(
        files=(
            RemoteFile("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            RemoteFile("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
            RemoteFile("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
            RemoteFile("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
        ),
        mirrors=(
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        ),
        torchvision_folder="FashionMNIST",
        class_names=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
    ),
}


def _cached_at(name: str) -> Path:
    return cache_folder() / "datasets" / name


def _load_digits() -> ImageData:
    """Scale 0..16 to 0..255, so that all sets look alike, and split by a draw that no NumPy release changes."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        message = "load('digits'): needs scikit-learn, which is not installed; pip install penstock[train]"
        raise ImportError(message, name="sklearn") from error
    scans = load_digits()
    images = np.rint(scans.images * (255 / _DIGITS_LARGEST_VALUE)).astype(np.uint8)
    labels = scans.target.astype(np.int64)
    # RandomState, because its streams are frozen for good; those of numpy.random.Generator are not.
    order = np.random.RandomState(_DIGITS_SEED).permutation(len(images))
    train, test = order[:_DIGITS_NUM_TRAIN], order[_DIGITS_NUM_TRAIN:]
    return ImageData("digits", images[train], labels[train], images[test], labels[test], tuple("0123456789"))


def _locate(source: _Source, data_dir: Path) -> list[Path]:
    """Find all four files in one folder; those of torchvision's layout and the folder itself come into question."""
    if not data_dir.is_dir():
        raise FileNotFoundError(f"data_dir: {data_dir} is no folder; name the one with the IDX files")
    folders = [data_dir / source.torchvision_folder / "raw", data_dir / "raw", data_dir]
    spellings = [_spellings(file.name) for file in source.files]
    found = [[_first_file(folder, names) for names in spellings] for folder in folders]
    for paths in found:
        present = [path for path in paths if path is not None]
        if len(present) == len(source.files):
            return present
    nearest = max(found, key=lambda paths: sum(path is not None for path in paths))
    missing = ", ".join(names[0] for path, names in zip(nearest, spellings, strict=True) if path is None)
    looked_in = ", ".join(map(str, folders))
    raise FileNotFoundError(f"data_dir: no {missing} (nor .idx for -idx, nor with .gz) in any one of {looked_in}")


def _spellings(published_name: str) -> list[str]:
    """The names that a file goes by, unpacked ones first, because they are read faster."""
    plain = published_name.removesuffix(".gz")
    dotted = plain.replace("-idx", ".idx")
    return [plain, dotted, f"{plain}.gz", f"{dotted}.gz"]


def _first_file(folder: Path, names: Sequence[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _refuse_another_set(name: str, paths: Sequence[Path]) -> None:
    """The sets' files have the same names; training on the wrong ones would go unnoticed. The labels are enough."""
    test_labels = paths[-1]
    for other, source in _SOURCES.items():
        if other != name and is_intact(test_labels, source.files[-1]):
            message = (
                f"load({name!r}): {test_labels.parent} holds {other}; write load({other!r}) or name another data_dir"
            )
            raise ValueError(message)


def _read(name: str, paths: Sequence[Path], class_names: tuple[str, ...]) -> ImageData:
    train_images, test_images = (_read_values(path, 3) for path in paths[0::2])
    train_labels, test_labels = (_read_values(path, 1) for path in paths[1::2])
    for position, (images, labels) in enumerate([(train_images, train_labels), (test_images, test_labels)]):
        images_path, labels_path = paths[2 * position : 2 * position + 2]
        if len(images) != len(labels):
            counts = f"{images_path} has {len(images)} images, {labels_path} {len(labels)} labels"
            raise DataLossError(f"{counts}; they do not belong together")
        wrong = np.flatnonzero(labels >= len(class_names))
        if wrong.size:
            at = int(wrong[0])
            classes = f"{name} has classes 0 to {len(class_names) - 1}"
            raise DataLossError(f"{labels_path}: label {at} (byte {8 + at}) is {labels[at]}; {classes}")
    if train_images.shape[1:] != test_images.shape[1:]:
        sizes = f"{paths[0]} are {train_images.shape[1:]}, those of {paths[2]} {test_images.shape[1:]}"
        raise DataLossError(f"the images of {sizes}; they do not belong together")
    return ImageData(
        name, train_images, train_labels.astype(np.int64), test_images, test_labels.astype(np.int64), class_names
    )


def _read_values(path: Path, num_dimensions: int) -> Images:
    values = read_idx(path, num_dimensions)
    if values.dtype != np.uint8:
        raise DataLossError(f"{path}: byte 2 gives the dtype {values.dtype}, expected uint8; give the right file")
    return values


def _as_dataset(images: Images, labels: Labels) -> Dataset[tuple[Images, np.int64]]:
    return Dataset.from_tensor_slices((images, labels))
