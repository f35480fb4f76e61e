"""Rule: a source over files reads no component that the map behind it does not look at."""

from __future__ import annotations

from dataclasses import replace

from penstock.node import IndexOnly, Node
from penstock.reading import ReadFiles
from penstock.transforms.map import Map


def read_used(node: Node) -> Node:
    """Tell the source below a map, and below steps that only pick elements, which components the map's trace uses."""
    if not isinstance(node, Map):
        return node
    picking: list[IndexOnly] = []
    below = node.input
    while isinstance(below, IndexOnly) and len(below.inputs) == 1:
        picking.append(below)
        below = below.input_node
    if not isinstance(below, ReadFiles) or below.used is not None or not below.reader.skips_unused:
        return node
    spec = below.known_spec()
    used = None if spec is None else node.functions[0].uses(spec)
    if spec is None or used is None or len(used) == len(spec.leaves):
        return node
    source: Node = replace(below, used=used)
    for step in reversed(picking):
        source = step.with_inputs([source])
    return replace(node, input=source)
