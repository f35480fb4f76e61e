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
    """The lines of a plan; found from the last to the first, without recursion, since chains can be long."""
    lines: list[str] = []
    waiting: list[tuple[Node | str, str]] = [(node, "")]
    while waiting:
        step, margin = waiting.pop()
        if isinstance(step, str):
            lines.append(margin + step)
            continue
        if running and _is_gathered(step):
            own, inputs = _gather(step)
        else:
            own = step.label().split("\n") if running else step.signature().split(", map(")
            inputs = step.inputs
        lines += [margin + line for line in reversed(own)]
        for number, part in enumerate(inputs):
            if len(inputs) > 1:
                waiting.append((f"input {number}:", margin))
            waiting.append((part, f"{margin}  " if len(inputs) > 1 else margin))
    return lines[::-1]


def _is_gathered(node: Node) -> bool:
    return isinstance(node, (Source, IndexOnly)) and node.access is not Access.STREAM


def _gather(node: Node) -> tuple[list[str], tuple[Node, ...]]:
    """The lines of the part of a plan that is arithmetic on places, and what other step that part stands on."""
    chain = [node]
    while isinstance(chain[-1], IndexOnly):
        chain.append(chain[-1].input_node)
    below = chain[-1]
    steps = [f"  index: {step.label()}" for step in chain[-2::-1]]
    if isinstance(below, Source):
        return [f"gather  # by index from {below.signature()}", *steps], ()
    return steps, (below,)


def show_spec(spec: Spec | None) -> str:
    """A spec in a line."""
    return "unknown before the first element" if spec is None else str(spec.as_element())
