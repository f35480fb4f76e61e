"""Keras reads its backend when it is first imported."""

import os

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")

# The tests that are run here again are no test modules of this folder; without this their assertions would say little.
pytest.register_assert_rewrite(
    "tests.integrations.test_keras",
    "tests.recipes.test_models",
    "tests.recipes.test_training",
    "tests.recipes.training_runs",
)
