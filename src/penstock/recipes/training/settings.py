"""How to train, and where: what every training run needs to be told, whatever it trains."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOOPS = ("fit", "custom")
BACKENDS = ("jax", "torch", "tensorflow")

_IDENTITY = ("loop", "backend", "batch_size", "seed")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One training run; each recipe adds what is its own.

    Args:
        save_dir: Folder for the state of the run, its losses and the trained model.
        loop: "fit" for `keras.Model.fit`, "custom" for a gradient step and metrics of our own.
        backend: The backend that Keras runs on; it must be the one that is imported.
        epochs: Passes through the training data; a run that has ended may be resumed with more.
        batch_size: Elements per step.
        seed: Seed of all that is drawn: initial weights, dropout, the order of the elements.
        save_every: Steps between two saves; each epoch ends with one besides.

    Raises:
        ValueError: A name is unknown, or a number below 1.
    """

    save_dir: Path
    loop: str = "fit"
    backend: str = "jax"
    epochs: int = 5
    batch_size: int = 32
    seed: int = 0
    save_every: int = 100

    def __post_init__(self) -> None:
        self.check_name("loop", LOOPS)
        self.check_name("backend", BACKENDS)
        for field in ("epochs", "batch_size", "save_every"):
            self.check_at_least_1(field)

    def check_name(self, field: str, known: tuple[str, ...]) -> None:
        """Raise a ValueError where `field` is none of the `known` names."""
        if getattr(self, field) not in known:
            raise ValueError(f"Settings(): {field} is {getattr(self, field)!r}; write one of {', '.join(known)}")

    def check_at_least_1(self, field: str) -> None:
        """Raise a ValueError where the number `field` is below 1."""
        if getattr(self, field) < 1:
            raise ValueError(f"Settings(): {field} is {getattr(self, field)}; it must be at least 1")

    def identity(self) -> dict[str, Any]:
        """What a run must keep to go on as it began, as JSON; a recipe adds its own."""
        return {field: getattr(self, field) for field in _IDENTITY}
