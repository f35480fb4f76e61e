"""Rule: take, skip and shard before a map instead of after it, so that fewer elements are computed."""

from __future__ import annotations

from dataclasses import replace

from penstock.blockwise import Blockwise
from penstock.node import (
    Node,
    Purity,
)
from penstock.transforms.shard import Shard
from penstock.transforms.skip import Skip
from penstock.transforms.take import Take


def push_to_source(node: Node) -> Node:
    """Swap the node with a map below it, if leaving calls of the map's function out shows nowhere."""
    if not isinstance(node, (Take, Skip, Shard)):
        return node
    below = node.input
    if not isinstance(below, Blockwise) or below.is_positional or below.purity_to_pass is Purity.STATEFUL:
        return node
    return below.with_inputs([replace(node, input=below.input_node)])
