"""`import penstock` costs little because it loads little."""

from __future__ import annotations

import subprocess
import sys

import pytest

FRAMEWORKS = {"flax", "jax", "keras", "pandas", "scipy", "sklearn", "tensorflow", "tokenizers", "torch"}
ON_FIRST_USE = {"cloudpickle", "fsspec", "multiprocessing", "numpy.random", "pyarrow", "tqdm"}

USE = """
from penstock import Dataset
for batch in Dataset.range(10).map(lambda x: x * 2).batch(3):
    assert batch.dtype == "int64"
"""


def modules_loaded_by(code: str) -> set[str]:
    """The modules that a new interpreter has loaded after `code`."""
    report = f"{code}\nimport sys\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", report], check=True, capture_output=True, text=True)
    return set(run.stdout.split())


def test_import_loads_nothing_heavy() -> None:
    loaded = modules_loaded_by("import penstock")
    assert "penstock" in loaded
    assert loaded & (FRAMEWORKS | ON_FIRST_USE) == set()


@pytest.mark.parametrize("code", ["from penstock import Dataset", USE])
def test_pipeline_in_memory_loads_no_framework_and_no_file_library(code: str) -> None:
    loaded = modules_loaded_by(code)
    assert "penstock.dataset" in loaded
    assert loaded & (FRAMEWORKS | {"fsspec", "pyarrow", "tqdm"}) == set()
