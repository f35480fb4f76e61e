"""What to make of photographs, beside how to train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from penstock.recipes.training.settings import Settings

SMALLEST_SIDE = 8
"""Pixels."""


@dataclass(frozen=True, kw_only=True)
class PhotoSettings(Settings):
    """One training on photographs.

    Args:
        side: Height and width in pixels that every image is brought to.
        flip: Whether half of the images are mirrored at random in training; not for what has a left and a right, such
            as letters.
        images: What is the same for the same images; the job fills it in.

    Raises:
        ValueError: A name is unknown, or a number too small.
    """

    side: int = 64
    flip: bool = False
    images: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.side < SMALLEST_SIDE:
            raise ValueError(f"Settings(): side is {self.side} pixels; it must be at least {SMALLEST_SIDE}")

    def identity(self) -> dict[str, Any]:
        """The settings that a run must keep to go on as it began."""
        return {"images": self.images, "side": self.side, "flip": self.flip, **super().identity()}
