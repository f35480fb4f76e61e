"""Every example in a docstring of penstock runs and prints what it says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import penstock

# An example may use these without importing them, as the reader of a docstring expects.
KNOWN_NAMES = {"np": np, "penstock": penstock, "image": penstock.image, "text": penstock.text}
FRAMEWORKS = {"jax", "keras", "sklearn", "tensorflow", "torch"}
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(penstock.__path__, "penstock.")
    if module.name != "penstock.__main__"
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_module(name: str) -> None:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in FRAMEWORKS:
            raise
        pytest.skip(f"{name} needs {error.name}")
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    report: list[str] = []
    names = {"Dataset": penstock.Dataset} | KNOWN_NAMES | vars(module)
    for example in doctest.DocTestFinder(exclude_empty=True).find(module, globs=names):
        runner.run(example, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)
