"""Elements that wait for others of like length until a batch of them is complete."""

from penstock.collecting.cutting import CutByCount, CutByTokens, Cutter
from penstock.collecting.node import Collecting

__all__ = ["Collecting", "CutByCount", "CutByTokens", "Cutter"]
