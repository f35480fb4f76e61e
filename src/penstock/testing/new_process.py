"""Resuming in a new process: chains travel with their states, and what is left of each comes back."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from penstock.testing.case import Chain
from penstock.testing.observe import HORIZON, observe

_PROGRAM = "import sys; from penstock.testing.new_process import main; main(sys.argv[1])"


def resume_in_new_process(chains: Sequence[Chain], states: Sequence[Any], folder: Path) -> list[list[Any]]:
    """What each chain yields when its state is loaded in a process that has not seen it.

    Args:
        chains: What is built there.
        states: What `state_dict` gave, one for each chain; it travels as a JSON file.
        folder: Where files may be written.
    """
    import json

    import cloudpickle

    (folder / "chains").write_bytes(cloudpickle.dumps(list(chains)))
    (folder / "states.json").write_text(json.dumps(list(states), allow_nan=False))
    command = [sys.executable, "-W", "error", "-c", _PROGRAM, str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return pickle.loads((folder / "found").read_bytes())  # type: ignore[no-any-return]


def main(name: str) -> None:
    """The new process: reads the folder `name`, and writes what is left there."""
    import json

    import cloudpickle

    folder = Path(name)
    chains = cloudpickle.loads((folder / "chains").read_bytes())
    states = json.loads((folder / "states.json").read_text())
    found = []
    for chain, state in zip(chains, states, strict=True):
        with iter(chain.build()) as elements:
            elements.load_state_dict(state)
            found.append(observe(elements, HORIZON))
    (folder / "found").write_bytes(cloudpickle.dumps(found))
