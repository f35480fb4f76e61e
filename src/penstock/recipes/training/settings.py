"""What to train, how and where: all that `train` needs to be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

STYLES = ("sequential", "functional", "subclassed", "nested")
LOOPS = ("fit", "custom")
BACKENDS = ("jax", "torch", "tensorflow")
DATASETS = ("digits", "mnist", "fashion_mnist")

_IDENTITY = ("dataset", "style", "loop", "backend", "batch_size", "seed")


@dataclass(frozen=True)
class Settings:
    """One training run.

    Args:
        dataset: Name of the images to train on, as `datasets.load` knows it.
        save_dir: Folder for the state of the run, its losses and the trained model.
        style: How the model is written; see `models.build_model`.
        loop: "fit" for `keras.Model.fit`, "custom" for a gradient step and metrics of our own.
        backend: The backend that Keras runs on; it must be the one that is imported.
        epochs: Passes through the training images; a run that has ended may be resumed with more.
        batch_size: Images per step; None for what suits the data set.
        seed: Seed of the initial weights, of dropout and of the order of the images.
        save_every: Steps between two saves; each epoch ends with one besides.

    Raises:
        ValueError: A name is unknown, or a number below 1.
    """

    dataset: str
    save_dir: Path
    style: str = "sequential"
    loop: str = "fit"
    backend: str = "jax"
    epochs: int = 5
    batch_size: int | None = None
    seed: int = 0
    save_every: int = 100

    def __post_init__(self) -> None:
        known = {"dataset": DATASETS, "style": STYLES, "loop": LOOPS, "backend": BACKENDS}
        for field, names in known.items():
            if getattr(self, field) not in names:
                raise ValueError(f"Settings(): {field} is {getattr(self, field)!r}; write one of {', '.join(names)}")
        if self.batch_size is None:
            object.__setattr__(self, "batch_size", 32 if self.dataset == "digits" else 128)
        for field in ("epochs", "batch_size", "save_every"):
            if getattr(self, field) < 1:
                raise ValueError(f"Settings(): {field} is {getattr(self, field)}; it must be at least 1")

    @property
    def rows(self) -> int:
        """Images per step."""
        assert self.batch_size is not None
        return self.batch_size

    def identity(self) -> dict[str, Any]:
        """The settings that a run must keep to go on as it began."""
        return {field: getattr(self, field) for field in _IDENTITY}
