"""Input pipelines for machine learning: tf.data's API without TensorFlow."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock import errors as errors
    from penstock import image as image
    from penstock import text as text
    from penstock.columns import SparseTensor as SparseTensor
    from penstock.dataset import Dataset as Dataset
    from penstock.engine.iterator import DatasetIterator as DatasetIterator
    from penstock.faults import quarantine as quarantine
    from penstock.faults import retry as retry
    from penstock.faults import substitute as substitute
    from penstock.file_datasets import TextLineDataset as TextLineDataset
    from penstock.options import Options as Options
    from penstock.quarantined import FailedElement as FailedElement
    from penstock.quarantined import read_quarantine as read_quarantine
    from penstock.readers.image_folder import image_folder_classes as image_folder_classes
    from penstock.spec import TensorSpec as TensorSpec

__version__ = "0.1.0"

AUTOTUNE = -1
"""Leave a number open: `prefetch(AUTOTUNE)`."""
INFINITE_CARDINALITY = -1
"""What `cardinality` says of an endless dataset."""
UNKNOWN_CARDINALITY = -2
"""What `cardinality` says where the number of elements shows only when they are read."""

_HOMES = {
    "Dataset": "penstock.dataset",
    "DatasetIterator": "penstock.engine.iterator",
    "SparseTensor": "penstock.columns",
    "TextLineDataset": "penstock.file_datasets",
    "TensorSpec": "penstock.spec",
    "FailedElement": "penstock.quarantined",
    "Options": "penstock.options",
    "image_folder_classes": "penstock.readers.image_folder",
    "quarantine": "penstock.faults",
    "read_quarantine": "penstock.quarantined",
    "retry": "penstock.faults",
    "substitute": "penstock.faults",
}

__all__ = [
    "AUTOTUNE",
    "INFINITE_CARDINALITY",
    "UNKNOWN_CARDINALITY",
    "Dataset",
    "DatasetIterator",
    "FailedElement",
    "Options",
    "SparseTensor",
    "TensorSpec",
    "TextLineDataset",
    "errors",
    "image",
    "image_folder_classes",
    "quarantine",
    "read_quarantine",
    "retry",
    "substitute",
    "text",
]


def __getattr__(name: str) -> Any:
    # Names are imported when first used, so that `import penstock` costs next to nothing.
    if name in ("errors", "image", "text"):
        return import_module(f"penstock.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'penstock' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
