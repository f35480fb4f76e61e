"""Sequences of tokens packed into rows of one length, with what tells them apart in each row."""

from penstock.packing.asked import STRATEGIES, WAYS, Asked, Fill, Strategy, TooLong
from penstock.packing.operator import PackOperator
from penstock.packing.rows import packed_spec

__all__ = ["STRATEGIES", "WAYS", "Asked", "Fill", "PackOperator", "Strategy", "TooLong", "packed_spec"]
