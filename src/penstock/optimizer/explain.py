"""A plan as text: as it was written, and as it runs."""

from __future__ import annotations

from penstock.node import Access, IndexOnly, Node, Source
from penstock.spec import Spec


def explain(written: Node, run: Node) -> str:
    """Both plans, a line a step, the source first; each map with how it runs and why."""
    return "\n".join(
        [
            "as written:",
            *(f"  {line}" for line in _steps(written)),
            "as run:",
            *(f"  {line}" for line in _steps(run, running=True)),
        ]
    )


def _steps(node: Node, running: bool = False) -> list[str]:
    lines: list[str] = []
    inputs = node.inputs
    if running and _is_gathered(node):
        return _gather(node)
    for number, part in enumerate(inputs):
        steps = _steps(part, running)
        if len(inputs) > 1:
            lines.append(f"input {number}:")
            steps = [f"  {line}" for line in steps]
        lines += steps
    text = node.label() if running else node.signature()
    lines += text.split("\n") if running else text.split(", map(")
    return lines


def _is_gathered(node: Node) -> bool:
    return isinstance(node, (Source, IndexOnly)) and node.access is not Access.STREAM


def _gather(node: Node) -> list[str]:
    """The part of a plan that is arithmetic on places, down to the data."""
    chain = [node]
    while isinstance(chain[-1], IndexOnly):
        chain.append(chain[-1].input_node)
    below = chain[-1]
    if len(chain) == 1:
        return [f"gather  # by index from {below.signature()}"]
    if isinstance(below, Source):
        return [f"gather  # by index from {below.signature()}", *(f"  index: {step.label()}" for step in chain[-2::-1])]
    rest = _steps(below, running=True)
    return [*rest, *(f"  index: {step.label()}" for step in chain[-2::-1])]


def show_spec(spec: Spec | None) -> str:
    """A spec in a line."""
    return "unknown before the first element" if spec is None else str(spec.as_element())
