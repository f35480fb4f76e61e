"""The tests here are those of other folders, run again on torch; `make test-torch` sets `KERAS_BACKEND` for them."""

import pytest

# They are no test modules of this folder; without this their assertions would say little when they fail.
pytest.register_assert_rewrite(
    "tests.integrations.test_keras",
    "tests.recipes.test_models",
    "tests.recipes.test_photos",
    "tests.recipes.language_model.test_job",
    "tests.recipes.test_training",
    "tests.recipes.test_transformer",
    "tests.recipes.training_runs",
)
