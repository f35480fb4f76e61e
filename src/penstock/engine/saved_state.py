"""What a saved state says beside positions: its version, its pipeline, and the facts that fix a pass."""

from __future__ import annotations

import warnings
from typing import Any

from penstock.errors import StateError

VERSION = 1


def check_form(state: Any) -> None:
    """See to it that a state is whole and of this version.

    Raises:
        StateError: It is not; says what is missing.
    """
    if not isinstance(state, dict) or "version" not in state:
        raise StateError(f"load_state_dict(): expected what state_dict() gave, but found {str(state)[:80]!r}")
    if state["version"] != VERSION:
        raise StateError(
            f"load_state_dict(): the state has version {state['version']}, this penstock reads version {VERSION}; "
            "load it with the release that saved it"
        )
    missing = [name for name in ("facts", "at", "taken", "ended") if name not in state]
    if missing:
        raise StateError(f"load_state_dict(): the state lacks {', '.join(missing)}; it was cut off")
    taken = state["taken"]
    if not isinstance(taken, int) or taken < 0 or not isinstance(state["facts"], list):
        raise StateError(
            f"load_state_dict(): the state has taken={taken!r} and facts={state['facts']!r}; it is damaged"
        )


def compare(state: dict[str, Any], mine: dict[str, Any], strict: bool) -> None:
    """Refuse the state of another pipeline, unless not `strict`; warn of functions that have changed.

    Raises:
        StateError: The plans differ; shows both.
    """
    if strict and state.get("plan") != mine["plan"]:
        theirs = "\n  ".join(state.get("plan") or ["nothing"])
        ours = "\n  ".join(mine["plan"])
        raise StateError(
            f"load_state_dict(): the state is of another pipeline.\nThe state's:\n  {theirs}\nThis one:\n  {ours}\n"
            "Build the pipeline as it was, or pass strict=False"
        )
    saved, current = state.get("functions") or {}, mine["functions"]
    for name in (name for name in current if name in saved):
        code, _, python = current[name].partition(" of ")
        their_code, _, their_python = saved[name].partition(" of ")
        if code != their_code:
            told = "has changed since the state was saved"
            if their_python not in ("", python):
                told = f"may have changed since the state was saved, with {their_python}: {python} cannot tell"
            warnings.warn(f"load_state_dict(): {name} {told}; its elements may differ", UserWarning, stacklevel=3)


def facts_to_restore(state: dict[str, Any], plan: list[str]) -> list[Any]:
    """The state's facts for the steps of `plan`, the last step first; each goes to the step that it was of.

    Raises:
        StateError: There is not one for each step.
    """
    theirs = state.get("plan") or plan
    facts = state["facts"]
    if len(facts) != len(theirs):
        raise StateError(
            f"load_state_dict(): the state has facts of {len(facts)} steps for {len(theirs)}; it is cut off"
        )
    waiting = list(zip(reversed(theirs), facts, strict=True))
    found: list[Any] = []
    for step in reversed(plan):
        at = next((at for at, (name, _) in enumerate(waiting) if name == step), None)
        fact = None if at is None else waiting.pop(at)[1]
        found.append(None if fact is None else {**fact, "restores": True})
    return found
