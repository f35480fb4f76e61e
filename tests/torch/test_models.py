"""The tests of the models, on torch."""

import tests.torch.backend  # noqa: F401
from tests.recipes.test_models import TestBuildModel, TestConvBlock

__all__ = ["TestBuildModel", "TestConvBlock"]
