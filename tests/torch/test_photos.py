"""The residual network for photographs on torch: saved, loaded, trained, and resumed exactly."""

import tests.torch.backend  # noqa: F401
from tests.recipes.test_photos import (
    TestCommand,
    TestResidual,
    TestTraining,
    narrow_network,
    root,
    whole_folder,
)

__all__ = ["TestCommand", "TestResidual", "TestTraining", "narrow_network", "root", "whole_folder"]
