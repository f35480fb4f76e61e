"""The tests of the Transformer, and of its training on a small text, on torch."""

import tests.torch.backend  # noqa: F401
from tests.recipes.language_model.test_job import (
    TestTraining,
    poem,
    test_killed_and_stopped_it_goes_on_with_the_same_losses,
    whole_run,
)
from tests.recipes.test_transformer import TestTransformerLanguageModel, test_attention_is_that_of_the_paper

__all__ = [
    "TestTraining",
    "TestTransformerLanguageModel",
    "poem",
    "test_attention_is_that_of_the_paper",
    "test_killed_and_stopped_it_goes_on_with_the_same_losses",
    "whole_run",
]
