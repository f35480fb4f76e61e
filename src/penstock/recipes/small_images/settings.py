"""Which small images to train on, and how the model is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from penstock.recipes.training.settings import Settings

STYLES = ("sequential", "functional", "subclassed", "nested")
DATASETS = ("digits", "mnist", "fashion_mnist")


@dataclass(frozen=True, kw_only=True)
class SmallImageSettings(Settings):
    """One training on small images.

    Args:
        dataset: Name of the images to train on, as `datasets.load` knows it.
        style: How the model is written; see `models.build_model`.

    Raises:
        ValueError: A name is unknown, or a number below 1.
    """

    dataset: str
    style: str = "sequential"

    def __post_init__(self) -> None:
        self.check_name("dataset", DATASETS)
        self.check_name("style", STYLES)
        super().__post_init__()

    def identity(self) -> dict[str, Any]:
        """The settings that a run must keep to go on as it began."""
        return {"dataset": self.dataset, "style": self.style, **super().identity()}


def suitable_batch_size(dataset: str) -> int:
    """Images per step that suit the data set."""
    return 32 if dataset == "digits" else 128
