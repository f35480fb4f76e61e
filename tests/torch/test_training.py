"""The tests of training on torch: all models and loops reach 97 %, and a run that was stopped goes on exactly."""

import tests.torch.backend  # noqa: F401
from tests.recipes.test_training import (
    TestInterrupt,
    TestResume,
    loop,
    test_reaches_97_percent_on_digits,
    whole_run,
)

__all__ = ["TestInterrupt", "TestResume", "loop", "test_reaches_97_percent_on_digits", "whole_run"]
