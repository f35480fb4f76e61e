"""The laws of resuming: a pass cut anywhere goes on as if it had not been, here, in a new process, on other shards."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from penstock.ends.run import prepare
from penstock.engine.pass_facts import pass_facts
from penstock.engine.run import RunContext, open_node
from penstock.testing.case import Chain
from penstock.testing.observe import HORIZON, first, observe, pull, same

Choose = Callable[[int, int], int]


def through_text(state: Any) -> Any:
    """The state as it comes out of a JSON file."""
    return json.loads(json.dumps(state, allow_nan=False))


def resume(chain: Chain, choose: Choose) -> None:
    """A state taken after any element, in any pass, goes on in a dataset built anew; again after a second cut.

    The same state put back into the iterator that it was taken from rewinds it, and the pass after it is the next one.
    Seeds that were not given travel in the state.
    """
    number = choose(0, 2)
    dataset = chain.build()
    for _ in range(number):
        observe(iter(dataset), choose(0, 9))
    expected = first(chain.elements(number, first=0))
    cut = choose(0, len(expected))
    elements = iter(dataset)
    same(expected[:cut], observe(elements, cut), f"resume: pass {number} before the cut")
    state = through_text(elements.state_dict())

    second = choose(cut, len(expected))
    again = chain.build()
    resumed = iter(again)
    resumed.load_state_dict(state)
    if chain.has_one_form:
        assert through_text(resumed.state_dict()) == state, "resume: a state loaded and saved at once is another one"
    same(expected[cut:second], observe(resumed, second - cut), f"resume: pass {number} from {cut} to {second}")
    state_after = through_text(resumed.state_dict())

    rest = iter(chain.build())
    rest.load_state_dict(state_after)
    found = observe(rest, HORIZON - second)
    same(expected[second:], found, f"resume: pass {number} from {second} on, cut at {cut} and {second}")
    if "cache" not in chain.names:
        found = observe(iter(again))
        same(first(chain.elements(number + 1)), found, f"resume: the pass after the resumed pass {number}")

    observe(elements, choose(0, 5))
    elements.load_state_dict(state)
    same(expected[cut:], observe(elements, HORIZON - cut), f"resume: pass {number} put back to {cut} in place")
    _resume_unseeded(chain, choose)


def _resume_unseeded(chain: Chain, choose: Choose) -> None:
    if not any("seed" in step.arguments for step in chain.walk()):
        return
    elements = iter(chain.build(seed=None))
    observe(elements, choose(0, 5))
    state = through_text(elements.state_dict())
    rest = observe(elements, 20)
    resumed = iter(chain.build(seed=None))
    resumed.load_state_dict(state)
    same(rest, observe(resumed, 20), "resume: seeds that were not given")


def resume_operators(chain: Chain, choose: Choose) -> None:
    """The state of an operator after blocks of any size goes on in a new operator, for blocks of any other size."""
    number = choose(0, 2)
    expected = first(chain.elements(number, first=0), 3 * HORIZON)
    dataset = chain.build()
    plan, facts = prepare(dataset._node, pass_facts(dataset._node, number))
    operator = open_node(plan, RunContext(prepare))
    demands = [choose(1, 9) for _ in range(choose(0, 6))]
    found = [item for _, items in pull(operator, demands) for item in items]
    state = through_text(operator.get_state())
    operator.close()
    plan, _ = prepare(chain.build()._node, through_text(facts))
    operator = open_node(plan, RunContext(prepare))
    operator.set_state(state)
    after = [choose(1, 9) for _ in range(3)] + [5] * HORIZON
    rest = [item for _, items in pull(operator, after, HORIZON) for item in items]
    operator.close()
    wanted = expected[: len(found) + len(rest)] if len(rest) >= HORIZON else expected
    same(wanted, found + rest, f"resume_operators: demands of {demands}, then {after[:3]}, in pass {number}")


def shards(chain: Chain, choose: Choose) -> None:
    """Shards are disjoint and together the whole, and each resumes."""
    expected = first(chain.elements())
    ranks = choose(1, 4)
    rank = choose(0, ranks - 1)
    dealt = [observe(iter(chain.build().shard(ranks, rank))) for rank in range(ranks)]
    for at, found in enumerate(dealt):
        wanted = expected[at::ranks]
        same(wanted, found[: len(wanted)], f"shards: shard {at} of {ranks}")
    if len(expected) < HORIZON:
        assert sum(map(len, dealt)) == len(expected), f"shards: {dealt} is not the whole {expected}"
    steps = choose(0, len(dealt[rank]))
    elements = iter(chain.build().shard(ranks, rank))
    observe(elements, steps)
    resumed = iter(chain.build().shard(ranks, rank))
    resumed.load_state_dict(through_text(elements.state_dict()))
    what = f"shards: shard {rank} of {ranks}, resumed after {steps} elements"
    same(dealt[rank][steps:], observe(resumed, HORIZON - steps), what)


def resume_on_other_shards(chain: Chain, choose: Choose) -> None:
    """A state of any shard at a common step goes on on any number of shards, which together read what is left."""
    expected = first(chain.elements())
    ranks, later = choose(1, 4), choose(1, 4)
    steps = choose(0, len(expected) // ranks)
    elements = iter(chain.build().shard(ranks, choose(0, ranks - 1)))
    observe(elements, steps)
    state = through_text(elements.state_dict())
    for rank in range(later):
        resumed = iter(chain.build().shard(later, rank))
        resumed.load_state_dict(state)
        wanted = [item for at, item in enumerate(expected) if at >= steps * ranks and at % later == rank]
        found = observe(resumed)
        what = f"resume_on_other_shards: {steps} steps on {ranks} shards, then shard {rank} of {later}"
        same(wanted, found[: len(wanted)], what)
        assert len(expected) == HORIZON or len(found) == len(wanted), f"{what}: {len(found)} elements"
